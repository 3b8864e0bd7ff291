"""Los errores, todos con la misma forma, en español y sin repetir lo que se mandó.

No se repite por privacidad y también por robustez: el manejador de FastAPI devuelve el valor que no sirvió, y
si es un medio emoji (``\\ud83d``), al escribir la respuesta falla él.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from clase_8.servicio.schemas import Problem

BY_STATUS = {
    400: "No pude leer el cuerpo: tiene que ser JSON en UTF-8.",
    404: "No existe esa dirección: las que hay están en /docs.",
    405: "Esa dirección no admite ese método: los que hay están en /docs.",
    413: "El cuerpo es demasiado grande: mandá los textos en varios pedidos.",
}
INVALID = "El pedido no tiene la forma debida: está descrita en /docs."
INTERNAL = "Falló algo nuestro y quedó registrado."
BY_TYPE = {
    "missing": "falta",
    "extra_forbidden": "hay un campo que no existe",
    "json_invalid": "no es JSON válido",
    "string_type": "tiene que ser un texto",
    "string_unicode": "tiene caracteres que no son Unicode válido",
    "list_type": "tiene que ser una lista",
    "int_type": "tiene que ser un número entero",
    "int_from_float": "tiene que ser un número entero",
    "string_pattern_mismatch": "no tiene lo que hace falta: la palabra tapada se escribe [MASK]",
    "string_too_short": "tiene que medir al menos {min_length} carácter",
    "string_too_long": "mide más de {max_length} caracteres",
    "too_short": "tiene que tener al menos {min_length} elemento",
    "too_long": "tiene más de {max_length} elementos",
    "greater_than_equal": "tiene que ser como mínimo {ge}",
    "less_than_equal": "tiene que ser como máximo {le}",
}


class ServiceError(Exception):
    """Un pedido bien formado que no se puede atender.

    Parameters
    ----------
    status : int
    message : str
        Para quien llamó.
    headers : dict, optional
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


def install(app: FastAPI) -> None:
    """Pone los manejadores en una aplicación."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def _problem(status: int, error: str, details: list[str] | None = None, headers=None) -> JSONResponse:
    content = Problem(error=error, detalles=details or []).model_dump()
    return JSONResponse(content, status_code=status, headers=headers)


async def _service_error(request: Request, error: ServiceError) -> JSONResponse:
    return _problem(error.status, error.message, headers=error.headers)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    message = BY_STATUS.get(error.status_code, "El pedido no se pudo atender.")
    headers = dict(error.headers or {})
    if error.status_code == 413:
        headers["Connection"] = "close"  # queda cuerpo sin leer: la conexión no sirve para otro pedido
    return _problem(error.status_code, message, headers=headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return _problem(422, INVALID, [_described(issue) for issue in error.errors()[:10]])


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return _problem(500, INTERNAL)


def _described(issue: dict) -> str:
    """«textos.3: mide más de 5000 caracteres». Los nombres de campo que inventó quien llama, no."""
    kind, place = issue["type"], list(issue["loc"][1:])
    if kind in ("extra_forbidden", "json_invalid"):
        place = place[:-1]
    message = BY_TYPE.get(kind, "tiene que ser un objeto JSON" if not place else "no sirve")
    return ".".join(map(str, place)) + (": " if place else "") + message.format(**issue.get("ctx", {}))
