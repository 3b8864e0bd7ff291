"""El servicio con motores de mentira: contestan algo que se puede comprobar y tardan lo que se les pida.

Como programa (``python tests/fake_service.py``) sirve con ellos; lee, además de las variables del servicio,
``FALSO_SEGUNDOS``, lo que tarda cada tanda.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from clase_8.servicio.classifier import Prediction
from clase_8.servicio.engines import Engines
from clase_8.servicio.masking import MASK, Candidate

BOOM = "explota"


def stars(text: str) -> int:
    """Las estrellas de mentira: siempre las mismas para un texto, y de aspecto caprichoso."""
    return hashlib.sha256(text.encode()).digest()[0] % 5 + 1


def _predict(text: str) -> Prediction:
    given = stars(text)
    return Prediction(given, tuple(0.6 if star == given else 0.1 for star in range(1, 6)), len(text) > 1000)


def _summarize(text: str, sentences: int):
    """Las primeras oraciones."""
    from utils.sentences import split_sentences
    from utils.summarization import Summary, SummaryError

    found = split_sentences(text)
    if not found:
        return SummaryError("El texto está vacío: no hay qué resumir.")
    chosen = found[:sentences]
    return Summary(tuple(chosen), tuple(range(len(chosen))), len(found))


def _reply(message: str, state: dict | None) -> tuple[str, str, dict]:
    """Recuerda todo lo que le dijeron y lo repite."""
    said = [*(state or {"dichos": []})["dichos"], message[:50]][-20:]
    return "eco", " | ".join(said), {"dichos": said}


def fake_engines(seconds: float = 0.0) -> Engines:
    """Motores que tardan ``seconds`` por tanda y fallan si un texto dice «explota»."""

    def run(one):
        def batch(requests):
            time.sleep(seconds)
            if any(BOOM in str(request) for request in requests):
                raise ZeroDivisionError(f"secreto: {requests}")
            return [one(request) for request in requests]

        return batch

    return Engines(
        classify=run(_predict),
        summarize=run(lambda request: _summarize(*request)),
        fill=run(lambda request: [[Candidate("sol", 0.5)] * request[1]] * request[0].count(MASK)),
        reply=run(lambda request: _reply(*request)),
    )


def load(settings) -> Engines:
    return fake_engines(float(os.environ.get("FALSO_SEGUNDOS", "0")))


if __name__ == "__main__":
    from clase_8.servicio.__main__ import main

    sys.exit(main(load))
