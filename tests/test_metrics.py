"""El intervalo por remuestreo cubre lo que dice cubrir, y la búsqueda se mide sin regalar empates."""

import numpy as np
import pytest

from utils.metrics import bootstrap_interval, level_scores, retrieval_scores


def accuracy(a, b):
    return np.mean(a == b)


def test_interval_covers_the_true_accuracy_about_95_percent_of_the_time():
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(200):
        truth = np.zeros(100, int)
        pred = (rng.random(100) > 0.7).astype(int)
        low, high = bootstrap_interval(truth, pred, accuracy, n_resamples=300, seed=trial)
        inside += low <= 0.7 <= high
    assert 0.89 <= inside / 200 <= 0.99


def test_interval_is_reproducible_and_contains_the_estimate():
    truth, pred = np.array([0, 1, 1, 0, 1, 0]), np.array([0, 1, 0, 0, 1, 1])
    low, high = bootstrap_interval(truth, pred, accuracy)
    assert (low, high) == bootstrap_interval(truth, pred, accuracy)
    assert low <= accuracy(truth, pred) <= high


@pytest.mark.parametrize("pair", [([], []), ([1, 2], [1])])
def test_bad_input_is_explained(pair):
    with pytest.raises(ValueError, match="tantas predicciones como valores"):
        bootstrap_interval(*pair, accuracy)


def test_retrieval_ranks_and_breaks_ties_against():
    similarity = [[0.9, 0.1, 0.0], [0.5, 0.4, 0.3], [0.0, 0.0, 0.0]]
    assert retrieval_scores(similarity, [0, 2, 1]) == {
        "p1": 1 / 3,
        "mrr": pytest.approx((1 + 1 / 3 + 1 / 3) / 3),
    }


@pytest.mark.parametrize("pair", [(np.zeros((0, 3)), []), (np.zeros((2, 3)), [0]), (np.zeros(3), [0])])
def test_bad_retrieval_input_is_explained(pair):
    with pytest.raises(ValueError, match="un documento correcto por consulta"):
        retrieval_scores(*pair)


def test_level_scores_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

    true, predicted = np.random.default_rng(0).integers(0, 5, (2, 300))
    found = level_scores(true, predicted)
    assert found["exactitud"] == pytest.approx(accuracy_score(true, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert found["kappa"] == pytest.approx(cohen_kappa_score(true, predicted, weights="quadratic"))


def test_level_scores_of_constant_answers():
    found = level_scores(np.array([0, 1, 2, 2]), np.full(4, 2))
    assert found == pytest.approx({"exactitud": 0.5, "macro_f1": 2 / 9, "kappa": 0.0})
    assert level_scores(np.ones(3, int), np.ones(3, int))["kappa"] == 0.0
    with pytest.raises(ValueError, match="hay 2 y 1"):
        level_scores(np.array([0, 1]), np.array([0]))
