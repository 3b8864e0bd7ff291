"""Los notebooks tal como se publican: limpios, ejecutados y con los números de su ejecución."""

import json
import re

import nbformat
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
    nbformat.validate(nbformat.read(path, as_version=4))
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < 1_000_000


@everyone
def test_outputs_are_fit_to_be_seen(path):
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
            kinds = set(output.get("data", {}))
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
def test_metrics_of_both_modes_have_the_same_names(path):
    stored = results.load(path.stem)
    if "reales" in stored:
        assert set(stored["reales"]["metricas"]) >= set(stored["embebidos"]["metricas"])
