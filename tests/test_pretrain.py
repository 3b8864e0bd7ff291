"""Entrenar un BERT minúsculo: vocabulario, tandas, corte y reanudación, y el modelo que queda."""

import json
import lzma

import numpy as np
import pytest
from conftest import assert_light_import

from utils import bert, datasets, masking, pretrain
from utils.pretrain import Batches, Settings

TINY = Settings(
    vocabulary=400,
    alphabet=60,
    layers=1,
    hidden=16,
    heads=2,
    intermediate=32,
    positions=32,
    phases=(((16,), 0.5), ((16, 32), 1.0)),
    batch_tokens=128,
    steps=9,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Un corpus minúsculo, los cuentos del portfolio, ya preparado."""
    folder = tmp_path_factory.mktemp("bert")
    texts = datasets.load_stories().texto.tolist() + [f"Documento {i}." for i in range(300)]
    with lzma.open(folder / "cuentos.txt.xz", "wt", encoding="utf-8") as file:
        file.write("\n\n".join(texts))
    pretrain.prepare(folder, folder, TINY)
    return folder


@pytest.fixture(scope="module")
def prepared(work):
    return pretrain.prepare(work, work, TINY)


def test_import_is_light():
    assert_light_import("utils.pretrain", "utils.bert_evaluation", allowed=["numpy"])


def test_preparation_is_done_once(work, prepared):
    changed = (prepared / "train.npy").stat().st_mtime_ns
    assert pretrain.prepare(work, work, TINY) == prepared
    assert (prepared / "train.npy").stat().st_mtime_ns == changed


def test_vocabulary_is_lowercase_and_keeps_accents(prepared):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(prepared / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == TINY.vocabulary
    vocabulary = tokenizer.get_vocab()
    assert [vocabulary[name] for name in pretrain.SPECIAL] == [0, 1, 2, 3, 4]
    assert not any(piece != piece.lower() for piece in set(vocabulary) - set(pretrain.SPECIAL))
    assert tokenizer.encode("Día").ids != tokenizer.encode("Dia").ids
    assert tokenizer.encode("DÍA").tokens == tokenizer.encode("día").tokens


def test_both_parts_are_apart(prepared):
    train, validation = (np.load(prepared / f"{part}.npy") for part in ("train", "validation"))
    assert train.dtype == validation.dtype == np.uint16
    assert 0 < len(validation) < len(train) / 20
    assert train[-1] == pretrain.SEP


@pytest.fixture(scope="module")
def batches(prepared):
    from tokenizers import Tokenizer

    known = masking.pieces(Tokenizer.from_file(str(prepared / "tokenizer.json")))
    return Batches(np.load(prepared / "train.npy"), known, TINY)


def test_batches_depend_only_on_the_step(batches):
    seen, ids, chosen = batches[3]
    again = Batches(batches.stream, batches.known, TINY)[3]
    for one, other in zip((seen, ids, chosen), again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert ids.shape == (8, 16)
    assert batches[5][1].shape == (4, 32)
    assert not np.array_equal(batches[4][1], ids)
    assert (seen[~chosen] == ids[~chosen]).all()
    with pytest.raises(IndexError, match="termina en el paso 9"):
        batches[9]


def test_an_epoch_visits_every_window_once(batches):
    stream = np.arange(5, 5 + 14 * 33, dtype=np.uint16) % 300 + 5
    settings = Settings(**(vars(TINY) | {"steps": 100, "phases": (((16,), 1.0),)}))
    epoch = Batches(stream, batches.known, settings)
    rows = [row[1:-1].tobytes() for step in range(4) for row in epoch[step][1]]
    assert len(set(rows)) == 32  # 33 ventanas menos la que se pierde por el corrimiento


def test_rate_rises_stays_and_falls():
    settings = Settings(steps=100, warmup=0.1, decay=0.2)
    factors = [pretrain.rate_factor(step, settings) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:81] == [1.0] * 72
    assert factors[99] == pytest.approx(0.05)


def test_resumed_training_gives_the_same_weights(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "CHECKPOINT_EVERY", 2)
    (tmp_path / "entero").mkdir()
    (tmp_path / "cortado").mkdir()
    whole, history = pretrain.train(prepared, tmp_path / "entero", TINY, "cpu")
    step = pretrain._step

    def interrupt(model, working, steppers, batches, number, *rest):
        if number == 7:
            raise KeyboardInterrupt
        return step(model, working, steppers, batches, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pretrain.train(prepared, tmp_path / "cortado", TINY, "cpu")
    resumed, longer = pretrain.train(prepared, tmp_path / "cortado", TINY, "cpu")
    for name, weights in whole.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[name].numpy(), weights.numpy(), err_msg=name)
    assert [row["paso"] for row in history] == [row["paso"] for row in longer] == [2, 4, 6, 8, 9]
    assert [row["perdida"] for row in history] == [row["perdida"] for row in longer]


def test_training_learns(prepared, tmp_path):
    settings = Settings(**(vars(TINY) | {"steps": 120, "warmup": 0.1}))
    _, history = pretrain.train(prepared, tmp_path, settings, "cpu")
    assert history[-1]["perdida"] < history[0]["perdida"] - 0.1


def test_saved_model_loads_by_its_folder(prepared, tmp_path):
    model = pretrain.new_model(TINY)
    pretrain.save(model, [{"paso": 1, "perdida": 6.0, "segundos": 1.0}], prepared, TINY, tmp_path / "modelo")
    tokenizer, loaded = bert.load(tmp_path / "modelo")
    assert {path.suffix for path in (tmp_path / "modelo").iterdir()} == {".json", ".safetensors", ".png"}
    assert str(loaded.dtype) == "torch.float32"
    assert loaded.config.hidden_dropout_prob == loaded.config.attention_probs_dropout_prob == 0
    assert tokenizer.model_max_length == TINY.positions
    assert tokenizer.tokenize("MAÑANA") == tokenizer.tokenize("mañana") != tokenizer.tokenize("manana")
    for name, weights in model.state_dict().items():
        np.testing.assert_allclose(
            loaded.state_dict()[name].numpy(), weights.numpy(), atol=1e-3, err_msg=name
        )
    training = json.loads((tmp_path / "modelo" / "entrenamiento.json").read_text(encoding="utf-8"))
    assert training["ajustes"]["vocabulary"] == TINY.vocabulary
