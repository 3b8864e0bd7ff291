"""El clasificador de reseñas: un BERT cuantizado a enteros de 8 bits, con ONNX Runtime.

No necesita PyTorch ni transformers: la carpeta trae el modelo, el tokenizador y un ``modelo.json`` con el
largo máximo. La escribe ``python -m clase_8.servicio.exportar``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MODEL_FILE, TOKENIZER_FILE, CARD_FILE = "clasificador.onnx", "tokenizer.json", "modelo.json"


class ModelError(RuntimeError):
    """El modelo no se pudo cargar; el mensaje dice qué hacer."""


@dataclass(frozen=True)
class Prediction:
    """Lo que se predice de una reseña.

    Attributes
    ----------
    stars : int
        De 1 a 5, la más probable.
    probabilities : tuple of float, length 5
        De 1 a 5 estrellas; suman 1.
    truncated : bool
        Si la reseña era más larga de lo que el modelo lee, y el final no contó.
    """

    stars: int
    probabilities: tuple[float, ...]
    truncated: bool


class Classifier:
    """Sesión de ONNX Runtime con su tokenizador.

    Parameters
    ----------
    folder : Path
    threads : int
        Hilos de cálculo de cada tanda.

    Raises
    ------
    ModelError
        Si falta un archivo o está dañado.
    """

    def __init__(self, folder: Path, threads: int = 1):
        import onnxruntime as ort
        from tokenizers import Tokenizer

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Sin esto, los hilos que no tienen qué hacer giran esperando y le sacan el procesador al resto.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
            self.session = ort.InferenceSession(
                str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # cada biblioteca avisa con la suya, y todas quieren decir lo mismo
            raise ModelError(
                f"No pude cargar el clasificador de {folder} ({type(error).__name__}): volvé a hacerlo con "
                "`python -m clase_8.servicio.exportar`, o corregí SERVICIO_MODELO."
            ) from error
        self.max_length = int(self.card["largo"])
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.max_length)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Predice una tanda de textos, en una sola pasada.

        Conviene que midan parecido: todos se rellenan hasta el más largo.
        """
        if not texts:
            return []
        encoded = self.tokenizer.encode_batch(list(texts))
        ids, mask = pad([one.ids for one in encoded])
        (probabilities,) = self.session.run(None, {"input_ids": ids, "attention_mask": mask})
        return [
            Prediction(int(row.argmax()) + 1, tuple(row.tolist()), bool(one.overflowing))
            for row, one in zip(probabilities, encoded, strict=True)
        ]

    def stars(self, texts: Sequence[str], batch: int = 32) -> np.ndarray:
        """Las estrellas de muchos textos, por tandas de largo parecido: shape (n,)."""
        found = np.zeros(len(texts), dtype=int)
        for rows in length_batches([len(text) for text in texts], batch):
            found[rows] = [one.stars for one in self.predict([texts[i] for i in rows])]
        return found


def pad(sequences: Sequence[Sequence[int]], value: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Secuencias rellenas y su máscara, dos arreglos de shape (n, la más larga), int64."""
    shape = len(sequences), max(map(len, sequences))
    ids, mask = np.full(shape, value, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)], mask[row, : len(sequence)] = sequence, 1
    return ids, mask


def length_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Las posiciones, de las más cortas a las más largas, en tandas de ``size``."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[start : start + size] for start in range(0, len(order), size)]
