"""Ajustar un BERT que solo aprendió a reponer palabras: qué lee el clasificador y de dónde parte.

La cabeza de los clasificadores de transformers lee ``[CLS]``, y a un modelo así nunca se le pidió nada en
``[CLS]``. Acá lee la media de las subpalabras, y empieza en una regresión logística.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def text_vectors(model, inputs):
    """La media de las subpalabras de cada texto, sin el relleno.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Un clasificador, o cualquiera con ``base_model``.
    inputs : mapping
        Lo que da el tokenizador; usa ``attention_mask``.

    Returns
    -------
    torch.Tensor, shape (textos, hidden)
    """
    states = model.base_model(**inputs).last_hidden_state
    real = inputs["attention_mask"][..., None].to(states.dtype)
    return (states * real).sum(dim=1) / real.sum(dim=1)


def classify(model, inputs):
    """Los puntajes de cada clase según :func:`text_vectors`: torch.Tensor, shape (textos, clases).

    Parameters
    ----------
    model : transformers.PreTrainedModel
        De los de ``AutoModelForSequenceClassification``, con ``dropout`` y ``classifier``. Su *pooler* no
        se usa.
    inputs : mapping
        Como en :func:`text_vectors`.
    """
    return model.classifier(model.dropout(text_vectors(model, inputs)))


def fit_head(model, batches: Iterable, classes: np.ndarray) -> None:
    """Pone en el clasificador la regresión logística aprendida con el cuerpo quieto.

    Ajustar todo a la vez desde un clasificador al azar estropea lo preentrenado antes de usarlo.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Como en :func:`classify`. Cambian ``classifier.weight`` y ``classifier.bias``.
    batches : iterable of mappings
        Los textos, en tandas del tokenizador.
    classes : ndarray of int, shape (textos,)
        En el mismo orden; tienen que aparecer todas las que el modelo distingue.

    Raises
    ------
    ValueError
        Si falta alguna clase.

    References
    ----------
    Kumar, A. et al. (2022). Fine-tuning can distort pretrained features and underperform
    out-of-distribution. ICLR.
    """
    import numpy as np
    import torch
    from sklearn.linear_model import LogisticRegression

    missing = set(range(model.config.num_labels)) - set(classes.tolist())
    if missing:
        raise ValueError(
            f"Ningún texto es de estas clases: {sorted(missing)}; hace falta alguno de cada una."
        )
    model.eval()
    with torch.inference_mode():
        found = [text_vectors(model, inputs).float().cpu().numpy() for inputs in batches]
    features = np.concatenate(found)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    fitted = LogisticRegression(max_iter=1000).fit((features - mean) / spread, classes)
    weight, bias = fitted.coef_ / spread, fitted.intercept_ - fitted.coef_ @ (mean / spread)
    if len(weight) == 1:  # con dos clases, scikit-learn da los puntajes de una contra la otra
        weight, bias = np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    with torch.no_grad():
        model.classifier.weight.copy_(torch.from_numpy(weight))
        model.classifier.bias.copy_(torch.from_numpy(bias))
