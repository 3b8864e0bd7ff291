"""La primera celda: igual en todos los notebooks, y lo que hace en Colab y fuera de él."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

NOTEBOOKS = sorted(ROOT.glob("clase_*/*.ipynb"))


def first_cell(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


CELL = first_cell(NOTEBOOKS[0])


def test_is_identical_everywhere_and_short():
    assert {first_cell(path) for path in NOTEBOOKS} == {CELL}
    assert len(CELL.splitlines()) <= 12


class Sessions(http.server.BaseHTTPRequestHandler):
    """Imita la API de sesiones de Colab, que dice en «path» desde dónde se abrió el notebook."""

    def do_GET(self):
        found = self.path == "/api/sessions"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps([{"path": self.server.opened}]).encode() if found else b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def colab(tmp_path, repository):
    """Un Colab de mentira: carpeta vacía, ``google.colab``, señuelos y un GitHub que es un repositorio local."""
    bare = tmp_path / "github"
    for name in ("prueba/bifurcacion", "otra/copia", "tu-usuario/portfolio-nlp"):
        subprocess.run(["git", "clone", "-q", "--bare", repository, bare / f"{name}.git"], check=True)
    modules = tmp_path / "modulos"
    (modules / "google" / "colab").mkdir(parents=True)
    (modules / "google" / "colab" / "__init__.py").touch()
    (modules / "utils.py").write_text("raise_if_used = 1\n")
    # El pip de mentira anota con qué lo llamaron, en lugar de instalar.
    (modules / "pip").mkdir()
    (modules / "pip" / "__main__.py").write_text(
        "import pathlib, sys\n"
        f"log = pathlib.Path({str(tmp_path / 'pip.log')!r})\n"
        "constraints = pathlib.Path(sys.argv[sys.argv.index('--constraint') + 1]).read_text()\n"
        "log.write_text('\\n'.join(sys.argv[1:]) + '\\n' + constraints)\n"
    )
    (modules / "pip" / "__init__.py").touch()
    content = tmp_path / "content"
    content.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sessions)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.opened = ""

    def run(opened="", cell=CELL, in_colab=True):
        server.opened = opened
        environment = os.environ | {
            "PYTHONPATH": str(modules),
            "COLAB_JUPYTER_IP": "127.0.0.1",
            "KMP_TARGET_PORT": str(server.server_port),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{bare}/.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/",
        }
        start = "import google.colab, utils\n" if in_colab else ""
        end = "\nimport utils; print(notebook.__file__, utils.__file__)"
        return subprocess.run(
            [sys.executable, "-c", start + cell + end],
            cwd=content,
            env=environment,
            capture_output=True,
            text=True,
        )

    run.content, run.pip_log, run.bare = content, tmp_path / "pip.log", bare
    yield run
    server.shutdown()


def assert_cloned(colab, done, name):
    assert done.returncode == 0, done.stderr
    root = colab.content / name
    assert (root / "utils" / "notebook.py").exists()
    assert f"{root}/utils/notebook.py {root}/utils/__init__.py" in done.stdout


def test_colab_clones_the_repository_it_was_opened_from(colab):
    opened = "fileId=https%3A//github.com/prueba/bifurcacion/blob/main/clase_1/1a_bolsa_de_palabras.ipynb"
    done = colab(opened)
    assert_cloned(colab, done, "bifurcacion")
    assert not colab.pip_log.exists(), "no faltaba nada: no había que llamar a pip"
    assert_cloned(colab, colab(opened), "bifurcacion")  # la celda se puede repetir


def test_colab_falls_back_to_the_remote(colab):
    subprocess.run(["git", "init", "-q"], cwd=colab.content, check=True)
    remote = ["git", "remote", "add", "origin", "https://github.com/otra/copia.git"]
    subprocess.run(remote, cwd=colab.content, check=True)
    assert_cloned(colab, colab("fileId=1AbCdrive"), "copia")


def test_colab_falls_back_to_the_stamped_default(colab):
    name = CELL.split('opened = "')[1].split('"')[0]
    subprocess.run(
        ["git", "clone", "-q", "--bare", colab.bare / "otra/copia.git", colab.bare / f"{name}.git"],
        capture_output=True,
    )
    assert_cloned(colab, colab("fileId=1AbCdrive"), name.split("/")[1])


def test_colab_installs_only_what_is_missing_and_protects_the_rest(colab, repository):
    file = repository / "requirements.txt"
    extra = "\nno-existe-jamas==1.0  # clase 1: prueba\ntampoco-existe==1.0  # clase 8: prueba\n"
    file.write_text(file.read_text() + extra)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(repository)]
    subprocess.run([*git, "commit", "-qam", "x"], check=True)
    subprocess.run([*git, "push", "-q", str(colab.bare / "prueba/bifurcacion.git"), "main"], check=True)
    done = colab("fileId=https%3A%2F%2Fgithub.com%2Fprueba%2Fbifurcacion%2Fblob%2Fmain%2Fclase_1%2F1a.ipynb")
    assert_cloned(colab, done, "bifurcacion")
    lines = colab.pip_log.read_text().splitlines()
    assert "no-existe-jamas==1.0" in lines
    assert not any(line.startswith(("tampoco-existe", "pandas", "ray", "jupyterlab")) for line in lines)
    assert any(line.startswith("numpy==") for line in lines), "numpy va como restricción"


def test_outside_a_copy_says_what_to_do(colab):
    done = colab(in_colab=False)
    assert done.returncode != 0
    assert "No encuentro el repositorio" in done.stderr


def test_unknown_mode_is_explained(colab, monkeypatch):
    monkeypatch.setenv("NLP_DATOS", "otros")
    done = colab("fileId=https%3A//github.com/prueba/bifurcacion/blob/main/clase_1/1a.ipynb")
    assert "usá «embebidos» o «reales»" in done.stderr
