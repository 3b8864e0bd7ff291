"""Generar texto con un modelo que da la próxima palabra: voraz, por haces o al azar, siempre por tandas.

Ninguna función relee lo ya escrito: el modelo entra como una función ``step(tokens, state)`` que
recibe el último símbolo de cada texto y el estado en que quedó, y devuelve los puntajes del
siguiente y el estado nuevo:

- ``tokens``: ndarray de int, shape (n,);
- ``state``: un ndarray con n filas, o una tupla o lista de ellos (anidadas, si hace falta);
- puntajes: ndarray, shape (n, vocabulario); logits o log-probabilidades, es lo mismo.

Todas devuelven los símbolos nuevos, sin el inicial. Si se da ``end``, un texto termina al
escribirlo; de ahí en adelante se rellena con ``end``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Step = Callable[[np.ndarray, object], tuple[np.ndarray, object]]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilidades, en float64: (…, vocabulario) → (…, vocabulario)."""
    logits = np.asarray(logits, dtype=np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def take(state, rows: np.ndarray):
    """Las filas pedidas de un estado, con su misma estructura."""
    if isinstance(state, tuple | list):
        return type(state)(take(part, rows) for part in state)
    return np.asarray(state)[rows]


def greedy(step: Step, state, start: np.ndarray, length: int, end: int | None = None) -> np.ndarray:
    """Escribe siempre el símbolo más probable.

    Parameters
    ----------
    step, state
        Como dice el módulo.
    start : ndarray of int, shape (n,)
        Primer símbolo que se le da al modelo en cada texto.
    length : int
        Cuántos símbolos escribir, a lo sumo.
    end : int, optional
        Símbolo final.

    Returns
    -------
    ndarray of int, shape (n, length)
    """
    return _write(step, state, start, length, end, lambda scores: scores.argmax(axis=1))


def sample(
    step: Step,
    state,
    start: np.ndarray,
    length: int,
    end: int | None = None,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Escribe símbolos al azar, según su probabilidad.

    Parameters
    ----------
    step, state, start, length, end
        Como en :func:`greedy`.
    temperature : float
        Divide los logits: menos de 1 acentúa las diferencias, más de 1 las borra.
    top_k : int, optional
        Se sortea solo entre los ``top_k`` más probables.
    top_p : float, optional
        Se sortea solo entre los más probables que juntan ``top_p`` de probabilidad, con la
        temperatura ya aplicada.
    seed : int
        Semilla del sorteo.

    Returns
    -------
    ndarray of int, shape (n, length)

    Raises
    ------
    ValueError
        Si la temperatura no es positiva, ``top_k`` es menor que 1 o ``top_p`` no está en (0, 1].

    References
    ----------
    Holtzman, A. et al. (2020). The curious case of neural text degeneration. ICLR.
    """
    if temperature <= 0:
        raise ValueError(f"La temperatura tiene que ser positiva y vale {temperature}; para 0, usá greedy.")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k tiene que ser al menos 1 y vale {top_k}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p tiene que estar entre 0 y 1 y vale {top_p}.")
    rng = np.random.default_rng(seed)

    def choose(scores):
        scores = restrict(scores / temperature, top_k, top_p)
        # Sumar ruido de Gumbel y quedarse con el mayor es sortear según la softmax.
        return (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)

    return _write(step, state, start, length, end, choose)


def restrict(scores: np.ndarray, top_k: int | None = None, top_p: float | None = None) -> np.ndarray:
    """Deja en −∞ los símbolos que quedan fuera de ``top_k`` o de ``top_p``: (n, v) → (n, v)."""
    scores = np.array(scores, dtype=np.float64)
    order = np.argsort(-scores, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(scores.shape[1])[None, :], axis=1)
    if top_k is not None:
        scores[rank >= top_k] = -np.inf
    if top_p is not None:
        ordered = np.take_along_axis(np.exp(log_softmax(scores)), order, axis=1)
        before = (
            np.cumsum(ordered, axis=1) - ordered
        )  # lo que juntan los anteriores; el primero queda siempre
        scores[np.take_along_axis(before, rank, axis=1) >= top_p] = -np.inf
    return scores


def _write(step: Step, state, start, length: int, end: int | None, choose) -> np.ndarray:
    """Escribe un símbolo por vez en cada texto, elegido por ``choose`` entre log-probabilidades."""
    tokens = np.asarray(start)
    written = np.full((len(tokens), length), 0 if end is None else end)
    done = np.zeros(len(tokens), dtype=bool)
    for position in range(length):
        logits, state = step(tokens, state)
        tokens = choose(log_softmax(logits))
        if end is not None:
            tokens = np.where(done, end, tokens)
            done |= tokens == end
        written[:, position] = tokens
        if done.all():
            break
    return written


def beam_search(
    step: Step,
    state,
    start: np.ndarray,
    length: int,
    end: int | None = None,
    *,
    width: int = 4,
    length_penalty: float = 0.0,
    seed: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sigue varios comienzos a la vez y se queda con los mejores.

    Parameters
    ----------
    step, state, start, length, end
        Como en :func:`greedy`.
    width : int
        Cuántos comienzos se siguen por texto. Con 1 es :func:`greedy`.
    length_penalty : float
        Al terminar se ordena por log-probabilidad / largo**length_penalty. Con 0 ganan los textos
        cortos, porque cada símbolo resta; con 1 se compara la media por símbolo.
    seed : int, optional
        Si se da, el haz es estocástico: en lugar de los más probables, una muestra sin reposición de
        textos distintos, cada uno según su probabilidad.

    Returns
    -------
    sequences : ndarray of int, shape (n, width, length)
        De mejor a peor.
    log_probabilities : ndarray, shape (n, width)
        De cada texto entero, sin penalizar; −∞ si no hay tantos textos distintos.

    Raises
    ------
    ValueError
        Si ``width`` es menor que 1.

    References
    ----------
    Wu, Y. et al. (2016). Google's neural machine translation system (la normalización por largo).
    Kool, W. et al. (2019). Stochastic beams and where to find them. ICML (el haz estocástico).
    """
    if width < 1:
        raise ValueError(f"El ancho del haz tiene que ser al menos 1 y vale {width}.")
    n = len(start)
    rng = None if seed is None else np.random.default_rng(seed)
    state = take(state, np.repeat(np.arange(n), width))
    tokens = np.repeat(np.asarray(start), width)
    written = np.full((n, width, length), 0 if end is None else end)
    # Al empezar hay un solo comienzo por texto: los otros lugares del haz no cuentan.
    logp = np.full((n, width), -np.inf)
    logp[:, 0] = 0.0
    keys = logp.copy()  # por lo que se ordena: la log-probabilidad o, si es estocástico, su perturbación
    done = np.zeros((n, width), dtype=bool)
    size = np.zeros((n, width), dtype=int)
    for position in range(length):
        logits, state = step(tokens, state)
        new = log_softmax(logits).reshape(n, width, -1)
        vocabulary = new.shape[2]
        if end is not None:  # un texto terminado solo puede seguir igual
            new[done] = -np.inf
            new[done, end] = 0.0
        total = logp[:, :, None] + new
        candidates = total if rng is None else _perturb(total, keys, done, end, rng)
        best = _largest(candidates.reshape(n, -1), width)
        rows = np.arange(n)[:, None]
        parent, token = np.divmod(best, vocabulary)
        logp, keys = (each.reshape(n, -1)[rows, best] for each in (total, candidates))
        written, done, size = (
            written[rows, parent],
            done[rows, parent],
            size[rows, parent] + ~done[rows, parent],
        )
        written[:, :, position] = token
        state = take(state, (rows * width + parent).ravel())
        tokens = token.ravel()
        if end is not None:
            done |= token == end
            if done.all():
                break
    final = keys if rng is not None else logp / np.maximum(size, 1) ** length_penalty
    order = np.argsort(-final, axis=1, kind="stable")
    return written[np.arange(n)[:, None], order], np.take_along_axis(logp, order, axis=1)


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Posiciones de los ``k`` mayores de cada fila, de mayor a menor y, si empatan, de izquierda a derecha.

    Ordena solo lo que hace falta: con un vocabulario de miles, ordenar la fila entera es lo más lento del haz.
    """
    least = np.partition(scores, -k, axis=1)[:, -k]
    best = np.empty((len(scores), k), dtype=int)
    for row, values in enumerate(scores):
        found = np.flatnonzero(values >= least[row])
        best[row] = found[np.argsort(-values[found], kind="stable")[:k]]
    return best


def _perturb(total, keys, done, end, rng) -> np.ndarray:
    """Ruido de Gumbel en cada candidato, condicionado a que el mayor de cada comienzo sea el suyo.

    Así la perturbación de un comienzo es la mayor de las de los textos que lo continúan, y elegir las
    mayores paso a paso equivale a sortear textos enteros sin reposición (Kool y otros, 2019, apéndice B).
    """
    noisy = total + rng.gumbel(size=total.shape)
    if end is not None:
        noisy[done] = -np.inf
        noisy[done, end] = keys[done]
    highest = noisy.max(axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gap = keys[:, :, None] - noisy + np.log1p(-np.exp(np.minimum(noisy - highest, 0)))
        moved = keys[:, :, None] - np.maximum(gap, 0) - np.log1p(np.exp(-np.abs(gap)))
    moved = np.where(np.isfinite(noisy), moved, -np.inf)
    if end is not None:
        moved[done] = noisy[done]
    return moved
