"""Las pruebas corren siempre con los datos embebidos, sin red y sin la caché de quien las ejecuta."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session", autouse=True)
def embedded_mode(tmp_path_factory):
    """Se fija en el entorno y no con monkeypatch para que también lo hereden los núcleos de nbval."""
    os.environ["NLP_DATOS"] = "embebidos"
    os.environ["NLP_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def assert_light_import(*modules, allowed=()):
    """Importar estos módulos tarda menos de medio segundo y no carga ninguna biblioteca pesada."""
    heavy = ("tensorflow", "torch", "transformers", "gensim", "sklearn", "pandas", "numpy")
    code = (
        f"import sys, time; t = time.process_time(); import {', '.join(modules)}; t = time.process_time() - t; "
        f"print(t, *(m for m in {heavy} if m in sys.modules))"
    )
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, *loaded = out.stdout.split()
    assert float(seconds) < 0.5
    assert set(loaded) <= set(allowed)


@pytest.fixture
def repository(tmp_path):
    """Copia mínima del repositorio, en git, para ejecutar la línea de órdenes sin tocar el verdadero."""
    copy = tmp_path / "copia"
    copy.mkdir()
    shutil.copytree(ROOT / "utils", copy / "utils", ignore=shutil.ignore_patterns("__pycache__", "modelos"))
    for name in ("requirements.txt", ".gitignore"):
        shutil.copy(ROOT / name, copy)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(copy)]
    for order in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *order], check=True)
    return copy
