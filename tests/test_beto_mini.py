"""El BERT que trae el repositorio: se carga sin red, es chico y repone palabras."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from utils import bert, bert_evaluation, datasets, results

POLYSEMY_GAIN = 0.08  # lo que al menos gana sobre el azar, que es lo que aciertan los vectores estáticos
MASKED_IN_ARTICLES = 0.212


@pytest.fixture(scope="module")
def loaded():
    return bert.load(bert.SHIPPED)


def test_loads_offline_in_under_five_seconds():
    # Sin contar lo que tardan en importarse las bibliotecas, y en tiempo de procesador: otra cosa
    # corriendo en la máquina no debe hacer fallar la prueba.
    code = (
        "import socket, time; socket.socket.connect = None; import torch; "
        "from transformers import AutoTokenizer, BertForMaskedLM; from utils import bert; "
        "t = time.process_time(); bert.load(bert.SHIPPED); print(time.process_time() - t)"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(out.stdout) < 5
    assert out.stderr == ""


def test_files_and_size():
    files = {path.name: path.stat().st_size for path in bert.SHIPPED.iterdir()}
    assert {path.split(".")[-1] for path in files} == {"json", "safetensors", "png", "md"}
    assert sum(files.values()) <= 16e6


def test_shape(loaded):
    tokenizer, model = loaded
    assert 10_000 <= len(tokenizer) == model.config.vocab_size <= 16_000
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (4, 256)
    assert str(model.dtype) == "torch.float32"
    assert np.isfinite(sum(weights.sum().item() for weights in model.parameters()))


def test_loads_without_our_code():
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert.SHIPPED)
    assert str(AutoModelForMaskedLM.from_pretrained(bert.SHIPPED).dtype) == "torch.float32"
    assert tokenizer.tokenize("ÁRBOL") == tokenizer.tokenize("árbol")
    assert tokenizer.tokenize("papá") != tokenizer.tokenize("papa")
    assert tokenizer("Hola.")["input_ids"][0] == tokenizer.cls_token_id


def test_same_text_same_vector_in_any_batch(loaded):
    texts = datasets.load_reviews().texto.tolist()[:40]
    together = bert.embed_sentences(texts, *loaded)
    assert together.shape == (40, 256)
    np.testing.assert_allclose(
        together, bert.embed_sentences(texts[::-1], *loaded, batch_size=7)[::-1], atol=1e-4
    )


def fill(text, tokenizer, model) -> dict[str, float]:
    """Las cinco subpalabras más probables para el ``[MASK]`` de un texto."""
    import torch

    inputs = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits[0, inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)]
    best = logits.softmax(dim=0).topk(5)
    pieces = tokenizer.convert_ids_to_tokens(best.indices.tolist())
    return dict(zip(pieces, best.values.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("El presidente de la [MASK] dio un discurso.", {"república", "nación"}),
        ("Buenos [MASK] es la capital de la Argentina.", {"aires"}),
        ("Está prohibido fumar en [MASK] edificio.", {"el", "este", "un"}),
        ("Mi madre y mi [MASK] viven en la misma casa.", {"padre", "hermano", "hermana", "hijo", "hija"}),
    ],
)
def test_known_fills(loaded, text, expected):
    assert expected & set(fill(text, *loaded))


@pytest.fixture(scope="module")
def published():
    return json.loads(results.MODEL_RESULTS.read_text(encoding="utf-8"))["beto_mini"]["metricas"]


def test_pretraining_beats_random_weights_by_more_than_the_spread_of_seeds(published):
    # En las reseñas. En los hoteles, con tres veces más textos, no ayuda, y la ficha lo dice.
    gain = published["resenas_macro_f1_bert"] - published["resenas_macro_f1_azar"]
    assert gain > max(published[f"resenas_macro_f1_{start}_desvio"] for start in ("bert", "azar"))


def test_senses_beat_static_vectors(published):
    assert published["polisemia_1nn"] >= published["polisemia_azar"] + POLYSEMY_GAIN


def test_fills_masked_words_of_texts_it_never_saw(loaded):
    articles = [[text] for text in datasets.load_articles().texto[:30]]
    found = bert_evaluation.masked_accuracy(articles, *loaded)
    assert found["mlm_top1"] == pytest.approx(MASKED_IN_ARTICLES, abs=0.02)
    assert found["mlm_top1"] > 3 * found["mlm_frecuente"]


def test_polysemy_is_the_published_one(loaded, published):
    found = bert_evaluation.polysemy(*loaded)["polisemia_1nn"]
    assert found == pytest.approx(published["polisemia_1nn"], abs=0.02)


def test_reads_short_sequences_too(loaded):
    # Un entrenamiento que termina solo con secuencias largas las deja en la mitad.
    articles = [[text] for text in datasets.load_articles().texto[:30]]
    short, long = (
        bert_evaluation.masked_accuracy(articles, *loaded, length)["mlm_top1"] for length in (32, 128)
    )
    assert short > 0.8 * long


def test_card_tells_the_published_figures(published):
    card = (bert.SHIPPED / "README.md").read_text(encoding="utf-8")
    assert f"| `mlm_top1` | {published['mlm_top1']:.3f} |".replace(".", ",") in card
