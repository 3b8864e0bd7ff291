"""Cargar un BERT y sacarle vectores, con uno minúsculo hecho acá."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, assert_light_import

from utils import bert
from utils.bert import BertError

TEXTS = ["el gato duerme", "", "el perro ladra y el gato no duerme", "gato", "ladra el perro"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Un BERT de pesos al azar y diez palabras, guardado en disco."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    path = tmp_path_factory.mktemp("bert")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "el",
        "gato",
        "perro",
        "duerme",
        "ladra",
        "y",
        "no",
    ]
    (path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
        initializer_range=0.5,  # con el valor usual, dos capas al azar casi no cambian la entrada
    )
    BertForMaskedLM(config).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return bert.load(folder)


def test_import_is_light():
    assert_light_import("utils.bert")


def test_name_comes_from_the_environment(folder, monkeypatch):
    monkeypatch.delenv("NLP_BERT", raising=False)
    assert bert.model_name() == str(bert.SHIPPED)
    monkeypatch.setenv("NLP_BERT", str(folder))
    tokenizer, model = bert.load()
    assert len(tokenizer) == 12
    assert not model.training


def test_other_model_class(folder):
    from transformers import AutoModelForSequenceClassification

    _, model = bert.load(folder, AutoModelForSequenceClassification)
    assert type(model).__name__ == "BertForSequenceClassification"


def test_missing_folder_and_empty_folder(tmp_path):
    with pytest.raises(BertError, match="No existe la carpeta"):
        bert.load(tmp_path / "nada")
    with pytest.raises(BertError, match="no tiene un modelo de transformers completo"):
        bert.load(tmp_path)


def test_hub_without_network():
    code = "from utils import bert\ntry:\n    bert.load('nadie/no-existe')\nexcept bert.BertError as e:\n    print(e)"
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "«nadie/no-existe» no está en el hub o no hay red" in out.stdout


def test_batches_give_the_same_as_one_by_one_and_keep_the_order(loaded):
    together = bert.embed_tokens(TEXTS, *loaded, batch_size=2)
    alone = [bert.embed_tokens([text], *loaded)[0] for text in TEXTS]
    assert [len(vectors) for vectors in together] == [5, 2, 10, 3, 5]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_sentences_are_the_mean_or_the_first_of_their_tokens(loaded):
    tokens = bert.embed_tokens(TEXTS, *loaded, layer=1)
    mean = bert.embed_sentences(TEXTS, *loaded, layer=1, batch_size=3)
    first = bert.embed_sentences(TEXTS, *loaded, layer=1, pooling="cls")
    np.testing.assert_allclose(mean, [vectors.mean(axis=0) for vectors in tokens], atol=1e-5)
    np.testing.assert_allclose(first, [vectors[0] for vectors in tokens], atol=1e-5)


def test_layers_differ_and_the_last_is_the_model_output(loaded):
    import torch

    tokenizer, model = loaded
    last = bert.embed_tokens(["el gato duerme"], *loaded)[0]
    with torch.inference_mode():
        output = model.base_model(**tokenizer("el gato duerme", return_tensors="pt")).last_hidden_state[0]
    np.testing.assert_allclose(last, output.numpy(), atol=1e-5)
    assert np.abs(last - bert.embed_tokens(["el gato duerme"], *loaded, layer=0)[0]).max() > 0.1


@pytest.mark.parametrize("layer", [-3, -2, -1, 0, 1, 2])
def test_stopping_early_gives_the_layer_and_leaves_the_model_alone(loaded, layer):
    import torch

    tokenizer, model = loaded
    found = bert.embed_tokens(["el gato duerme"], *loaded, layer=layer)[0]
    inputs = tokenizer("el gato duerme", return_tensors="pt")
    with torch.inference_mode():
        output = model.base_model(**inputs, output_hidden_states=True)
    np.testing.assert_allclose(found, output.hidden_states[layer][0].numpy(), atol=1e-6)
    assert len(model.base_model.encoder.layer) == 2


def test_without_special_tokens(loaded):
    tokens = bert.embed_tokens(TEXTS, *loaded, layer=1, special_tokens=False)
    assert [len(vectors) for vectors in tokens] == [3, 0, 8, 1, 3]
    mean = bert.embed_sentences(TEXTS, *loaded, layer=1, special_tokens=False)
    highest = bert.embed_sentences(TEXTS, *loaded, layer=1, special_tokens=False, pooling="max")
    assert not mean[1].any()
    for i in (0, 2, 3, 4):
        np.testing.assert_allclose(mean[i], tokens[i].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(highest[i], tokens[i].max(axis=0), atol=1e-5)


def test_long_texts_are_cut_and_no_texts_is_fine(loaded):
    assert len(bert.embed_tokens(["gato " * 1000], *loaded)[0]) == 12
    assert bert.embed_tokens([], *loaded) == []
    assert bert.embed_sentences([], *loaded).shape == (0, 16)


def test_many_texts_show_a_bar_in_stdout(loaded, monkeypatch, capsys):
    monkeypatch.setattr(bert, "LONG_INPUT", 3)
    bert.embed_sentences(TEXTS, *loaded)
    out, err = capsys.readouterr()
    assert "Vectores" in out
    assert err == ""


def test_bad_arguments_are_explained(loaded):
    with pytest.raises(TypeError, match="ponelo entre corchetes"):
        bert.embed_tokens("hola", *loaded)
    with pytest.raises(ValueError, match="«mean», «max» o «cls»"):
        bert.embed_sentences(TEXTS, *loaded, pooling="median")
    with pytest.raises(ValueError, match="necesita el símbolo"):
        bert.embed_sentences(TEXTS, *loaded, pooling="cls", special_tokens=False)
    with pytest.raises(ValueError, match="tiene 2 capas: va de -3 a 2"):
        bert.embed_tokens(TEXTS, *loaded, layer=3)
