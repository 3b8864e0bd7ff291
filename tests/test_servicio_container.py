"""El contenedor, hasta donde se puede sin Docker: que lleve lo que el servicio importa, y nada sin versión."""

import ast
import re
import subprocess
import sys

from conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DISTRIBUTIONS = {"sklearn": "scikit-learn", "prometheus_client": "prometheus-client", "starlette": "fastapi"}
DISTRIBUTIONS |= {"pydantic": "fastapi"}  # las trae fastapi, que fija entre qué versiones
# Hacen o miden el modelo, o reparten el trabajo con Ray: no corren al servir.
MAKERS = ("exportar.py", "training.py", "load.py", "lote.py", "replicas.py")


def installed():
    """Lo que instala la imagen, según su propia orden."""
    expression = re.search(r"sed -nE '(.+?)'", DOCKERFILE)[1]
    done = subprocess.run(
        ["sed", "-nE", expression, "requirements.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(line.split("==") for line in done.stdout.split())


def test_every_package_is_pinned_as_in_requirements():
    asked = re.search(r"\^\(\(([^)]+)\)", DOCKERFILE)[1].split("|")
    assert sorted(installed()) == sorted(asked)
    assert re.match(r"FROM python:3\.11\.\d+-slim", DOCKERFILE[DOCKERFILE.index("FROM") :])


def test_everything_the_service_imports_is_there():
    imported = set()
    for file in (ROOT / "clase_8" / "servicio").glob("*.py"):
        if file.name not in MAKERS:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    imported.add(node.module.split(".")[0])
    needed = imported - set(sys.stdlib_module_names) - {"clase_8", "utils"}
    assert {DISTRIBUTIONS.get(name, name) for name in needed} <= set(installed())


def test_it_does_not_run_as_root_and_checks_its_health():
    lines = DOCKERFILE.splitlines()
    assert "USER 10001" in lines and lines.index("USER 10001") < lines.index(
        'CMD ["python", "-m", "clase_8.servicio"]'
    )
    assert "HEALTHCHECK" in DOCKERFILE and "/listo" in DOCKERFILE
    assert "ADD " not in DOCKERFILE and ":latest" not in DOCKERFILE


def test_what_goes_in_exists():
    wanted = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    missing = [one for one in wanted if not list(ROOT.glob(one.rstrip("/"))) and "beto_mini" not in one]
    assert missing == []
