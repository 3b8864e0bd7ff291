"""El clasificador de reseñas en PyTorch: el ajuste fino de la clase 7, en un bucle corto y repetible.

Lee la media de las subpalabras y empieza en una regresión logística, como dice :mod:`utils.finetuning`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from clase_8.servicio.classifier import length_batches

LEVELS = 5


@dataclass(frozen=True)
class Recipe:
    """Con qué se ajusta.

    Attributes
    ----------
    learning_rate : float
        La mayor; sube desde cero en la primera décima parte de los pasos y después baja hasta cero.
    epochs : int
        Vueltas al entrenamiento. Queda la que mejor le va en la validación.
    batch : int
        Reseñas por paso, de largo parecido.
    max_length : int
        Subpalabras que se leen de cada reseña.
    seed : int
    """

    learning_rate: float = 6e-4
    epochs: int = 6
    batch: int = 32
    max_length: int = 128
    seed: int = 42


def fine_tune(train, validation, recipe: Recipe = Recipe(), name=None):
    """Ajusta un BERT para predecir estrellas.

    Parameters
    ----------
    train, validation : pandas.DataFrame
        Con ``texto`` y ``estrellas`` (1 a 5), como los de :func:`utils.datasets.load_reviews`.
    recipe : Recipe
    name : str or Path, optional
        El BERT de partida, como en :func:`utils.bert.load`.

    Returns
    -------
    tokenizer, model
        El modelo, en modo de evaluación, como estaba en su mejor época y con la temperatura que pide la
        validación (:func:`calibrate`).
    accuracies : list of float
        Exactitud en la validación después de cada época.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, get_linear_schedule_with_warmup

    from utils import bert, finetuning

    torch.manual_seed(recipe.seed)
    tokenizer, model = bert.load(name, AutoModelForSequenceClassification, num_labels=LEVELS)
    rng = np.random.default_rng(recipe.seed)
    texts, labels = train.texto.to_numpy(), torch.tensor(train.estrellas.to_numpy() - 1)
    parts = (texts[start : start + 32] for start in range(0, len(texts), 32))
    finetuning.fit_head(
        model, (tokenize(tokenizer, part, recipe.max_length) for part in parts), labels.numpy()
    )
    lengths = [len(ids) for ids in tokenizer(list(texts))["input_ids"]]
    steps = recipe.epochs * -(-len(texts) // recipe.batch)
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    accuracies, weights = [], None
    for _ in range(recipe.epochs):
        model.train()
        # El ruido mezcla las tandas de una época a otra sin juntar reseñas largas con cortas.
        batches = length_batches(list(lengths + rng.normal(0, 3, len(lengths))), recipe.batch)
        for rows in (batches[i] for i in rng.permutation(len(batches))):
            inputs = tokenize(tokenizer, texts[rows], recipe.max_length)
            loss = torch.nn.functional.cross_entropy(finetuning.classify(model, inputs), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        found = predict(tokenizer, model, validation.texto, recipe.max_length)
        accuracy = float(np.mean(found == validation.estrellas))
        if accuracy > max(accuracies, default=-1):
            weights = copy.deepcopy(model.state_dict())
        accuracies.append(accuracy)
    model.load_state_dict(weights)
    calibrate(model, logits(tokenizer, model, validation.texto, recipe.max_length), validation.estrellas)
    return tokenizer, model.eval(), accuracies


def calibrate(model, scores: np.ndarray, stars) -> float:
    """Divide la salida del clasificador por la temperatura que mejor explica unas estrellas, y la devuelve.

    No cambia ninguna respuesta: cambia cuánta confianza declara (Guo y otros, 2017, «On calibration of
    modern neural networks»; la clase 7 lo escribe a mano).

    Parameters
    ----------
    model
        De transformers, con su ``classifier``.
    scores : ndarray, shape (n, 5)
        Sus puntajes de unas reseñas que no se usaron para ajustarlo.
    stars : sequence of int
        Las estrellas de esas reseñas.
    """
    import torch
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows, places = np.arange(len(scores)), np.asarray(stars) - 1
    loss = lambda power: -log_softmax(scores / np.exp(power), axis=1)[rows, places].mean()  # noqa: E731
    temperature = float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
    with torch.no_grad():
        model.classifier.weight /= temperature
        model.classifier.bias /= temperature
    return temperature


def choose(train, validation, rates: Sequence[float] = (3e-4, 6e-4, 1e-3), name=None):
    """Ajusta con varias tasas y se queda con la mejor en la validación: lo que usa ``exportar``.

    Returns
    -------
    tokenizer, model, accuracies
        Como :func:`fine_tune`.
    recipe : dict
        La receta elegida.
    """
    runs = [
        (*fine_tune(train, validation, recipe, name), asdict(recipe))
        for recipe in (Recipe(learning_rate=rate) for rate in rates)
    ]
    return max(runs, key=lambda run: max(run[2]))


def tokenize(tokenizer, texts, max_length: int):
    """Una tanda, como la pide el modelo."""
    return tokenizer(list(texts), padding=True, truncation=True, max_length=max_length, return_tensors="pt")


def logits(tokenizer, model, texts, max_length: int, batch: int = 32) -> np.ndarray:
    """Los puntajes del modelo de PyTorch: shape (n, 5)."""
    import torch

    from utils import finetuning

    model.eval()
    texts = np.asarray(texts, dtype=object)
    found = np.zeros((len(texts), LEVELS))
    for rows in length_batches([len(text) for text in texts], batch):
        with torch.inference_mode():
            found[rows] = finetuning.classify(model, tokenize(tokenizer, texts[rows], max_length)).numpy()
    return found


def predict(tokenizer, model, texts, max_length: int) -> np.ndarray:
    """Las estrellas que da el modelo de PyTorch: shape (n,)."""
    return logits(tokenizer, model, texts, max_length).argmax(axis=1) + 1
