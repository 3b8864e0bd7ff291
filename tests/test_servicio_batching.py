"""Las tandas: orden, largo, cola llena, plazo y fallas, con motores de mentira."""

import asyncio
import threading

import pytest

from clase_8.servicio.batching import LONGEST_RETRY, Batcher, QueueFull


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


async def started(function, capacity=100, batch=8, **options):
    batcher = Batcher(function, capacity, batch, **options)
    batcher.start()
    return batcher


def upper(texts):
    return [text.upper() for text in texts]


class Gate:
    """Un motor que anota cada tanda y no la contesta hasta que lo abren."""

    def __init__(self):
        self.batches, self._entered, self._open = [], threading.Event(), threading.Event()

    def __call__(self, items):
        self.batches.append(list(items))
        self._entered.set()
        self._open.wait(20)
        return items

    async def busy(self):
        """Espera a que entre la primera tanda."""
        await asyncio.to_thread(self._entered.wait, 20)

    def open(self):
        self._open.set()


def test_answers_come_in_order_and_to_whom_they_belong():
    async def check():
        batcher = await started(upper, capacity=1000)
        requests = [[f"pedido {i} texto {j}" * (1 + j % 3) for j in range(i % 7)] for i in range(100)]
        answers = await asyncio.gather(*(batcher(request) for request in requests))
        assert answers == [upper(request) for request in requests]
        await batcher.stop()
        assert batcher.pending == 0

    run(check())


def test_a_free_engine_does_not_wait_and_a_busy_one_gathers():
    gate, sizes = Gate(), []

    async def check():
        batcher = await started(gate, observe=sizes.append)
        requests = [asyncio.create_task(batcher(["a"]))]
        await gate.busy()  # la primera ya salió, sola
        requests += [asyncio.create_task(batcher([text])) for text in "bcdefghij"]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*requests)
        await batcher.stop()

    run(check())
    assert sizes == [1, 8, 1]


def test_a_batch_joins_texts_of_similar_length_and_nobody_waits_forever():
    gate = Gate()

    async def check():
        batcher = await started(gate, batch=4)
        requests = [asyncio.create_task(batcher(["x"]))]
        await gate.busy()
        lengths = [90, 1, 2, 91, 3, 92, 4, 93]  # el más viejo de los que esperan mide 90
        requests += [asyncio.create_task(batcher(["x" * length])) for length in lengths]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(*requests)
        await batcher.stop()

    run(check())
    assert [[len(text) for text in batch] for batch in gate.batches] == [[1], [90, 91, 92, 93], [1, 2, 3, 4]]


def test_a_full_queue_takes_nothing():
    gate = Gate()

    async def check():
        batcher = await started(gate, capacity=3, batch=1)
        waiting = asyncio.create_task(batcher(["a", "b"]))
        await gate.busy()
        with pytest.raises(QueueFull) as full:
            await batcher(["c", "d"])  # entraría uno: no entra ninguno
        assert 1 <= full.value.retry_after <= LONGEST_RETRY
        assert batcher.pending == 2
        gate.open()
        assert await waiting == ["a", "b"]
        assert await batcher(["c", "d", "e"]) == ["c", "d", "e"]
        await batcher.stop()

    run(check())


def test_who_leaves_frees_the_place_and_is_not_computed():
    gate = Gate()

    async def check():
        batcher = await started(gate, capacity=3, batch=1)
        first = asyncio.create_task(batcher(["a"]))
        await gate.busy()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await batcher(["b", "c"])
        await asyncio.sleep(0)
        assert batcher.pending == 1
        others = asyncio.create_task(batcher(["d", "e"]))
        gate.open()
        assert await others == ["d", "e"]
        assert await first == ["a"]
        await batcher.stop()

    run(check())
    assert gate.batches == [["a"], ["d"], ["e"]]


def test_one_failure_is_not_everybodys():
    def fragile(numbers):
        if 0 in numbers:
            raise ZeroDivisionError
        return [1 / number for number in numbers]

    async def check():
        batcher = await started(fragile, size=lambda number: 1)
        answers = await asyncio.gather(*(batcher([n]) for n in (1, 0, 2)), return_exceptions=True)
        assert answers[0] == [1] and answers[2] == [0.5]
        assert isinstance(answers[1], ZeroDivisionError)
        assert await batcher([4]) == [0.25]  # y el motor sigue andando
        await batcher.stop()

    run(check())


def test_a_result_can_be_an_error_and_a_missing_result_is_one():
    async def check():
        polite = await started(lambda items: [ValueError("no") if item == "b" else item for item in items])
        answers = await asyncio.gather(polite(["a"]), polite(["b"]), return_exceptions=True)
        assert answers[0] == ["a"] and isinstance(answers[1], ValueError)
        await polite.stop()
        short = await started(lambda items: [])
        with pytest.raises(RuntimeError, match="resultados"):
            await short(["a"])
        await short.stop()

    run(check())


def test_stopping_answers_what_was_accepted():
    async def check():
        batcher = await started(upper, batch=2)
        waiting = asyncio.create_task(batcher(list("abcdefg")))
        await asyncio.sleep(0)
        await batcher.stop()
        assert await waiting == list("ABCDEFG")

    run(check())
