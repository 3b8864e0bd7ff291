"""Las medidas de un BERT, con modelos de los que se sabe qué deben dar."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from utils import bert_evaluation as evaluation
from utils import datasets, pretrain

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "uno", "dos", "tres", "cuatro", "cinco", "seis"]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import BertTokenizer

    return BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, do_lower_case=True)


class NextWord:
    """Un modelo que sabe que las palabras van en orden: propone la que sigue a la de la izquierda."""

    device = torch.device("cpu")

    def __init__(self, confidence: float):
        self.confidence = confidence

    def __call__(self, input_ids):
        left = torch.roll(input_ids, 1, dims=1)
        logits = torch.nn.functional.one_hot((left - 4) % 6 + 5, len(WORDS)).float() * self.confidence
        return SimpleNamespace(logits=logits)


def test_masked_accuracy_of_a_known_model(tokenizer):
    texts = [["uno dos tres cuatro cinco seis"] * 200]
    found = evaluation.masked_accuracy(texts, tokenizer, NextWord(50.0))
    # Falla solo cuando la palabra de la izquierda también está tapada o es [CLS].
    assert 0.8 < found["mlm_top1"] < 0.95
    assert found["mlm_top5"] >= found["mlm_top1"]
    assert found["mlm_frecuente"] == pytest.approx(1 / 6, abs=0.05)
    flat = evaluation.masked_accuracy(texts, tokenizer, NextWord(0.0))
    assert flat["mlm_perplejidad"] == pytest.approx(len(WORDS), rel=1e-4)


def test_masked_accuracy_needs_a_window(tokenizer):
    with pytest.raises(ValueError, match="al menos 126 subpalabras"):
        evaluation.masked_accuracy([["uno dos"]], tokenizer, NextWord(1.0))


def test_pseudo_perplexity_of_a_known_model(tokenizer):
    sure = evaluation.pseudo_perplexity(["dos tres cuatro"], tokenizer, NextWord(0.0))
    assert sure["pseudo_perplejidad"] == pytest.approx(len(WORDS), rel=1e-4)
    assert sure["pseudo_perplejidad_palabra"] == pytest.approx(len(WORDS), rel=1e-4)


FRAME = pd.DataFrame({"palabra": ["a"] * 4 + ["b"] * 2, "sentido": [*"xxyy", *"zw"]})


def test_nearest_sense():
    apart = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0], [0, 1]])
    assert evaluation.nearest_sense(apart, FRAME) == pytest.approx(4 / 6)
    same = np.ones((6, 1))  # todo empata: cuenta la proporción de los otros con el mismo sentido
    assert evaluation.nearest_sense(same, FRAME) == pytest.approx(4 * (1 / 3) / 6)


def test_static_vectors_of_the_word_are_chance():
    frame = datasets.load_polysemy()
    counts = frame.groupby(["palabra", "sentido"]).size()
    expected = sum(n * (n - 1) / (counts[word].sum() - 1) for (word, _), n in counts.items()) / len(frame)
    assert evaluation.nearest_sense(np.ones((len(frame), 3)), frame) == pytest.approx(expected)
    assert evaluation.context_vectors(frame).shape == (len(frame), 100)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Un BERT minúsculo, guardado en disco."""
    from transformers import BertTokenizer

    folder = tmp_path_factory.mktemp("modelo")
    words = [*WORDS, "banco", "##s", "hay", "un"]
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    settings = pretrain.Settings(layers=1, hidden=16, heads=2, intermediate=32, positions=32)
    pretrain.new_model(settings, len(words)).save_pretrained(folder)
    return folder


def test_word_vectors_follow_the_word_in_its_plural(tiny):
    tokenizer, model = evaluation.bert.load(tiny)
    frame = pd.DataFrame({"palabra": ["banco"] * 2, "oracion": ["Hay un banco.", "uno dos Bancos"]})
    found = evaluation.word_vectors(frame, tokenizer, model, layer=0)
    whole = evaluation.bert.embed_tokens(frame.oracion.tolist(), tokenizer, model, layer=0)
    np.testing.assert_allclose(found[0], whole[0][3], rtol=1e-5)
    np.testing.assert_allclose(found[1], whole[1][3:5].mean(axis=0), rtol=1e-5)
    with pytest.raises(ValueError, match="«banco» no está en «nada»"):
        evaluation.word_vectors(frame.assign(oracion="nada"), tokenizer, model)


def test_fine_tuning_learns_an_easy_task_and_reports_every_start(tiny):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 200)
    texts = [" ".join(rng.permutation([("uno", "dos")[label], "tres", "hay"])) for label in classes]
    parts = np.repeat(["train", "validation", "test"], [140, 30, 30])
    frame = pd.DataFrame({"texto": texts, "clase": classes, "particion": parts})
    task = evaluation.Task("juego", frame, epochs=25)
    found = evaluation.fine_tuning(task, str(tiny), rates=(1e-3,), seeds=2)
    assert found["juego_exactitud_tfidf"] == 1.0
    assert found["juego_macro_f1_azar"] > 0.9
    assert found["juego_macro_f1_bert"] > 0.9
    assert found["juego_macro_f1_bert_desvio"] < 0.2
    assert found["juego_tasa_bert"] == 1e-3
