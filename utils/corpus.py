"""El corpus de preentrenamiento: leerlo, limpiarlo, quitarle repeticiones y apartar la validación.

    python -m utils.corpus CARPETA      # cuenta lo leído y lo descartado, fuente por fuente

El corpus es una carpeta con un archivo ``.txt.xz`` por fuente (UTF-8, una oración por línea, una
línea en blanco entre documentos). De él salen los vectores y el BERT que trae el repositorio
(``utils/modelos/``), que dice en sus fichas de dónde vino cada fuente.

Qué se hace, en este orden:

1. Los archivos se leen por orden de nombre, y cada uno de principio a fin.
2. Cada oración se limpia: forma NFC de Unicode y un solo espacio entre palabras. Mayúsculas, tildes
   y puntuación quedan como estaban: qué hacer con ellas lo decide cada modelo.
3. Cada documento va a entrenamiento o a validación según el sha256 de su texto: 1 de cada 100 es de
   validación. No hay azar, así que agregar o quitar fuentes no mueve a los demás documentos.
4. Se descarta toda oración idéntica a una ya leída, en cualquier documento y en cualquier fuente:
   gana la primera. Así ninguna oración está a la vez en entrenamiento y en validación.
5. Se descartan los documentos que quedan sin oraciones.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VALIDATION_FRACTION = 0.01


class CorpusError(RuntimeError):
    """El corpus no se pudo leer; el mensaje dice qué pasó y qué hacer."""


@dataclass(frozen=True)
class Document:
    """Un documento del corpus, ya limpio y sin oraciones repetidas.

    Attributes
    ----------
    source : str
        Archivo del que viene, sin extensión.
    sentences : list of str
        Sus oraciones, en orden; nunca vacía.
    validation : bool
        Si está apartado para medir y no se puede entrenar con él.
    duplicates : int
        Cuántas oraciones se le quitaron por repetidas.
    """

    source: str
    sentences: list[str]
    validation: bool
    duplicates: int


def clean(text: str) -> str:
    """El texto en forma NFC y con un solo espacio entre palabras."""
    # La tilde que llega como carácter aparte («a» + U+0301) haría de «más» dos palabras distintas.
    return " ".join(unicodedata.normalize("NFC", text).split())


def is_validation(sentences: list[str]) -> bool:
    """Si un documento es de validación: lo decide el sha256 de sus oraciones limpias."""
    digest = hashlib.sha256("\n".join(sentences).encode()).digest()
    return int.from_bytes(digest[:8], "big") < VALIDATION_FRACTION * 2**64


def source_files(folder: Path | str) -> list[Path]:
    """Los ``.txt.xz`` de una carpeta, por orden de nombre.

    Raises
    ------
    CorpusError
        Si la carpeta no existe o no tiene ninguno.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CorpusError(f"No existe la carpeta {folder}: indicá la que contiene los .txt.xz del corpus.")
    files = sorted(folder.glob("*.txt.xz"))
    if not files:
        raise CorpusError(f"La carpeta {folder} no tiene archivos .txt.xz: indicá la que contiene el corpus.")
    return files


def documents(folder: Path | str, progress: bool = True) -> Iterator[Document]:
    """Recorre el corpus documento por documento, sin cargarlo entero en memoria.

    Parameters
    ----------
    folder : Path or str
        Carpeta con los ``.txt.xz``.
    progress : bool
        Si se muestra una barra, en bytes comprimidos leídos.

    Yields
    ------
    Document
        En el orden que dice el módulo.

    Raises
    ------
    CorpusError
        Si la carpeta falta o está vacía, o si un archivo está dañado.
    """
    from tqdm import tqdm

    files = source_files(folder)
    seen: set[bytes] = set()
    total = sum(file.stat().st_size for file in files)
    with tqdm(total=total, unit="B", unit_scale=True, desc="Corpus", disable=not progress) as bar:
        for file in files:
            source = file.name.removesuffix(".txt.xz")
            for sentences in _raw_documents(file, bar):
                kept = [sentence for sentence in sentences if _is_new(sentence, seen)]
                if kept:
                    duplicates = len(sentences) - len(kept)
                    yield Document(source, kept, is_validation(sentences), duplicates)


def _raw_documents(path: Path, bar) -> Iterator[list[str]]:
    """Los documentos de un archivo, limpios pero con sus repeticiones; adelanta la barra."""
    start = bar.n
    try:
        with open(path, "rb") as raw, lzma.open(raw, "rt", encoding="utf-8") as file:
            sentences = []
            for line in file:
                if text := clean(line):
                    sentences.append(text)
                elif sentences:
                    yield sentences
                    sentences = []
                    bar.update(start + raw.tell() - bar.n)
            if sentences:
                yield sentences
            bar.update(start + raw.tell() - bar.n)
    except (lzma.LZMAError, EOFError, UnicodeDecodeError):
        raise CorpusError(f"El archivo {path} está dañado: volvé a conseguirlo y ejecutá de nuevo.") from None


def _is_new(sentence: str, seen: set[bytes]) -> bool:
    """Si la oración no había aparecido, y la recuerda."""
    # Ocho bytes por oración alcanzan: con un millón, la chance de un choque es de 3 en 100 millones.
    key = hashlib.blake2b(sentence.encode(), digest_size=8).digest()
    if key in seen:
        return False
    seen.add(key)
    return True


def count_words(text: str) -> int:
    """Cuántas palabras tiene un texto: secuencias de letras o cifras."""
    return len(re.findall(r"\w+", text))


def summary(folder: Path | str, progress: bool = True):
    """Cuenta lo que queda y lo que se descarta.

    Returns
    -------
    pandas.DataFrame, shape (fuentes, 6)
        Una fila por fuente: ``documentos``, ``oraciones``, ``palabras``, ``repetidas`` (oraciones
        descartadas), ``documentos_validacion`` y ``palabras_validacion`` (incluidas en los totales).

    Raises
    ------
    CorpusError
        Como :func:`documents`.
    """
    import pandas as pd

    rows = {}
    for document in documents(folder, progress):
        words = sum(map(count_words, document.sentences))
        counted = (1, len(document.sentences), words, document.duplicates)
        held_out = (1, words) if document.validation else (0, 0)
        row = rows.setdefault(document.source, [0] * 6)
        rows[document.source] = [a + b for a, b in zip(row, counted + held_out, strict=True)]
    columns = ["documentos", "oraciones", "palabras", "repetidas"]
    columns += ["documentos_validacion", "palabras_validacion"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def main() -> None:
    """Imprime la cuenta de cada fuente y el total."""
    parser = argparse.ArgumentParser(
        prog="python -m utils.corpus", description="Cuenta un corpus de preentrenamiento."
    )
    parser.add_argument("carpeta", help="carpeta con los .txt.xz")
    try:
        table = summary(parser.parse_args().carpeta)
    except CorpusError as error:
        raise SystemExit(str(error)) from None
    table.loc["total"] = table.sum()
    print(table.to_string())


if __name__ == "__main__":
    main()
