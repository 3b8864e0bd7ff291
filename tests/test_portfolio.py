"""La línea de órdenes, sobre una copia del repositorio con notebooks mínimos."""

import functools
import json
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from utils import portfolio, results

GOOD = "from utils import results; results.record('{name}', {{'f1': 0.5}}, headline='f1')"


@pytest.fixture
def repo(repository):
    """La copia, con funciones para agregarle notebooks y darle órdenes."""

    class Repo:
        path = repository

        def add(self, name, *sources, tags=()):
            first = f'DEFAULT, here, opened = "viejo/nombre", 1, ""\nimport sys; sys.path.insert(0, {str(repository)!r})'
            header = f"# Título {name}\n\n[![x](x)](x)\n\nQué se ve acá. Y más.\n\n**Duración medida:** 0 s."
            cells = [nbformat.v4.new_markdown_cell(header), nbformat.v4.new_code_cell(first)]
            stale = nbformat.v4.new_output("stream", text="de otra ejecución")
            cells += [nbformat.v4.new_code_cell(source, outputs=[stale]) for source in sources]
            file = repository / f"clase_{name[0]}" / f"{name}.ipynb"
            file.parent.mkdir(exist_ok=True)
            nbformat.write(nbformat.v4.new_notebook(cells=cells), file)

        def commit(self):
            git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(repository)]
            subprocess.run([*git, "add", "-A"], check=True)
            subprocess.run([*git, "commit", "-qm", "x"], check=True)

        def order(self, *arguments, start=subprocess.run):
            options = {"capture_output": True} if start is subprocess.run else {"stdout": -1, "stderr": -1}
            command = [sys.executable, "-m", "utils.portfolio", *arguments]
            return start(command, cwd=repository, text=True, **options)

        def status(self):
            git = ["git", "-C", str(repository), "status", "--porcelain"]
            return subprocess.run(git, capture_output=True, text=True).stdout

    return Repo()


def test_one_failure_does_not_stop_the_rest_and_a_second_call_resumes(repo):
    repo.add("1a_falla", "print('antes')", "1 / 0", GOOD.format(name="1a_falla"))
    repo.add("1b_bien", "x = 1", GOOD.format(name="1b_bien"))
    repo.commit()
    first = repo.order("ejecutar", "--jobs", "2")
    assert first.returncode == 1
    assert "ZeroDivisionError" in first.stderr
    assert "f1 = 0,500" in first.stdout
    build = repo.path / "build"
    for name in (
        "embebidos/1a_falla.html",
        "embebidos/1b_bien.ipynb",
        "embebidos/1b_bien.html",
        "index.html",
    ):
        assert (build / name).exists()
    assert "1b_bien" in (build / "index.html").read_text()
    assert repo.status() == "", "el repositorio queda limpio"
    failed = nbformat.read(build / "embebidos" / "1a_falla.ipynb", as_version=4)
    assert [bool(cell.get("outputs")) for cell in failed.cells] == [False, False, True, True, False]
    assert "\x1b[" not in first.stderr

    second = repo.order("ejecutar")
    assert second.returncode == 1
    assert "▶ 1a_falla" in second.stdout
    assert "▶ 1b_bien" not in second.stdout
    assert "sin cambios" in second.stdout

    repo.add("1a_falla", GOOD.format(name="1a_falla"))
    assert repo.order("ejecutar").returncode == 0
    forced = repo.order("ejecutar", "--forzar", "1b")
    assert "▶ 1b_bien" in forced.stdout
    assert "1a_falla" not in forced.stdout


def test_each_mode_has_its_own_copies_and_one_index(repo, monkeypatch):
    repo.add("1a_bien", GOOD.format(name="1a_bien"))
    assert repo.order("ejecutar").returncode == 0
    monkeypatch.setenv("NLP_DATOS", "reales")
    done = repo.order("ejecutar")
    assert done.returncode == 0
    assert "▶ 1a_bien" in done.stdout, "con otros datos hay que volver a ejecutar"
    assert (repo.path / "build" / "reales" / "1a_bien.html").exists()
    index = (repo.path / "build" / "index.html").read_text()
    assert 'href="embebidos/1a_bien.html"' in index
    assert 'href="reales/1a_bien.html"' in index


def test_a_notebook_without_metrics_fails(repo):
    repo.add("1a_muda", "x = 1")
    done = repo.order("ejecutar")
    assert done.returncode == 1
    assert "no declaró sus métricas" in done.stderr


def test_a_damaged_notebook_does_not_stop_the_rest(repo):
    repo.add("1b_bien", GOOD.format(name="1b_bien"))
    (repo.path / "clase_1" / "1a_rota.ipynb").write_text('{"cells": [')
    done = repo.order("ejecutar")
    assert done.returncode == 1
    assert "1a_rota falló" in done.stderr
    assert "✓ 1b_bien" in done.stdout


def test_a_dead_kernel_is_reported(repo):
    repo.add("1a_muere", "import os; os._exit(1)")
    repo.add("1b_bien", GOOD.format(name="1b_bien"))
    done = repo.order("ejecutar")
    assert done.returncode == 1
    assert "✓ 1b_bien" in done.stdout


def test_interrupting_keeps_what_was_done(repo):
    repo.add("1a_rapida", GOOD.format(name="1a_rapida"))
    repo.add("1b_lenta", "import time; time.sleep(300)", GOOD.format(name="1b_lenta"))
    # Lo que se lanza en segundo plano desde un guion hereda SIGINT ignorada: acá hace falta que la oiga.
    listen = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = repo.order("ejecutar", start=functools.partial(subprocess.Popen, preexec_fn=listen))
    state = repo.path / "build" / "embebidos" / "estado.json"
    deadline = time.time() + 60
    while not state.exists() and time.time() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrumpido" in err
    assert "Traceback" not in err
    assert "1a_rapida" in json.loads(state.read_text())
    repo.add("1b_lenta", GOOD.format(name="1b_lenta"))
    again = repo.order("ejecutar")
    assert again.returncode == 0
    assert "▶ 1a_rapida" not in again.stdout


def test_unknown_prefix_and_mode(repo, monkeypatch):
    repo.add("1a_bien", GOOD.format(name="1a_bien"))
    assert "empiece con «9z»" in repo.order("ejecutar", "9z").stderr
    monkeypatch.setenv("NLP_DATOS", "otros")
    done = repo.order("ejecutar")
    assert done.returncode == 2
    assert "usá «embebidos» o «reales»" in done.stderr


def test_refresh_rewrites_results_notebook_and_readme(repo, monkeypatch):
    repo.add("1a_bien", "print('hola')", GOOD.format(name="1a_bien"))
    readme = repo.path / "README.md"
    readme.write_text(f"antes\n{portfolio.TABLE_START}\nvieja\n{portfolio.TABLE_END}\ndespués\n")
    own = repo.path / "clase_1" / "README.md"
    own.write_text(f"{portfolio.TABLE_START}\n{portfolio.TABLE_END}\n")
    assert repo.order("actualizar").returncode == 0
    stored = json.loads((repo.path / "clase_1" / "resultados.json").read_text())["1a_bien"]
    assert stored["embebidos"]["metricas"] == {"f1": 0.5}
    assert set(stored["embebidos"]) == {"metricas", "principal", "segundos", "versiones", "fecha"}
    notebook = nbformat.read(repo.path / "clase_1" / "1a_bien.ipynb", as_version=4)
    assert notebook.cells[2].outputs[0].text == "hola\n"
    assert notebook.metadata == portfolio.METADATA
    assert "en dos núcleos de CPU." in notebook.cells[0].source
    text = readme.read_text()
    assert text.startswith("antes\n")
    assert text.endswith("después\n")
    assert "| **[Título 1a_bien](clase_1/1a_bien.ipynb)** (clase 1)<br>Qué se ve acá. [![Abrir" in text
    assert "blob/main/clase_1/1a_bien.ipynb) | `f1 = 0,500` | – |" in text
    assert "\n| `1a_bien` | `f1 = 0,500` | – |" in own.read_text()

    before = (repo.path / "clase_1" / "1a_bien.ipynb").read_text()
    monkeypatch.setenv("NLP_DATOS", "reales")
    assert repo.order("actualizar").returncode == 0
    stored = json.loads((repo.path / "clase_1" / "resultados.json").read_text())["1a_bien"]
    assert set(stored) == {"embebidos", "reales"}
    assert (repo.path / "clase_1" / "1a_bien.ipynb").read_text() == before


def test_the_figure_is_the_one_of_the_tagged_cell(tmp_path):
    def cell(data, *tags):
        output = nbformat.v4.new_output("display_data", data={"image/png": data})
        return nbformat.v4.new_code_cell("x", outputs=[output], metadata={"tags": list(tags)})

    cells = [nbformat.v4.new_markdown_cell("# x"), cell("dW5h"), cell("b3RyYQ==", "portada")]
    assert portfolio.figure(cells) == b"otra"
    assert portfolio.figure(cells[:2]) is None
    path = tmp_path / "1a_x.ipynb"
    portfolio.write_figure(path, cells)
    assert portfolio.figure_path(path).read_bytes() == b"otra"


def test_a_failed_refresh_touches_nothing(repo):
    repo.add("1a_falla", "1 / 0")
    (repo.path / "README.md").write_text(f"{portfolio.TABLE_START}\n{portfolio.TABLE_END}\n")
    repo.commit()
    done = repo.order("actualizar")
    assert done.returncode == 1
    assert "no lo toqué" in done.stderr
    assert "1a_falla.ipynb" not in repo.status()


def test_stamping_links(repo):
    repo.add("1a_bien", GOOD.format(name="1a_bien"))
    notebook = repo.path / "clase_1" / "1a_bien.ipynb"
    readme = repo.path / "README.md"
    readme.write_text(
        "[![Colab](x)](https://colab.research.google.com/github/viejo/nombre/blob/main/clase_1/1a.ipynb)\n"
        "https://github.com/viejo/nombre/actions/workflows/pruebas.yml https://github.com/otra/cosa\n"
    )
    citation = repo.path / "CITATION.cff"
    citation.write_text("repository-code: https://github.com/viejo/nombre.git\n")
    lonely = repo.order("enlaces")
    assert lonely.returncode == 1
    assert "git remote add origin" in lonely.stderr
    remote = ["git", "-C", str(repo.path), "remote", "add", "origin", "git@github.com:nueva/casa.git"]
    subprocess.run(remote, check=True)
    assert repo.order("enlaces").returncode == 0
    text = readme.read_text()
    assert "colab.research.google.com/github/nueva/casa/blob/main/clase_1/1a.ipynb" in text
    assert "github.com/nueva/casa/actions" in text
    assert citation.read_text() == "repository-code: https://github.com/nueva/casa.git\n"
    assert "https://github.com/otra/cosa" in text, "los enlaces ajenos no se tocan"
    assert 'DEFAULT, here, opened = \\"nueva/casa\\"' in notebook.read_text()
    nbformat.validate(nbformat.read(notebook, as_version=4))
    assert "ninguno" in repo.order("enlaces").stdout


def test_bad_metrics_are_refused():
    with pytest.raises(ValueError, match="no son números finitos: f1"):
        results.record("1a_x", {"f1": float("nan")}, headline="f1")
    with pytest.raises(ValueError, match="«otra» no está"):
        results.record("1a_x", {"f1": 1}, headline="otra")


@pytest.mark.parametrize(
    ("value", "kept"), [(0.85267, 0.8527), (48, 48.0), (0, 0.0), (3.87e-07, 3.9e-07), (-1e-9, -1e-9)]
)
def test_rounding_does_not_erase_a_tiny_error(value, kept):
    assert results._rounded(float(value)) == kept


def test_atomic_write_survives_a_failure(tmp_path):
    file = tmp_path / "a.txt"
    results.write_atomic(file, "viejo")
    with pytest.raises(UnicodeEncodeError):
        results.write_atomic(file, "\ud800")
    assert file.read_text() == "viejo"
    assert list(tmp_path.iterdir()) == [file]


def test_readme_tables_are_up_to_date():
    for file, text in portfolio.refreshed_readmes().items():
        assert file.read_text(encoding="utf-8") == text, f"{file} está atrasado: corré «make actualizar»"
