"""Qué se cuenta y qué se registra de cada pedido: tiempos y códigos, nunca los textos.

Los contadores están en ``/metrics``, en el formato de Prometheus; los registros, uno por línea en JSON,
en la salida de errores.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
import time
import uuid

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("servicio")

LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class JsonFormatter(logging.Formatter):
    """Un registro por línea; lo que venga en ``extra={"campos": …}`` va como está."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "hora": when.isoformat(timespec="milliseconds"),
            "nivel": record.levelname,
            "evento": record.getMessage(),
            **getattr(record, "campos", {}),
        }
        if record.exc_info:
            # El tipo y el lugar, y no el mensaje: el de un ValueError suele traer el texto que lo causó.
            kind, _, trace = record.exc_info
            while trace and trace.tb_next:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
            line |= {"excepcion": kind.__name__ if kind else "", "donde": where}
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging() -> None:
    """Manda los registros propios y los de uvicorn, en JSON, a la salida de errores."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    for name in ("servicio", "uvicorn"):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").disabled = True  # el registro por pedido es el propio


def log(event: str, level: int = logging.INFO, **fields) -> None:
    """Registra un hecho con sus datos."""
    logger.log(level, event, extra={"campos": fields})


class Metrics:
    """Los contadores de una aplicación; cada una tiene los suyos, y dos en un proceso no se mezclan."""

    def __init__(self):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        options = {"registry": self.registry}
        self.requests = Counter(
            "servicio_peticiones", "Peticiones contestadas.", ["ruta", "codigo"], **options
        )
        self.latency = Histogram(
            "servicio_latencia_segundos", "Tiempo de respuesta.", ["ruta"], buckets=LATENCIES, **options
        )
        self.batches = Histogram(
            "servicio_tanda", "Pedidos por tanda.", ["motor"], buckets=BATCHES, **options
        )
        self.pending = Gauge("servicio_pendientes", "Pedidos sin contestar.", ["motor"], **options)
        self.in_flight = Gauge("servicio_en_curso", "Peticiones sin contestar.", **options)


class Telemetry:
    """Middleware que mide cada pedido, lo registra y le pone un número (``X-Peticion``)."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        number, start, status = uuid.uuid4().hex[:12], time.perf_counter(), 500
        ours = scope.get("app")

        async def numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-peticion", number.encode())]
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, numbered)
        finally:
            self.metrics.in_flight.dec()
            seconds = time.perf_counter() - start
            # La plantilla de la ruta y no la dirección pedida, que la elige cualquiera. Lo que atendió la
            # página (otra aplicación, montada) o no atendió nadie va todo junto.
            path = getattr(scope.get("route"), "path", None) if scope.get("app") is ours else None
            path = path or "otra"
            self.metrics.requests.labels(path, status).inc()
            self.metrics.latency.labels(path).observe(seconds)
            if path != "otra":
                log(
                    "peticion",
                    id=number,
                    metodo=scope["method"],
                    ruta=path,
                    codigo=status,
                    ms=round(1000 * seconds, 1),
                )
