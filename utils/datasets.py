"""Registro y cargadores de los datos del portfolio, con sus particiones fijas.

Hay dos juegos de datos detrás de las mismas funciones (:func:`data_mode` dice cuál rige):
los **embebidos**, escritos para este portfolio y guardados en ``utils/datos/``, y los **reales**,
públicos, que se descargan una vez a :func:`cache_dir` y se verifican por sha256.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
EMBEDDED_DIR = ROOT / "utils" / "datos"
MODES = ("embebidos", "reales")


class DatasetError(RuntimeError):
    """Los datos no se pudieron cargar; el mensaje dice qué pasó y qué hacer."""


@dataclass(frozen=True)
class RealFile:
    """Archivo público, fijado a un commit.

    Attributes
    ----------
    urls : tuple of str
        Dónde está, en orden de preferencia: la fuente y sus espejos.
    sha256 : str
        Suma de los bytes que sirven esas direcciones.
    licence : str
        Licencia o lo que se sabe de ella.
    """

    urls: tuple[str, ...]
    sha256: str
    licence: str


def _github(repo: str, commit: str, path: str) -> tuple[str, str]:
    """Dirección de un archivo en GitHub y la de su espejo en jsDelivr, ambas fijas a un commit."""
    return (
        f"https://raw.githubusercontent.com/{repo}/{commit}/{path}",
        f"https://cdn.jsdelivr.net/gh/{repo}@{commit}/{path}",
    )


# Corpus embebidos y sus columnas; cada uno es utils/datos/<nombre>.csv y tiene su ficha.
EMBEDDED_COLUMNS = {
    "articulos": ("id", "tema", "titulo", "texto", "resumen", "pregunta"),
    "articulos_respuestas": ("id", "respuesta"),
    "resenas": ("id", "dominio", "texto", "estrellas", "grupo", "particion"),
    "intenciones": ("id", "intencion", "texto", "particion"),
    "intenciones_respuestas": ("intencion", "respuesta"),
    "dialogos": ("id", "tema", "pregunta", "respuesta"),
    "dialogos_prueba": ("id", "pregunta", "respuesta"),
    "traducciones": ("id", "familia", "ingles", "espanol", "particion"),
    "relatos": ("id", "titulo", "texto", "particion"),
    "polisemia": ("id", "palabra", "sentido", "oracion"),
    "analogias": ("familia", "a", "b", "c", "d"),
    "categorias": ("categoria", "palabra"),
}

REAL_FILES = {
    "20news-bydate.tar.gz": RealFile(
        ("https://ndownloader.figshare.com/files/5975967",),
        "8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610",
        "Mensajes de Usenet sin licencia formal, distribuidos para investigación (Lang y Rennie)",
    ),
    "womens_clothing_reviews.csv": RealFile(
        _github("selva86/datasets", "c943fa8851270387c44d26efb0f9c0aac1559e11", "Clothing_Reviews_Small.csv"),
        "bd93cc515747ad1f87b8bc863c9e40da758509e6db6506a96d06976e61e36ee0",
        "El repositorio no la declara",
    ),
    "aclImdb_v1.tar.gz": RealFile(
        ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
        "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        "Sin licencia explícita: piden citar a Maas y otros (2011)",
    ),
    "google_play_reviews_train.csv": RealFile(
        _github(
            "Markz88/BERT-based-Sentiment-Analysis",
            "14bc617549177e72af8a490e8772c23265af2b34",
            "data/train.csv",
        ),
        "4407e2b3f089648e74a98e01093a804d9d2efeaf7a18a9c160924bad6948d75a",
        "MIT el repositorio; la de las reseñas es desconocida",
    ),
    "google_play_reviews_val.csv": RealFile(
        _github(
            "Markz88/BERT-based-Sentiment-Analysis",
            "14bc617549177e72af8a490e8772c23265af2b34",
            "data/val.csv",
        ),
        "1dec3a6be1eceef608ff797b0f45822a0e6ae2fa0f1a86c0c3df23b0a2e38cc1",
        "MIT el repositorio; la de las reseñas es desconocida",
    ),
    "google_play_reviews_test.csv": RealFile(
        _github(
            "Markz88/BERT-based-Sentiment-Analysis",
            "14bc617549177e72af8a490e8772c23265af2b34",
            "data/test.csv",
        ),
        "3cd76e8f06bd596042a7cba04ec6d31179b083250bef55145782229f576fad9a",
        "MIT el repositorio; la de las reseñas es desconocida",
    ),
    "ahr_hoteles_es.csv": RealFile(
        _github(
            "Vlaeminck/SentimentAPI-Analisis-de-Sentimientos-de-Feedbacks---Hackaton",
            "54cb52c2e48622856948d9accce905ca81ef0d45",
            "ds/dataset_modelado_sentimiento.csv",
        ),
        "c5317ffbce4fdb359377512c362a0f1d2db677182ec00f0006ccaf81273b4118",
        "Desconocida",
    ),
    "data_volunteers.json": RealFile(
        _github("DeepPavlov/convai", "54d921f99606960941ece4865a396925dfc264f4", "data/data_volunteers.json"),
        "eb6e11a125fa22ffe7eb35ba3356cad3f395db51bd523ea2bdea2a91da6886a2",
        "El repositorio oficial de ConvAI2 no la declara",
    ),
    "spa-eng.zip": RealFile(
        _github("Hoangduc212001/hoang", "2cfd26f9551f5c2d614e8000500891801840a438", "spa-eng.zip"),
        "f80e581ae291aa34dd3aba7bd98b5e9505234da4318e2f3295df70a1520c7f61",
        "CC BY 2.0 FR (Tatoeba)",
    ),
    "14765-8.txt": RealFile(
        _github(
            "GITenberg/El-Gaucho-Mart-n-Fierro_14765",
            "34aa2da5cf5b5e1f7a834ab017d383d708887cd7",
            "14765-8.txt",
        ),
        "ac4b63b98f834b8f13b63313ea7764fd9a51433befe037f93dbe81f20c3e9b02",
        "Dominio público (José Hernández, 1872)",
    ),
    "15066-8.txt": RealFile(
        _github(
            "GITenberg/La-Vuelta-de-Mart-n-Fierro_15066",
            "8b2a6e844fd51574e6197f717d5c88785ed3993c",
            "15066-8.txt",
        ),
        "e16909f871fcf0685eda2f156451a93aef0085440e075b4936781a2477d87165",
        "Dominio público (José Hernández, 1879)",
    ),
    "2000-8.txt": RealFile(
        _github("GITenberg/Don-Quijote_2000", "7879f2c1653ec515d125f49b177c3ef7f596bc3f", "2000-8.txt"),
        "4973737f16b7e8b8972c08e54a95b7bc43b5d93d6738bc08f9256f9c2c68a2ba",
        "Dominio público (Miguel de Cervantes, 1605 y 1615)",
    ),
}


# --- modo y caché ---------------------------------------------------------------------------------


BOOKS = {
    "martin_fierro": "14765-8.txt",
    "martin_fierro_vuelta": "15066-8.txt",
    "quijote": "2000-8.txt",
}


def data_mode() -> str:
    """Juego de datos que rige, según ``NLP_DATOS``: ``"embebidos"`` (por omisión) o ``"reales"``.

    Raises
    ------
    DatasetError
        Si la variable tiene otro valor.
    """
    mode = os.environ.get("NLP_DATOS") or "embebidos"
    if mode not in MODES:
        raise DatasetError(f"NLP_DATOS vale «{mode}»: usá «embebidos» o «reales».")
    return mode


def cache_dir() -> Path:
    """Carpeta de los datos reales: ``NLP_CACHE`` (si es relativa, desde la raíz del repositorio)
    o la caché de la persona que usa la máquina."""
    if os.environ.get("NLP_CACHE"):
        return (ROOT / Path(os.environ["NLP_CACHE"]).expanduser()).resolve()
    import pooch

    return Path(pooch.os_cache("portfolio-nlp"))


# --- descarga -------------------------------------------------------------------------------------


def fetch(name: str) -> Path:
    """Ruta local de un archivo real, que se descarga si no está en la caché.

    Parameters
    ----------
    name : str
        Clave de ``REAL_FILES``.

    Returns
    -------
    pathlib.Path
        Archivo cuyo sha256 es el registrado.

    Raises
    ------
    DatasetError
        Si el nombre no existe, si no hay red, si lo guardado o lo descargado no tiene la suma
        esperada, o si no se puede escribir en la caché.
    """
    if name not in REAL_FILES:
        raise DatasetError(f"No conozco el archivo «{name}»: los registrados son {', '.join(REAL_FILES)}.")
    source = REAL_FILES[name]
    path = cache_dir() / name
    if path.exists():
        _check_sum(path, source.sha256)
        return path
    return _download(source.urls, path, source.sha256)


def _check_sum(path: Path, *expected: str) -> None:
    """Comprueba que el sha256 de un archivo guardado sea alguno de los esperados."""
    if sha256(path) not in expected:
        raise DatasetError(
            f"El archivo {path} está dañado o no es el esperado (su sha256 no coincide): "
            "borralo y volvé a ejecutar para descargarlo de nuevo."
        )


def sha256(path: Path) -> str:
    """Suma sha256 de un archivo, en hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(urls: tuple[str, ...], path: Path, expected: str | None) -> Path:
    """Descarga a ``path`` desde la primera dirección que responda con los bytes esperados.

    pooch escribe en un archivo temporal y lo renombra al final: una descarga cortada no deja nada.
    """
    import pooch

    _check_writable(path.parent)
    logger = pooch.get_logger()
    logger.setLevel("ERROR")
    wrong_sum = False
    for url in urls:
        for _ in range(3):  # los servidores públicos fallan de a ratos
            try:
                pooch.retrieve(
                    url,
                    known_hash=expected and f"sha256:{expected}",
                    fname=path.name,
                    path=path.parent,
                    downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
                )
                return path
            except ValueError:  # así avisa pooch que la suma no coincide
                wrong_sum = True
                break
            except OSError:  # requests.RequestException también es OSError
                continue
    if wrong_sum:
        raise DatasetError(
            f"Lo que hoy sirve {urls[0]} no es lo que esperaba (su sha256 no coincide), así que no lo "
            f"guardé: conseguí {path.name} por otra vía y dejalo en {path.parent}."
        )
    raise DatasetError(
        f"No pude descargar {path.name} de {urls[0]}: revisá la conexión, o dejá el archivo en {path.parent}, "
        "o seguí sin red con NLP_DATOS=embebidos."
    )


def _check_writable(folder: Path) -> None:
    """Crea la carpeta de la caché si falta y comprueba que se pueda escribir en ella."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DatasetError(
            f"No puedo escribir en la caché {folder} ({error.strerror}): "
            "elegí otra carpeta con la variable NLP_CACHE."
        ) from None


# --- 20 Newsgroups --------------------------------------------------------------------------------

NEWSGROUPS = "20news-bydate_py3.pkz"
# Un pickle ejecuta código al abrirse: solo se abre el de esta suma o el que armamos en esta caché.
NEWSGROUPS_SHA256 = "c00c2c081b7bb4196de51140544de005641e72ab7afa046d6516db285142843f"
# El espejo sirve un tar que GitHub arma al vuelo, sin bytes fijos: se verifica el contenido.
NEWSGROUPS_MIRROR = (
    "https://codeload.github.com/tg44/Lucene_20news/tar.gz/3ac3ef878e0c56c7392d7af5f870e95a63aba1e3"
)
NEWSGROUPS_CONTENT_SHA256 = "4e4e7782f59c1955a366f82936e6133b234d2c8c6c1cf04d9b21784c6bf485e9"


def fetch_newsgroups(subset: str):
    """20 Newsgroups por el cargador de scikit-learn, sin encabezados, firmas ni citas.

    Si la caché no lo tiene, lo baja de figshare y, si figshare se niega (es común), de un espejo.

    Parameters
    ----------
    subset : {"train", "test"}
        La partición por fecha oficial.

    Returns
    -------
    sklearn.utils.Bunch
        ``data``, ``target``, ``target_names`` y ``filenames``.

    Raises
    ------
    DatasetError
        Como :func:`fetch`.
    """
    from sklearn.datasets import fetch_20newsgroups

    path = cache_dir() / NEWSGROUPS
    own_sum = path.with_name(path.name + ".sha256")
    if not path.exists():
        _build_newsgroups(path, own_sum)
    known = [NEWSGROUPS_SHA256]
    with contextlib.suppress(OSError):
        known.append(own_sum.read_text(encoding="ascii").strip())
    _check_sum(path, *known)
    return fetch_20newsgroups(
        data_home=path.parent,
        subset=subset,
        remove=("headers", "footers", "quotes"),
        download_if_missing=False,
    )


def _build_newsgroups(path: Path, own_sum: Path) -> None:
    """Descarga los mensajes y arma con ellos la caché que scikit-learn espera."""
    import pickle
    import zlib

    from sklearn.datasets import load_files

    _check_writable(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        folder = Path(name)
        try:
            source = REAL_FILES["20news-bydate.tar.gz"]
            archive = _download(source.urls, folder / "20news.tar.gz", source.sha256)
        except DatasetError:
            archive = _download((NEWSGROUPS_MIRROR,), folder / "20news.tar.gz", None)
        _extract_newsgroups(archive, folder)
        if _content_sha256(folder) != NEWSGROUPS_CONTENT_SHA256:
            raise DatasetError(
                "Lo descargado no es el 20 Newsgroups esperado (su contenido no coincide), así que no lo "
                f"guardé: conseguí {path.name} por otra vía y dejalo en {path.parent}."
            )
        cache = {
            part: load_files(folder / f"20news-bydate-{part}", encoding="latin1")
            for part in ("train", "test")
        }
        built = folder / path.name
        built.write_bytes(zlib.compress(pickle.dumps(cache)))
        own_sum.write_text(sha256(built), encoding="ascii")
        os.replace(built, path)


def _extract_newsgroups(archive: Path, folder: Path) -> None:
    """Saca del tar los mensajes, estén donde estén, a ``20news-bydate-{train,test}/grupo/número``."""
    import tarfile

    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                match = re.search(r"(train|test)/([a-z.-]+)/(\d+)$", member.name)
                if match and member.isfile():
                    target = folder / f"20news-bydate-{match[1]}" / match[2] / match[3]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with open(target, "wb") as file:
                        shutil.copyfileobj(tar.extractfile(member), file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DatasetError(
            f"La descarga de 20 Newsgroups llegó dañada ({error}): volvé a ejecutar."
        ) from None


def _content_sha256(folder: Path) -> str:
    """Suma de todos los mensajes, con partición, grupo y número, en orden."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("20news-bydate-t*/*/*"), key=lambda file: file.parts[-3:]):
        digest.update("/".join(file.parts[-3:]).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


# --- IMDB -----------------------------------------------------------------------------------------

IMDB_FILES = ("imdb_50k.csv.xz", "imdb_50k_index.csv.xz")
# Otra copia de los archivos originales; GitHub arma el tar al vuelo, sin bytes fijos.
IMDB_MIRROR = (
    "https://codeload.github.com/Wang-Zhengkang/aclImdb/tar.gz/d5f55256d2e9f6cbfe89752735e85a2cfb8fdda9"
)
# Venga de donde venga, se verifica el contenido: las 50.000 reseñas con su partición, clase y archivo.
IMDB_CONTENT_SHA256 = "62b693fa8f9bd10028c06021ffeb1f367f69f38efb754794d63ac1471830148a"


def _read_imdb() -> pd.DataFrame:
    """Las reseñas de IMDB guardadas en la caché, que se arma si falta: ``split``, ``sentiment``, ``file``, ``review``."""
    import lzma

    import pandas as pd

    paths = [cache_dir() / name for name in IMDB_FILES]
    if not all(path.exists() for path in paths):
        _build_imdb(*paths)
    try:
        texts, index = (pd.read_csv(path, encoding="utf-8", keep_default_na=False) for path in paths)
        frame = index[["split", "sentiment"]].assign(file=index.aclimdb_file, review=texts.review)
        intact = len(texts) == len(index) and _imdb_sha256(frame) == IMDB_CONTENT_SHA256
    except (OSError, EOFError, ValueError, AttributeError, KeyError, lzma.LZMAError):
        intact = False
    if not intact:
        raise DatasetError(
            f"Los archivos {paths[0]} y {paths[1].name} están dañados o no son los esperados (su contenido no "
            "coincide): borralos y volvé a ejecutar para armarlos de nuevo."
        )
    return frame


def _imdb_sha256(frame: pd.DataFrame) -> str:
    """Suma de todas las reseñas, con partición, clase y archivo, en orden."""
    digest = hashlib.sha256()
    keyed = frame.assign(folder=frame.split + "/" + frame.sentiment.str[:3] + "/", key=frame.file)
    for row in keyed.sort_values(["folder", "key"]).itertuples():
        digest.update(f"{row.folder}{row.file}\0{row.review}\0".encode())
    return digest.hexdigest()


def _build_imdb(texts: Path, index: Path) -> None:
    """Descarga las reseñas originales y deja con ellas los dos archivos de la caché."""
    import pandas as pd

    _check_writable(texts.parent)
    with tempfile.TemporaryDirectory(dir=texts.parent) as name:
        folder = Path(name)
        source = REAL_FILES["aclImdb_v1.tar.gz"]
        for urls, expected in [(source.urls, source.sha256), ((IMDB_MIRROR,), None)]:
            with contextlib.suppress(DatasetError):
                archive = _download(urls, folder / "aclImdb.tar.gz", expected)
                break
        else:
            raise DatasetError(
                f"No pude descargar IMDB de {source.urls[0]} ni de su espejo: revisá la conexión, o dejá "
                f"{' y '.join(IMDB_FILES)} en {texts.parent}, o seguí sin red con NLP_DATOS=embebidos."
            )
        frame = pd.DataFrame(_extract_imdb(archive), columns=["split", "sentiment", "file", "review"])
        if _imdb_sha256(frame) != IMDB_CONTENT_SHA256:
            raise DatasetError(
                "Lo descargado no son las 50.000 reseñas de IMDB esperadas (su contenido no coincide), así que no "
                f"lo guardé: conseguí {' y '.join(IMDB_FILES)} por otra vía y dejalos en {texts.parent}, o seguí "
                "sin red con NLP_DATOS=embebidos."
            )
        frame = frame.rename(columns={"file": "aclimdb_file"})
        frame[["review", "sentiment"]].to_csv(folder / texts.name, index=False)
        frame[["split", "sentiment", "aclimdb_file"]].to_csv(folder / index.name, index_label="row")
        for path in (texts, index):
            os.replace(folder / path.name, path)


def _extract_imdb(archive: Path) -> list[tuple[str, str, str, str]]:
    """Partición, clase, archivo y texto de cada reseña del tar, estén donde estén sus carpetas."""
    import tarfile

    found = []
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                match = re.search(r"(train|test)/(pos|neg)/(\d+_\d+)\.txt$", member.name)
                if match and member.isfile():
                    sentiment = {"pos": "positive", "neg": "negative"}[match[2]]
                    text = tar.extractfile(member).read().decode("utf-8")
                    found.append((match[1], sentiment, match[3], text))
    except (tarfile.TarError, EOFError, OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"La descarga de IMDB llegó dañada ({error}): volvé a ejecutar.") from None
    return found


# --- cargadores -----------------------------------------------------------------------------------


def _read_embedded(name: str) -> pd.DataFrame:
    """Lee un corpus embebido y comprueba que tenga sus columnas y ningún hueco."""
    import pandas as pd

    path = EMBEDDED_DIR / f"{name}.csv"
    try:
        frame = pd.read_csv(path, encoding="utf-8", dtype=str, keep_default_na=False)
        damaged = tuple(frame.columns) != EMBEDDED_COLUMNS[name] or frame.empty or frame.eq("").any(axis=None)
    except (OSError, ValueError):
        damaged = True
    if damaged:
        raise DatasetError(
            f"El corpus {path} falta o está dañado: recuperalo con «git checkout -- utils/datos/{path.name}»."
        )
    return frame


def load_articles() -> pd.DataFrame:
    """Los 120 artículos de enciclopedia escritos para este portfolio (``utils/datos/articulos.md``).

    Returns
    -------
    pandas.DataFrame, shape (120, 7)
        ``id``, ``tema``, ``titulo``, ``texto``, ``resumen``, ``pregunta`` y ``particion``
        (``train`` 80, ``test`` 40: de cada tema, uno de cada tres artículos va a ``test``).

    Raises
    ------
    DatasetError
        Si el archivo falta o está dañado.
    """
    frame = _read_embedded("articulos")
    third = frame.groupby("tema").cumcount() % 3 == 2
    return frame.assign(particion=third.map({True: "test", False: "train"}))


def load_article_answers() -> pd.DataFrame:
    """Las oraciones de cada artículo que contestan su pregunta, marcadas a mano (``utils/datos/articulos.md``).

    Returns
    -------
    pandas.DataFrame, shape (120, 2)
        ``id`` y ``respuestas``, lista de una o más oraciones copiadas del texto; cualquiera de ellas,
        con el título al lado, contesta.
    """
    frame = _read_embedded("articulos_respuestas")
    return frame.groupby("id", sort=False).respuesta.agg(list).rename("respuestas").reset_index()


def load_documents() -> pd.DataFrame:
    """Documentos con tema, para clasificar y buscar: los artículos o 20 Newsgroups, según el modo.

    Los mensajes reales van sin encabezados, firmas ni citas (con ellos, un clasificador reconoce
    a los remitentes en lugar de los temas) y con la partición por fecha oficial.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``titulo`` (en los reales, el ``id``), ``texto``, ``tema`` y ``particion``
        (``train`` o ``test``). 120 filas embebidas; 18.846 reales, de las que algunas quedan vacías.

    Raises
    ------
    DatasetError
        Si los datos no se pudieron cargar.

    References
    ----------
    Lang, K. (1995). NewsWeeder: Learning to filter netnews. ICML.
    https://scikit-learn.org/stable/datasets/real_world.html#the-20-newsgroups-text-dataset
    """
    import pandas as pd

    columns = ["id", "titulo", "texto", "tema", "particion"]
    if data_mode() == "embebidos":
        return load_articles()[columns]
    parts = []
    for part in ("train", "test"):
        raw = fetch_newsgroups(part)
        ids = ["/".join(Path(file).parts[-2:]) for file in raw.filenames]
        topics = [raw.target_names[target] for target in raw.target]
        parts.append(
            pd.DataFrame(
                {"id": ids, "titulo": ids, "texto": raw.data, "tema": topics, "particion": part},
                columns=columns,
            )
        )
    return pd.concat(parts, ignore_index=True)


def load_reviews(domain: str | None = None) -> pd.DataFrame:
    """Las reseñas embebidas, con 1 a 5 estrellas (``utils/datos/resenas.md``).

    Parameters
    ----------
    domain : {"ropa", "apps", "cine"}, optional
        Un solo dominio; sin él, los tres.

    Returns
    -------
    pandas.DataFrame, shape (1300, 6) o las filas del dominio
        ``id``, ``dominio``, ``texto``, ``estrellas`` (int, 1 a 5), ``grupo`` (el producto) y
        ``particion`` (``train``, ``validation`` o ``test``; ningún producto está en dos).

    Raises
    ------
    DatasetError
        Si el dominio no existe, o si el archivo falta o está dañado.
    """
    frame = _read_embedded("resenas").astype({"estrellas": int})
    domains = list(frame.dominio.unique())
    if domain is None:
        return frame
    if domain not in domains:
        raise DatasetError(f"No conozco el dominio «{domain}»: los que hay son {', '.join(domains)}.")
    return frame[frame.dominio == domain].reset_index(drop=True)


def load_hotels() -> pd.DataFrame:
    """Opiniones reales de hoteles, positivas o negativas, en minúscula y sin puntuación (AHR).

    El archivo trae 5.341 filas con las dos clases parejas, pero 1.980 son copias exactas: las
    positivas se repitieron para igualar. Acá queda una de cada una; con las copias, un modelo
    encuentra en la prueba textos que vio al entrenar.

    Returns
    -------
    pandas.DataFrame, shape (3361, 3)
        ``texto``, ``positiva`` (int, 0 o 1) y ``particion`` (``train``, ``validation`` o ``test``;
        80, 10 y 10 de cada cien, según el sha256 del texto).

    Raises
    ------
    DatasetError
        Si el archivo no se pudo conseguir o está dañado.

    References
    ----------
    Andalusian Hotels Reviews (TripAdvisor, 2021, y COAH): Molina-González, M. D. et al. (2014).
    Cross-domain sentiment analysis using Spanish opinionated words. NLDB.
    """
    import pandas as pd

    frame = pd.read_csv(fetch("ahr_hoteles_es.csv"), encoding="utf-8")
    frame = frame.set_axis(["texto", "positiva"], axis="columns").drop_duplicates("texto", ignore_index=True)
    return frame.assign(particion=_split_by_hash(frame.texto, train=80, validation=10))


def _split_by_hash(keys: pd.Series, train: int, validation: int):
    """Partición de cada fila según el sha256 de su clave: la misma siempre, y junta las claves iguales."""
    import numpy as np

    percent = keys.map(lambda key: int(hashlib.sha256(key.encode()).hexdigest(), 16) % 100)
    return np.select([percent < train, percent < train + validation], ["train", "validation"], "test")


def _words_only(text: str) -> str:
    """La oración en minúscula, sin puntuación: «¡Ve!» y «Ve.» son la misma."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def load_clothing() -> pd.DataFrame:
    """Reseñas reales de ropa, en inglés, con 1 a 5 estrellas (Women's Clothing).

    De las 23.486 filas del archivo, 22.641 tienen texto; 7 repiten exactamente el de otra (con las
    mismas estrellas) y acá queda una de cada una, para que ninguna esté a los dos lados del corte.

    Returns
    -------
    pandas.DataFrame, shape (22634, 5)
        ``id`` (el índice del archivo), ``titulo`` (vacío si no lo tiene, como el 13 %), ``texto``,
        ``estrellas`` (int, 1 a 5) y ``particion``: 20 % ``test``, estratificado por estrellas con
        semilla 42; del resto, 10 % ``validation``, sorteado igual.

    Raises
    ------
    DatasetError
        Como :func:`fetch`.

    References
    ----------
    Agarap, A. F. (2018). Statistical analysis on e-commerce reviews, with sentiment classification
    using bidirectional recurrent neural network. arXiv:1805.03687.
    """
    import numpy as np
    import pandas as pd
    from sklearn.model_selection import train_test_split

    raw = pd.read_csv(fetch("womens_clothing_reviews.csv"), index_col=0, encoding="utf-8")
    raw = raw[raw["Review Text"].notna()].drop_duplicates("Review Text")
    frame = pd.DataFrame(
        {
            "id": raw.index.astype(str),
            "titulo": raw["Title"].fillna("").to_numpy(),
            "texto": raw["Review Text"].to_numpy(),
            "estrellas": raw["Rating"].to_numpy(dtype=int),
        }
    )
    seen, test = train_test_split(
        np.arange(len(frame)), test_size=0.2, stratify=frame.estrellas, random_state=42
    )
    _, validation = train_test_split(seen, test_size=0.1, stratify=frame.estrellas[seen], random_state=42)
    parts = np.full(len(frame), "train", dtype=object)
    parts[test], parts[validation] = "test", "validation"
    return frame.assign(particion=parts)


def load_app_reviews() -> pd.DataFrame:
    """Reseñas reales de aplicaciones de Google Play, en inglés, con tres clases y su partición original.

    Se dejan todas, para que las cifras se comparen con las publicadas, aunque el conjunto se repite a
    sí mismo: el texto de 871 de las 1.575 de prueba está también, letra por letra, en el entrenamiento.

    Returns
    -------
    pandas.DataFrame, shape (15746, 4)
        ``texto``, ``clase`` (int: 0, negativa, de 1 o 2 estrellas; 1, neutral, de 3; 2, positiva, de 4
        o 5), ``particion`` (``train`` 12.596, ``validation`` 1.575, ``test`` 1.575) y ``repetida``
        (bool: fuera de ``train``, si su texto está también ahí).

    Raises
    ------
    DatasetError
        Si los archivos no se pudieron conseguir o están dañados.

    References
    ----------
    Valkov, V. (2020). Sentiment analysis with BERT and Transformers by Hugging Face using PyTorch and
    Python: el ejemplo para el que se juntaron.
    """
    import pandas as pd

    parts = []
    for part, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        path = fetch(f"google_play_reviews_{name}.csv")
        raw = pd.read_csv(path, encoding="utf-8", keep_default_na=False)  # «null» y «NA» son texto
        parts.append(raw.set_axis(["texto", "clase"], axis="columns").assign(particion=part))
    frame = pd.concat(parts, ignore_index=True)
    trained = frame.particion == "train"
    return frame.assign(repetida=~trained & frame.texto.isin(frame.texto[trained]))


def load_imdb() -> pd.DataFrame:
    """Las 50.000 críticas de cine de IMDB, positivas o negativas, con la partición oficial.

    Se dejan todas, para que las cifras se comparen con las publicadas, aunque 123 de prueba repiten
    exactamente el texto de una de entrenamiento. La validación sale del entrenamiento oficial.

    Returns
    -------
    pandas.DataFrame, shape (50000, 4)
        ``id`` (``train/pos/123_8``: partición, clase, número y puntaje), ``texto`` (sin los saltos
        ``<br />``), ``positiva`` (int, 0 o 1) y ``particion``: ``test`` (25.000), ``train`` y
        ``validation`` (25.000 entre las dos; 10 de cada cien, según el sha256 del texto, así que
        dos copias caen en la misma).

    Raises
    ------
    DatasetError
        Si no están en la caché y no se pudieron descargar, o si están dañadas.

    References
    ----------
    Maas, A. L. et al. (2011). Learning word vectors for sentiment analysis. ACL.
    """
    import numpy as np
    import pandas as pd

    raw = _read_imdb()
    text = raw.review.str.replace("<br />", " ", regex=False)
    percent = text.map(lambda text: int(hashlib.sha256(text.encode()).hexdigest(), 16) % 100)
    parts = np.select([raw.split == "test", percent < 90], ["test", "train"], "validation")
    return pd.DataFrame(
        {
            "id": raw.split + "/" + raw.sentiment.str[:3] + "/" + raw.file,
            "texto": text,
            "positiva": (raw.sentiment == "positive").astype(int),
            "particion": parts,
        }
    )


def load_book(name: str) -> str:
    """Un libro de Project Gutenberg, sin la licencia que lo rodea.

    Parameters
    ----------
    name : {"quijote", "martin_fierro", "martin_fierro_vuelta"}

    Returns
    -------
    str
        El texto en Unicode, con los finales de línea del original como ``\\n``.

    Raises
    ------
    DatasetError
        Si el nombre no existe, o si el archivo no se pudo conseguir o está dañado.
    """
    if name not in BOOKS:
        raise DatasetError(f"No conozco el libro «{name}»: los que hay son {', '.join(BOOKS)}.")
    text = fetch(BOOKS[name]).read_text(encoding="latin-1")
    text = text.split("*** START OF", 1)[1].split("***", 1)[1].rsplit("End of Project Gutenberg", 1)[0]
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(part for part in paragraphs if "Produced by" not in part).strip()


def load_intents() -> pd.DataFrame:
    """Frases de clientes de una librería y su intención (``utils/datos/intenciones.md``).

    Returns
    -------
    pandas.DataFrame, shape (744, 4)
        ``id``, ``intencion``, ``texto`` y ``particion``: ``train`` (504 frases de 24 intenciones)
        o ``test`` (180 de esas intenciones y 60 de ``otra``, fuera de todas).
    """
    return _read_embedded("intenciones")


def load_intent_answers() -> pd.DataFrame:
    """Lo que la librería contesta a cada intención, cuatro respuestas para cada una.

    Returns
    -------
    pandas.DataFrame, shape (96, 2)
        ``intencion`` y ``respuesta``.
    """
    return _read_embedded("intenciones_respuestas")


def load_dialogues() -> pd.DataFrame:
    """Charla con Lina: preguntas y respuestas para entrenar (``utils/datos/dialogos.md``).

    Returns
    -------
    pandas.DataFrame, shape (1520, 4)
        ``id``, ``tema``, ``pregunta`` y ``respuesta``.
    """
    return _read_embedded("dialogos")


def load_dialogue_tests() -> pd.DataFrame:
    """Preguntas de prueba a Lina, cada una con varias respuestas aceptables.

    Returns
    -------
    pandas.DataFrame, shape (150, 3)
        ``id``, ``pregunta`` y ``respuestas`` (lista de dos o más textos).
    """
    frame = _read_embedded("dialogos_prueba")
    grouped = frame.groupby(["id", "pregunta"], sort=False).respuesta.agg(list)
    return grouped.rename("respuestas").reset_index()


def load_translations() -> pd.DataFrame:
    """Pares de oraciones en inglés y en español (``utils/datos/traducciones.md``).

    Returns
    -------
    pandas.DataFrame, shape (3000, 5)
        ``id``, ``familia`` (las variaciones de una oración), ``ingles``, ``espanol`` y ``particion``
        (``train`` 2.400, ``validation`` 300, ``test`` 300; ninguna familia está en dos).
    """
    return _read_embedded("traducciones")


def load_tatoeba() -> pd.DataFrame:
    """Pares de oraciones en inglés y en español de Tatoeba.

    El archivo se repite mucho: 118.964 pares salen de 102.904 oraciones inglesas y 113.322
    españolas, porque una oración tiene varias traducciones. Partir al azar los pares deja en la
    prueba oraciones ya vistas; acá los que comparten alguna de las dos (sin mirar mayúsculas ni
    puntuación) forman una familia, y cada familia está en una sola partición.

    Returns
    -------
    pandas.DataFrame, shape (118964, 4)
        ``familia`` (int), ``ingles``, ``espanol`` y ``particion`` (``train``, ``validation`` o
        ``test``: 90, 5 y 5 familias de cada cien, según el sha256 de su primera oración inglesa).

    Raises
    ------
    DatasetError
        Si el archivo no se pudo conseguir o está dañado.

    References
    ----------
    Tatoeba (https://tatoeba.org), en la selección de https://www.manythings.org/anki (2018).
    """
    import zipfile

    import numpy as np
    import pandas as pd
    from scipy.sparse import coo_array, csgraph

    with zipfile.ZipFile(fetch("spa-eng.zip")) as archive:
        lines = archive.read("spa-eng/spa.txt").decode("utf-8").splitlines()
    frame = pd.DataFrame([line.split("\t")[:2] for line in lines], columns=["ingles", "espanol"])
    english = pd.factorize(frame.ingles.map(_words_only))[0]
    spanish = pd.factorize(frame.espanol.map(_words_only))[0] + english.max() + 1
    nodes = spanish.max() + 1
    links = coo_array((np.ones(len(frame)), (english, spanish)), shape=(nodes, nodes))
    family = pd.factorize(csgraph.connected_components(links, directed=False)[1][english])[0]
    first = frame.ingles.groupby(family).transform("min")
    parts = _split_by_hash(first, train=90, validation=5)
    return frame.assign(familia=family, particion=parts)[["familia", "ingles", "espanol", "particion"]]


def load_convai() -> pd.DataFrame:
    """Pares de turnos seguidos de las charlas de ConvAI2, entre voluntarios y bots, en inglés.

    Un par es lo que dijo uno y lo que contestó el otro. Quedan afuera las órdenes al bot (``/start``),
    lo escrito en otro alfabeto, lo que no tiene ninguna letra, los turnos de más de 30 palabras y los
    pares repetidos. La misma pregunta (sin mirar mayúsculas ni puntuación) está en una sola partición:
    la prueba son preguntas nuevas.

    Returns
    -------
    pandas.DataFrame, shape (n, 4)
        ``pregunta``, ``respuesta``, ``contesta`` (``"Human"`` o ``"Bot"``) y ``particion`` (``train``,
        ``validation`` o ``test``: 90, 5 y 5 preguntas de cada cien).

    Raises
    ------
    DatasetError
        Si el archivo no se pudo conseguir o está dañado.

    References
    ----------
    Dinan, E. et al. (2019). The second conversational intelligence challenge (ConvAI2). NeurIPS.
    """
    import json

    import pandas as pd

    dialogues = json.loads(fetch("data_volunteers.json").read_text(encoding="utf-8"))
    rows = [
        (" ".join(turn["text"].split()), " ".join(reply["text"].split()), reply["sender_class"])
        for dialogue in dialogues
        for turn, reply in itertools.pairwise(dialogue["dialog"])
        if turn["sender"] != reply["sender"] and _is_chat(turn["text"]) and _is_chat(reply["text"])
    ]
    frame = pd.DataFrame(rows, columns=["pregunta", "respuesta", "contesta"])
    asked, answered = frame.pregunta.map(_words_only), frame.respuesta.map(_words_only)
    frame = frame.assign(particion=_split_by_hash(asked, train=90, validation=5))
    repeated = pd.DataFrame({"pregunta": asked, "respuesta": answered}).duplicated()
    return frame[~repeated].reset_index(drop=True)


def _is_chat(text: str) -> bool:
    """Si un turno de ConvAI2 es conversación en inglés."""
    letters = [c for c in text if c.isalpha()]
    plain = letters and all(c.isascii() for c in letters)
    return bool(plain) and not text.lstrip().startswith("/") and len(text.split()) <= 30


def load_stories() -> pd.DataFrame:
    """Cuarenta cuentos de Puerto Aldana (``utils/datos/relatos.md``).

    Returns
    -------
    pandas.DataFrame, shape (40, 4)
        ``id``, ``titulo``, ``texto`` (un párrafo por línea) y ``particion`` (``train`` 32,
        ``validation`` 4, ``test`` 4).
    """
    return _read_embedded("relatos")


def load_polysemy() -> pd.DataFrame:
    """Oraciones con palabras de varios sentidos, marcadas por sentido (``utils/datos/polisemia.md``).

    Returns
    -------
    pandas.DataFrame, shape (216, 4)
        ``id``, ``palabra``, ``sentido`` y ``oracion``; 10 palabras, 27 sentidos, 8 oraciones de cada uno.
    """
    return _read_embedded("polisemia")


def load_analogies() -> pd.DataFrame:
    """Analogías «``a`` es a ``b`` como ``c`` es a ``d``», en 8 familias (``utils/datos/analogias.md``).

    Returns
    -------
    pandas.DataFrame, shape (420, 5)
        ``familia``, ``a``, ``b``, ``c`` y ``d``.
    """
    return _read_embedded("analogias")


def load_categories() -> pd.DataFrame:
    """Doce categorías de doce palabras, para agrupar vectores (``utils/datos/categorias.md``).

    Returns
    -------
    pandas.DataFrame, shape (144, 2)
        ``categoria`` y ``palabra``.
    """
    return _read_embedded("categorias")
