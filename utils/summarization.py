"""Resumir eligiendo oraciones: las que quedan más cerca del centro de cada grupo de oraciones parecidas.

    >>> summary = summarize(text, sentences=2)
    >>> print(summary)              # las oraciones elegidas, en el orden del texto
    >>> summary.positions           # cuáles son

Lo que cambia de un resumen a otro es de dónde salen los vectores de las oraciones: ``embed`` es una
función que recibe n oraciones y devuelve un arreglo de shape (n, dimensiones). Hay tres hechas,
:func:`bert_vectors`, :func:`word_vectors` y :func:`tfidf_vectors`, y sirve cualquier otra.

El método es el de Miller (2019), y con las mismas opciones elige las mismas oraciones que su
``bert-extractive-summarizer``.

References
----------
Miller, D. (2019). Leveraging BERT for Extractive Text Summarization on Lectures. arXiv:1906.04165.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from utils.sentences import clean, split_sentences

if TYPE_CHECKING:
    import numpy as np

MAX_SENTENCES = 5000  # lo que tarda k-means crece con las oraciones por los grupos
MAX_WORK = 500_000  # oraciones por grupos por comienzos: en textos muy largos se prueba con menos comienzos
MAX_ELBOW = 10  # grupos que se prueban para encontrar el codo
TFIDF_WORDS = 1000  # palabras distintas que usa tfidf_vectors, las más frecuentes: acota la memoria

Embed = Callable[[Sequence[str]], "np.ndarray"]


class SummaryError(ValueError):
    """El texto o lo que se pidió no permiten un resumen; el mensaje dice por qué."""


@dataclass(frozen=True)
class Summary:
    """Un resumen. ``str(resumen)`` es su texto.

    Attributes
    ----------
    sentences : tuple of str
        Las oraciones elegidas, en el orden en que estaban.
    positions : tuple of int
        El lugar de cada una entre las oraciones del texto, desde 0.
    total : int
        Cuántas oraciones tiene el texto.
    """

    sentences: tuple[str, ...]
    positions: tuple[int, ...]
    total: int

    def __str__(self) -> str:
        return " ".join(self.sentences)


def summarize(
    text: str | Sequence[str],
    sentences: int | Literal["elbow"] | None = None,
    *,
    ratio: float | None = None,
    embed: Embed | None = None,
    keep_first: bool = False,
    longer_than: int = 40,
    shorter_than: int = 600,
    language: str = "es",
    restarts: int = 30,
    seed: int = 12345,
    tolerance: float = 1e-4,
) -> Summary:
    """Resume un texto con algunas de sus oraciones.

    Parameters
    ----------
    text : str or sequence of str
        El texto, o sus oraciones ya separadas. Las repetidas compiten una sola vez.
    sentences : int or "elbow", optional
        Cuántas oraciones; si el texto tiene menos, van todas. ``"elbow"`` elige la cantidad de
        grupos con :func:`elbow`. Por omisión, 3.
    ratio : float, optional
        En lugar de ``sentences``, qué parte de las oraciones (0 a 1).
    embed : callable, optional
        Quien da los vectores; por omisión, ``tfidf_vectors()``, que no necesita ningún modelo.
    keep_first : bool
        Si la primera oración va siempre y no entra en los grupos. Cuenta para ``sentences`` y no
        para ``ratio``.
    longer_than, shorter_than : int
        Compiten las oraciones de más y de menos caracteres que estos. Si no alcanzan para lo
        pedido, también las cortas.
    language : str
        Idioma del texto, para separarlo en oraciones: como en :func:`utils.sentences.split_sentences`.
    restarts, seed, tolerance
        Como en :func:`cluster`.

    Returns
    -------
    Summary

    Raises
    ------
    SummaryError
        Si el texto está vacío, si pasa de ``MAX_SENTENCES`` oraciones, si ninguna es más corta que
        ``shorter_than``, o si lo pedido no tiene sentido.

    Examples
    --------
    >>> texto = "El faro se encendió en 1904. Lo cuidaban tres familias. Hoy es automático."
    >>> print(summarize(texto, sentences=1))  # doctest: +SKIP
    """
    _check_options(sentences, ratio, longer_than, shorter_than)
    sentences = 3 if sentences is None and ratio is None else sentences
    split = split_sentences(text, language) if isinstance(text, str) else _listed(text)
    if not split:
        raise SummaryError("El texto está vacío: no hay qué resumir.")
    if len(split) > MAX_SENTENCES:
        raise SummaryError(f"El texto tiene {len(split)} oraciones y el máximo es {MAX_SENTENCES}.")
    pool = _competing(split, longer_than, shorter_than, sentences)
    first, body = (pool[:1], pool[1:]) if keep_first else ([], pool)
    count = _how_many(sentences, ratio, len(body), len(first))
    if count is None or 0 < count < len(body):
        # El vector de la primera también se pide: quien los da puede mirar todas (TF-IDF lo hace).
        vectors = _embedded(embed or tfidf_vectors(), [split[i] for i in pool])[len(first) :]
        count = elbow(vectors, restarts=restarts, seed=seed) if count is None else count
        picked = [body[i] for i in sorted(cluster(vectors, count, restarts, seed, tolerance).nearest)]
    else:
        picked = body[:count]
    positions = first + picked
    return Summary(tuple(split[i] for i in positions), tuple(positions), len(split))


def _check_options(sentences, ratio, longer_than, shorter_than) -> None:
    """Que lo pedido tenga sentido, antes de leer el texto."""
    if sentences is not None and ratio is not None:
        raise SummaryError("Se pidieron a la vez una cantidad y una proporción: va una sola.")
    whole = isinstance(sentences, numbers.Integral) and not isinstance(sentences, bool)
    if sentences not in (None, "elbow") and not (whole and sentences >= 1):
        raise SummaryError(f"sentences vale {sentences!r}: tiene que ser un entero positivo o «elbow».")
    if ratio is not None and not (isinstance(ratio, numbers.Real) and 0 < ratio <= 1):
        raise SummaryError(f"ratio vale {ratio!r}: tiene que ser un número mayor que 0 y de hasta 1.")
    if not longer_than < shorter_than - 1:
        raise SummaryError(f"Ninguna oración mide más de {longer_than} caracteres y menos de {shorter_than}.")


def _listed(sentences) -> list[str]:
    """Las oraciones que llegaron separadas, sin las vacías."""
    sentences = list(sentences) if isinstance(sentences, Iterable) else [None]
    if not all(isinstance(sentence, str) for sentence in sentences):
        raise TypeError("Hace falta un texto o una lista de oraciones.")
    return [found for found in map(clean, sentences) if found]


def _competing(split: list[str], longer_than: int, shorter_than: int, sentences) -> list[int]:
    """Posiciones de las oraciones que compiten: ni cortas, ni largas, ni repetidas."""
    seen, readable = set(), []
    for i, sentence in enumerate(split):
        if len(sentence) < shorter_than and sentence.casefold() not in seen:
            seen.add(sentence.casefold())
            readable.append(i)
    if not readable:
        raise SummaryError(
            f"Todas las oraciones pasan de {shorter_than - 1} caracteres: ¿le falta la puntuación al texto?"
        )
    long_enough = [i for i in readable if len(split[i]) > longer_than]
    wanted = sentences if isinstance(sentences, numbers.Integral) else 1
    return long_enough if len(long_enough) >= wanted else readable


def _how_many(sentences, ratio, available: int, kept: int) -> int | None:
    """Cuántos grupos formar con ``available`` oraciones; ``None`` si lo tiene que decir el codo."""
    if sentences == "elbow":
        return None if available > 2 else available
    if ratio is not None:
        return max(int(available * ratio), 1)
    return sentences - kept


def _embedded(embed: Embed, sentences: list[str]) -> np.ndarray:
    """Los vectores de las oraciones, comprobados: la función puede ser de cualquiera."""
    import numpy as np

    vectors = np.asarray(embed(sentences), dtype="float32")
    if vectors.ndim != 2 or len(vectors) != len(sentences) or not np.isfinite(vectors).all():
        raise ValueError(
            f"embed tiene que dar un vector de números finitos por oración: para {len(sentences)} dio un "
            f"arreglo de forma {vectors.shape}."
        )
    return vectors


# --- grupos ---------------------------------------------------------------------------------------


class Clusters(NamedTuple):
    """Oraciones en grupos.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        El grupo de cada oración.
    centroids : ndarray, shape (k, dimensiones)
        El promedio de cada grupo.
    nearest : ndarray of int, shape (k,)
        La oración más cercana a cada centroide, sin repetir.
    """

    labels: np.ndarray
    centroids: np.ndarray
    nearest: np.ndarray


def cluster(
    vectors: np.ndarray, count: int, restarts: int = 30, seed: int = 12345, tolerance: float = 1e-4
) -> Clusters:
    """Agrupa con k-means y busca la oración más cercana a cada centroide.

    En un grupo de dos, el centroide está justo en el medio y las dos oraciones empatan.

    Parameters
    ----------
    vectors : ndarray, shape (n, dimensiones)
    count : int
        Cuántos grupos, de 1 a n.
    restarts : int
        Con cuántos comienzos se prueba, a lo sumo; queda el de menor inercia. El
        ``bert-extractive-summarizer`` hace uno solo con las versiones actuales de scikit-learn.
    seed : int
        Semilla de los comienzos.
    tolerance : float
        Distancias que difieren en menos de esta proporción empatan, y gana la primera oración. Con
        0, como en el original, decide el redondeo: otra máquina puede elegir otra.

    Returns
    -------
    Clusters

    Raises
    ------
    ValueError
        Si no hay ``count`` vectores.
    """
    import numpy as np

    vectors = np.asarray(vectors)
    model = _k_means(vectors, count, restarts, seed)
    nearest, free = [], np.ones(len(vectors), dtype=bool)
    for centroid in model.cluster_centers_:
        # vecdot redondea como la norma de a un vector, que es la que calcula el original; norm(axis=1), no.
        difference = vectors - centroid
        distance = np.where(free, np.sqrt(np.vecdot(difference, difference)), np.inf)
        nearest.append(int(np.argmax(distance <= distance.min() * (1 + tolerance))))
        free[nearest[-1]] = False
    return Clusters(model.labels_, model.cluster_centers_, np.array(nearest))


def elbow(vectors: np.ndarray, most: int = MAX_ELBOW, restarts: int = 30, seed: int = 12345) -> int:
    """Cuántos grupos conviene formar: donde la inercia deja de bajar rápido.

    Es el punto de la curva más alejado de la recta que une sus extremos.

    Parameters
    ----------
    vectors : ndarray, shape (n, dimensiones)
    most : int
        Se prueba de 1 a este número, o a n si es menor.
    restarts, seed : int
        Como en :func:`cluster`.

    Returns
    -------
    int

    References
    ----------
    Satopää, V. et al. (2011). Finding a "Kneedle" in a Haystack. ICDCS Workshops.
    """
    import numpy as np

    vectors = np.asarray(vectors)
    counts = range(1, min(most, len(vectors)) + 1)
    inertia = np.array([_k_means(vectors, count, restarts, seed).inertia_ for count in counts])
    if len(inertia) < 3 or inertia[0] <= inertia[-1]:
        return 1
    drop = (inertia[0] - inertia) / (inertia[0] - inertia[-1])  # de 0 a 1; la recta va de punta a punta
    return int(np.argmax(drop - np.linspace(0, 1, len(drop)))) + 1


def _k_means(vectors, count, restarts, seed):
    """k-means ajustado. Con menos vectores distintos que grupos avisa, y acá no importa."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if not 1 <= count <= len(vectors):
        raise ValueError(f"No se pueden formar {count} grupos con {len(vectors)} oraciones.")
    restarts = 1 if count == 1 else max(1, min(restarts, MAX_WORK // (count * len(vectors))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_clusters=count, n_init=restarts, random_state=seed).fit(vectors)


# --- vectores -------------------------------------------------------------------------------------


def bert_vectors(
    tokenizer,
    model,
    layer: int = -2,
    pooling: str = "mean",
    special_tokens: bool = True,
    batch_size: int = 32,
) -> Embed:
    """Vectores de un BERT, por tandas de oraciones de largo parecido.

    Parameters
    ----------
    tokenizer, model
        Lo que devuelve :func:`utils.bert.load`.
    layer, pooling, special_tokens, batch_size
        Como en :func:`utils.bert.embed_sentences`.

    Returns
    -------
    callable
        Para el parámetro ``embed`` de :func:`summarize`.
    """
    from utils import bert

    def embed(sentences):
        return bert.embed_sentences(sentences, tokenizer, model, layer, pooling, batch_size, special_tokens)

    return embed


def word_vectors(vectors, weight: Literal["sif", "mean"] = "sif", a: float = 1e-3) -> Embed:
    """Promedios de vectores de palabras.

    Parameters
    ----------
    vectors : gensim.models.KeyedVectors
        Como los de :func:`utils.vectors.load`, de más a menos frecuentes.
    weight : {"sif", "mean"}
        Con SIF una palabra pesa ``a / (a + p)``, y su probabilidad ``p`` se estima por su puesto (ley
        de Zipf-Mandelbrot, como en la clase 3); no se quita el componente común, que al comparar
        oraciones de un mismo texto no cambia nada: es el mismo para todas.
    a : float
        Cuánto calla SIF a las palabras frecuentes: más chico, más.

    Returns
    -------
    callable
        Para el parámetro ``embed`` de :func:`summarize`. Da cero a la oración sin palabras conocidas.

    References
    ----------
    Arora, S. et al. (2017). A simple but tough-to-beat baseline for sentence embeddings. ICLR.
    """
    import numpy as np

    from utils.vectors import tokenize

    if weight not in ("sif", "mean"):
        raise ValueError(f"weight vale «{weight}»: usá «sif» o «mean».")
    p = 1 / (np.arange(len(vectors)) + 3.7)
    weights = a / (a + p / p.sum()) if weight == "sif" else np.ones(len(vectors))
    index = vectors.key_to_index

    def embed(sentences):
        found = np.zeros((len(sentences), vectors.vector_size), dtype="float32")
        for row, sentence in enumerate(sentences):
            if ids := [index[word] for word in tokenize(sentence) if word in index]:
                found[row] = weights[ids] @ vectors.vectors[ids] / len(ids)
        return found

    return embed


def tfidf_vectors() -> Embed:
    """TF-IDF de cada oración, con las demás del texto como colección.

    Returns
    -------
    callable
        Para el parámetro ``embed`` de :func:`summarize`. Filas de norma 1, o en cero las que no
        tienen palabras; a lo sumo ``TFIDF_WORDS`` columnas.
    """
    import numpy as np

    from utils.vectors import tokenize

    def embed(sentences):
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not any(map(tokenize, sentences)):
            return np.zeros((len(sentences), 1), dtype="float32")
        vectorizer = TfidfVectorizer(analyzer=tokenize, max_features=TFIDF_WORDS, dtype=np.float32)
        return vectorizer.fit_transform(sentences).toarray()

    return embed
