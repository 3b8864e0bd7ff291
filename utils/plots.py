"""Figuras que se repiten en varias clases, con el estilo de ``utils.notebook.use_style``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def confusion_matrix(y_true, y_pred, labels: list[str], ax: Axes | None = None) -> Axes:
    """Matriz de confusión por filas: qué parte de cada clase verdadera fue a cada predicha.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,)
        Clases verdaderas y predichas.
    labels : list of str
        Orden de las clases en los dos ejes.
    ax : matplotlib Axes, optional
        Dónde dibujar; si falta, crea una figura.

    Returns
    -------
    matplotlib Axes
    """
    import matplotlib.pyplot as plt
    from sklearn.metrics import confusion_matrix as count

    matrix = count(y_true, y_pred, labels=labels, normalize="true")
    if ax is None:
        side = max(4.5, 0.42 * len(labels) + 2.2)
        _, ax = plt.subplots(figsize=(side + 0.8, side))
    image = ax.imshow(matrix, vmin=0, vmax=1)
    ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlabel="Clase predicha", ylabel="Clase verdadera")
    ax.grid(False)
    for row, column in np.argwhere(matrix >= 0.005):
        value = matrix[row, column]
        color = "black" if value > 0.6 else "white"
        size = 9 if len(labels) <= 12 else 6.5
        ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=color, fontsize=size)
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="Proporción de la clase verdadera")
    return ax
