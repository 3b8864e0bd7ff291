"""Tandas, pérdida, aciertos y entrenamiento retomable de ``utils.seq2seq``."""

import numpy as np
import pytest

from utils import notebook

with notebook.quiet():
    import keras
from keras import layers, ops

from utils import decoding, seq2seq
from utils.translation import END, PAD, START


def pairs(n=40, seed=0):
    rng = np.random.default_rng(seed)
    rows = [[*rng.integers(4, 12, rng.integers(2, 7)).tolist(), END] for _ in range(n)]
    return rows, [[*row[-2::-1], END] for row in rows]


def test_shift_starts_and_keeps_padding():
    target = np.array([[5, 6, END, PAD]])
    assert seq2seq.shift(target).tolist() == [[START, 5, 6, END]]


def test_batches_cover_every_pair_once_in_a_new_order():
    source, target = pairs()
    batches = seq2seq.Batches(source, target, 8, seed=3)
    first = np.concatenate(batches.rows)
    assert sorted(first) == list(range(40)) and len(batches) == 5
    (read, given), answer = batches[0]
    assert read.shape[0] == given.shape[0] == 8 and given.shape == answer.shape
    batches.on_epoch_end()
    assert not np.array_equal(first, np.concatenate(batches.rows))


def test_first_two_batches_differ_in_both_widths():
    """Keras las mira para saber qué ancho cambia: acá, la de destino más corto tiene la fuente de la más larga."""
    sizes = [(6, 9)] * 8 + [(3, 5)] * 8 + [(6, 2)] * 8
    source, target = ([[4] * size[side] for size in sizes] for side in (0, 1))
    (first, given), (second, written) = (seq2seq.Batches(source, target, 8)[i][0] for i in (0, 1))
    assert first.shape[1] != second.shape[1] and given.shape[1] != written.shape[1]


def test_batches_need_as_many_sources_as_targets():
    with pytest.raises(ValueError):
        seq2seq.Batches([[4, END]], [], 8)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_ignores_padding_and_equals_its_definition(smoothing):
    rng = np.random.default_rng(1)
    logits, target = rng.normal(size=(2, 3, 7)).astype("float32"), np.array([[4, END, PAD], [5, 6, END]])
    soft = (1 - smoothing) * np.eye(7)[target] + smoothing / 7
    by_hand = -(soft * decoding.log_softmax(logits)).sum(axis=-1)[target != PAD].mean()
    np.testing.assert_allclose(seq2seq.masked_cross_entropy(smoothing)(target, logits), by_hand, rtol=1e-5)


def test_accuracy_ignores_padding():
    target = np.array([[4, END, PAD, PAD]])
    logits = np.eye(7)[[4, 5, 0, 0]][None].astype("float32")
    assert float(seq2seq.masked_accuracy(target, logits)) == 0.5


def small_model():
    keras.utils.set_random_seed(0)
    source, given = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    read = layers.GlobalAveragePooling1D()(layers.Embedding(12, 8)(source))
    hidden = layers.Embedding(12, 8)(given) + ops.expand_dims(read, 1)
    model = keras.Model([source, given], layers.Dense(12)(hidden))
    model.compile("adam", seq2seq.masked_cross_entropy(), metrics=[seq2seq.masked_accuracy])
    return model


def test_stopping_and_resuming_gives_the_same_weights(tmp_path):
    source, target = pairs()

    def run(model, epochs, folder):
        data, held_out = (seq2seq.Batches(source, target, 8) for _ in range(2))
        return seq2seq.fit(model, data, held_out, epochs, folder)

    whole = small_model()
    log = run(whole, 4, None)
    run(small_model(), 2, tmp_path / "corte")
    resumed = small_model()
    again = run(resumed, 4, tmp_path / "corte")
    assert len(again) == 4 and log.val_loss.iloc[-1] < log.val_loss.iloc[0]
    np.testing.assert_allclose(again.loss, log.loss, rtol=1e-6)
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
