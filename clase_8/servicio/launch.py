"""Poner un servidor a andar en otro proceso, en un puerto libre, y apagarlo al terminar.

>>> with serving() as server:
...     httpx.get(f"{server.url}/salud")
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICE = (sys.executable, "-m", "clase_8.servicio")


class LaunchError(RuntimeError):
    """El servidor no arrancó; el mensaje trae lo último que registró."""


@dataclass(frozen=True)
class Server:
    """Un servidor que anda.

    Attributes
    ----------
    url : str
    process : subprocess.Popen
    log_file : Path
        Lo que escribe en su salida de errores.
    """

    url: str
    process: subprocess.Popen
    log_file: Path

    def log(self) -> str:
        """Lo registrado hasta ahora."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def serving(
    command: Sequence[str] = SERVICE, ready: str = "/listo", timeout: float = 120, **environment: str
) -> Iterator[Server]:
    """Arranca un servidor, espera a que esté listo y al salir lo apaga, pase lo que pase.

    Parameters
    ----------
    command : sequence of str
        El programa. Recibe el puerto en ``SERVICIO_PUERTO``.
    ready : str
        La dirección que contesta 200 cuando está listo.
    timeout : float
        Segundos que se esperan.
    **environment : str
        Otras variables de entorno.

    Raises
    ------
    LaunchError
        Si terminó solo o no estuvo listo a tiempo.
    """
    with tempfile.TemporaryDirectory() as folder:
        port, log_file = free_port(), Path(folder) / "registro"
        environment = os.environ | {"SERVICIO_PUERTO": str(port)} | environment
        with log_file.open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        server = Server(f"http://127.0.0.1:{port}", process, log_file)
        atexit.register(process.kill)  # por si quien lo prendió termina sin salir de acá
        try:
            _wait(server, ready, timeout)
            yield server
        finally:
            atexit.unregister(process.kill)
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """Un puerto que ahora no usa nadie."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(server: Server, ready: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise LaunchError(
                f"El servidor terminó con código {server.process.returncode}:\n{server.log()[-2000:]}"
            )
        try:
            urllib.request.urlopen(server.url + ready, timeout=5).close()
            return
        except OSError:  # todavía no escucha, o contesta 503
            time.sleep(0.1)
    raise LaunchError(f"El servidor no estuvo listo en {timeout:g} segundos:\n{server.log()[-2000:]}")
