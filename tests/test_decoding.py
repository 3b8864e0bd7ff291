"""Decodificación, contra la enumeración de todos los textos posibles de un modelo chico."""

import itertools

import numpy as np
import pytest

from utils import decoding

VOCABULARY, LENGTH, END = 4, 3, 0


class Model:
    """Un modelo al azar que recuerda en su estado todo lo leído, para notar si se lo reordena mal."""

    def __init__(self, seed=0):
        self.seed, self.calls = seed, 0

    def logits(self, prefix) -> np.ndarray:
        return np.random.default_rng([self.seed, *prefix]).normal(size=VOCABULARY) * 1.5

    def step(self, tokens, state):
        self.calls += 1
        prefixes, (copy,) = state
        np.testing.assert_array_equal(prefixes, copy)
        prefixes = np.concatenate([prefixes, tokens[:, None]], axis=1)
        logits = np.stack([self.logits(prefix) for prefix in prefixes])
        return logits, (prefixes, [prefixes])

    def start(self, n=1):
        empty = np.zeros((n, 0), dtype=int)
        return (empty, [empty]), np.arange(n) % VOCABULARY

    def score(self, start, text) -> float:
        prefix, total = [start], 0.0
        for token in text:
            total += decoding.log_softmax(self.logits(prefix))[token]
            prefix.append(token)
            if token == END:
                break
        return total

    def texts(self, start) -> dict[tuple, float]:
        """Todos los textos que puede escribir, rellenados con END, y su log-probabilidad."""
        padded = set()
        for text in itertools.product(range(VOCABULARY), repeat=LENGTH):
            stop = text.index(END) if END in text else LENGTH
            padded.add(text[:stop] + (END,) * (LENGTH - stop))
        return {text: self.score(start, text) for text in padded}


def test_log_softmax_is_stable():
    scores = decoding.log_softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]]))
    np.testing.assert_allclose(np.exp(scores), [[1, 0], [0.5, 0.5]], atol=1e-12)


def test_take_keeps_the_structure():
    state = (np.arange(3), [np.arange(6).reshape(3, 2)])
    taken = decoding.take(state, np.array([2, 2]))
    assert isinstance(taken, tuple)
    assert isinstance(taken[1], list)
    assert taken[0].tolist() == [2, 2]
    assert taken[1][0].tolist() == [[4, 5], [4, 5]]


def test_greedy_takes_the_best_symbol_every_time():
    model = Model()
    state, start = model.start(4)
    written = decoding.greedy(model.step, state, start, 5)
    for row, first in zip(written, start, strict=True):
        prefix = [first]
        for token in row:
            assert token == model.logits(prefix).argmax()
            prefix.append(token)


@pytest.mark.parametrize("end", [None, END])
@pytest.mark.parametrize("seed", range(5))
def test_beam_of_width_one_is_greedy(seed, end):
    model = Model(seed)
    state, start = model.start(4)
    sequences, _ = decoding.beam_search(model.step, state, start, 6, end, width=1)
    np.testing.assert_array_equal(sequences[:, 0], decoding.greedy(model.step, state, start, 6, end))


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_best_texts(seed, penalty):
    model = Model(seed)
    state, start = model.start(2)
    sequences, scores = decoding.beam_search(
        model.step, state, start, LENGTH, END, width=40, length_penalty=penalty
    )
    for first, rows, row_scores in zip(start, sequences, scores, strict=True):
        texts = model.texts(first)

        def rank(text, texts=texts):
            size = text.index(END) + 1 if END in text else LENGTH
            return texts[text] / size**penalty

        expected = sorted(texts, key=rank, reverse=True)
        assert [tuple(row) for row in rows[: len(texts)].tolist()] == expected
        np.testing.assert_allclose(row_scores[: len(texts)], [texts[text] for text in expected])
        assert np.isneginf(row_scores[len(texts) :]).all()


@pytest.mark.parametrize("seed", range(5))
def test_an_exhaustive_beam_never_scores_below_a_narrower_one(seed):
    model = Model(seed)
    state, start = model.start(4)
    top = [
        decoding.beam_search(model.step, state, start, 4, END, width=width)[1].max(axis=1)
        for width in (1, 2, 4, 8, 130)
    ]
    assert (top[-1] >= np.max(top, axis=0) - 1e-9).all()


def test_a_wider_beam_may_lose_what_a_narrower_one_finds():
    """Dos comienzos que prometen más desalojan al que terminaba mejor: ensanchar no es siempre mejorar."""
    model = Model()
    flat, sure = [1 / 3, 1 / 3, 1 / 3 - 1e-9, 1e-9], [1 - 3e-9, 1e-9, 1e-9, 1e-9]
    after = {(): [0.02, 0.5, 0.45, 0.03], (1,): flat[::-1], (2,): [1e-9, 0.5 - 1e-9, 0.5, 1e-9]}

    def logits(prefix):
        written = tuple(int(token) for token in prefix[1:])
        return np.log(after.get(written, sure if written[:1] == (1,) else flat))

    model.logits = logits
    state, start = model.start(1)
    best = {
        width: decoding.beam_search(model.step, state, start, 3, width=width)[1].max() for width in (1, 2, 60)
    }
    assert best[1] == pytest.approx(np.log(0.5 / 3), abs=1e-6)
    assert best[2] < best[1] - 0.5
    assert best[60] >= best[1]


def test_a_finished_beam_keeps_its_score_whatever_the_length():
    model = Model(2)
    state, start = model.start(3)
    scores = [decoding.beam_search(model.step, state, start, length, END, width=1)[1] for length in (30, 60)]
    np.testing.assert_array_equal(*scores)


def test_beam_scores_are_those_of_its_texts():
    model = Model(7)
    state, start = model.start(3)
    sequences, scores = decoding.beam_search(model.step, state, start, 6, END, width=3)
    for first, rows, row_scores in zip(start, sequences, scores, strict=True):
        np.testing.assert_allclose(row_scores, [model.score(first, row) for row in rows])
        assert len({tuple(row) for row in rows.tolist()}) == 3


@pytest.mark.parametrize("seed", range(20))
def test_the_largest_come_in_order_and_ties_from_left_to_right(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, size=(7, 30)).astype(float)
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    scores[0] = -np.inf
    for k in (1, 4, 30):
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(decoding._largest(scores, k), expected)


def test_search_stops_when_every_text_has_ended():
    model = Model()
    model.logits = lambda prefix: np.array([50.0, 0, 0, 0])
    state, start = model.start(2)
    written = decoding.greedy(model.step, state, start, 100, END)
    assert written.tolist() == [[END] * 100] * 2
    decoding.beam_search(model.step, state, start, 100, END, width=1)
    assert model.calls == 2


def frequencies(rows) -> dict[tuple, float]:
    texts, counts = np.unique(rows, axis=0, return_counts=True)
    return {tuple(text): count / len(rows) for text, count in zip(texts.tolist(), counts, strict=True)}


def test_sampling_follows_the_model():
    model = Model(3)
    empty = np.zeros((4000, 0), dtype=int)
    written = decoding.sample(model.step, (empty, [empty]), np.full(4000, 1), LENGTH, END, seed=1)
    found = frequencies(written)
    for text, score in model.texts(1).items():
        assert found.get(text, 0) == pytest.approx(np.exp(score), abs=0.03)


def test_temperature_sharpens_and_flattens():
    scores = np.log([[0.7, 0.2, 0.1]])
    counts = {}
    for temperature in (0.1, 1.0, 100.0):
        written = decoding.sample(
            lambda tokens, state: (np.repeat(scores, len(tokens), axis=0), state),
            np.zeros((3000, 1)),
            np.zeros(3000, dtype=int),
            1,
            temperature=temperature,
        )
        counts[temperature] = (written == 0).mean()
    assert counts[0.1] > 0.99
    assert counts[1.0] == pytest.approx(0.7, abs=0.03)
    assert counts[100.0] == pytest.approx(1 / 3, abs=0.03)


def test_restrict():
    scores = np.log([[0.5, 0.1, 0.3, 0.1]])
    kept = np.isfinite(decoding.restrict(scores, top_k=2))
    assert kept.tolist() == [[True, False, True, False]]
    assert np.isfinite(decoding.restrict(scores, top_p=0.5)).tolist() == [[True, False, False, False]]
    assert np.isfinite(decoding.restrict(scores, top_p=0.51)).tolist() == [[True, False, True, False]]
    assert np.isfinite(decoding.restrict(scores, top_p=1.0)).all()
    assert np.isfinite(decoding.restrict(np.zeros((1, 4)), top_k=1)).sum() == 1


def test_stochastic_beam_samples_texts_without_replacement():
    model = Model(5)
    n = 4000
    empty = np.zeros((n, 0), dtype=int)
    sequences, scores = decoding.beam_search(
        model.step, (empty, [empty]), np.full(n, 2), LENGTH, END, width=2, seed=0
    )
    texts = {text: np.exp(score) for text, score in model.texts(2).items()}
    first = frequencies(sequences[:, 0])
    for text, probability in texts.items():
        assert first.get(text, 0) == pytest.approx(probability, abs=0.03)
    assert (sequences[:, 0] != sequences[:, 1]).any(axis=1).all()
    # El segundo, dado el primero, sale según las probabilidades renormalizadas.
    best = max(texts, key=texts.get)
    second = frequencies(sequences[(sequences[:, 0] == best).all(axis=1), 1])
    for text, probability in texts.items():
        if text != best:
            assert second.get(text, 0) == pytest.approx(probability / (1 - texts[best]), abs=0.06)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperatura"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
    ],
)
def test_bad_options_are_explained(options, message):
    model = Model()
    state, start = model.start()
    with pytest.raises(ValueError, match=message):
        decoding.sample(model.step, state, start, 1, **options)
    with pytest.raises(ValueError, match="ancho del haz"):
        decoding.beam_search(model.step, state, start, 1, width=0)
