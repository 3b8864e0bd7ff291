"""Mide cuán difíciles son los corpus embebidos con modelos simples y lo anota en sus fichas.

    python -m utils.difficulty

Un corpus sirve para enseñar si no es ni trivial ni imposible. Las tablas de las fichas
(``utils/datos/<corpus>.md``) salen de acá, entre marcas, y una prueba las vigila.
"""

from __future__ import annotations

import re

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline

from utils import datasets, metrics, results

START, END = "<!-- dificultad: inicio -->", "<!-- dificultad: fin -->"


def classification(texts, labels, is_test) -> dict[str, float]:
    """TF-IDF y regresión logística (C = 10) entrenadas sin ``is_test`` y medidas ahí.

    Parameters
    ----------
    texts, labels : array-like, shape (n,)
        Textos y su clase.
    is_test : array-like of bool, shape (n,)
        Qué filas son de prueba.

    Returns
    -------
    dict
        Exactitud, su intervalo del 95 %, F1 macro y exactitud de la clase más frecuente.
    """
    texts, labels, is_test = np.asarray(texts, object), np.asarray(labels), np.asarray(is_test)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=2000))
    model.fit(texts[~is_test], labels[~is_test])
    truth, predicted = labels[is_test], model.predict(texts[is_test])
    low, high = metrics.bootstrap_interval(truth, predicted, lambda a, b: np.mean(a == b))
    values, counts = np.unique(labels[~is_test], return_counts=True)
    return {
        "exactitud": np.mean(predicted == truth),
        "intervalo_bajo": low,
        "intervalo_alto": high,
        "macro_f1": f1_score(truth, predicted, average="macro"),
        "clase_mas_frecuente": np.mean(truth == values[counts.argmax()]),
    }


def retrieval(questions, texts) -> dict[str, float]:
    """Búsqueda por coseno de TF-IDF: la pregunta i responde al texto i.

    Returns
    -------
    dict
        ``p1`` (proporción en que el texto correcto sale primero) y ``mrr`` (media de 1 / puesto).
    """
    vectorizer = TfidfVectorizer()
    matrix = vectorizer.fit_transform(texts)
    similarity = (vectorizer.transform(questions) @ matrix.T).toarray()
    rank = (similarity >= np.diag(similarity)[:, None]).sum(axis=1)  # los empates cuentan en contra
    return {"p1": np.mean(rank == 1), "mrr": np.mean(1 / rank)}


def measure() -> dict[str, dict[str, float]]:
    """Todas las mediciones: ``{corpus: {"tarea · medida": valor}}``."""
    reviews, articles, intents = datasets.load_reviews(), datasets.load_articles(), datasets.load_intents()
    known = intents[intents.intencion != "otra"]
    stars = classification(reviews.texto, reviews.estrellas, reviews.particion == "test")
    topics = classification(articles.texto, articles.tema, articles.particion == "test")
    found = retrieval(articles.pregunta, articles.texto)
    intent = classification(known.texto, known.intencion, known.particion == "test")
    return {
        "resenas": {f"estrellas · {name}": value for name, value in stars.items()},
        "articulos": {f"tema · {name}": value for name, value in topics.items()}
        | {f"pregunta · {name}": value for name, value in found.items()},
        "intenciones": {f"intención · {name}": value for name, value in intent.items()},
    }


def with_table(card: str, measured: dict[str, float]) -> str:
    """La ficha con su tabla de dificultad al día, con dos decimales."""
    rows = "\n".join(f"| {name} | {value:.2f} |".replace(".", ",") for name, value in measured.items())
    block = f"{START}\n| Medida | Valor |\n|---|---:|\n{rows}\n{END}"
    return re.sub(f"{START}.*?{END}", lambda _: block, card, flags=re.S)


def main() -> None:
    """Mide, imprime y renueva las fichas."""
    for corpus, measured in measure().items():
        path = datasets.EMBEDDED_DIR / f"{corpus}.md"
        results.write_atomic(path, with_table(path.read_text(encoding="utf-8"), measured))
        print(corpus, {name: round(float(value), 3) for name, value in measured.items()})


if __name__ == "__main__":
    main()
