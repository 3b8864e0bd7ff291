"""La palabra tapada: qué pondría BERT donde dice ``[MASK]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MASK = "[MASK]"


class MaskError(ValueError):
    """El texto no permite la predicción; el mensaje dice por qué."""


class Candidate(NamedTuple):
    """Una palabra posible. Empieza con ``##`` si no es palabra sino el final de una."""

    word: str
    probability: float


class MaskFiller:
    """Adivina palabras tapadas con un modelo de :func:`utils.bert.load`."""

    def __init__(self, tokenizer, model):
        self.tokenizer, self.model = tokenizer, model

    def fill(self, requests: Sequence[tuple[str, int]]) -> list[list[list[Candidate]] | MaskError]:
        """Completa una tanda.

        Parameters
        ----------
        requests : sequence of (str, int)
            Cada texto, con uno o más ``[MASK]``, y cuántas palabras se quieren para cada uno.

        Returns
        -------
        list
            Por texto, una lista por ``[MASK]``, de la palabra más probable a la menos. O un
            :class:`MaskError`, si alguno quedó más allá de lo que el modelo lee.
        """
        import torch

        limit = self.model.config.max_position_embeddings
        inputs = self.tokenizer(
            [text for text, _ in requests],
            padding=True,
            truncation=True,
            max_length=limit,
            return_tensors="pt",
        )
        with torch.inference_mode():
            logits = self.model(**inputs.to(self.model.device)).logits
        masked = inputs["input_ids"] == self.tokenizer.mask_token_id
        found = []
        for row, (text, count) in enumerate(requests):
            scores = logits[row, masked[row]]
            if len(scores) != text.count(MASK):
                found.append(MaskError(f"Hay un {MASK} más allá de las {limit} subpalabras que se leen."))
            else:
                found.append([self._best(one, count) for one in scores.softmax(dim=-1)])
        return found

    def _best(self, probabilities, count: int) -> list[Candidate]:
        values, ids = probabilities.topk(count)
        words = self.tokenizer.convert_ids_to_tokens(ids.tolist())
        return [Candidate(word, value) for word, value in zip(words, values.tolist(), strict=True)]
