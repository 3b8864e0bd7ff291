"""Las medidas de la escalera, contra cuentas hechas a mano."""

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
