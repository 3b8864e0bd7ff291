"""BERT y BETO: cargarlos por nombre y sacarles vectores de oraciones y de palabras en contexto.

El que se usa por omisión es el que trae el repositorio; ``NLP_BERT`` nombra otro, del hub de Hugging
Face o de una carpeta, y el código es el mismo.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.datasets import ROOT

if TYPE_CHECKING:
    import numpy as np

SHIPPED = ROOT / "utils" / "modelos" / "beto_mini"
LONG_INPUT = 500  # desde cuántos textos se muestra una barra de progreso


class BertError(RuntimeError):
    """El modelo no se pudo cargar; el mensaje dice qué hacer."""


def model_name() -> str:
    """El modelo que rige: el de ``NLP_BERT`` o, si no está puesta, el que trae el repositorio."""
    return os.environ.get("NLP_BERT") or str(SHIPPED)


def load(name: str | Path | None = None, model_class=None, **options):
    """Carga un tokenizador y un modelo.

    Parameters
    ----------
    name : str or Path, optional
        Carpeta en formato de Hugging Face o nombre en su hub, como
        ``"dccuchile/bert-base-spanish-wwm-uncased"``; sin él, el de :func:`model_name`.
    model_class : type, optional
        Clase de transformers que lo recibe; por omisión ``AutoModelForMaskedLM``, cuyo
        ``base_model`` es el codificador solo.
    **options
        Lo demás que recibe su ``from_pretrained``, como ``num_labels``.

    Returns
    -------
    tokenizer : transformers.PreTrainedTokenizerFast
    model : transformers.PreTrainedModel
        En modo de evaluación.

    Raises
    ------
    BertError
        Si la carpeta no existe o no tiene un modelo, o si el hub no lo entrega.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    name = str(name or model_name())
    is_folder = Path(name).expanduser().is_dir()
    if not is_folder and (Path(name).is_absolute() or name.startswith((".", "~"))):
        raise BertError(
            f"No existe la carpeta {name}: revisá el nombre, o quitá NLP_BERT para usar la incluida."
        )
    where = str(Path(name).expanduser()) if is_folder else name
    try:
        with _without_reports():
            tokenizer = AutoTokenizer.from_pretrained(where)
            model = (model_class or AutoModelForMaskedLM).from_pretrained(where, **options)
    except (OSError, ValueError) as error:  # así avisan el hub, la falta de red y los archivos dañados
        if is_folder:
            advice = "no tiene un modelo de transformers completo: conseguilo de nuevo"
        else:
            advice = "no está en el hub o no hay red: revisá el nombre y la conexión"
        raise BertError(f"«{name}» {advice}, o quitá NLP_BERT para usar el incluido.") from error
    return tokenizer, model.eval()


@contextlib.contextmanager
def _without_reports():
    """Sin la barra de carga ni el informe de pesos que faltan: en un notebook parecen errores."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def embed_tokens(
    texts: Sequence[str], tokenizer, model, layer: int = -1, batch_size: int = 32
) -> list[np.ndarray]:
    """Vectores en contexto de cada subpalabra, de una capa del modelo.

    Parameters
    ----------
    texts : sequence of str, length n
        Lo que pase del largo máximo del modelo se recorta.
    tokenizer, model
        Lo que devuelve :func:`load`.
    layer : int
        0 son los embeddings de entrada; -1, la última capa.
    batch_size : int
        Textos por tanda. Se agrupan por largo para rellenar poco, y se devuelven en su orden.

    Returns
    -------
    list of ndarray, each of shape (tokens_i, hidden), float32
        Incluye las filas de ``[CLS]`` y ``[SEP]``, y ninguna de relleno.
    """
    found = [None] * len(texts)
    for indices, hidden, mask in _batches(texts, tokenizer, model, layer, batch_size):
        for row, i in enumerate(indices):
            found[i] = hidden[row, mask[row]].copy()
    return found


def embed_sentences(
    texts: Sequence[str], tokenizer, model, layer: int = -1, pooling: str = "mean", batch_size: int = 32
) -> np.ndarray:
    """Un vector por texto.

    Parameters
    ----------
    texts, tokenizer, model, layer, batch_size
        Como en :func:`embed_tokens`.
    pooling : {"mean", "cls"}
        El promedio de las subpalabras (con ``[CLS]`` y ``[SEP]``) o el vector de ``[CLS]``.

    Returns
    -------
    ndarray, shape (n, hidden), float32

    Raises
    ------
    ValueError
        Si ``pooling`` es otro.
    """
    import numpy as np

    if pooling not in ("mean", "cls"):
        raise ValueError(f"pooling vale «{pooling}»: usá «mean» o «cls».")
    found = np.zeros((len(texts), model.config.hidden_size), dtype="float32")
    for indices, hidden, mask in _batches(texts, tokenizer, model, layer, batch_size):
        for row, i in enumerate(indices):
            found[i] = hidden[row, 0] if pooling == "cls" else hidden[row, mask[row]].mean(axis=0)
    return found


def _batches(
    texts, tokenizer, model, layer, batch_size
) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
    """Por tandas de largo parecido: posiciones originales, vectores (b, t, hidden) y máscara (b, t)."""
    import torch
    from tqdm import tqdm

    if isinstance(texts, str):
        raise TypeError("Hace falta una lista de textos, y llegó uno solo: ponelo entre corchetes.")
    texts, limit = list(texts), model.config.max_position_embeddings
    lengths = (
        [len(ids) for ids in tokenizer(texts, truncation=True, max_length=limit)["input_ids"]]
        if texts
        else []
    )
    order = sorted(range(len(texts)), key=lengths.__getitem__)
    starts = range(0, len(order), batch_size)
    # En la salida estándar y sin dejar rastro: lo que va a stderr queda como error en un notebook.
    hide = len(texts) < LONG_INPUT
    for start in tqdm(starts, desc="Vectores", unit="tanda", file=sys.stdout, leave=False, disable=hide):
        indices = order[start : start + batch_size]
        batch = [texts[i] for i in indices]
        inputs = tokenizer(batch, truncation=True, max_length=limit, padding=True, return_tensors="pt")
        with torch.inference_mode():
            output = model.base_model(**inputs.to(model.device), output_hidden_states=True)
        hidden = output.hidden_states[layer].float().cpu().numpy()
        yield indices, hidden, inputs["attention_mask"].bool().cpu().numpy()
