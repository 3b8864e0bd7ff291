"""La API cumple lo que su documento promete, con los pedidos que inventa schemathesis."""

import subprocess
import sys

from conftest import ROOT

from clase_8.servicio.launch import serving

FAKE = (sys.executable, str(ROOT / "tests" / "fake_service.py"))
# 400 es un pedido bien formado que no se puede atender (un texto sin oraciones, un estado sin firma): ningún
# esquema puede decirlo.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "400"]
"""


def test_schemathesis_finds_nothing(tmp_path):
    # Con su programa y no con su extensión de pytest, que corre menos fases.
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "config.toml", "run"]
    options = ["--checks", "all", "--max-examples", "40", "--seed", "1", "--suppress-health-check", "all"]
    with serving(FAKE, SERVICIO_PAGINA="no") as server:
        done = subprocess.run(
            [*command, f"{server.url}/openapi.json", *options],
            cwd=tmp_path,  # donde deja sus archivos
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
