"""La escalera del curso: las mismas reseñas, la misma partición y las mismas medidas para cada modelo.

Cada clase agrega un peldaño a la pregunta «¿cuántas estrellas merece esta reseña?».
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.datasets import ROOT

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("exactitud", "macro_f1", "error_absoluto", "kappa", "ms_por_texto", "tamano_mb")
QUALITY = {"exactitud", "macro_f1", "error_absoluto", "kappa"}


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


def rungs(root: Path = ROOT) -> pd.DataFrame:
    """Los peldaños que cada clase dejó anotados en su ``resultados.json``.

    Un notebook anota un peldaño con métricas ``estrellas_<medida>``, donde la medida es una de
    :data:`MEASURES`; si tiene otros, con ``estrellas_<medida>_<variante>``. Cuenta como peldaño el que trae las
    cuatro medidas de calidad. Las reseñas de la escalera no cambian con el modo de datos: se lee el embebido y,
    si falta, el real.

    Parameters
    ----------
    root : Path
        Carpeta con las ``clase_N``.

    Returns
    -------
    pandas.DataFrame
        Una fila por peldaño, en orden de clase: ``notebook``, ``variante`` (vacía si no dice) y una columna
        por medida, con NaN en las que no se anotaron. Sin filas si no hay ninguno.
    """
    import pandas as pd

    pattern = re.compile(rf"estrellas_({'|'.join(MEASURES)})(?:_(\w+))?")
    found = {}
    for path in sorted(Path(root).glob("clase_*/resultados.json")):
        for notebook, modes in sorted(json.loads(path.read_text(encoding="utf-8")).items()):
            metrics = modes.get("embebidos", modes.get("reales", {})).get("metricas", {})
            for name, value in metrics.items():
                if match := pattern.fullmatch(name):
                    found.setdefault((notebook, match[2] or ""), {})[match[1]] = value
    rows = [
        {"notebook": notebook, "variante": variant, **values}
        for (notebook, variant), values in found.items()
        if set(values) >= QUALITY
    ]
    return pd.DataFrame(rows, columns=["notebook", "variante", *MEASURES])
