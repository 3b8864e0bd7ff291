"""El camino del modelo, con un BERT minúsculo: ajustar, exportar, cuantizar, servir y explicar."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clase_8.servicio import explain, exportar, training
from clase_8.servicio.classifier import CARD_FILE, MODEL_FILE, Classifier, ModelError, length_batches, pad
from clase_8.servicio.engines import load_engines
from clase_8.servicio.masking import MaskError, MaskFiller
from clase_8.servicio.settings import HERE, Settings
from utils import datasets, finetuning, results
from utils.summarization import SummaryError

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "la",
    "tela",
    "es",
    "linda",
    "fea",
    "talle",
    "mal",
    "bien",
    "muy",
    "no",
    "y",
    "envío",
    "tarde",
    "llegó",
]
TEXTS = ["la tela es linda", "no", "el talle mal y la tela fea", "muy bien", "llegó tarde el envío y mal"]


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory):
    """Un BERT de pesos al azar, guardado como los de Hugging Face."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        initializer_range=0.5,
    )
    BertForMaskedLM(config).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def frame():
    rows = [(text, 1 + i % 5) for i, text in enumerate(TEXTS * 4)]
    return pd.DataFrame(rows, columns=["texto", "estrellas"])


RECIPE = training.Recipe(learning_rate=1e-3, epochs=2, batch=4, max_length=8)


@pytest.fixture(scope="module")
def tuned(bert_folder, frame):
    return training.fine_tune(frame, frame[:5], RECIPE, bert_folder)


@pytest.fixture(scope="module")
def exported(tuned, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "float32.onnx"
    exportar.export_onnx(tuned[1], path)
    return path


@pytest.fixture(scope="module")
def folder(tuned, exported, tmp_path_factory):
    path = tmp_path_factory.mktemp("modelo")
    exportar.write_folder(path, tuned[0], exported, RECIPE.max_length, {"receta": "de prueba"})
    return path


def test_training_is_repeatable_and_keeps_its_best_epoch(tuned, bert_folder, frame):
    tokenizer, model, accuracies = tuned
    _, again, same = training.fine_tune(frame, frame[:5], RECIPE, bert_folder)
    assert same == accuracies and len(accuracies) == 2
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach(), other.detach())
    found = training.predict(tokenizer, model, frame.texto[:5], RECIPE.max_length)
    assert np.mean(found == frame.estrellas[:5]) == max(accuracies)


def test_what_is_exported_answers_the_same(tuned, exported):
    import onnxruntime as ort
    import torch

    tokenizer, model, _ = tuned
    session = ort.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    for texts in (TEXTS[:1], TEXTS[:2], TEXTS):  # otras tandas y otros largos que los del ejemplo
        inputs = training.tokenize(tokenizer, texts, RECIPE.max_length)
        feed = {name: inputs[name].numpy() for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            expected = finetuning.classify(model, inputs).softmax(-1)
        np.testing.assert_allclose(session.run(None, feed)[0], expected, atol=1e-5)


def test_the_quantized_one_is_close(tuned, folder):
    import torch

    tokenizer, model, _ = tuned
    with torch.inference_mode():
        expected = finetuning.classify(model, training.tokenize(tokenizer, TEXTS, RECIPE.max_length)).softmax(
            -1
        )
    classifier = Classifier(folder)
    found = classifier.predict(TEXTS)
    np.testing.assert_allclose([one.probabilities for one in found], expected, atol=0.1)
    assert [one.stars for one in found] == [1 + int(np.argmax(one.probabilities)) for one in found]
    assert [one.truncated for one in found] == [False, False, True, False, False]
    assert list(classifier.stars(TEXTS, batch=2)) == [classifier.predict([text])[0].stars for text in TEXTS]
    assert classifier.predict([]) == []
    assert classifier.card["receta"] == "de prueba"


@pytest.mark.parametrize("text", ["", " ", "\x00", "😀" * 100, "ja" * 3000, "\u0301", "مرحبا 本"])
def test_any_text_gets_probabilities(folder, text):
    (one,) = Classifier(folder).predict([text])
    assert sum(one.probabilities) == pytest.approx(1, abs=1e-5)


def test_a_missing_or_damaged_model_says_what_to_do(folder, tmp_path):
    with pytest.raises(ModelError, match="exportar"):
        Classifier(tmp_path)
    for name in (MODEL_FILE, CARD_FILE):
        for file in folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / name).write_bytes(b"nada")
        with pytest.raises(ModelError, match="SERVICIO_MODELO"):
            Classifier(tmp_path)


def test_too_big_is_refused(tuned, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(exportar, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="pesa"):
        exportar.write_folder(tmp_path, tuned[0], exported, 8, {})


def test_the_shipped_model():
    files = list((HERE / "modelo").iterdir())
    assert sum(file.stat().st_size for file in files) <= exportar.MAX_BYTES
    card = json.loads((HERE / "modelo" / CARD_FILE).read_text(encoding="utf-8"))
    assert training.Recipe(**card["receta"]).max_length == card["largo"]


def test_the_shipped_model_answers_as_published():
    reviews = datasets.load_reviews()
    test = reviews[reviews.particion == "test"]
    stars = Classifier(HERE / "modelo").stars(list(test.texto))
    published = results.load("8a_deploy")["embebidos"]["metricas"]["exactitud_incluido"]
    assert np.mean(stars == test.estrellas) == pytest.approx(published, abs=0.03)  # en otra CPU, algún empate
    assert stars[test.estrellas == 5].mean() > stars[test.estrellas == 1].mean() + 2


def test_mask(bert_folder):
    from utils import bert

    filler = MaskFiller(*bert.load(bert_folder))
    long = "la " * 20 + "[MASK]"
    one, two, lost = filler.fill([("la [MASK] es linda", 3), ("[MASK] y [MASK]", 1), (long, 1)])
    assert [len(place) for place in one] == [3] and [len(place) for place in two] == [1, 1]
    values = [candidate.probability for candidate in one[0]]
    assert values == sorted(values, reverse=True) and values[-1] >= 0
    assert all(candidate.word in WORDS for candidate in one[0])
    assert isinstance(lost, MaskError) and "16" in str(lost)


def test_the_four_engines_load_and_answer(bert_folder, folder, monkeypatch):
    monkeypatch.setenv("NLP_BERT", str(bert_folder))
    engines = load_engines(Settings(model=folder, threads=1, batch=2))
    assert len(engines.classify(TEXTS)) == len(TEXTS)
    long = "La tela es linda y el talle llegó muy bien. " * 3 + "El envío llegó tarde y la tela es muy fea."
    summary, empty = engines.summarize([(long, 1), ("¡!", 1)])
    assert len(summary.sentences) == 1 and isinstance(empty, SummaryError)
    assert len(engines.fill([("la [MASK]", 2)])[0][0]) == 2
    (first,) = engines.reply([("quiero reservar un libro", None)])
    (second,) = engines.reply([("Hamlet", json.loads(json.dumps(first[2])))])
    assert (first[0], second[0]) == ("reservar_libro", "dato: título")


def test_length_batches_and_pad():
    assert length_batches([5, 1, 3, 2, 4], 2) == [[1, 3], [2, 4], [0]]
    ids, mask = pad([[7, 8], [9]])
    assert ids.tolist() == [[7, 8], [9, 0]] and mask.tolist() == [[1, 1], [1, 0]]
    assert ids.dtype == mask.dtype == np.int64


def test_occlusion():
    text = "¡No es linda, es fea!"
    spans = explain.occlude(text, 63)
    assert [text[a:b] for a, b in spans] == ["No", "es", "linda", "es", "fea"]
    assert [text[a:b] for a, b in explain.occlude(text, 2)] == ["No es linda", "es fea"]
    assert explain.without(text, spans[2]) == "¡No es , es fea!"
    assert explain.without("hola", (0, 4)) == " "
    assert explain.occlude("¡!", 5) == []
    assert len(explain.occlude("a " * 5000, 63)) <= 63


@given(st.text(max_size=200), st.integers(1, 63), st.randoms())
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_highlight_never_loses_text(text, most, chance):
    spans = explain.occlude(text, most)
    assert len(spans) <= most
    pieces = explain.highlight(text, spans, [chance.uniform(-1, 1) for _ in spans])
    assert "".join(piece for piece, _ in pieces) == text
    assert all(weight is None or -1 <= weight <= 1 for _, weight in pieces)


def test_highlight_joins_back_into_the_text():
    text = "¡No es linda, es fea!"
    pieces = explain.highlight(text, explain.occlude(text, 63), [0.4, 0.0, -0.2, 0.01, 0.1])
    assert "".join(piece for piece, _ in pieces) == text
    assert [(piece, weight) for piece, weight in pieces if weight] == [
        ("No", 1.0),
        ("linda", -0.5),
        ("fea", 0.25),
    ]
    assert explain.highlight("¡!", [], []) == [("¡!", None)]
