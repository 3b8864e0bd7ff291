"""Las velocidades publicadas, medidas con la máquina quieta.

Al volver a ejecutar un notebook con otro al lado no se repiten: ahí cada uno comprueba solo el signo.
"""

import pytest

from utils import results


def published(notebook: str) -> dict[str, float]:
    return results.load(notebook)["embebidos"]["metricas"]


@pytest.mark.parametrize(
    ("notebook", "metric", "least"),
    [
        ("7e_resumen_extractivo", "aceleracion_bes", 5),
        ("8a_deploy", "aceleracion_servicio", 3),
        ("8b_escala", "escala_2_trabajadores", 1.15),
        ("8c_nlp_hoy", "aceleracion_kv", 3),
    ],
)
def test_published_speed(notebook, metric, least):
    assert published(notebook)[metric] >= least


def test_the_unluckiest_request_waits_less_than_with_flask():
    measured = published("8a_deploy")
    assert measured["p99_ms_servicio"] < measured["p99_ms_flask"]
