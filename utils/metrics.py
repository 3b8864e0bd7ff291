"""Medidas que scikit-learn no trae y que usan varias clases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def level_scores(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Exactitud, F1 macro y kappa cuadrático de clases ordenadas, desde su tabla de confusión.

    Da lo mismo que scikit-learn sin sus comprobaciones, que al remuestrear cuestan más que la cuenta.

    Parameters
    ----------
    true, predicted : ndarray of int, shape (n,)
        Clases verdaderas y predichas, numeradas desde 0 en su orden.

    Returns
    -------
    dict
        ``exactitud``; ``macro_f1``, en el que una clase que no aparece ni se predice cuenta cero; ``kappa``
        con pesos cuadráticos, que vale 0 si verdaderas y predichas son todas la misma clase.

    Raises
    ------
    ValueError
        Si están vacías o no miden lo mismo.

    References
    ----------
    Cohen, J. (1968). Weighted kappa. Psychological Bulletin 70(4).
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if len(true) == 0 or true.shape != predicted.shape:
        raise ValueError(
            f"Hacen falta tantas predicciones como clases, y al menos una: hay {len(true)} y {len(predicted)}."
        )
    k = 1 + int(max(true.max(), predicted.max()))
    table = np.bincount(k * true + predicted, minlength=k * k).reshape(k, k)
    rows, columns, n = table.sum(axis=1), table.sum(axis=0), table.sum()
    squares = np.subtract.outer(np.arange(k), np.arange(k)) ** 2
    by_chance = (np.outer(rows, columns) * squares).sum() / n
    return {
        "exactitud": float(np.trace(table) / n),
        "macro_f1": float(np.mean(2 * np.diag(table) / np.maximum(rows + columns, 1))),
        "kappa": float(1 - (table * squares).sum() / by_chance) if by_chance else 0.0,
    }


def bootstrap_interval(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], float],
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Intervalo del 95 % de una medida sobre un conjunto de prueba, por remuestreo (percentiles).

    Dice cuánto podría cambiar la medida con otros ejemplos de prueba del mismo origen; no incluye
    la variación que vendría de entrenar con otros datos.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,)
        Valores verdaderos y predichos.
    score : callable
        Función ``score(y_true, y_pred)`` que devuelve un número.
    n_resamples : int
        Cantidad de remuestras con reposición.
    seed : int
        Semilla del remuestreo.

    Returns
    -------
    (low, high) : tuple of float

    Raises
    ------
    ValueError
        Si las dos secuencias están vacías o no miden lo mismo.

    References
    ----------
    Efron, B. y Tibshirani, R. (1993). An Introduction to the Bootstrap, cap. 13.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if len(y_true) == 0 or len(y_true) != len(y_pred):
        raise ValueError(
            f"Hacen falta tantas predicciones como valores, y al menos uno: hay {len(y_true)} y {len(y_pred)}."
        )
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(y_true), size=(n_resamples, len(y_true)))
    scores = [score(y_true[draw], y_pred[draw]) for draw in draws]
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def retrieval_scores(similarity: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """Mide una búsqueda en la que cada consulta tiene un solo documento correcto.

    Parameters
    ----------
    similarity : array-like, shape (consultas, documentos)
        Cuánto se parece cada documento a cada consulta. Los empates se resuelven en contra: si no,
        un buscador que da cero a todo parecería acertar.
    relevant : array-like of int, shape (consultas,)
        Posición del documento correcto.

    Returns
    -------
    dict
        ``p1``: proporción de consultas cuyo primer resultado es el correcto; ``mrr``: media de la
        inversa del puesto en que aparece.

    Raises
    ------
    ValueError
        Si no hay consultas o no hay una respuesta por consulta.

    References
    ----------
    Voorhees, E. (1999). The TREC-8 question answering track report.
    """
    similarity, relevant = np.asarray(similarity), np.asarray(relevant)
    if similarity.ndim != 2 or len(similarity) == 0 or relevant.shape != (len(similarity),):
        raise ValueError(
            "Hace falta una fila de similitudes y un documento correcto por consulta, y al menos una consulta: "
            f"las formas son {similarity.shape} y {relevant.shape}."
        )
    right = similarity[np.arange(len(relevant)), relevant]
    ranks = (similarity >= right[:, None]).sum(axis=1)
    return {"p1": float(np.mean(ranks == 1)), "mrr": float(np.mean(1 / ranks))}
