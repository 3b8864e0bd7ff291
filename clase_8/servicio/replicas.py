"""La misma aplicación en muchas réplicas, con Ray Serve: ``python -m clase_8.servicio.replicas``.

Ray Serve pone delante un *proxy* que reparte los pedidos, y agrega o saca réplicas según cuántos estén en
curso. Sin nada más usa los procesadores de esta máquina; con ``RAY_ADDRESS``, los del clúster. La
configuración es la del servicio, con tres diferencias: cada réplica calcula con un hilo (salvo que
``SERVICIO_HILOS`` diga otra cosa), todas firman las conversaciones con la misma clave, y la página no se
sirve, porque guarda en su proceso la cola de quien la está mirando y el pedido siguiente puede llegar a
otra réplica.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable

import ray
from pydantic import SecretStr
from ray import serve
from ray.serve.config import AutoscalingConfig, BackpressureConfig

from clase_8.servicio import lote
from clase_8.servicio.app import create_app
from clase_8.servicio.engines import Engines, load_engines
from clase_8.servicio.settings import Settings, SettingsError, load_settings
from clase_8.servicio.telemetry import configure_logging

HEADER = b"x-replica"


class ReplicaName:
    """Middleware que agrega a cada respuesta qué réplica la dio (``X-Replica``)."""

    def __init__(self, app, name: str):
        self.app, self.name = app, name.encode()

    async def __call__(self, scope, receive, send) -> None:
        async def named(message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (HEADER, self.name)]
            await send(message)

        await self.app(scope, receive, named)


@serve.ingress()
class Replica:
    """Una copia del servicio.

    Parameters
    ----------
    settings : Settings
    load : callable
        Como el de :func:`~clase_8.servicio.app.create_app`.
    """

    def __init__(self, settings: Settings, load: Callable[[Settings], Engines]):
        # Los modelos se cargan acá y no cuando arranca la aplicación: Serve no le manda pedidos a una réplica
        # hasta que termina de construirse.
        configure_logging()
        engines = load(settings)
        self.settings, self.load = settings, lambda _: engines

    def __serve_build_asgi_app__(self):
        app = create_app(self.settings, self.load)
        app.add_middleware(ReplicaName, name=serve.get_replica_context().replica_id.unique_id)
        return app


def application(
    settings: Settings, load: Callable[[Settings], Engines] = load_engines, **autoscaling
) -> serve.Application:
    """La aplicación de Serve, lista para ``serve.run``.

    Parameters
    ----------
    settings : Settings
        La del servicio.
    load : callable
        Quien carga los motores en cada réplica.
    **autoscaling
        Campos de ``ray.serve.config.AutoscalingConfig`` que reemplazan a los de acá.
    """
    threads = settings.threads or 1
    key = settings.key or SecretStr(secrets.token_urlsafe(32))
    settings = settings.model_copy(update={"threads": threads, "key": key, "page": False})
    defaults = {
        "min_replicas": 1,
        "max_replicas": max(1, int(ray.cluster_resources().get("CPU", 1)) // threads),
        # Con tantos pedidos en curso como textos entran en una tanda, la réplica ya trabaja a pleno;
        # más que eso es gente esperando.
        "target_ongoing_requests": settings.batch,
        "look_back_period_s": 15,
        "upscale_delay_s": 5,
        "downscale_delay_s": 120,  # cargar los modelos cuesta: no se tira una réplica por una pausa
    }
    deployment = serve.deployment(
        Replica,
        name="servicio",
        ray_actor_options={"num_cpus": threads},
        # Quien dice que no hay lugar es la aplicación, que sabe cuánto conviene esperar. El límite del proxy
        # es para cuando ni siquiera hay réplicas.
        max_ongoing_requests=settings.queue,
        max_queued_requests=settings.queue,
        backpressure_config=BackpressureConfig(retry_after_s=5),
        graceful_shutdown_timeout_s=settings.deadline + 5,
        autoscaling_config=AutoscalingConfig(**(defaults | autoscaling)),
    )
    return deployment.bind(settings, load)


def start(settings: Settings, proxies: str = "EveryNode") -> None:
    """Arranca Serve, sin aplicaciones todavía, en la dirección y el puerto de ``settings``.

    Parameters
    ----------
    settings : Settings
    proxies : {"EveryNode", "HeadOnly"}
        Un proxy en cada nodo con réplicas, o uno solo. Si varios nodos son una misma máquina, uno solo:
        no pueden escuchar todos en el mismo puerto.
    """
    http = {"host": settings.host, "port": settings.port, "request_timeout_s": settings.deadline + 5}
    serve.start(proxy_location=proxies, http_options=http)


def main() -> int:
    """Sirve hasta que lo interrumpan y devuelve el código de salida."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        settings = load_settings()
        lote.connect()
    except (SettingsError, lote.LoteError) as error:
        print(error, file=sys.stderr)
        return 1
    start(settings)
    print(
        f"El servicio va a estar en http://{settings.host}:{settings.port} (Ctrl+C lo termina).", flush=True
    )
    try:
        serve.run(application(settings), blocking=True)  # la interrupción la atiende Serve
    except RuntimeError as error:  # las réplicas no pudieron arrancar
        print(error, file=sys.stderr)
        return 1
    finally:
        serve.shutdown()
        ray.shutdown()
    return 0


if __name__ == "__main__":
    from clase_8.servicio import replicas

    sys.exit(replicas.main())
