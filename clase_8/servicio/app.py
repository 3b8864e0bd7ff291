"""La API: los puntos de entrada, sus límites y su vida, desde que arranca hasta que se apaga."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from clase_8.servicio import errors
from clase_8.servicio.batching import Batcher, QueueFull
from clase_8.servicio.engines import Engines, load_engines
from clase_8.servicio.errors import ServiceError
from clase_8.servicio.limits import BodyLimit
from clase_8.servicio.schemas import (
    BotRequest,
    BotResponse,
    Health,
    MaskRequest,
    MaskResponse,
    Problem,
    Sentiment,
    SentimentRequest,
    SentimentResponse,
    SummaryRequest,
    SummaryResponse,
    Word,
)
from clase_8.servicio.settings import Settings, load_settings
from clase_8.servicio.state import Signer, StateError
from clase_8.servicio.telemetry import Metrics, Telemetry, log

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
WAIT = {"Retry-After": {"description": "Segundos.", "schema": {"type": "integer"}}}
PROBLEMS = {
    400: {"model": Problem, "description": "Bien formado, pero no se puede atender."},
    413: {"model": Problem, "description": "El cuerpo es demasiado grande."},
    422: {"model": Problem, "description": "No tiene la forma debida o pasa un límite."},
    500: {"model": Problem, "description": "Falló el servicio."},
    503: {"model": Problem, "description": "Sin lugar en la cola, o todavía cargando.", "headers": WAIT},
    504: {"model": Problem, "description": "Pasó el plazo."},
}


class Service:
    """Los motores con sus colas, y si están listos.

    Parameters
    ----------
    settings : Settings
    load : callable
        De la configuración a :class:`~clase_8.servicio.engines.Engines`; corre en otro hilo.
    on_failure : callable
        Se la llama, con el error, si ``load`` falla.
    """

    def __init__(self, settings: Settings, load: Callable[[Settings], Engines], on_failure):
        self.settings, self.load, self.on_failure = settings, load, on_failure
        self.metrics, self.batchers = Metrics(), {}
        key = settings.key.get_secret_value() if settings.key else secrets.token_urlsafe(32)
        self.signer = Signer(key, 3600 * settings.state_hours)
        self._loading: asyncio.Task | None = None

    @property
    def ready(self) -> bool:
        """Si ya se puede contestar."""
        return bool(self.batchers)

    def start(self) -> None:
        """Empieza a cargar los motores, sin esperar a que estén."""
        if self.settings.key is None:
            note = "sin SERVICIO_CLAVE, otra réplica no puede seguir las conversaciones de esta"
            log("clave_sorteada", logging.WARNING, nota=note)
        self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            engines = await asyncio.to_thread(self.load, self.settings)
        except Exception as error:
            log("no_arranco", logging.ERROR, motivo=str(error))
            self.on_failure(error)
            return
        batch = self.settings.batch
        self.batchers = {
            "sentimiento": self._batcher("sentimiento", engines.classify, batch, len),
            # De a uno: un resumen ya es una tanda de oraciones.
            "resumen": self._batcher("resumen", engines.summarize, 1, _text_length),
            "mascara": self._batcher("mascara", engines.fill, batch, _text_length),
            "bot": self._batcher("bot", engines.reply, batch, _text_length),
        }
        log("listo")

    def _batcher(self, name: str, run, batch: int, size) -> Batcher:
        observe = self.metrics.batches.labels(name).observe
        batcher = Batcher(run, self.settings.queue, batch, size, observe)
        self.metrics.pending.labels(name).set_function(lambda: batcher.pending)
        batcher.start()
        return batcher

    async def stop(self) -> None:
        """Contesta lo aceptado y suelta los hilos."""
        if self._loading:
            await self._loading
        await asyncio.gather(*(batcher.stop() for batcher in self.batchers.values()))
        log("apagado")

    async def run(self, engine: str, items: Sequence) -> list:
        """Los resultados de un motor, dentro del plazo.

        Raises
        ------
        ServiceError
            503 si está cargando o no hay lugar, 504 si pasó el plazo.
        """
        if not self.ready:
            raise ServiceError(503, "El servicio todavía está cargando sus modelos.", {"Retry-After": "5"})
        try:
            async with asyncio.timeout(self.settings.deadline):
                return await self.batchers[engine](items)
        except QueueFull as full:
            raise ServiceError(
                503,
                "Hay demasiados pedidos esperando: probá de nuevo en un rato.",
                {"Retry-After": str(full.retry_after)},
            ) from None
        except TimeoutError:
            message = f"No llegué a contestar en {self.settings.deadline:g} segundos."
            raise ServiceError(504, message) from None


def _text_length(request: tuple) -> int:
    """El largo de un pedido que lleva un texto y otra cosa."""
    return len(request[0])


def create_app(
    settings: Settings | None = None,
    load: Callable[[Settings], Engines] = load_engines,
    on_failure: Callable[[Exception], None] = lambda error: None,
) -> FastAPI:
    """Arma la aplicación.

    Parameters
    ----------
    settings : Settings, optional
        Por omisión, la de las variables de entorno.
    load : callable
        Quien carga los motores; las pruebas ponen otros.
    on_failure : callable
        Se la llama si los motores no se pudieron cargar.
    """
    service = Service(settings or load_settings(), load, on_failure)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI):
        service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="Portfolio de PLN: el servicio",
        version="1",
        description="Estrellas de una reseña, resúmenes, palabras tapadas y un bot, en español.",
        lifespan=lifespan,
        redoc_url=None,
        servers=[{"url": "/"}],
    )
    app.state.service = service
    app.add_middleware(BodyLimit, limit=service.settings.body_bytes)
    app.add_middleware(Telemetry, metrics=service.metrics)  # la última puesta es la de más afuera
    errors.install(app)
    app.include_router(_api(service))
    app.include_router(_operations(service))
    _refuse_other_methods(app)
    if service.settings.page:
        from clase_8.servicio.page import mount_page

        mount_page(app)
    return app


def _api(service: Service) -> APIRouter:
    """Los cuatro servicios."""
    router = APIRouter(prefix="/v1", tags=["servicios"], responses=PROBLEMS)

    @router.post("/sentimiento")
    async def sentiment(request: SentimentRequest) -> SentimentResponse:
        """Cuántas estrellas merece cada reseña."""
        found = await service.run("sentimiento", request.textos)
        return SentimentResponse(
            resultados=[
                Sentiment(
                    estrellas=one.stars,
                    probabilidades=[round(value, 6) for value in one.probabilities],
                    recortado=one.truncated,
                )
                for one in found
            ]
        )

    @router.post("/resumen")
    async def summary(request: SummaryRequest) -> SummaryResponse:
        """Las oraciones que mejor representan un texto."""
        from utils.summarization import SummaryError

        try:
            (found,) = await service.run("resumen", [(request.texto, request.oraciones)])
        except SummaryError as error:
            raise ServiceError(400, str(error)) from None
        return SummaryResponse(
            resumen=str(found),
            oraciones=list(found.sentences),
            posiciones=list(found.positions),
            total=found.total,
        )

    @router.post("/mascara")
    async def mask(request: MaskRequest) -> MaskResponse:
        """Qué palabras pondría BERT donde dice [MASK]."""
        from clase_8.servicio.masking import MaskError

        try:
            (places,) = await service.run("mascara", [(request.texto, request.cantidad)])
        except MaskError as error:
            raise ServiceError(400, str(error)) from None
        return MaskResponse(
            lugares=[
                [Word(palabra=one.word, probabilidad=round(one.probability, 6)) for one in place]
                for place in places
            ]
        )

    @router.post("/bot")
    async def bot(request: BotRequest) -> BotResponse:
        """Un turno de conversación con el bot de una librería."""
        try:
            state = service.signer.read(request.estado) if request.estado is not None else None
        except StateError as error:
            raise ServiceError(400, str(error)) from None
        ((understood, message, state),) = await service.run("bot", [(request.mensaje, state)])
        return BotResponse(respuesta=message, entendido=understood, estado=service.signer.sign(state))

    return router


def _operations(service: Service) -> APIRouter:
    """Lo que mira quien opera el servicio."""
    router = APIRouter(tags=["operación"])

    @router.get("/salud")
    async def health() -> Health:
        """Si el proceso vive."""
        return Health(estado="vivo")

    @router.get("/listo", responses={503: PROBLEMS[503]})
    async def ready() -> Health:
        """Si ya cargó y calentó los modelos: recién ahí conviene mandarle pedidos."""
        if not service.ready:
            raise ServiceError(503, "Todavía está cargando.", {"Retry-After": "5"})
        return Health(estado="listo")

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Contadores, en el formato de Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _refuse_other_methods(app: FastAPI) -> None:
    """Contesta 405 a los métodos que una dirección no admite.

    Starlette lo hace solo, salvo que algo montado en «/» (la página) acepte todo lo demás.
    """

    def refusing(allowed: set[str]):
        async def refuse() -> None:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})

        return refuse

    for path, operations in app.openapi()["paths"].items():
        allowed = {method.upper() for method in operations}
        others = sorted(METHODS - allowed)
        app.add_api_route(path, refusing(allowed), methods=others, include_in_schema=False)
