"""Clientes simultáneos, para medir: cada uno manda un pedido, espera la respuesta y manda otro.

Corre en un proceso aparte (:func:`measure`) para no compartir el intérprete con quien mira, y usa
``http.client`` en hilos porque en la misma máquina lo que gasta el cliente se lo saca al servidor: httpx, más
cómodo, tarda por pedido varias veces más.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from clase_8.servicio.launch import ROOT


class Load(NamedTuple):
    """Lo que pasó.

    Attributes
    ----------
    seconds : float
        Lo que duró.
    latencies : ndarray, shape (pedidos contestados,)
        Segundos que tardó cada uno.
    statuses : dict of str to int
        Cuántas respuestas de cada código; «sin respuesta» si se cortó.
    """

    seconds: float
    latencies: np.ndarray
    statuses: dict[str, int]

    @property
    def per_second(self) -> float:
        """Pedidos contestados con 200, por segundo."""
        return self.statuses.get("200", 0) / self.seconds

    def percentile(self, q: float) -> float:
        """Percentil de la latencia, en milisegundos."""
        return 1000 * float(np.percentile(self.latencies, q))


def measure(url: str, bodies: Sequence[dict], clients: int = 32, seconds: float = 10) -> Load:
    """Carga un servidor desde otro proceso.

    Parameters
    ----------
    url : str
        La dirección completa, a la que se hace POST.
    bodies : sequence of dict
        Los cuerpos, que los clientes se van repartiendo y vuelven a empezar.
    clients : int
    seconds : float
    """
    command = [sys.executable, "-m", __name__, url, str(clients), str(seconds)]
    sent = json.dumps(list(bodies))
    options = {"capture_output": True, "text": True, "check": True, "cwd": ROOT}
    done = subprocess.run(command, input=sent, timeout=seconds + 120, **options)
    found = json.loads(done.stdout)
    return Load(found["seconds"], np.array(found["latencies"]), found["statuses"])


def fire(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> dict:
    """Lo que hace el proceso aparte."""
    address = urllib.parse.urlsplit(url)
    latencies, statuses, lock = [], {}, threading.Lock()
    start = time.perf_counter()

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        mine, turn = [], number
        while time.perf_counter() - start < seconds:
            begin = time.perf_counter()
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", address.path, bodies[turn % len(bodies)], headers)
                response = connection.getresponse()
                response.read()
                status = str(response.status)
            except (OSError, http.client.HTTPException):
                connection.close()
                status = "sin respuesta"
            mine.append((status, time.perf_counter() - begin))
            turn += clients
        connection.close()
        with lock:
            for status, latency in mine:
                statuses[status] = statuses.get(status, 0) + 1
                if status != "sin respuesta":
                    latencies.append(latency)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": time.perf_counter() - start, "latencies": latencies, "statuses": statuses}


if __name__ == "__main__":
    url, clients, seconds = sys.argv[1:]
    bodies = [json.dumps(body).encode() for body in json.load(sys.stdin)]
    json.dump(fire(url, bodies, int(clients), float(seconds)), sys.stdout)
