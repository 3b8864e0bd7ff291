"""Tapar palabras enteras: qué se elige, con qué frecuencia y qué ve el modelo."""

import numpy as np
import pytest
from conftest import assert_light_import

from utils import masking

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c", "##d"]


class Tokenizer:
    def get_vocab(self):
        return {word: i for i, word in enumerate(WORDS)}


@pytest.fixture(scope="module")
def known():
    return masking.pieces(Tokenizer())


def test_import_is_light():
    assert_light_import("utils.masking", allowed=["numpy"])


def test_pieces(known):
    assert known.continuation.tolist() == [False] * 7 + [True] * 2
    assert known.special.tolist() == [True] * 5 + [False] * 4
    assert (known.cls, known.sep, known.mask) == (2, 3, 4)


def test_windows_cut_without_padding_or_overlap(known):
    stream = np.arange(5, 30, dtype=np.uint16)
    rows = masking.windows(stream, 6, offset=1)
    assert rows.shape == (6, 4)
    assert rows.ravel().tolist() == list(range(6, 30))
    assert masking.with_ends(rows, known)[0].tolist() == [2, 6, 7, 8, 9, 3]
    assert masking.windows(stream[:3], 6).shape == (0, 4)


def test_whole_words_are_chosen_entire_and_at_the_stated_rate(known):
    row = [2, 5, 7, 8, 6, 3, 1, 5, 8, 3]  # [CLS] a##c##d b [SEP] [UNK] a##d [SEP]
    ids = np.tile(row, (4000, 1))
    chosen = masking.whole_words(ids, known, 0.3, np.random.default_rng(0))
    assert not chosen[:, [0, 5, 6, 9]].any()
    assert (chosen[:, 1] == chosen[:, 2]).all()
    assert (chosen[:, 2] == chosen[:, 3]).all()
    assert (chosen[:, 7] == chosen[:, 8]).all()
    np.testing.assert_allclose(chosen[:, [1, 4, 7]].mean(axis=0), 0.3, atol=0.03)
    assert np.corrcoef(chosen[:, 1], chosen[:, 4])[0, 1] < 0.06


def test_a_word_cut_by_the_window_does_not_reach_the_previous_row(known):
    ids = np.array([[2, 5, 5, 3], [2, 7, 8, 3]] * 2000)  # la segunda fila empieza en medio de una palabra
    chosen = masking.whole_words(ids, known, 0.5, np.random.default_rng(0))
    assert (chosen[1::2, 1] == chosen[1::2, 2]).all()
    assert abs(np.corrcoef(chosen[::2, 2], chosen[1::2, 1])[0, 1]) < 0.06


def test_corrupt_follows_80_10_10(known):
    ids = np.full((400, 100), 5)
    chosen = np.zeros_like(ids, dtype=bool)
    chosen[:, ::2] = True
    seen = masking.corrupt(ids, chosen, known, np.random.default_rng(0))
    assert (seen[:, 1::2] == 5).all()
    masked, same = (seen[:, ::2] == 4).mean(), (seen[:, ::2] == 5).mean()
    assert abs(masked - 0.8) < 0.02
    assert abs(same - 0.125) < 0.02  # el 10 % intacto y el cuarto del otro 10 % que vuelve a salir igual
    assert seen[:, ::2].min() >= 4
