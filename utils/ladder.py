"""La escalera del curso: las mismas reseñas, la misma partición y las mismas medidas para cada modelo.

Cada clase agrega un peldaño a la pregunta «¿cuántas estrellas merece esta reseña?».
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np


def measure(predict: Callable[[Sequence[str]], np.ndarray], texts: Sequence[str], stars) -> dict[str, float]:
    """Mide un modelo de estrellas sobre reseñas de prueba.

    Parameters
    ----------
    predict : callable
        De una lista de n textos a un arreglo de n estrellas (enteros de 1 a 5).
    texts : sequence of str, length n
        Reseñas, sin vacías.
    stars : array-like of int, shape (n,)
        Las estrellas que les pusieron.

    Returns
    -------
    dict
        ``exactitud``; ``macro_f1``; ``error_absoluto`` medio, en estrellas; ``kappa`` con pesos
        cuadráticos (1 es acuerdo perfecto; 0, el del azar); ``ms_por_texto``, milisegundos de reloj
        por texto prediciendo todos juntos.

    References
    ----------
    Cohen, J. (1968). Weighted kappa. Psychological Bulletin 70(4).
    """
    from sklearn.metrics import cohen_kappa_score, f1_score

    texts, stars = list(texts), np.asarray(stars)
    start = time.perf_counter()
    predicted = np.asarray(predict(texts))
    milliseconds = 1000 * (time.perf_counter() - start) / len(texts)
    levels = [1, 2, 3, 4, 5]
    return {
        "exactitud": float(np.mean(predicted == stars)),
        "macro_f1": float(f1_score(stars, predicted, labels=levels, average="macro", zero_division=0)),
        "error_absoluto": float(np.mean(np.abs(predicted - stars))),
        "kappa": float(cohen_kappa_score(stars, predicted, labels=levels, weights="quadratic")),
        "ms_por_texto": milliseconds,
    }
