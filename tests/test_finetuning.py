"""Qué lee un clasificador y de dónde parte, con un BERT minúsculo al azar."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from utils import finetuning


def tiny(labels: int):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
        num_labels=labels,
    )
    return BertForSequenceClassification(config).eval()


def batch(ids, real):
    ids, mask = torch.tensor(ids), torch.zeros(len(ids), len(ids[0]), dtype=torch.long)
    for row, length in enumerate(real):
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask}


def test_padding_does_not_count():
    model = tiny(2)
    with torch.inference_mode():
        padded = finetuning.text_vectors(model, batch([[2, 7, 9, 3, 0, 0], [2, 8, 3, 0, 0, 0]], (4, 3)))
        alone = finetuning.text_vectors(model, batch([[2, 7, 9, 3]], (4,)))
        states = model.base_model(**batch([[2, 8, 3]], (3,))).last_hidden_state
    np.testing.assert_allclose(padded[0], alone[0], atol=1e-5)
    np.testing.assert_allclose(padded[1], states[0].mean(dim=0), atol=1e-5)


@pytest.mark.parametrize("labels", [2, 3])
def test_head_starts_as_the_logistic_regression(labels):
    # La clase de cada texto es su primera palabra: con el cuerpo quieto alcanza para saberla.
    model, rng = tiny(labels), np.random.default_rng(0)
    classes = np.arange(60) % labels
    ids = np.column_stack([np.full(60, 2), 10 + classes, rng.integers(20, 50, (60, 3))])
    before = {name: weights.clone() for name, weights in model.base_model.state_dict().items()}
    batches = [
        batch(ids[start : start + 16].tolist(), [5] * len(ids[start : start + 16]))
        for start in range(0, 60, 16)
    ]
    finetuning.fit_head(model, batches, classes)
    with torch.inference_mode():
        found = torch.cat([finetuning.classify(model, each) for each in batches]).argmax(dim=1).numpy()
    assert (found == classes).mean() > 0.95
    assert all(torch.equal(before[name], weights) for name, weights in model.base_model.state_dict().items())


def test_a_class_without_texts_is_an_error():
    with pytest.raises(ValueError, match=r"de estas clases: \[2\]"):
        finetuning.fit_head(tiny(3), [batch([[2, 5, 3], [2, 6, 3]], (3, 3))], np.array([0, 1]))
