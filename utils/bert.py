"""BERT y BETO: cargarlos por nombre y sacarles vectores de oraciones y de palabras en contexto.

El que se usa por omisión es el que trae el repositorio; ``NLP_BERT`` nombra otro, del hub de Hugging
Face o de una carpeta, y el código es el mismo.
"""

from __future__ import annotations

import contextlib
import copy
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.datasets import ROOT

if TYPE_CHECKING:
    import numpy as np
    import torch

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
    name = str(name or model_name())
    is_folder = Path(name).expanduser().is_dir()
    if not is_folder and (Path(name).is_absolute() or name.startswith((".", "~"))):
        raise BertError(
            f"No existe la carpeta {name}: revisá el nombre, o quitá NLP_BERT para usar la incluida."
        )
    where = str(Path(name).expanduser()) if is_folder else name
    try:
        with _without_reports():
            from transformers import AutoModelForMaskedLM, AutoTokenizer

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
    """Sin la barra de carga ni los avisos de lo que falta: en un notebook parecen errores."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # pide ipywidgets, que no se usa
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
    texts: Sequence[str],
    tokenizer,
    model,
    layer: int = -1,
    batch_size: int = 32,
    special_tokens: bool = True,
) -> list[np.ndarray]:
    """Vectores en contexto de cada subpalabra, de una capa del modelo.

    Parameters
    ----------
    texts : sequence of str, length n
        Lo que pase del largo máximo del modelo se recorta.
    tokenizer, model
        Lo que devuelve :func:`load`.
    layer : int
        0 son los embeddings de entrada; -1, la última capa. Las que siguen a la pedida no se calculan.
    batch_size : int
        Textos por tanda. Se agrupan por largo para rellenar poco, y se devuelven en su orden.
    special_tokens : bool
        Si el modelo recibe cada texto entre ``[CLS]`` y ``[SEP]``, como en su entrenamiento.

    Returns
    -------
    list of ndarray, each of shape (tokens_i, hidden), float32
        Incluye las filas de ``[CLS]`` y ``[SEP]``, si están, y ninguna de relleno.
    """
    found = [None] * len(texts)
    for indices, hidden, lengths in _batches(texts, tokenizer, model, layer, batch_size, special_tokens):
        for row, i in enumerate(indices):
            found[i] = hidden[row, : lengths[row]].numpy().copy()
    return found


def embed_sentences(
    texts: Sequence[str],
    tokenizer,
    model,
    layer: int = -1,
    pooling: str = "mean",
    batch_size: int = 32,
    special_tokens: bool = True,
) -> np.ndarray:
    """Un vector por texto.

    Parameters
    ----------
    texts, tokenizer, model, layer, batch_size, special_tokens
        Como en :func:`embed_tokens`.
    pooling : {"mean", "max", "cls"}
        El promedio o el máximo de las subpalabras (con ``[CLS]`` y ``[SEP]``, si están), o el vector
        de ``[CLS]``.

    Returns
    -------
    ndarray, shape (n, hidden), float32
        En cero, los textos sin ninguna subpalabra.

    Raises
    ------
    ValueError
        Si ``pooling`` es otro, o si es ``"cls"`` y se pidió no poner ``[CLS]``.
    """
    import numpy as np

    if pooling not in ("mean", "max", "cls"):
        raise ValueError(f"pooling vale «{pooling}»: usá «mean», «max» o «cls».")
    if pooling == "cls" and not special_tokens:
        raise ValueError("pooling «cls» necesita el símbolo [CLS]: dejá special_tokens=True.")
    found = np.zeros((len(texts), model.config.hidden_size), dtype="float32")
    for indices, hidden, lengths in _batches(texts, tokenizer, model, layer, batch_size, special_tokens):
        for row, i in enumerate(indices):
            tokens = hidden[row, : lengths[row]]
            if pooling == "cls":
                found[i] = tokens[0]
            elif len(tokens):
                found[i] = tokens.mean(dim=0) if pooling == "mean" else tokens.amax(dim=0)
    return found


def _batches(
    texts, tokenizer, model, layer, batch_size, special_tokens
) -> Iterator[tuple[list[int], torch.Tensor, list[int]]]:
    """Por tandas de largo parecido: posiciones originales, vectores (b, t, hidden) y largos."""
    import torch
    from tqdm import tqdm

    if isinstance(texts, str):
        raise TypeError("Hace falta una lista de textos, y llegó uno solo: ponelo entre corchetes.")
    texts, limit, encoder = list(texts), model.config.max_position_embeddings, _first_layers(model, layer)
    options = {"truncation": True, "max_length": limit, "add_special_tokens": special_tokens}
    encoded = tokenizer(texts, **options)["input_ids"] if texts else []
    order = sorted((i for i, ids in enumerate(encoded) if ids), key=lambda i: len(encoded[i]))
    for i in set(range(len(texts))).difference(order):  # sin [CLS], un texto vacío no tiene nada que leer
        yield [i], torch.zeros(1, 0, model.config.hidden_size), [0]
    starts = range(0, len(order), batch_size)
    # En la salida estándar y sin dejar rastro: lo que va a stderr queda como error en un notebook.
    hide = len(texts) < LONG_INPUT
    for start in tqdm(starts, desc="Vectores", unit="tanda", file=sys.stdout, leave=False, disable=hide):
        indices = order[start : start + batch_size]
        lengths = [len(encoded[i]) for i in indices]
        inputs = torch.full((len(indices), lengths[-1]), tokenizer.pad_token_id or 0)
        for row, i in enumerate(indices):
            inputs[row, : lengths[row]] = torch.tensor(encoded[i])
        mask = torch.arange(lengths[-1]) < torch.tensor(lengths)[:, None]
        with torch.inference_mode():
            # Si no hay relleno no hace falta máscara, y sin ella la atención es más rápida.
            masked = {} if mask.all() else {"attention_mask": mask.long().to(model.device)}
            hidden = encoder(inputs.to(model.device), **masked)
        yield indices, hidden.float().cpu(), lengths


def _first_layers(model, layer: int):
    """Una función que da la salida de una capa sin calcular las siguientes, con los pesos del modelo."""
    base = model.base_model
    last = model.config.num_hidden_layers
    if not -last - 1 <= layer <= last:
        raise ValueError(f"layer vale {layer} y el modelo tiene {last} capas: va de {-last - 1} a {last}.")
    needed = layer % (last + 1)
    layers = getattr(getattr(base, "encoder", None), "layer", None)
    if layers is None or len(layers) != last:  # otra arquitectura: se calculan todas
        return lambda ids, **mask: base(ids, output_hidden_states=True, **mask).hidden_states[layer]
    # Copias de las cáscaras, que comparten los pesos: el modelo recibido queda como estaba.
    shell, encoder = copy.copy(base), copy.copy(base.encoder)
    encoder._modules = base.encoder._modules | {"layer": layers[:needed]}
    shell._modules = base._modules | {"encoder": encoder, "pooler": None}
    return lambda ids, **mask: shell(ids, **mask).last_hidden_state
