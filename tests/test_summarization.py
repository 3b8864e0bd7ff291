"""Agrupar oraciones y elegir; y lo mismo que el original, con un BERT minúsculo hecho acá."""

import itertools
import time

import numpy as np
import pytest
from conftest import assert_light_import

from utils import summarization
from utils.sentences import split_sentences
from utils.summarization import SummaryError, summarize

STORY = """El faro de la isla se encendió por primera vez en el otoño de 1904, con aceite de ballena.
Durante treinta años lo cuidaron las mismas tres familias, que se turnaban para subir la escalera.
Sí, de noche. El aceite se guardaba en un sótano fresco, cavado en la roca por los presos del penal cercano.
En 1936 llegó la electricidad, y con ella un motor que se oía desde el pueblo cuando no había viento.
Las familias se fueron yendo, una por una, y la última dejó las llaves colgadas de un clavo en la puerta.
Hoy la lámpara se enciende sola y un técnico la revisa dos veces por año, si el mar lo deja llegar."""


def test_import_is_light():
    assert_light_import("utils.summarization")


# --- grupos ---------------------------------------------------------------------------------------


@pytest.fixture
def points():
    """Tres grupos apartados de cinco, en el plano; en cada uno, el cuarto es el del medio."""
    shape = np.array([[1, 1], [-1, 1], [1, -1], [0, 0.1], [-1, -1]])
    return np.concatenate([shape + np.array(corner) for corner in ([0, 0], [20, 0], [0, 20])])


def test_nearest_to_each_centroid(points):
    found = summarization.cluster(points, 3)
    assert sorted(found.nearest) == [3, 8, 13]
    for group, chosen in enumerate(found.nearest):
        assert found.labels[chosen] == group
        np.testing.assert_allclose(
            found.centroids[group], points[found.labels == group].mean(axis=0), atol=1e-9
        )


def test_no_sentence_is_chosen_twice():
    same = np.ones((6, 3))
    assert sorted(summarization.cluster(same, 4).nearest) == [0, 1, 2, 3]


def test_ties_go_to_the_first_whatever_the_rounding():
    pairs = np.array([[0, 0], [1, 1], [50, 50], [51, 51.0]])
    for noise in itertools.product([-1e-6, 1e-6], repeat=4):
        found = summarization.cluster(pairs + np.array(noise)[:, None], 2)
        assert sorted(found.nearest) == [0, 2]


def test_elbow(points):
    assert summarization.elbow(points) == 3
    assert summarization.elbow(points[:1]) == summarization.elbow(np.ones((5, 2))) == 1


def test_impossible_groups(points):
    with pytest.raises(ValueError, match="No se pueden formar 16 grupos con 15 oraciones"):
        summarization.cluster(points, 16)


# --- vectores -------------------------------------------------------------------------------------


@pytest.fixture
def keyed_vectors():
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(2)
    vectors.add_vectors(["el", "faro", "mar"], np.array([[1, 0], [0, 1], [1, 1]], dtype="float32"))
    return vectors


def test_averages_of_words(keyed_vectors):
    mean = summarization.word_vectors(keyed_vectors, "mean")(["El faro.", "Nada", "mar"])
    np.testing.assert_allclose(mean, [[0.5, 0.5], [0, 0], [1, 1]])
    common, rare = summarization.word_vectors(keyed_vectors, a=1e-2)(["El faro."])[0]
    assert common < rare, "SIF calla a las palabras frecuentes"
    with pytest.raises(ValueError, match="«sif» o «mean»"):
        summarization.word_vectors(keyed_vectors, "idf")


def test_tfidf():
    found = summarization.tfidf_vectors()(["El faro.", "1904", "El mar, el mar."])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-6)
    assert not summarization.tfidf_vectors()(["1904", "¿?"]).any()


# --- resumen --------------------------------------------------------------------------------------


def by_length(sentences):
    """Vectores de juguete: el largo y la posición."""
    return np.array([[len(sentence), i] for i, sentence in enumerate(sentences)], dtype=float)


def test_summary_keeps_the_order_and_says_where():
    summary = summarize(STORY, sentences=3)
    every = split_sentences(STORY)
    assert summary.total == 7
    assert list(summary.positions) == sorted(summary.positions)
    assert summary.sentences == tuple(every[i] for i in summary.positions)
    assert str(summary) == " ".join(summary.sentences)
    assert summarize(STORY) == summary, "por omisión, tres"
    assert summarize(every, sentences=3) == summary, "también oraciones separadas"


def test_first_sentence():
    assert summarize(STORY, sentences=1, keep_first=True).positions == (0,)
    positions = summarize(STORY, sentences=3, keep_first=True, embed=by_length).positions
    assert len(positions) == 3
    assert positions[0] == 0


def test_ratio_counts_as_the_original():
    assert len(summarize(STORY, ratio=0.5).positions) == 3, "de las seis que pasan el largo"
    assert len(summarize(STORY, ratio=0.4, keep_first=True).positions) == 1 + 2
    assert len(summarize(STORY, ratio=0.01).positions) == 1
    assert summarize(STORY, ratio=1).positions == (0, 1, 3, 4, 5, 6)


def test_lengths():
    assert 2 not in summarize(STORY, sentences=6).positions
    assert summarize(STORY, sentences=7).positions == tuple(range(7)), (
        "si no alcanzan, van también las cortas"
    )
    longest = max(split_sentences(STORY), key=len)
    assert longest not in summarize(STORY, sentences=5, shorter_than=len(longest)).sentences


def test_elbow_chooses_the_amount():
    assert 1 <= len(summarize(STORY, "elbow").positions) <= 6
    assert summarize("Un faro.", "elbow").positions == (0,)
    assert summarize("Un faro.", "elbow", keep_first=True).positions == (0,)


def test_one_sentence_and_few():
    assert str(summarize("Llueve.")) == "Llueve."
    assert str(summarize("Llueve. Hace frío.", sentences=5)) == "Llueve. Hace frío."
    assert str(summarize("Sí. No. Tal vez. Quizá.", sentences=2)).count(".") == 2
    assert str(summarize("Hola. Esta otra oración pasa de los cuarenta caracteres.")).startswith("Hola.")


def test_repeated_sentences_compete_once():
    assert summarize(["Hola, mundo."] * 50 + ["Adiós."], sentences=3).positions == (0, 50)


def test_other_languages():
    assert (
        len(summarize("今日は晴れです。明日は雨です。明後日は雪です。", sentences=2, language="ja").positions)
        == 2
    )
    assert (
        len(summarize("Сегодня тепло. Завтра дождь. Потом снег.", sentences=2, language="ru").positions) == 2
    )


@pytest.mark.parametrize("text", ["", "  \n ", "...", []])
def test_empty_text(text):
    with pytest.raises(SummaryError, match="está vacío"):
        summarize(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sentences": 0}, "entero positivo"),
        ({"sentences": True}, "entero positivo"),
        ({"sentences": 2.5}, "entero positivo"),
        ({"sentences": "codo"}, "entero positivo"),
        ({"ratio": 0}, "mayor que 0"),
        ({"ratio": 1.5}, "mayor que 0"),
        ({"ratio": "0.2"}, "mayor que 0"),
        ({"ratio": float("nan")}, "mayor que 0"),
        ({"ratio": 0.2, "sentences": 3}, "va una sola"),
        ({"longer_than": 50, "shorter_than": 51}, "Ninguna oración mide"),
        ({"shorter_than": 10}, "le falta la puntuación"),
    ],
)
def test_bad_requests_are_explained(options, message):
    with pytest.raises(SummaryError, match=message):
        summarize(STORY, **({"longer_than": 0} | options))


def test_wrong_types_are_explained():
    for text in (None, 3, ["Hola.", 3]):
        with pytest.raises(TypeError, match="Hace falta un texto"):
            summarize(text)


def test_a_bad_embedding_is_explained():
    for embed in (
        lambda s: np.zeros(len(s)),
        lambda s: np.zeros((1, 2)),
        lambda s: np.full((len(s), 2), np.nan),
    ):
        with pytest.raises(ValueError, match="un vector de números finitos por oración"):
            summarize(STORY, embed=embed)


def test_five_thousand_sentences():
    rng = np.random.default_rng(0)
    words = np.array([f"palabra{i}" for i in range(800)])
    letters = str.maketrans("0123456789", "abcdefghij")
    text = " ".join(f"{' '.join(row).capitalize()}." for row in rng.choice(words, (5000, 8))).translate(
        letters
    )
    start = time.process_time()
    summary = summarize(text, sentences=10, restarts=1)
    assert summary.total == 5000
    assert len(summary.positions) == 10
    assert time.process_time() - start < 60
    with pytest.raises(SummaryError, match="5001 oraciones y el máximo es 5000"):
        summarize(text + " Otra más.")


# --- BERT, y el original --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bert_pair():
    """Un BERT al azar que lee letra por letra."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    letters = sorted(set(STORY.lower()) - {" ", "\n"})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(words)}, strip_accents=False)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        initializer_range=0.5,
    )
    return tokenizer, BertForMaskedLM(config).eval()


def test_batches_do_not_change_the_summary(bert_pair):
    for count in (2, 3, 4):
        one = summarize(STORY, count, embed=summarization.bert_vectors(*bert_pair, batch_size=1))
        all_at_once = summarize(STORY, count, embed=summarization.bert_vectors(*bert_pair))
        assert one == all_at_once


@pytest.fixture(scope="module")
def original(bert_pair):
    """El ``bert-extractive-summarizer``, que con transformers 5 solo se deja importar con un parche."""
    import transformers

    for removed in ("TransfoXLModel", "TransfoXLTokenizer"):
        setattr(transformers, removed, object)
    summarizer = pytest.importorskip("summarizer", reason="falta bert-extractive-summarizer")
    tokenizer, model = bert_pair
    model.base_model.config.output_hidden_states = True
    yield summarizer.Summarizer(custom_model=model.base_model, custom_tokenizer=tokenizer)
    model.base_model.config.output_hidden_states = False


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"ratio": 0.5}, {"ratio": 0.5, "keep_first": True}),
        ({"num_sentences": 3}, {"sentences": 3, "keep_first": True}),
        ({"num_sentences": 1}, {"sentences": 1, "keep_first": True}),
        ({"num_sentences": 2, "use_first": False}, {"sentences": 2}),
        ({"ratio": 0.6, "min_length": 97, "use_first": False}, {"ratio": 0.6, "longer_than": 97}),
        ({"ratio": 0.9, "max_length": 100}, {"ratio": 0.9, "shorter_than": 100, "keep_first": True}),
    ],
)
def test_same_sentences_as_the_original(original, bert_pair, theirs, ours):
    embed = summarization.bert_vectors(*bert_pair, special_tokens=False, batch_size=1)
    text = " ".join(STORY.split())
    expected = original(text, return_as_list=True, **theirs)
    assert list(summarize(text, embed=embed, restarts=1, tolerance=0, **ours).sentences) == expected
