"""Las fuentes del corpus de preentrenamiento: descargarlas y dejarlas como las lee ``utils.corpus``.

    python -m utils.corpus_sources CARPETA                       # las ocho; sigue donde había quedado
    python -m utils.corpus_sources CARPETA --fuentes ud_xquad    # solo algunas

Escribe un ``corpus_es_<fuente>.txt.xz`` por fuente: UTF-8 en forma NFC, una oración por línea, una
línea en blanco entre documentos y ninguna oración repetida dentro de la fuente. Queda lo que pasa
por :func:`is_sentence`. Las licencias están en ``utils/modelos/vectores_mini/README.md``.

Lo que sale se parece al corpus con que se entrenaron los modelos de ``utils/modelos/``, pero no es
idéntico: aquel se convirtió con otro programa. Son los mismos commits, salvo los de PUD y XQuAD, que
no se habían anotado, y la misma selección de documentos; cambian los detalles de qué se descarta.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from utils import datasets
from utils.corpus import CorpusError, clean

# --- oraciones ------------------------------------------------------------------------------------

MIN_LENGTH, MAX_LENGTH, MIN_WORDS = 15, 600, 4
MIN_LETTERS = 0.65  # de los caracteres, contando los espacios
MIN_FUNCTION_WORDS = 0.12  # de las palabras
_FREQUENT = """a al algo ante aquel así aún aunque bajo cada como cómo con contra cual cuando de del desde donde
e el él ella ellos en entre era es esa ese eso esos esta está están este esto estos fue ha había han hasta hay
he hoy la las le les lo los más me mi mis muy nada ni no nos nosotros nuestra nuestro o os para pero por porque
que qué quien se sea ser si sí sin sobre son su sus también tan te tiene todo todos tu un una uno usted y ya yo"""
FUNCTION_WORDS = frozenset(_FREQUENT.split())
_END = re.compile(r"([.!?…]+)[»”’\"')\]]*\s+(?=[¿¡«“‘\"'(\[—–-]*[A-ZÁÉÍÓÚÜÑ])")
_ABBREVIATION = re.compile(
    r"(?<!\w)(?:[A-ZÁÉÍÓÚÑ]|[Ss]r(?:a|es|ta)?|[Dd]r(?:a|es)?|Lic|Ing|Arq|Prof|Gral|Cnel|Tte|Mons|Fr|St[ao]?|Excm[ao]"
    r"|Ilm[ao]|[UV]ds?|EE|UU|Bs|Av|Jr|[Nn]úm|[Nn]ro|[Aa]rts?|ART|[Ii]nc|[Pp]ágs?|[Vv]ol|[Cc]ap|[Ff]ig|[Cc]f|[Ee]j)\.$"
)


def split_sentences(text: str) -> list[str]:
    """Separa un párrafo en oraciones: corta tras ``. ! ? …`` si lo que sigue empieza con mayúscula.

    No corta tras las abreviaturas comunes (Sr., Dra., núm., art.) ni tras las iniciales (D., J. L.).
    """
    sentences, start = [], 0
    for end in _END.finditer(text):
        if end[1] != "." or not _ABBREVIATION.search(text[max(start, end.start() - 8) : end.start() + 1]):
            sentences.append(text[start : end.end()].strip())
            start = end.end()
    return [*sentences, text[start:].strip()]


def is_sentence(text: str) -> bool:
    """Si un texto parece una oración en español: por su largo, sus letras y sus palabras frecuentes."""
    words = re.findall(r"\w+", text.lower())
    return (
        MIN_LENGTH <= len(text) <= MAX_LENGTH
        and len(words) >= MIN_WORDS
        and not text.isupper()  # títulos, firmas y nombres de quien habla
        and "\ufffd" not in text  # así se lee un byte que no es UTF-8
        and sum(map(str.isalpha, text)) >= MIN_LETTERS * len(text)
        and sum(word in FUNCTION_WORDS for word in words) >= MIN_FUNCTION_WORDS * len(words)
    )


# --- un lector por formato: de los bytes de un archivo a sus documentos, que son listas de párrafos ---


def _decode(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")


def _plain_markdown(text: str) -> str:
    """Markdown sin enlaces, etiquetas HTML ni marcas de título, cita o énfasis."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"</?[A-Za-z][^<>]*>|\*+|\\|^[#>]+ *", "", text, flags=re.MULTILINE)


def _plain_rst(text: str) -> str:
    """reStructuredText sin marcas: de un enlace o una referencia queda lo que se lee."""
    text = re.sub(r"(?<!`)`([^`<]+?)\s*<[^`>]*>`(?!`)", r"`\1`", text)
    text = re.sub(r"(?::[\w:+-]+:)?`+([^`]*)`+_*", r"\1", text)
    return re.sub(r"[`*\\]+", "", text)


def read_tei(data: bytes) -> Iterator[list[str]]:
    """Una novela en XML-TEI: los párrafos y versos del cuerpo, sin títulos, notas ni llamadas a nota."""
    # ElementTree no sigue entidades externas.
    body = ElementTree.fromstring(data).find(".//{*}text/{*}body")

    def tag(element) -> str:
        return element.tag.rpartition("}")[2]

    def text(element) -> str:
        parts = [element.text or ""]
        for child in element:
            parts += ["" if tag(child) in ("note", "ref") else text(child), child.tail or ""]
        return "".join(parts)

    def paragraphs(element) -> Iterator[str]:
        for child in element:
            if tag(child) in ("p", "l"):
                yield text(child)
            elif tag(child) != "note":
                yield from paragraphs(child)

    if body is not None:
        yield list(paragraphs(body))


def read_speech(data: bytes) -> Iterator[list[str]]:
    """Un discurso en Markdown: lo que sigue al título y a la fecha entre corchetes."""
    text = _decode(data)
    body = re.split(r"^\\?\[[^\n]*\d{4}\\?\] *$", text, maxsplit=1, flags=re.MULTILINE)[-1]
    # Los últimos («# título») traen un párrafo por renglón; los demás, renglones cortados.
    yield _plain_markdown(body).split("\n" if text.startswith("#") else "\n\n")


def read_speeches_csv(data: bytes) -> Iterator[list[str]]:
    """Discursos en la columna ``content`` de un CSV."""
    import pandas as pd

    for content in pd.read_csv(io.BytesIO(data))["content"].dropna():
        yield content.splitlines()


def read_transcript(data: bytes) -> Iterator[list[str]]:
    """Una versión estenográfica, sin sus tres renglones de encabezado."""
    yield _decode(data).splitlines()[3:]


# Un renglón sigue al anterior si empieza en minúscula y no es un inciso («a)», «a.»).
_CONTINUES = re.compile(r"(?![a-z]{1,4}\)|[a-z]\. )[a-záéíóúüñ]|N[°º]")
_ARTICLE = re.compile(r"(?:art[íi]culo|art)\.?\s*\d+\s*[°ºª]?(?:\s*(?:bis|ter)\b)?[\s.:–—-]*", re.IGNORECASE)


def read_law(data: bytes) -> Iterator[list[str]]:
    """Una ley en Markdown: sin metadatos ni números de artículo, y con los renglones vueltos a unir."""
    body = re.sub(r"\A---\n.*?\n---\n", "", _decode(data), flags=re.DOTALL)
    paragraphs: list[str] = []
    for line in filter(None, map(str.strip, _plain_markdown(body).splitlines())):
        is_open = paragraphs and paragraphs[-1][-1] not in ".;:"
        if is_open and (_CONTINUES.match(line) or paragraphs[-1].split()[-1] in FUNCTION_WORDS):
            paragraphs[-1] += " " + line
        else:
            paragraphs.append(line)
    yield [_ARTICLE.sub("", text, count=1) if _ARTICLE.match(text) else text for text in paragraphs]


_MESSAGE = re.compile(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"(?:\n|\Z))+)', re.MULTILINE)


def read_po(data: bytes) -> Iterator[list[str]]:
    """Un catálogo de gettext: las traducciones que no están marcadas como dudosas (*fuzzy*)."""
    paragraphs = []
    for entry in _decode(data).split("\n\n"):
        message = _MESSAGE.search(entry)
        if message and message[1] != '""\n' and not re.search(r"^#,.*\bfuzzy\b", entry, re.MULTILINE):
            text = "".join(line[1:-1] for line in message[2].splitlines())
            paragraphs.append(
                _plain_rst(re.sub(r"\\(.)", lambda match: {"n": " "}.get(match[1], match[1]), text))
            )
    yield paragraphs


def read_conllu(data: bytes) -> Iterator[list[str]]:
    """Las oraciones de un banco de árboles de Universal Dependencies, como un solo documento."""
    yield re.findall(r"^# text = (.*)$", _decode(data), re.MULTILINE)


def read_squad(data: bytes) -> Iterator[list[str]]:
    """Los párrafos de cada artículo de un archivo con el formato de SQuAD."""
    for article in json.loads(data)["data"]:
        yield [paragraph["context"] for paragraph in article["paragraphs"]]


# --- registro -------------------------------------------------------------------------------------

# El commit fija el contenido. No hay sha256 porque GitHub arma cada tar al vuelo, sin bytes fijos.
COMMITS = {
    "COST-ELTeC/ELTeC-spa": "83e2a22d5ef66f96e59f47f7ef810358c4236322",
    "UniversalDependencies/UD_Spanish-GSD": "57c045644664e5c1e169263cc4e3b95e40c078ba",
    "UniversalDependencies/UD_Spanish-PUD": "c2571d760542d0e8dbdc94af6930a222a4cccaf6",
    "cligs/textbox": "1b91e940475c8a7e866457a3953fed5edb0a29f1",
    "fer-aguirre/discursos_milei": "004b93f6dc99e1fbb6ae5304b2b222d8b0500c6f",
    "fferegrino/mananeras": "ca7717347cb8229ed472d254f0503cc9ebf3f955",
    "google-deepmind/xquad": "1b99b75618185a95c825655f77eb21e020f7e2d7",
    "legalize-dev/legalize-ar": "3b589c1398d6c16de4e6a4f4986d511559659a56",
    "mgaitan/discursos_cfk": "d97d811aa5cd5856507138af10261f77cf509d11",
    "python/python-docs-es": "91f4ccc0baa8c7cbeb739e696c641388264caa30",
}


@dataclass(frozen=True)
class Source:
    """Un repositorio de GitHub, o un archivo suyo, y cómo se lee.

    Attributes
    ----------
    repo : str
        Clave de ``COMMITS``.
    read : callable
        Lector de cada archivo.
    path : str
        Ruta de un archivo suelto.
    members : str
        Sin ``path``: expresión regular de las rutas que se leen del repositorio entero.
    last : str
        La última ruta que se lee, por orden alfabético; vacía, todas.
    every : int
        De cuántos archivos se lee uno, empezando por el primero.
    endings : str
        Con qué puede terminar una oración; vacía, con cualquier cosa.
    """

    repo: str
    read: Callable[[bytes], Iterator[list[str]]]
    path: str = ""
    members: str = ""
    last: str = ""
    every: int = 1
    endings: str = ""

    @property
    def urls(self) -> tuple[str, ...]:
        """Dónde está, en orden de preferencia."""
        if self.path:
            return datasets._github(self.repo, COMMITS[self.repo], self.path)
        return (f"https://codeload.github.com/{self.repo}/tar.gz/{COMMITS[self.repo]}",)

    @property
    def file(self) -> str:
        """Cómo se llama en la caché."""
        return f"{self.repo.replace('/', '-')}-{COMMITS[self.repo][:10]}.{Path(self.path).name or 'tar.gz'}"


_UD = "UniversalDependencies/UD_Spanish-"
SOURCES = {
    "discursos_cfk": [Source("mgaitan/discursos_cfk", read_speech, members=r"\d{4}\.[^/]*\.md")],
    "discursos_milei": [Source("fer-aguirre/discursos_milei", read_speeches_csv, "data/discursos_milei.csv")],
    "eltec_spa": [  # unos 28 MB: 47 de 101 novelas
        Source(
            "COST-ELTeC/ELTeC-spa",
            read_tei,
            members=r"level1/[^/]*\.xml",
            last="level1/SPA3002_LeopoldoAlas_LaRegenta.xml",
        )
    ],
    "leyes_ar": [  # unos 20 MB
        Source("legalize-dev/legalize-ar", read_law, "", r"ar/LEY-2\d*\.md", "ar/LEY-24072.md", endings=".;:")
    ],
    "mananeras_mx": [Source("fferegrino/mananeras", read_transcript, members=r"articulos/.*\.txt", every=5)],
    "novela_hispanoamericana": [
        Source("cligs/textbox", read_tei, members=r"spanish/novela-hispanoamericana/tei/\w+\.xml")
    ],
    "python_docs_es": [Source("python/python-docs-es", read_po, members=r".*\.po")],
    "ud_xquad": [
        Source(_UD + "GSD", read_conllu, "es_gsd-ud-dev.conllu"),
        Source(_UD + "GSD", read_conllu, "es_gsd-ud-test.conllu"),
        Source(_UD + "PUD", read_conllu, "es_pud-ud-test.conllu"),
        Source("google-deepmind/xquad", read_squad, "xquad.es.json"),
    ],
}


# --- descarga y conversión ------------------------------------------------------------------------


def fetch(source: Source) -> Path:
    """Ruta local de una fuente, que se descarga si no está en la caché.

    Raises
    ------
    CorpusError
        Si no hay red o no se puede escribir en la caché.
    """
    path = datasets.cache_dir() / source.file
    if path.exists():
        return path
    try:
        datasets._check_writable(path.parent)
    except datasets.DatasetError as error:
        raise CorpusError(str(error)) from None
    try:
        return datasets._download(source.urls, path, None)
    except datasets.DatasetError:
        raise CorpusError(
            f"No pude descargar {source.urls[0]}: revisá la conexión y el espacio en disco, y volvé a ejecutar "
            f"(lo ya convertido no se repite); o dejá el archivo en {path}."
        ) from None


def _contents(source: Source, path: Path, progress: bool) -> Iterator[bytes]:
    """Los archivos elegidos de una fuente, leídos en memoria: nada del tar se escribe en el disco."""
    from tqdm import tqdm

    if source.path:
        yield path.read_bytes()
        return
    found = 0
    with (
        open(path, "rb") as raw,
        tarfile.open(fileobj=raw, mode="r:gz") as tar,
        tqdm(
            total=path.stat().st_size, unit="B", unit_scale=True, desc=source.repo, disable=not progress
        ) as bar,
    ):
        for member in tar:  # git los pone por orden alfabético
            bar.update(raw.tell() - bar.n)
            name = member.name.partition("/")[2]
            if member.isfile() and re.fullmatch(source.members, name) and name <= (source.last or name):
                if found % source.every == 0:
                    yield tar.extractfile(member).read()
                found += 1
        while tar.fileobj.read(2**20):  # hasta el final, que es donde gzip comprueba que esté entero
            pass


def documents(name: str, progress: bool = True) -> Iterator[list[str]]:
    """Descarga una fuente y recorre sus documentos, ya filtrados y sin oraciones repetidas.

    Parameters
    ----------
    name : str
        Clave de ``SOURCES``.
    progress : bool
        Si se muestran barras.

    Yields
    ------
    list of str
        Las oraciones de un documento; nunca vacía.

    Raises
    ------
    CorpusError
        Como :func:`fetch`, o si lo descargado está dañado o no tiene lo que se esperaba.
    """
    seen: set[str] = set()
    for source in SOURCES[name]:
        path, before = fetch(source), len(seen)
        try:
            for data in _contents(source, path, progress):
                for paragraphs in source.read(data):
                    sentences = [
                        text for paragraph in paragraphs for text in split_sentences(clean(paragraph))
                    ]
                    kept = [
                        text for text in dict.fromkeys(sentences) if text not in seen and is_sentence(text)
                    ]
                    if kept := [text for text in kept if not source.endings or text[-1] in source.endings]:
                        seen.update(kept)
                        yield kept
        except (
            tarfile.TarError,
            zlib.error,
            EOFError,
            OSError,
            SyntaxError,
            ValueError,
            LookupError,
        ) as error:
            raise CorpusError(
                f"La descarga {path} está dañada ({error}): borrala y volvé a ejecutar."
            ) from None
        if len(seen) == before:
            raise CorpusError(f"La descarga {path} no tiene lo que esperaba: borrala y volvé a ejecutar.")


def convert(name: str, folder: Path | str, progress: bool = True) -> tuple[int, int]:
    """Escribe ``corpus_es_<name>.txt.xz`` en una carpeta; si ya está, no hace nada.

    Se escribe aparte y se renombra al final: una conversión cortada no deja un archivo a medias.

    Returns
    -------
    documents, sentences : int
        Cuántos escribió; 0 y 0 si ya estaba.

    Raises
    ------
    CorpusError
        Como :func:`documents`, o si no se puede escribir en la carpeta.
    """
    path = Path(folder) / f"corpus_es_{name}.txt.xz"
    written = sentences = 0
    try:
        if path.exists():
            return 0, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".corpus_es_") as temporary:
            partial = Path(temporary) / path.name
            with lzma.open(partial, "wt", encoding="utf-8", newline="\n") as file:
                for document in documents(name, progress):
                    file.write("\n".join(document) + "\n\n")
                    written, sentences = written + 1, sentences + len(document)
            os.replace(partial, path)
    except OSError as error:
        raise CorpusError(
            f"No puedo escribir en {path.parent} ({error.strerror}): elegí otra carpeta."
        ) from None
    return written, sentences


def main() -> None:
    """Convierte las fuentes que falten y dice cuánto quedó de cada una."""
    parser = argparse.ArgumentParser(
        prog="python -m utils.corpus_sources",
        description="Descarga y convierte el corpus de preentrenamiento.",
    )
    parser.add_argument("carpeta", help="dónde dejar los .txt.xz")
    parser.add_argument(
        "--fuentes",
        nargs="+",
        choices=SOURCES,
        default=list(SOURCES),
        metavar="FUENTE",
        help=f"por omisión, todas: {', '.join(SOURCES)}",
    )
    arguments = parser.parse_args()
    for name in arguments.fuentes:
        try:
            written, sentences = convert(name, arguments.carpeta)
        except CorpusError as error:
            raise SystemExit(str(error)) from None
        print(f"{name}: {f'{written} documentos, {sentences} oraciones' if written else 'ya estaba'}")


if __name__ == "__main__":
    main()
