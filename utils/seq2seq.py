"""Entrenar redes que leen una secuencia y escriben otra: lo que la clase 6 escribe a mano y la 7 vuelve a usar.

Importarlo carga Keras: en un notebook va después de ``with notebook.quiet(): import keras``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from utils import results, translation
from utils.translation import PAD, START


def shift(target: np.ndarray) -> np.ndarray:
    """Lo que el decodificador lee para escribir ``target``, shape (n, t): lo mismo, corrido un lugar y empezado con START."""
    return np.concatenate([np.full_like(target[:, :1], START), target[:, :-1]], axis=1)


class Batches(keras.utils.PyDataset):
    """Tandas de largo parecido, en otro orden cada época: (lo leído, lo que lee el decodificador) y lo que escribe.

    Parameters
    ----------
    source, target : sequence of sequences of int
        Los símbolos de cada par; ``target``, con su END.
    size : int
        Pares por tanda.
    seed : int
        Del orden de la primera época; el de cada una de las siguientes es uno más.
    """

    def __init__(self, source: Sequence, target: Sequence, size: int, seed: int = 0):
        super().__init__()
        self.source, self.target, self.size, self.seed = source, target, size, seed
        self.lengths = [(len(t), len(s)) for s, t in zip(source, target, strict=True)]
        self.on_epoch_end()

    def on_epoch_end(self):
        self.rows = translation.length_batches(self.lengths, self.size, self.seed)
        self.seed += 1
        self._show_both_widths()

    def _show_both_widths(self):
        """Deja segunda una tanda que difiere de la primera en los dos anchos: Keras toma por fijo el que no cambia."""
        widths = [np.max([self.lengths[i] for i in rows], axis=0) for rows in self.rows]
        other = next((k for k, each in enumerate(widths) if (each != widths[0]).all()), None)
        if other is not None:
            self.rows[1], self.rows[other] = self.rows[other], self.rows[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int):
        rows = self.rows[number]
        source, target = (translation.pad([side[i] for i in rows]) for side in (self.source, self.target))
        return (source, shift(target)), target


def masked_cross_entropy(smoothing: float = 0.0):
    """Pérdida de Keras: entropía cruzada media de los símbolos que no son PAD.

    Parameters
    ----------
    smoothing : float
        Parte de la probabilidad que se reparte por igual entre todos los símbolos (*label smoothing*).

    Returns
    -------
    callable
        ``(target, logits)``, shapes (n, t) y (n, t, símbolos), a un escalar.

    References
    ----------
    Szegedy, C. et al. (2016). Rethinking the Inception architecture for computer vision. CVPR.
    """

    def loss(target, logits):
        real = ops.cast(ops.not_equal(target, PAD), logits.dtype)
        cost = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
        if smoothing:
            spread = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
            cost = (1 - smoothing) * cost + smoothing * spread
        return ops.sum(cost * real) / ops.sum(real)

    return loss


def masked_accuracy(target, logits):
    """Parte de los símbolos que no son PAD que tienen el puntaje mayor."""
    real = ops.not_equal(target, PAD)
    hit = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), ops.cast(target, "int32"))
    return ops.sum(ops.cast(ops.logical_and(hit, real), "float32")) / ops.sum(ops.cast(real, "float32"))


class Log(keras.callbacks.Callback):
    """Anota lo medido y los segundos de cada época y, si hay carpeta, guarda ahí con qué retomar.

    Parameters
    ----------
    folder : Path, optional
        Donde quedan ``epocas.json`` y ``pesos.weights.h5`` (con el optimizador); se escriben completos o nada.

    Attributes
    ----------
    epochs : list of dict
        Lo medido en cada época terminada, también antes de retomar.
    """

    def __init__(self, folder: Path | None = None):
        super().__init__()
        self.folder, self.epochs = folder, []

    def resume(self, model: keras.Model) -> int:
        """Carga en ``model``, ya compilado, lo guardado en la última época; devuelve cuántas van."""
        if self.folder and (self.folder / "epocas.json").exists():
            self.epochs = json.loads((self.folder / "epocas.json").read_text())
            model.optimizer.build(model.trainable_variables)
            model.load_weights(self.folder / "pesos.weights.h5")
        return len(self.epochs)

    def on_epoch_begin(self, epoch, logs=None):
        self.clock = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        measured = {name: float(value) for name, value in (logs or {}).items()}
        self.epochs.append(measured | {"segundos": time.perf_counter() - self.clock})
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.model.save_weights(self.folder / "nuevos.weights.h5")
            os.replace(self.folder / "nuevos.weights.h5", self.folder / "pesos.weights.h5")
            results.write_atomic(self.folder / "epocas.json", json.dumps(self.epochs))


def fit(model: keras.Model, data: Batches, held_out: Batches, epochs: int, folder: Path | None = None):
    """Entrena ``model``, ya compilado, hasta completar ``epochs``; con carpeta, retoma donde quedó.

    Parameters
    ----------
    model : keras.Model
    data, held_out : Batches
        Entrenamiento y validación. Al retomar, ``data`` sigue con el orden que le tocaba.
    epochs : int
        En total, contando las ya hechas.
    folder : Path, optional
        Dónde guardar cada época. Tiene que cambiar si cambian los datos o los tamaños.

    Returns
    -------
    pandas.DataFrame, shape (epochs, medidas)
        ``loss``, ``val_loss``, las demás medidas con que se compiló y ``segundos``.
    """
    import pandas as pd

    log = Log(folder)
    done = log.resume(model)
    for _ in range(done):
        data.on_epoch_end()
    # Sin shuffle: Keras mezclaría las tandas, que ya vienen mezcladas, con un azar que no se guarda.
    options = {"initial_epoch": done, "epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(data, validation_data=held_out, callbacks=[log], **options)
    return pd.DataFrame(log.epochs)
