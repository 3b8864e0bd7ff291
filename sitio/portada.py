"""Dibuja la portada del README con dos cuentas hechas sobre los vectores del portfolio.

A la izquierda, un mapa de palabras: t-SNE de ocho categorías. A la derecha, la autoatención de una oración con
esos mismos vectores como consultas y claves: cuánto mira cada palabra a las demás. Nada está dibujado a mano.

    python sitio/portada.py
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.manifold import TSNE

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from utils import datasets, vectors  # noqa: E402
from utils.notebook import PALETTE, SEED  # noqa: E402

CATEGORIES = ("animales", "comidas", "instrumentos", "oficios", "cuerpo", "familia", "transportes", "casa")
# «El rey y la reina cruzan el río en barco; el músico toca la guitarra y canta una canción», sin las de enlace.
WORDS = ["rey", "reina", "cruzan", "río", "barco", "músico", "toca", "guitarra", "canta", "canción"]
TEMPERATURE = 0.08
COLORS = [*PALETTE[:6], "#8C6D1F", "#555555"]  # el amarillo de la paleta no se lee como texto


def spread(points: np.ndarray, rounds: int = 200) -> np.ndarray:
    """Aparta las palabras que se pisarían, lo mínimo. Las unidades son las del mapa, de 0 a 1."""
    points, room = points.copy(), np.array([0.085, 0.034])
    for _ in range(rounds):
        gap = (points[:, None] - points[None]) / room
        size = np.abs(gap).max(axis=2)
        np.fill_diagonal(size, 2)  # de sí misma no se aparta
        push = np.where((size < 1)[..., None], np.sign(gap) * (1 - size)[..., None], 0)
        points += 0.1 * room * push.sum(axis=1)
    return points


def draw_map(ax, model) -> None:
    """Las palabras de cada categoría, con su color, donde las pone t-SNE."""
    table = datasets.load_categories()
    table = table[table.categoria.isin(CATEGORIES) & table.palabra.isin(set(model.index_to_key))]
    matrix = np.array([model.get_vector(word, norm=True) for word in table.palabra])
    points = TSNE(perplexity=12, init="pca", random_state=SEED).fit_transform(matrix)
    points = spread((points - points.min(axis=0)) / np.ptp(points, axis=0))
    for (x, y), word, category in zip(points, table.palabra, table.categoria, strict=True):
        color = COLORS[CATEGORIES.index(category)]
        ax.text(x, y, word, color=color, fontsize=10.5, ha="center", va="center")
    ax.set(xlim=(-0.06, 1.06), ylim=(-0.04, 1.04))


def draw_attention(ax, model) -> None:
    """Dos columnas con las mismas palabras; el trazo de una palabra a otra pesa lo que la atención le da."""
    unit = np.array([model.get_vector(word, norm=True) for word in WORDS])
    scores = unit @ unit.T / TEMPERATURE
    np.fill_diagonal(scores, -np.inf)  # cada palabra se parece del todo a sí misma: eso no informa
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    heights = np.linspace(1, 0, len(WORDS))
    for i, row in enumerate(weights):
        for j, weight in enumerate(row):
            if weight > 0.02:
                ax.plot(
                    [0, 1], heights[[i, j]], color=PALETTE[0], alpha=weight**0.7, linewidth=0.6 + 3.5 * weight
                )
    for align, x in (("right", -0.05), ("left", 1.05)):
        for height, word in zip(heights, WORDS, strict=True):
            ax.text(x, height, word, ha=align, va="center", fontsize=11, color="#222222")
    ax.set(xlim=(-0.55, 1.55), ylim=(-0.04, 1.04))


def main() -> None:
    model = vectors.load()
    fig, axes = plt.subplots(1, 2, figsize=(12.8, 5.6), dpi=100, width_ratios=[1.65, 1], layout="constrained")
    draw_map(axes[0], model)
    draw_attention(axes[1], model)
    for ax in axes:
        ax.axis("off")
    fig.savefig(ROOT / "sitio" / "portada.png", facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    main()
