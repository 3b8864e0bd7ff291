"""La ortografía de lo que se lee: notebooks y sus conclusiones, README, fichas, comentarios y docstrings.

Las palabras que el diccionario no trae y están bien van en ``palabras.txt``, cada una con el motivo.
"""

import re
from collections import Counter
from functools import cache

import prose
import pytest
from conftest import ROOT
from spanish import problem, tables, with_acute, without_acute

WORD_LIST = ROOT / "tests" / "palabras.txt"
REASONS = {
    "derivada",  # formada con las reglas del castellano; el diccionario no la trae
    "informática",  # del oficio, y sin equivalente más corriente
    "ejemplo",  # de un texto de ejemplo, citado sin comillas
    "inglés",  # nombre de una técnica o de un objeto que se usa en inglés
    "lingüística",  # término del campo
    "nombre",  # de una persona, un programa o un conjunto de datos
    "norma",  # la Academia la prefiere así; la web, no
    "voseo",
}


@pytest.fixture(scope="module", autouse=True)
def release_the_tables():
    """Las tablas ocupan cientos de MB; las pruebas que siguen no las usan."""
    yield
    tables.cache_clear()


@cache
def allowed() -> dict[str, str]:
    """De palabra, en minúscula, a motivo."""
    lines = WORD_LIST.read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return {word.lower(): reason for word, reason in pairs}


def texts(path) -> list[tuple[str, set[str]]]:
    """Las prosas de un archivo; cada una, con los identificadores que en ella valen como palabras."""
    if path.suffix == ".md":
        return [(prose.plain(prose.markdown(path)), set())]
    if path.suffix == ".py":
        codes = [path.read_text(encoding="utf-8")]
        written = []
    else:
        codes = [cell["source"] for cell in prose.cells(path, "code")]
        written = [(prose.plain(text), set()) for text in (prose.markdown(path), prose.outputs(path))]
    return written + [(prose.plain(prose.comments(code)), prose.names(code)) for code in codes]


@cache
def suspects(path) -> dict[str, str]:
    """Las palabras dudosas de un archivo, sin descontar las de la lista, y qué tienen."""
    found = {}
    for text, identifiers in texts(path):
        for word, proper in prose.words(text):
            if not proper and len(word) > 1 and word not in identifiers and (doubt := problem(word)):
                found[word] = doubt
    return found


EVERYTHING = [*prose.DOCUMENTS, *prose.NOTEBOOKS, *prose.SOURCES]
everything = pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: path.relative_to(ROOT).as_posix())


@everything
def test_is_well_spelled(path):
    wrong = {word: doubt for word, doubt in suspects(path).items() if word.lower() not in allowed()}
    assert not wrong, "corregir, poner entre acentos graves si es código o sumar a tests/palabras.txt"


@everything
def test_no_word_is_repeated(path):
    for text, _ in texts(path):
        assert re.findall(r"\b([^\W\d_]{2,}) \1\b", text) == []


def test_word_list_is_sorted_minimal_and_justified():
    words = [line.split()[0] for line in WORD_LIST.read_text().splitlines() if not line.startswith("#")]
    assert words == sorted(words, key=lambda word: (without_acute(word.lower()), word))
    assert set(allowed().values()) <= REASONS
    used = Counter(word.lower() for path in EVERYTHING for word in suspects(path))
    assert sorted(allowed().keys() - used.keys()) == [], "ya no hacen falta"


@pytest.mark.parametrize(
    "word", ["tambien", "analisis", "numero", "fué", "palbra", "peliculas", "haciendolo"]
)
def test_mistakes_are_caught(word):
    assert problem(word)


@pytest.mark.parametrize(
    "word", ["también", "esta", "está", "solo", "medirlas", "quitársela", "Borges", "qué"]
)
def test_good_words_pass(word):
    assert problem(word) is None


def test_acute_forms():
    assert with_acute("pie") == ["píe", "pié"]
    assert without_acute("ñandú pingüino") == "ñandu pingüino"
