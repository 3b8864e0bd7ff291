"""Tapar palabras enteras para que un BERT las reponga.

Las subpalabras van en arreglos de NumPy, tanto para entrenar como para medir.

References
----------
Devlin, J. et al. (2019). BERT: pre-training of deep bidirectional transformers. NAACL.
Cui, Y. et al. (2021). Pre-training with whole word masking for Chinese BERT. TASLP 29.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pieces:
    """Lo que hace falta saber de un vocabulario WordPiece.

    Attributes
    ----------
    continuation, special : ndarray, shape (vocabulario,), bool
        Qué subpalabras siguen una palabra empezada (llevan ``##``) y cuáles no son texto.
    cls, sep, mask : int
        Dónde están ``[CLS]``, ``[SEP]`` y ``[MASK]``.
    """

    continuation: np.ndarray
    special: np.ndarray
    cls: int
    sep: int
    mask: int


def pieces(tokenizer) -> Pieces:
    """Las de un tokenizador, de transformers o de tokenizers: de los dos se usa ``get_vocab()``."""
    vocabulary = tokenizer.get_vocab()
    continuation, special = np.zeros((2, len(vocabulary)), dtype=bool)
    continuation[[i for piece, i in vocabulary.items() if piece.startswith("##")]] = True
    special[[vocabulary[name] for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]] = True
    return Pieces(continuation, special, *(vocabulary[name] for name in ("[CLS]", "[SEP]", "[MASK]")))


def windows(stream: np.ndarray, length: int, offset: int = 0) -> np.ndarray:
    """Corta un texto largo en secuencias iguales, sin relleno; lo que sobra al final se pierde.

    Parameters
    ----------
    stream : ndarray of int, shape (n,)
    length : int
        Largo de cada secuencia contando ``[CLS]`` y ``[SEP]``, que no se agregan todavía.
    offset : int
        Dónde empieza el primer corte.

    Returns
    -------
    ndarray, shape (secuencias, length - 2)
        Una vista de ``stream``.
    """
    inner = length - 2
    count = (len(stream) - offset) // inner
    return stream[offset : offset + count * inner].reshape(count, inner)


def with_ends(rows: np.ndarray, known: Pieces) -> np.ndarray:
    """Agrega ``[CLS]`` y ``[SEP]`` a cada secuencia: (b, t) → (b, t + 2), int64."""
    return np.pad(rows.astype(np.int64), ((0, 0), (1, 1)), constant_values=((0, 0), (known.cls, known.sep)))


def whole_words(ids: np.ndarray, known: Pieces, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Elige palabras al azar, cada una con todas sus subpalabras.

    Parameters
    ----------
    ids : ndarray of int, shape (b, t)
        Con ``[CLS]`` al principio de cada secuencia.
    known : Pieces
    rate : float
        Probabilidad de cada palabra.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (b, t), bool
        Nunca elige subpalabras especiales.
    """
    # Cada palabra empieza en una subpalabra sin «##»; el número de orden de su comienzo la identifica.
    word = np.cumsum(~known.continuation[ids].ravel()) - 1
    chosen = rng.random(word[-1] + 2) < rate
    return chosen[word].reshape(ids.shape) & ~known.special[ids]


def corrupt(ids: np.ndarray, chosen: np.ndarray, known: Pieces, rng: np.random.Generator) -> np.ndarray:
    """Lo que ve el modelo al entrenar: de lo elegido, 80 % tapado, 10 % cambiado al azar y 10 % igual."""
    fate = rng.random(ids.shape)
    ordinary = np.flatnonzero(~known.special)
    other = ordinary[rng.integers(0, len(ordinary), ids.shape)]
    seen = np.where(chosen & (fate < 0.8), known.mask, ids)
    return np.where(chosen & (fate >= 0.9), other, seen)
