"""Qué palabras pesaron en una predicción: se saca una por vez y se mira cuánto cambia (oclusión)."""

from __future__ import annotations

import re
from collections.abc import Sequence

NOISE = 0.02  # cambios de probabilidad más chicos que este no se muestran


def occlude(text: str, most: int) -> list[tuple[int, int]]:
    """Los tramos que hay que sacar de ``text``, de a uno: sus palabras.

    Parameters
    ----------
    text : str
    most : int
        Cuántos tramos, a lo sumo. Si hay más palabras, cada tramo lleva varias seguidas.

    Returns
    -------
    list of (int, int)
        Dónde empieza y dónde termina cada uno.
    """
    words = [match.span() for match in re.finditer(r"\w+", text)]
    step = max(1, -(-len(words) // most))
    groups = [words[i : i + step] for i in range(0, len(words), step)]
    return [(group[0][0], group[-1][1]) for group in groups]


def without(text: str, span: tuple[int, int]) -> str:
    """El texto sin un tramo; un espacio si no queda nada."""
    return (text[: span[0]] + text[span[1] :]) or " "


def highlight(
    text: str, spans: Sequence[tuple[int, int]], changes: Sequence[float]
) -> list[tuple[str, float | None]]:
    """El texto partido en pedazos, cada uno con su peso de -1 a 1, o ``None`` si no tiene.

    Parameters
    ----------
    text : str
    spans : sequence of (int, int)
        Los de :func:`occlude`.
    changes : sequence of float
        Cuánto baja la probabilidad de lo predicho al sacar cada uno. El mayor, sin signo, pesa 1.
    """
    largest = max((abs(change) for change in changes), default=0)
    pieces, end = [], 0
    for (start, stop), change in zip(spans, changes, strict=True):
        if abs(change) < NOISE:
            continue
        pieces += [(text[end:start], None), (text[start:stop], round(change / largest, 3))]
        end = stop
    pieces.append((text[end:], None))
    return [(piece, weight) for piece, weight in pieces if piece]
