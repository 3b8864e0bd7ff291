"""Tandas: los pedidos que llegan mientras el motor trabaja esperan juntos, y se contestan juntos.

No se espera a propósito a que la tanda se llene: si el motor está libre, un texto solo sale solo. Cuanta más
carga, más grandes las tandas, y un modelo tarda por texto mucho menos de a treinta y dos que de a uno.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, NamedTuple, TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")

WINDOW = 4  # tandas entre las que se eligen textos de largo parecido
LONGEST_RETRY = 30  # segundos


class QueueFull(Exception):
    """No hay lugar para esperar.

    Attributes
    ----------
    retry_after : int
        En cuántos segundos conviene volver a probar.
    """

    def __init__(self, retry_after: int):
        super().__init__(f"La cola está llena; conviene reintentar en {retry_after} s.")
        self.retry_after = retry_after


class _Waiting(NamedTuple):
    item: object
    future: asyncio.Future


class Batcher(Generic[Item, Result]):
    """Un motor con su cola y su hilo.

    Parameters
    ----------
    run : callable
        De una lista de pedidos a sus resultados, en el mismo orden. Corre en un hilo propio, de a una
        tanda, así que no hace falta que soporte varios hilos. Un resultado que es una excepción es para
        el que lo pidió. Si ``run`` la lanza, la tanda se repite de a uno: que un pedido falle no puede
        ser problema de sus vecinos.
    capacity : int
        Pedidos sin contestar que se admiten, esperando o en curso.
    batch : int
        Pedidos por tanda, a lo sumo.
    size : callable
        El largo de un pedido: en una tanda van los parecidos.
    observe : callable
        Se la llama con la cantidad de pedidos de cada tanda.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Sequence[Result]],
        capacity: int,
        batch: int,
        size: Callable[[Item], int] = len,
        observe: Callable[[int], None] = lambda count: None,
    ):
        self.run, self.capacity, self.batch, self.size, self.observe = run, capacity, batch, size, observe
        self.pending = 0
        self._rate = 0.0  # pedidos por segundo, promedio que olvida
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)
        self._task: asyncio.Task | None = None

    def start(self) -> None:
        """Empieza a atender; hay que llamarlo desde el bucle de eventos."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Termina la tanda en curso, contesta lo que esperaba y cierra el hilo."""
        while self.pending:
            await asyncio.sleep(0.01)
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown()

    async def __call__(self, items: Sequence[Item]) -> list[Result]:
        """Los resultados de ``items``, en su orden.

        Quien espera puede dejar de hacerlo (``asyncio.timeout``): lo suyo que no haya empezado no se
        calcula.

        Raises
        ------
        QueueFull
            Si no entran todos. No entra ninguno: un pedido a medias no le sirve a nadie.
        """
        if self.pending + len(items) > self.capacity:
            raise QueueFull(self._retry_after())
        futures = [self._add(item) for item in items]
        try:
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()

    def _add(self, item: Item) -> asyncio.Future:
        future = asyncio.get_running_loop().create_future()
        self.pending += 1
        future.add_done_callback(self._forget)
        self._waiting.append(_Waiting(item, future))
        self._wake.set()
        return future

    def _forget(self, future: asyncio.Future) -> None:
        self.pending -= 1
        if not future.cancelled():
            future.exception()  # ya la vio quien esperaba, o no le importa a nadie

    def _retry_after(self) -> int:
        """Segundos que llevaría lo que está esperando, al ritmo de ahora."""
        seconds = math.ceil(self.pending / self._rate) if self._rate else 1
        return min(max(seconds, 1), LONGEST_RETRY)

    def _take(self) -> list[_Waiting]:
        """La próxima tanda: el que más espera, y los de largo más parecido entre los que le siguen.

        El primero va siempre, así que nadie espera sin fin por ser largo.
        """
        self._waiting = deque(one for one in self._waiting if not one.future.done())
        window = list(itertools.islice(self._waiting, WINDOW * self.batch))
        if not window:
            return []
        first, count = window[0], min(self.batch, len(window))
        window.sort(key=lambda one: self.size(one.item))  # estable: a igual largo, el que llegó antes
        lengths = [self.size(one.item) for one in window]
        place = next(i for i, one in enumerate(window) if one is first)
        starts = range(max(place - count + 1, 0), min(place, len(window) - count) + 1)
        start = min(starts, key=lambda i: lengths[i + count - 1] - lengths[i])
        chosen = window[start : start + count]
        taken = {id(one) for one in chosen}
        self._waiting = deque(one for one in self._waiting if id(one) not in taken)
        return chosen

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            chosen = self._take()
            if not chosen:
                self._wake.clear()
                continue
            start = time.perf_counter()
            items = [one.item for one in chosen]
            results = await loop.run_in_executor(self._thread, self._results, items)
            self._measure(len(chosen), time.perf_counter() - start)
            for one, result in zip(chosen, results, strict=True):
                if one.future.done():  # quien lo pidió se fue
                    continue
                if isinstance(result, Exception):
                    one.future.set_exception(result)
                else:
                    one.future.set_result(result)

    def _results(self, items: list[Item]) -> Sequence[Result | Exception]:
        """Un resultado o una excepción por pedido; nunca la lanza."""
        try:
            results = self.run(items)
            if len(results) != len(items):
                raise RuntimeError(f"El motor dio {len(results)} resultados para {len(items)} pedidos.")
            return results
        except Exception as error:
            return [error] if len(items) == 1 else [self._results([item])[0] for item in items]

    def _measure(self, count: int, seconds: float) -> None:
        self.observe(count)
        rate = count / max(seconds, 1e-6)
        self._rate = 0.8 * self._rate + 0.2 * rate if self._rate else rate
