"""Ejecuta los notebooks de Keras sobre otros motores y deja una tabla; no es parte de ``make test``.

    .venv/bin/python tests/backends.py torch jax [--solo 5a]

No escribe en el repositorio: la tabla queda en ``build/motores.md``. Un notebook puede andar entero y fallar en su
comprobación, porque cada motor sortea otros números: por eso la tabla dice en qué sección se detuvo y con qué error.
JAX no está en ``requirements.txt``: hay que instalarlo aparte.
"""

import argparse
import importlib.util
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from utils import portfolio, results  # noqa: E402

CLASSES = "34567"


def keras_notebooks(prefix: str) -> list[Path]:
    """Los notebooks de las clases 3 a 7 que importan Keras."""
    return [
        path
        for path in portfolio.find_notebooks(prefix)
        if path.name[0] in CLASSES and re.search(r"\bimport keras\b", path.read_text(encoding="utf-8"))
    ]


def run_on(backend: str, paths: list[Path]) -> list[portfolio.Run]:
    """Ejecuta los notebooks, de a uno, con Keras sobre ese motor. No guarda nada."""
    os.environ["KERAS_BACKEND"] = backend  # lo heredan los núcleos
    runs = [portfolio.Run(path) for path in paths]
    portfolio.run_interruptible(portfolio.execute_all(runs, 1, lambda run: None))
    return runs


def outcome(run: portfolio.Run) -> str:
    """Una casilla: la métrica principal y los segundos, o la sección y el error que la detuvieron."""
    if run.status == "bien":
        return f"`{portfolio.headline(run.payload)}`, {run.seconds:.0f} s"
    lines = re.sub(r"\x1b\[[\d;]*m", "", run.error).strip().splitlines() or ["sin mensaje"]
    message = lines[-1].replace("|", "/")[:120]
    return f"falló en «{stopped_at(run)}»: {message}"


def stopped_at(run: portfolio.Run) -> str:
    """El título de la sección cuya celda falló."""
    cells = run.notebook.cells if run.notebook else []
    for cell, title in zip(cells, portfolio.headings(cells), strict=True):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return title
    return "el núcleo"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("motores", nargs="+", choices=("tensorflow", "torch", "jax"))
    parser.add_argument("--solo", default="", help="solo los notebooks que empiezan así")
    options = parser.parse_args()
    missing = [name for name in options.motores if importlib.util.find_spec(name) is None]
    if missing:
        parser.error(f"no está instalado: {', '.join(missing)}")
    os.environ["NLP_DATOS"] = "embebidos"
    paths = keras_notebooks(options.solo)
    runs = {backend: run_on(backend, paths) for backend in options.motores}
    lines = [f"| Notebook | publicado | {' | '.join(runs)} |", "|---" * (len(runs) + 2) + "|"]
    for i, path in enumerate(paths):
        published = portfolio.headline(results.load(path.stem).get("embebidos"))
        cells = [outcome(column[i]) for column in runs.values()]
        lines.append(f"| `{path.stem}` | `{published}` | {' | '.join(cells)} |")
    results.write_atomic(portfolio.BUILD / "motores.md", "\n".join(lines) + "\n")
    print("\n".join(lines))
    return int(any(run.status != "bien" for column in runs.values() for run in column))


if __name__ == "__main__":
    sys.exit(main())
