"""Lo que se publica, leído como texto: la prosa, los títulos y los enlaces de notebooks, README, fichas y código."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from conftest import ROOT

NOTEBOOKS = sorted(ROOT.glob("clase_*/*.ipynb"))
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "clase_*/**/*.md", "utils/**/*.md", "sitio/*.md")
    for path in ROOT.glob(pattern)
)
SOURCES = sorted(
    path
    for pattern in ("utils/*.py", "tests/*.py", "sitio/*.py", "clase_*/**/*.py")
    for path in ROOT.glob(pattern)
)


def cells(path: Path, kind: str) -> list[dict]:
    """Las celdas de un notebook que son de un tipo, con su texto en ``source``."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in found if cell["cell_type"] == kind]


def markdown(path: Path) -> str:
    """El Markdown de un archivo o de las celdas de un notebook."""
    if path.suffix == ".ipynb":
        return "\n\n".join(cell["source"] for cell in cells(path, "markdown"))
    return path.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """El Markdown sin código, fórmulas ni comentarios."""
    for pattern in (r"```.*?```", r"<!--.*?-->", r"\$\$.*?\$\$", r"(`+)[^`].*?\1", r"\$[^$\n]+\$"):
        text = re.sub(pattern, " ", text, flags=re.S)
    return text


def anchors(path: Path) -> dict[str, str]:
    """De ancla a título, como las arman GitHub y MyST: minúsculas, guiones y, si se repite, un número."""
    found = {}
    text = re.sub(r"```.*?```", " ", markdown(path), flags=re.S)
    for title in re.findall(r"^#{1,6} +(.+?) *$", text, re.M):
        base = anchor = re.sub(r"[^\w\- ]", "", title.lower().replace(" ", "-"))
        repeated = 0
        while anchor in found:
            repeated += 1
            anchor = f"{base}-{repeated}"
        found[anchor] = title
    return found


def links(path: Path) -> list[str]:
    """Los destinos de los enlaces e imágenes de un archivo."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "x", markdown(path), flags=re.S)
    return re.findall(r"\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)\)", text)


# --- prosa ----------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """La prosa de un Markdown: sin código, fórmulas, direcciones, inglés, citas entre «» ni cursivas.

    Entre comillas van palabras de los ejemplos, con sus errores; en cursiva, extranjerismos y títulos.
    """
    text = re.sub(r'<p lang="en">.*?</p>', " ", without_code(text), flags=re.S)
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1", text)
    text = re.sub(r":[a-z]+:(?= )", " ", text)  # de :func:`…` ya se fue el nombre
    text = re.sub(
        r"https?://\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|io|cc|co|de|dev|html|md|py)\b\S*", " ", text
    )
    text = re.sub(r"^\*\*Fuentes?\.\*\*.*$", " ", text, flags=re.M)
    while (shorter := re.sub(r"«[^«»]*»|“[^“”]*”", " ", text)) != text:
        text = shorter
    text = re.sub(r"(?<!\*)\*(?![*\s])[^*\n]+\*(?!\*)|\*{3}[^*\n]+\*{3}", " ", text)
    return re.sub(r"<[^<>\n]*>|[*#]+", " ", text)


def outputs(path: Path) -> str:
    """Los párrafos que las celdas mostraron como Markdown; las tablas no, que traen palabras sueltas."""
    found = []
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            text = "".join(output.get("data", {}).get("text/markdown", ""))
            found += [line for line in text.splitlines() if not line.startswith("|")]
    return "\n\n".join(found)


def comments(code: str) -> str:
    """Los comentarios y los docstrings de un código, sin tipos, ejemplos ni referencias."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(_docstring_prose(ast.get_docstring(node) or ""))
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            found.append(re.sub(r"^#\W*|\b(?:noqa|fmt)\b.*", "", token.string))
    return "\n\n".join(found)


def _docstring_prose(text: str) -> str:
    """De un docstring de numpydoc, las oraciones.

    En las secciones de parámetros y resultados son las líneas con sangría: las demás dicen nombres y tipos.
    Las de ejemplos y referencias no se leen.
    """
    head, *sections = re.split(r"^(\w+)\n-+\n", text, flags=re.M)
    kept = [line for line in head.splitlines() if not line.startswith(("    ", ">>>"))]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title not in ("Examples", "References"):
            kept += [line for line in body.splitlines() if line.startswith("    ") or title == "Notes"]
    return "\n".join(kept)


def names(code: str) -> set[str]:
    """Los identificadores de un código: en sus comentarios valen como palabras."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {part for token in tokens if token.type == tokenize.NAME for part in token.string.split("_")}


def words(text: str) -> Iterator[tuple[str, bool]]:
    """Las palabras de una prosa, cada una con un aviso de si puede ser un nombre propio.

    Se saltean las siglas y lo que lleva cifras, guiones bajos, puntos o barras en el medio, que es código.
    Una mayúscula que no abre oración es de un nombre propio.
    """
    for match in re.finditer(r"[\w@](?:[\w./@'’+=-]*[\w+])?", text):
        token = match[0]
        if re.search(r"[\d_./@'’+=]", token) or re.search(r"(?<=.)[A-ZÁÉÍÓÚÑ]", token):
            continue
        before = text[: match.start()].rstrip(" \t(¿¡")
        opens = not before or before[-1] in ".:;?!…|\n-"
        for part in token.split("-"):
            if part.isalpha():
                yield part, part[0].isupper() and not opens
