"""Los vectores de palabras que trae el repositorio (``vectores_mini``): entrenarlos, cargarlos y medirlos.

    python -m utils.pretrain CARPETA_CORPUS --solo vectores   # entrena los candidatos y publica el mejor

El entrenamiento se puede cortar en cualquier momento: al volver a lanzarlo sigue desde la última
época terminada, y el resultado es el mismo que sin el corte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import re
import shutil
import time
from pathlib import Path

from utils import cards, corpus, datasets, results

FOLDER = datasets.ROOT / "utils" / "modelos" / "vectores_mini"


class VectorsError(RuntimeError):
    """Los vectores no se pudieron cargar; el mensaje dice qué hacer."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Con qué se entrena. Los nombres de gensim, entre paréntesis.

    Attributes
    ----------
    algorithm : {"word2vec", "fasttext"}
        fastText suma a cada palabra los vectores de sus n-gramas de caracteres.
    skip_gram : bool
        Predecir el contexto desde la palabra, o la palabra desde su contexto (CBOW).
    dimensions, window, negative, min_count, subsampling, epochs, seed
        ``vector_size``, ``window``, ``negative``, ``min_count``, ``sample``, ``epochs`` y ``seed``.
    learning_rate : float
        Tasa de aprendizaje inicial (``alpha``); baja en línea recta hasta ``FINAL_LEARNING_RATE``.
    ngrams : tuple of int
        Largo mínimo y máximo de los n-gramas (``min_n``, ``max_n``); solo los usa fastText.
    buckets : int
        Casillas en que se reparten los n-gramas (``bucket``); solo las usa fastText.
    """

    algorithm: str
    skip_gram: bool
    dimensions: int = 100
    window: int = 5
    negative: int = 5
    min_count: int = 5
    subsampling: float = 1e-4
    epochs: int = 4
    learning_rate: float = 0.025
    ngrams: tuple[int, int] = (3, 6)
    buckets: int = 200_000
    seed: int = 42


FINAL_LEARNING_RATE = 1e-4
PUBLISHED_WORDS = 46_000  # las más frecuentes: con 100 dimensiones en float16 no llegan a 10 MB
GOALS = ("analogias_top1", "categorias_pureza")  # gana el candidato con mayor suma

CANDIDATES = {
    "fastText skip-gram": Settings("fasttext", skip_gram=True, learning_rate=0.05),
    "fastText CBOW": Settings("fasttext", skip_gram=False, learning_rate=0.05, negative=10),
    "word2vec skip-gram": Settings("word2vec", skip_gram=True),
    "word2vec CBOW": Settings("word2vec", skip_gram=False, learning_rate=0.05, negative=10),
}


# --- carga ----------------------------------------------------------------------------------------


def load(folder: Path | str = FOLDER):
    """Los vectores que trae el repositorio. No usa la red.

    Parameters
    ----------
    folder : Path or str
        Carpeta con ``vectores.npy`` y ``vocabulario.txt``.

    Returns
    -------
    gensim.models.KeyedVectors
        En float32 y con las palabras de más a menos frecuente, en minúscula y con tildes.

    Raises
    ------
    VectorsError
        Si los archivos faltan o están dañados.

    Examples
    --------
    >>> load().most_similar("reina", topn=3)  # doctest: +SKIP
    """
    import numpy as np

    folder = Path(folder)
    try:
        matrix = np.load(folder / "vectores.npy", allow_pickle=False)
        words = (folder / "vocabulario.txt").read_text(encoding="utf-8").split()
        damaged = matrix.ndim != 2 or len(matrix) != len(words) or not np.isfinite(matrix).all()
    except (OSError, ValueError, EOFError):
        damaged = True
    if damaged:
        raise VectorsError(
            f"Los vectores de {folder} faltan o están dañados: "
            "recuperalos con «git checkout -- utils/modelos/vectores_mini»."
        )
    return _keyed_vectors(words, matrix)


def load_pretrained(limit: int = 100_000):
    """Los vectores preentrenados de esta sesión. No descarga nada.

    Con datos reales, los del archivo que nombre la variable ``NLP_VECTORES``, si está definida; en
    cualquier otro caso, los que trae el repositorio.

    Parameters
    ----------
    limit : int
        Cuántas palabras conservar del archivo, que las trae de más a menos frecuente.

    Returns
    -------
    vectors : gensim.models.KeyedVectors
    name : str
        ``"vectores_mini"`` o el nombre del archivo.

    Raises
    ------
    VectorsError
        Si el archivo no existe o no se puede leer.

    References
    ----------
    Grave, E. et al. (2018). Learning word vectors for 157 languages. LREC.
    Los archivos (``cc.es.300.vec.gz``, ``cc.es.300.bin``): https://fasttext.cc/docs/en/crawl-vectors.html
    Pennington, J. et al. (2014). GloVe: Global vectors for word representation. EMNLP.
    https://nlp.stanford.edu/projects/glove/
    """
    name = os.environ.get("NLP_VECTORES")
    if datasets.data_mode() != "reales" or not name:
        return load(), "vectores_mini"
    path = datasets.ROOT / Path(name).expanduser()
    if not path.is_file():
        raise VectorsError(
            f"NLP_VECTORES nombra {path}, que no existe: corregí la ruta o quitá la variable "
            "para usar los vectores del repositorio."
        )
    try:
        return _read_fasttext(path, limit), path.name
    except Exception as error:  # cada formato falla a su modo
        raise VectorsError(
            f"No pude leer {path} ({type(error).__name__}: {error}): tiene que ser un .bin de fastText, "
            "un .vec o un .txt de GloVe; los dos últimos pueden estar comprimidos (.gz)."
        ) from error


def _read_fasttext(path: Path, limit: int):
    """``KeyedVectors`` con las primeras ``limit`` palabras de un ``.bin`` de fastText, un ``.vec`` o un GloVe."""
    from gensim.models import KeyedVectors
    from gensim.models.fasttext import load_facebook_vectors
    from gensim.utils import open as gensim_open

    if path.suffix != ".bin":
        with gensim_open(str(path), "rb") as file:
            bare = len(file.readline().split()) > 2  # GloVe no lleva el encabezado «palabras dimensiones»
        return KeyedVectors.load_word2vec_format(
            str(path), limit=limit, unicode_errors="replace", no_header=bare
        )
    complete = load_facebook_vectors(str(path))
    return _keyed_vectors(complete.index_to_key[:limit], complete.vectors[:limit])


def _keyed_vectors(words: list[str], matrix):
    """``KeyedVectors`` en float32 con esas palabras; ``matrix`` es de shape (palabras, dimensiones)."""
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(matrix.shape[1])
    vectors.add_vectors(words, matrix.astype("float32"))
    return vectors


def tokenize(text: str) -> list[str]:
    """Las palabras de un texto como las conocen los vectores: en minúscula, con tildes y sin cifras."""
    return re.findall(r"[^\W\d_]+", text.lower())


# --- medidas --------------------------------------------------------------------------------------


def analogy_accuracy(vectors):
    """Exactitud en analogías: ``b - a + c`` tiene que estar más cerca de ``d`` que de toda otra palabra.

    Suma y resta vectores de largo 1 (3CosAdd) y no admite por respuesta ``a``, ``b`` ni ``c``.
    Solo cuentan los cuádruplos con las cuatro palabras en el vocabulario.

    Parameters
    ----------
    vectors : gensim.models.KeyedVectors

    Returns
    -------
    pandas.DataFrame, shape (9, 3)
        Una fila por familia y una ``total``: ``cuadruplos``, ``en_vocabulario`` y ``exactitud``
        (NaN si ninguno está en el vocabulario).

    References
    ----------
    Mikolov, T. et al. (2013). Linguistic regularities in continuous space word representations. NAACL.
    Levy, O. y Goldberg, Y. (2014). Linguistic regularities in sparse and explicit word
    representations. CoNLL.
    """
    import numpy as np
    import pandas as pd

    unit = vectors.get_normed_vectors()
    rows = {}
    for family, quadruples in datasets.load_analogies().groupby("familia"):
        words = quadruples[["a", "b", "c", "d"]].to_numpy()
        known = [[vectors.key_to_index[w] for w in row] for row in words if all(w in vectors for w in row)]
        a, b, c, d = np.array(known, dtype=int).reshape(-1, 4).T
        similarity = (unit[b] - unit[a] + unit[c]) @ unit.T
        for given in (a, b, c):
            similarity[np.arange(len(d)), given] = -np.inf
        rows[family] = (len(words), len(d), int((similarity.argmax(axis=1) == d).sum()))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["cuadruplos", "en_vocabulario", "aciertos"])
    table.loc["total"] = table.sum()
    table["exactitud"] = table.aciertos / table.en_vocabulario
    return table.drop(columns="aciertos")


def category_purity(vectors, seeds: int = 10) -> float:
    """Pureza de k-means (k = 12) sobre las palabras de ``categorias``, media de varias semillas.

    Cada grupo vota por su categoría más frecuente; la pureza es la proporción de las 144 palabras
    que quedan con la suya. Se agrupan vectores de largo 1, y las palabras fuera del vocabulario
    cuentan como errores: si no, convendría no tenerlas.

    Parameters
    ----------
    vectors : gensim.models.KeyedVectors
    seeds : int
        Cuántas semillas se promedian, desde 0.

    Returns
    -------
    float
        Entre 0 y 1. Agrupar al azar da alrededor de 0,2.
    """
    import numpy as np
    from sklearn.cluster import KMeans

    categories = datasets.load_categories()
    known = categories[categories.palabra.isin(vectors.key_to_index)]
    unit = np.stack([vectors.get_vector(word, norm=True) for word in known.palabra])
    truth = known.categoria.astype("category").cat.codes.to_numpy()
    hits = []
    for seed in range(seeds):
        groups = KMeans(n_clusters=12, n_init=10, random_state=seed).fit_predict(unit)
        hits.append(sum(np.bincount(truth[groups == group]).max() for group in range(12)))
    return float(np.mean(hits) / len(categories))


def measure(vectors) -> dict[str, float]:
    """Todas las medidas de unos vectores, con los nombres que llevan en ``resultados.json``."""
    analogies, words = analogy_accuracy(vectors), datasets.load_categories().palabra
    families = analogies.exactitud.drop("total")
    total = analogies.loc["total"]
    return {
        "analogias_top1": float(total.exactitud),
        "analogias_cobertura": float(total.en_vocabulario / total.cuadruplos),
        **{f"analogias_{family}": float(value) for family, value in families.items()},
        "categorias_pureza": category_purity(vectors),
        "categorias_cobertura": float(words.isin(vectors.key_to_index).mean()),
        "palabras": len(vectors),
        "dimensiones": vectors.vector_size,
    }


# --- entrenamiento --------------------------------------------------------------------------------


def prepare(folder: Path | str, work: Path, seed: int = 42) -> Path:
    """Deja en ``work`` las oraciones de entrenamiento, separadas en palabras y mezcladas.

    Se mezclan porque la tasa de aprendizaje baja durante la época: en el orden original, las
    últimas fuentes pesarían menos que las primeras.

    Returns
    -------
    Path
        Archivo con una oración por línea; si ya estaba, no se vuelve a hacer.

    Raises
    ------
    utils.corpus.CorpusError
        Si el corpus falta o está dañado.
    """
    key = hashlib.sha256()
    for file in corpus.source_files(folder):
        key.update(f"{file.name} {datasets.sha256(file)} {seed}".encode())
    path = work / f"oraciones_{key.hexdigest()[:12]}.txt"
    if not path.exists():
        training = (doc for doc in corpus.documents(folder) if not doc.validation)
        lines = [" ".join(tokenize(sentence)) for doc in training for sentence in doc.sentences]
        random.Random(seed).shuffle(lines)
        results.write_atomic(path, "\n".join(filter(None, lines)) + "\n")
    return path


def train(settings: Settings, sentences: Path, work: Path):
    """Entrena un modelo, época por época; si quedó uno a medio entrenar, sigue con él.

    Con un solo hilo gensim es determinista: la misma semilla da los mismos pesos.

    Parameters
    ----------
    settings : Settings
    sentences : Path
        Lo que devuelve :func:`prepare`.
    work : Path
        Carpeta donde se guarda el modelo al terminar cada época.

    Returns
    -------
    gensim.models.Word2Vec
        O ``FastText``, que hereda de él. Su ``training_seconds`` suma el tiempo de todas las épocas.
    """
    from tqdm import tqdm

    key = hashlib.sha256(f"{settings} {sentences.name}".encode()).hexdigest()[:12]
    folder = work / f"modelo_{key}"
    model, done = _resume(settings, folder)
    if model is None:
        model = _new_model(settings)
        model.build_vocab(corpus_file=str(sentences))
        model.training_seconds = 0.0
    for epoch in tqdm(range(done, settings.epochs), initial=done, total=settings.epochs, unit="época"):
        start = time.perf_counter()
        model.train(
            corpus_file=str(sentences),
            total_examples=model.corpus_count,
            total_words=model.corpus_total_words,
            epochs=1,
            start_alpha=_learning_rate(settings, epoch),
            end_alpha=_learning_rate(settings, epoch + 1),
        )
        model.training_seconds += time.perf_counter() - start
        _checkpoint(model, folder, epoch + 1)
    return model


def _new_model(settings: Settings):
    """El modelo de gensim, sin vocabulario todavía."""
    from gensim.models import FastText, Word2Vec

    common = {
        "vector_size": settings.dimensions,
        "sg": int(settings.skip_gram),
        "window": settings.window,
        "negative": settings.negative,
        "min_count": settings.min_count,
        "sample": settings.subsampling,
        "seed": settings.seed,
        "workers": 1,
    }
    if settings.algorithm == "word2vec":
        return Word2Vec(**common)
    shortest, longest = settings.ngrams
    return FastText(min_n=shortest, max_n=longest, bucket=settings.buckets, **common)


def _learning_rate(settings: Settings, epoch: int) -> float:
    """Tasa de aprendizaje al empezar una época, que baja en línea recta."""
    drop = settings.learning_rate - FINAL_LEARNING_RATE
    return settings.learning_rate - drop * epoch / settings.epochs


def _resume(settings: Settings, folder: Path):
    """El modelo de la última época guardada y cuántas lleva; ``(None, 0)`` si no hay ninguna."""
    from gensim.models import FastText, Word2Vec

    done = max((int(path.name.split("_")[1]) for path in folder.glob("epoca_*")), default=0)
    if not done:
        return None, 0
    kind = Word2Vec if settings.algorithm == "word2vec" else FastText
    return kind.load(str(folder / f"epoca_{done}" / "modelo")), done


def _checkpoint(model, folder: Path, epoch: int) -> None:
    """Guarda el modelo entero o nada, y después borra el de la época anterior."""
    partial = folder / "a_medias"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save(str(partial / "modelo"))
    os.replace(partial, folder / f"epoca_{epoch}")
    shutil.rmtree(folder / f"epoca_{epoch - 1}", ignore_errors=True)


# --- publicación ----------------------------------------------------------------------------------


def published_vectors(model):
    """Los vectores de las palabras más frecuentes, redondeados a float16 como se guardan.

    Returns
    -------
    gensim.models.KeyedVectors
        De ``PUBLISHED_WORDS`` palabras, o las que haya.
    """
    words = model.wv.index_to_key[:PUBLISHED_WORDS]
    return _keyed_vectors(words, model.wv.vectors[: len(words)].astype("float16"))


def save(vectors, folder: Path | str = FOLDER) -> None:
    """Guarda unos vectores en float16: ``vectores.npy`` y ``vocabulario.txt``, una palabra por línea."""
    import numpy as np

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "parcial.npy"
    np.save(partial, vectors.vectors.astype("float16"), allow_pickle=False)
    results.write_atomic(folder / "vocabulario.txt", "\n".join(vectors.index_to_key) + "\n")
    os.replace(partial, folder / "vectores.npy")


def compare(folder: Path | str, work: Path):
    """Entrena y mide todos los candidatos.

    Returns
    -------
    dict of str to dict
        De candidato a lo que da :func:`measure`, más ``segundos`` de entrenamiento.
    dict of str to gensim.models.KeyedVectors
        Los vectores de cada uno, como se publicarían.
    """
    sentences = prepare(folder, work)
    measured, vectors = {}, {}
    for name, settings in CANDIDATES.items():
        print(f"{name}: {settings}", flush=True)
        model = train(settings, sentences, work)
        vectors[name] = published_vectors(model)
        measured[name] = measure(vectors[name]) | {"segundos": model.training_seconds}
    return measured, vectors


def card_tables(measured: dict[str, dict], chosen: str, counts) -> dict[str, str]:
    """Las tablas de la ficha que salen de una medición.

    Parameters
    ----------
    measured : dict of str to dict
        Lo que devuelve :func:`compare`.
    chosen : str
        El candidato que se publica.
    counts : pandas.DataFrame
        Lo que devuelve :func:`utils.corpus.summary`.

    Returns
    -------
    dict of str to str
        De nombre de bloque a su tabla en Markdown.
    """
    counts = counts.copy()
    counts.loc["total"] = counts.sum()
    names = [f"**{name}**" if name == chosen else name for name in measured]
    metrics = [name for name in measured[chosen] if name not in ("palabras", "dimensiones", "segundos")]
    figures = [(f"`{metric}`", *(row[metric] for row in measured.values())) for metric in metrics]
    figures.append(("segundos de entrenamiento", *(round(row["segundos"]) for row in measured.values())))
    fields = [field.name for field in dataclasses.fields(Settings)]
    settings = [(f"`{field}`", *(getattr(each, field) for each in CANDIDATES.values())) for field in fields]
    return {
        "corpus": cards.table(["Fuente", *counts], counts.itertuples()),
        "ajustes": cards.table(["Ajuste", *CANDIDATES], settings),
        "medidas": cards.table(["Medida", *names], figures),
    }


def publish(folder: Path | str, work: Path) -> None:
    """Entrena los candidatos y publica el de mayor suma de analogías y pureza, con sus figuras."""
    measured, vectors = compare(folder, work)
    chosen = max(measured, key=lambda name: sum(measured[name][goal] for goal in GOALS))
    save(vectors[chosen], FOLDER)
    metrics = dict(measured[chosen])
    results.save_model("vectores_mini", metrics, "analogias_top1", metrics.pop("segundos"))
    card = FOLDER / "README.md"
    tables = card_tables(measured, chosen, corpus.summary(folder))
    results.write_atomic(card, cards.fill(card.read_text(encoding="utf-8"), tables))
    print(f"Publicado: {chosen}, en {FOLDER}.")
