"""Lo que comparten los traductores: pares sin cruces, texto que va y vuelve, y medidas iguales a las de sacrebleu."""

import numpy as np
import pandas as pd
import pytest
import sacrebleu
from conftest import assert_light_import

from utils import datasets, translation
from utils.translation import END, PAD, START, UNKNOWN, Vocabulary

TEXTS = [
    "La puerta está abierta.",
    "¿Quién dejó la puerta abierta anoche?",
    "Tom dijo: «¡Vámonos!», y se fue.",
    "Ayer Tom compró una casa.",
    "No la vi.",
]


def test_importing_is_light():
    assert_light_import("utils.translation", allowed=["numpy"])


# --- pares ----------------------------------------------------------------------------------------


def test_pairs_follow_the_data_mode(monkeypatch):
    assert list(translation.load_pairs().particion.value_counts()) == [2400, 300, 300]
    monkeypatch.setenv("NLP_DATOS", "reales")
    fake = pd.DataFrame({"familia": [0], "ingles": ["Go."], "espanol": ["Ve."], "particion": ["train"]})
    monkeypatch.setattr(datasets, "load_tatoeba", lambda: fake.copy())
    pairs = translation.load_pairs()
    assert list(pairs.columns) == ["id", "familia", "ingles", "espanol", "particion"]
    assert pairs.id[0] == "tat-000001"


def test_references_are_grouped_by_source():
    pairs = pd.DataFrame(
        {
            "id": list("abcd"),
            "ingles": ["Go.", "Run.", "Go.", "Go."],
            "espanol": ["Ve.", "Corre.", "Vete.", "Ve."],
        }
    )
    grouped = translation.group_references(pairs)
    assert grouped.to_dict("list") == {
        "id": ["a", "b"],
        "ingles": ["Go.", "Run."],
        "referencias": [["Ve.", "Vete."], ["Corre."]],
    }


# --- texto y símbolos -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *TEXTS,
        'Dijo "no" y se fue.',
        "Cuesta 3.000 pesos (o 15,5 dólares), a las 7:30.",
        "Un grupo franco-alemán, el 50% de todos...",
        "¡¿Qué?!",
    ],
)
def test_words_can_be_joined_back(text):
    assert translation.join_words(translation.split_words(text)) == text


@pytest.mark.parametrize("kind", ["bpe", "palabras"])
def test_text_survives_the_round_trip(kind):
    vocabulary = Vocabulary(TEXTS, 500, kind)
    assert vocabulary.decode(vocabulary.encode(TEXTS)) == TEXTS


def test_the_embedded_corpus_survives_the_round_trip_in_subwords():
    pairs = datasets.load_translations()
    vocabulary = Vocabulary(list(pairs.espanol[pairs.particion == "train"]), 1000)
    assert len(vocabulary) == 1000
    back = vocabulary.decode(vocabulary.encode(pairs.espanol))
    assert np.mean([a == b for a, b in zip(back, pairs.espanol, strict=True)]) > 0.98


def test_only_the_capital_that_opens_the_sentence_is_removed():
    vocabulary = Vocabulary(TEXTS, 500, "palabras")
    assert vocabulary.pieces("La casa")[:1] == ["la"]
    assert vocabulary.pieces("Tom dijo")[:1] == ["Tom"]
    assert vocabulary.pieces("¿Quién")[:2] == ["¿", "quién"]


def test_rare_words_are_unknown_to_words_and_spelled_by_subwords():
    words, pieces = Vocabulary(TEXTS, 500, "palabras"), Vocabulary(TEXTS, 500)
    assert UNKNOWN in words.encode(["puertas"])[0]
    assert UNKNOWN not in pieces.encode(["puertas"])[0]
    assert words.decode(words.encode(["Tom compró puertas."])) == ["Tom compró <unk>."]
    assert pieces.decode(pieces.encode(["Tom compró puertas."])) == ["Tom compró puertas."]


def test_decoding_stops_at_the_end_and_skips_padding():
    vocabulary = Vocabulary(TEXTS, 500)
    row = vocabulary.encode(["No la vi."])[0]
    assert row[-1] == END
    assert vocabulary.decode([[START, PAD, *row, *row]]) == ["No la vi."]
    assert vocabulary.decode([[END]]) == [""]


def test_unknown_kind_is_explained():
    with pytest.raises(ValueError, match="«letras»"):
        Vocabulary(TEXTS, 500, "letras")


# --- tandas ---------------------------------------------------------------------------------------


def test_pad():
    np.testing.assert_array_equal(translation.pad([[5], [6, 7]]), [[5, PAD], [6, 7]])
    np.testing.assert_array_equal(translation.pad([[5], [6, 7, 8]], 2), [[5, PAD], [6, 7]])
    assert translation.pad([]).shape == (0, 0)


def test_batches_have_every_sentence_once_and_similar_lengths():
    lengths = np.random.default_rng(0).integers(1, 20, size=(1003, 2))
    batches = translation.length_batches(lengths, 50, seed=1)
    assert sorted(np.concatenate(batches)) == list(range(1003))
    assert sorted({len(batch) for batch in batches}) == [3, 50]
    means = [lengths[batch, 0].mean() for batch in batches]
    assert np.argmax(means) == 0
    assert np.argmin(means) == 1
    assert [len(batch) for batch in translation.length_batches([3, 4], 5, seed=0)] == [2]
    spread = np.mean([np.ptp(lengths[batch, 0]) for batch in batches])
    assert spread <= 2
    again, other = (translation.length_batches(lengths, 50, seed=seed) for seed in (1, 2))
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(batches, other, strict=True))


# --- medidas --------------------------------------------------------------------------------------

GOOD = ["La puerta está abierta.", "¿Quién dejó una puerta abierta anoche?", "Ayer Tom compró la casa."]
BAD = ["La casa está.", "¿Quién abierta?", "Tom casa la."]
REFERENCES = [TEXTS[0], TEXTS[1], TEXTS[3]]


def test_scores_are_those_of_sacrebleu():
    assert translation.score(GOOD, REFERENCES)[0] == pytest.approx(
        sacrebleu.corpus_bleu(GOOD, [REFERENCES]).score
    )
    assert translation.score(GOOD, REFERENCES, "chrf")[0] == pytest.approx(
        sacrebleu.corpus_chrf(GOOD, [REFERENCES]).score
    )
    several = [[REFERENCES[0], GOOD[0]], [REFERENCES[1]], [REFERENCES[2], "Tom compró la casa ayer."]]
    streams = [[each[0] for each in several], [several[0][1], None, several[2][1]]]
    assert translation.score(GOOD, several)[0] == pytest.approx(sacrebleu.corpus_bleu(GOOD, streams).score)
    np.testing.assert_allclose(
        translation.sentence_scores(GOOD, REFERENCES),
        [sacrebleu.sentence_chrf(a, [b]).score for a, b in zip(GOOD, REFERENCES, strict=True)],
    )


def test_the_interval_contains_the_score_and_can_be_skipped():
    value, low, high = translation.score(GOOD * 30, REFERENCES * 30)
    assert low < value < high
    assert (value, low, high) == translation.score(GOOD * 30, REFERENCES * 30)
    assert (
        translation.score(GOOD, REFERENCES, n_resamples=0)[1:]
        == (translation.score(GOOD, REFERENCES, n_resamples=0)[0],) * 2
    )


def test_a_paired_difference_is_sharper_than_two_intervals():
    gap, low, high = translation.difference(GOOD * 30, BAD * 30, REFERENCES * 30, "chrf")
    a, b = (translation.score(each * 30, REFERENCES * 30, "chrf") for each in (GOOD, BAD))
    assert gap == pytest.approx(a[0] - b[0])
    assert 0 < low < gap < high
    assert high - low < (a[2] - b[1]) - (a[1] - b[2])


def test_the_signature_names_the_options():
    assert "nrefs:1|" in translation.signature("bleu", REFERENCES)
    assert "nrefs:var" in translation.signature("bleu", [["a", "b"], ["c"]])
    assert f"version:{sacrebleu.__version__}" in translation.signature("chrf")


@pytest.mark.parametrize("pair", [([], []), (["a"], ["a", "b"])])
def test_bad_input_is_explained(pair):
    with pytest.raises(ValueError, match="tantas traducciones como referencias"):
        translation.score(*pair)
    with pytest.raises(ValueError, match="«rouge»"):
        translation.score(["a"], ["a"], "rouge")


def test_length_groups():
    groups = translation.length_groups([3, 9, 5, 2, 6], [3, 5, 6])
    assert {name: list(rows) for name, rows in groups.items()} == {"3–4": [0, 3], "5": [2], "6 o más": [1, 4]}
    assert list(translation.length_groups([9], [3, 5])) == ["5 o más"]
    with pytest.raises(ValueError, match="bordes"):
        translation.length_groups([1], [5, 3])
