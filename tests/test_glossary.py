"""El glosario: en orden alfabético, sin repetir, y cada término lleva a la sección donde se explica."""

import re
import unicodedata

import prose
import pytest
from conftest import ROOT

GLOSSARY = ROOT / "GLOSARIO.md"
ENTRY = re.compile(
    r"- \*\*(?P<term>[^*]+)\*\*(?: \((?P<english>[^)]+)\))?: (?P<sentence>.+)\. \[(?P<label>[^\]]+)\]\((?P<link>\S+)\)"
)
LINES = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]


def in_dictionary(term: str) -> str:
    """La clave de orden: sin tildes ni signos, con la eñe después de la ene."""
    letters = unicodedata.normalize("NFD", term.casefold().replace("ñ", "n\uffff").replace("-", " "))
    return re.sub(r"[^\w ]", "", "".join(letter for letter in letters if not unicodedata.combining(letter)))


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("**")[1])
def test_entry_leads_to_its_section(line):
    entry = ENTRY.fullmatch(line)
    assert entry, "tiene que ser «- **término** (*inglés*): oración. [lugar](notebook#título)»"
    path, _, anchor = entry["link"].partition("#")
    assert ROOT / path in prose.NOTEBOOKS
    known = prose.anchors(ROOT / path)
    assert anchor in known, f"los títulos de {path} son: {', '.join(known)}"
    number = re.match(r"(\d+(?:\.\d+)?)\.? ", known[anchor])
    short = path.split("/")[1][:2]
    if number:
        assert entry["label"] == f"{short} §{number[1]}"
    else:
        assert entry["label"].startswith(short)
    assert entry["sentence"][0] == entry["sentence"][0].lower(), "empieza en minúscula"


def test_is_in_alphabetical_order_without_repetitions():
    terms = [in_dictionary(line.split("**")[1]) for line in LINES]
    assert terms == sorted(set(terms))


def test_letters_are_those_of_their_entries():
    letter = None
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            letter = line.removeprefix("## ")
        elif line.startswith("- "):
            assert in_dictionary(line.split("**")[1])[0].upper() == letter
