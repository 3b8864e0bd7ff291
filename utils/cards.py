"""Tablas en las fichas de datos y de modelos: salen de una medición y van entre dos marcas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Una tabla en Markdown, con los números como se escriben en español.

    Parameters
    ----------
    head : sequence of str
        Encabezados.
    rows : iterable of sequences
        Cada fila empieza por su nombre. Los enteros van con punto de miles; los demás números, con
        coma y tres decimales.
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [[name, *map(_cell, values)] for name, *values in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value) -> str:
    """Un valor de tabla."""
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, str | tuple):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", ".")
    return (f"{value:.3f}" if value >= 0.001 or value == 0 else f"{value:g}").replace(".", ",")


def fill(card: str, tables: dict[str, str]) -> str:
    """La ficha con cada tabla puesta entre sus marcas, ``<!-- nombre: inicio -->`` y ``… fin -->``."""
    for name, block in tables.items():
        start, end = f"<!-- {name}: inicio -->", f"<!-- {name}: fin -->"
        card = re.sub(f"{start}.*?{end}", f"{start}\n{block}\n{end}", card, flags=re.S)
    return card
