"""Las medidas de la escalera, contra cuentas hechas a mano."""

import json

import numpy as np
import pytest

from utils import ladder


def test_measures_of_a_known_case():
    stars = [1, 2, 3, 4, 5, 5]
    found = ladder.measure(lambda texts: np.array([1, 2, 3, 4, 4, 1]), ["x"] * 6, stars)
    assert found["exactitud"] == pytest.approx(4 / 6)
    assert found["error_absoluto"] == pytest.approx(5 / 6)
    # F1 por clase: 1 → 2/3, 2 → 1, 3 → 1, 4 → 2/3, 5 → 0
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 + 1 + 2 / 3) / 5)
    assert found["ms_por_texto"] > 0


def test_kappa_is_zero_for_a_constant_and_one_for_the_truth():
    stars = [1, 2, 3, 4, 5]
    assert ladder.measure(lambda t: np.full(len(t), 5), ["x"] * 5, stars)["kappa"] == pytest.approx(0)
    assert ladder.measure(lambda t: np.array(stars), ["x"] * 5, stars)["kappa"] == pytest.approx(1)


def test_rungs_are_read_from_every_class(tmp_path):
    def record(number, name, metrics):
        (tmp_path / f"clase_{number}").mkdir()
        stored = {name: {"embebidos": {"metricas": metrics}}, "otro": {"reales": {"metricas": {"f1": 1}}}}
        (tmp_path / f"clase_{number}" / "resultados.json").write_text(json.dumps(stored), encoding="utf-8")

    quality = {"exactitud": 0.6, "macro_f1": 0.5, "error_absoluto": 0.7, "kappa": 0.4}
    whole = {f"estrellas_{name}": value for name, value in quality.items()}
    record(7, "siete", whole | {f"{name}_congelado": value / 2 for name, value in whole.items()})
    record(1, "uno", whole | {"estrellas_ms_por_texto": 9, "estrellas_exactitud_con_mas_palabras": 0.9})
    found = ladder.rungs(tmp_path)
    assert list(zip(found.notebook, found.variante, strict=True)) == [
        ("uno", ""),
        ("siete", ""),
        ("siete", "congelado"),
    ]
    assert list(found.exactitud) == [0.6, 0.6, 0.3]
    assert found.ms_por_texto[0] == 9
    assert found.ms_por_texto.isna().tolist() == [False, True, True]


def test_no_rungs_yet(tmp_path):
    assert ladder.rungs(tmp_path).empty
