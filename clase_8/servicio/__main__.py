"""Sirve la aplicación: ``python -m clase_8.servicio``."""

from __future__ import annotations

import contextlib
import os
import sys


def main(load=None) -> int:
    """Lee la configuración, sirve hasta que le pidan terminar y devuelve el código de salida.

    ``load`` carga los motores, como en :func:`clase_8.servicio.app.create_app`; las pruebas ponen otros.
    """
    # Antes de importar a quienes las leen: el servicio no sale a la red.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    import uvicorn

    from clase_8.servicio.app import create_app
    from clase_8.servicio.engines import load_engines
    from clase_8.servicio.settings import SettingsError, load_settings
    from clase_8.servicio.telemetry import configure_logging

    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logging()
    failures: list[Exception] = []

    def give_up(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    config = uvicorn.Config(
        create_app(settings, load or load_engines, give_up),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Más que los clientes y los proxies de costumbre (5 y 60 s): si cierra antes el servidor, un pedido
        # que ya venía en camino por esa conexión se pierde.
        timeout_keep_alive=65,
        # Al apagarse se contesta lo aceptado; una página abierta, en cambio, puede no soltar nunca.
        timeout_graceful_shutdown=int(settings.deadline) + 5,
    )
    server = uvicorn.Server(config)
    print(
        f"El servicio va a estar en http://{settings.host}:{settings.port} (Ctrl+C lo termina).", flush=True
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
