"""El tope del cuerpo de un pedido: se corta al leerlo, antes de que ocupe memoria."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Middleware que rechaza con 413 los cuerpos de más de ``limit`` bytes.

    FastAPI trae uno (``max_body_size``), pero contesta en inglés y sin la forma de nuestros errores.
    """

    def __init__(self, app: ASGIApp, limit: int):
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self.limit:
            receive = _refuse  # se contesta sin leer nada
        await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                raise HTTPException(413)
            return message

        return counted


async def _refuse() -> Message:
    raise HTTPException(413)
