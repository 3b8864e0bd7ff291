"""Los notebooks tal como se publican: limpios, ejecutados y con los números de su ejecución."""

import json
import re
import subprocess
import sys

import nbformat
import prose
import pytest
from conftest import ROOT

from utils import portfolio, results

NOTEBOOKS = portfolio.find_notebooks()
everyone = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@everyone
def test_is_executed_in_order_and_validates(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < 1_000_000
    assert notebook.metadata == portfolio.METADATA
    assert all(cell.source.strip() and set(cell.metadata) <= {"tags"} for cell in notebook.cells)


@everyone
def test_outputs_are_fit_to_be_seen(path):
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
            kinds = set(output.get("data", {}))
            assert len(json.dumps(output)) < 300_000, "una sola salida de más de 300 KB"
            assert not any("widget" in kind or "javascript" in kind for kind in kinds)
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"/(home|root|work|tmp|Users)/", text)


@everyone
def test_compares_some_output(path):
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in code_cells(path))


@everyone
def test_published_metrics_are_those_of_the_published_run(path):
    payload = results.recorded(code_cells(path))
    assert payload["notebook"] == path.stem
    assert payload["modo"] == "embebidos"
    stored = results.load(path.stem)["embebidos"]
    assert stored["metricas"] == payload["metricas"]
    assert stored["principal"] == payload["principal"]


@everyone
def test_badge_opens_this_notebook(path):
    header = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    where = path.relative_to(ROOT).as_posix()
    assert portfolio.colab_url(portfolio.stamped_repository(), where) in "".join(header)


@everyone
def test_its_figure_is_the_one_it_draws(path):
    cells = code_cells(path)
    assert sum(portfolio.FIGURE_TAG in cell.metadata.get("tags", []) for cell in cells) == 1
    assert portfolio.figure_path(path).read_bytes() == portfolio.figure(cells)


def test_there_are_no_other_figures():
    expected = {portfolio.figure_path(path) for path in NOTEBOOKS}
    assert set(ROOT.glob("clase_*/figuras/*")) == expected


@everyone
def test_has_every_part_and_they_are_in_order(path):
    text = prose.markdown(path)
    parts = ["# ", "[![Abrir en Colab]", "**Consigna.**", "| Qué vas a ver |", "**Duración medida:**"]
    parts += [". Con datos reales\n", "\n## Conclusiones\n", "\n## Para seguir\n", "**Fuentes.**"]
    places = [text.find(part) for part in parts]
    assert -1 not in places and places == sorted(places), dict(zip(parts, places, strict=True))


@everyone
def test_sections_it_mentions_exist(path):
    def numbers(paths):
        titles = [title for path in paths for title in prose.anchors(path).values()]
        return {match[1] for title in titles if (match := re.match(r"(\d+(?:\.\d+)?)\.? ", title))}

    for text in (prose.markdown(path), prose.outputs(path)):
        for number, other in re.findall(r"§(\d+(?:\.\d+)?)(?: de la clase (\d))?", text):
            paths = ROOT.glob(f"clase_{other}/*.ipynb") if other else [path]
            assert number in numbers(paths), f"§{number} de {other or path.stem}"


@everyone
def test_stored_duration_and_real_results_are_the_ones_shown(path):
    stored = results.load(path.stem)
    shown = re.search(r"\*\*Duración medida:\*\* (\d+) s ", prose.markdown(path))
    assert abs(int(shown[1]) - stored["embebidos"]["segundos"]) < 0.6
    tables = [
        "".join(output.get("data", {}).get("text/markdown", ""))
        for cell in code_cells(path)
        for output in cell.outputs
    ]
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", "\n".join(t for t in tables if "| Datos reales |" in t), re.M
    )
    assert rows or "reales" not in stored
    for name, value in rows:
        real = stored.get("reales", {}).get("metricas", {}).get(name)
        assert value == results.format_number(real), name


def test_code_passes_ruff(tmp_path):
    """Como el resto del código, salvo la primera celda, que se aprieta en doce líneas.

    En un notebook se importa por secciones y se escriben listas de palabras y funciones de un renglón.
    """
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        code = [cell | {"outputs": []} for cell in notebook["cells"] if cell["cell_type"] == "code"]
        code[0]["source"] = ["notebook = None"]
        (tmp_path / path.name).write_text(json.dumps(notebook | {"cells": code}), encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    configured = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(tmp_path)]
    every = ["--config", "extend-exclude = []"]
    lint = [
        "check",
        "--quiet",
        "--config",
        f"src = ['{ROOT.as_posix()}']",
        "--ignore=B905,E402,E731,RUF,SIM905",
    ]
    for order in (lint, ["format", "--check", "--quiet"]):
        done = subprocess.run([*ruff, *order, *every, *configured], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@everyone
def test_metrics_of_both_modes_have_the_same_names(path):
    stored = results.load(path.stem)
    if "reales" in stored:
        assert set(stored["reales"]["metricas"]) >= set(stored["embebidos"]["metricas"])
