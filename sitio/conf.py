"""El sitio del portfolio: los notebooks ejecutados, los README y las fichas, leídos de donde están.

Sphinx toma la raíz del repositorio como fuente y no ejecuta nada. Lo que GitHub resuelve solo y un sitio no (el
índice, los enlaces a carpetas y a código, la descripción de las figuras) se completa al leer cada archivo. Las
páginas no piden nada a la red: MathJax va con ellas.
"""

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import quote, unquote

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from utils.portfolio import stamped_repository  # noqa: E402

REPOSITORY = f"https://github.com/{stamped_repository()}"
MATHJAX = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"

project = html_title = "Portfolio de PLN"
author = "quienes escriben este portfolio"
language = "es"
root_doc = "README"
extensions = ["myst_nb", "sphinx.ext.mathjax"]
include_patterns = [
    "README.md",
    "GLOSARIO.md",
    "clase_*/README.md",
    "clase_*/*.ipynb",
    "utils/datos/*.md",
    "utils/modelos/*/README.md",
]
exclude_patterns = [".*", "build", "sitio", "tests"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # las conclusiones traen tablas y fórmulas
suppress_warnings = ["mystnb.unknown_mime_type"]  # las métricas que declara utils.results.record
nb_ipywidgets_js = {}  # no hay controles, y los traería de la red
myst_enable_extensions = ["amsmath", "dollarmath", "html_image"]
myst_heading_anchors = 4

html_theme = "sphinx_book_theme"
html_static_path = ["estilo.css", str(MATHJAX / "tex-svg.js")]
html_css_files = ["estilo.css"]
mathjax_path = "tex-svg.js"  # un solo archivo, con las letras adentro
html_use_index = False
html_show_search_summary = False  # los pide de a uno, y abierto desde el disco el navegador los niega
html_context = {"default_mode": "auto"}
html_show_copyright = False
html_theme_options = {
    "repository_url": REPOSITORY,
    "repository_branch": "main",
    "use_repository_button": True,
    "use_fullscreen_button": False,
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "home_page_in_toc": True,
    "navbar_persistent": [],  # la búsqueda ya está en la barra lateral
    "toc_title": "En esta página",
    "search_bar_text": "Buscar…",
}


def contents(path: Path) -> str:
    """El índice que le falta a un README: el de la raíz lleva a todo, y el de una clase, a sus notebooks."""
    if path == ROOT / "README.md":
        classes = sorted(folder.name for folder in ROOT.glob("clase_*") if (folder / "README.md").exists())
        cards = sorted(ROOT.glob("utils/datos/*.md")) + sorted(ROOT.glob("utils/modelos/*/README.md"))
        return toctree("Clases", [f"{name}/README" for name in classes] + ["GLOSARIO"]) + toctree(
            "Datos y modelos", [card.relative_to(ROOT).with_suffix("").as_posix() for card in cards]
        )
    if path.parent.parent == ROOT and path.name == "README.md":
        return toctree("", sorted(notebook.stem for notebook in path.parent.glob("*.ipynb")))
    return ""


def toctree(caption: str, names: list[str]) -> str:
    """Un índice que va en la barra lateral y no en la página."""
    options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
    return f"\n\n```{{toctree}}\n{options}\n" + "\n".join(names) + "\n```\n"


def to_repository(text: str, folder: Path, is_page) -> str:
    """Los enlaces a archivos y carpetas que no son páginas del sitio pasan a abrir el repositorio."""

    def replace(match):
        target = (folder / unquote(match[1])).resolve()
        if target.suffix in (".png", ".svg") or not target.exists() or is_page(target):
            return match[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"]({REPOSITORY}/{kind}/main/{quote(target.relative_to(ROOT).as_posix())})"

    return re.sub(r"\]\(([^()\s:#]+)\)", replace, text)


def describe_figures(cells: list[dict]) -> None:
    """Le pone a cada figura, como texto alternativo, la sección en que está."""
    title = ""
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            title = (re.findall(r"^#+ (.+)", text, re.M) or [title])[-1]
        else:
            cell["metadata"]["mystnb"] = {"image": {"alt": f"Figura de la sección «{title}»"}}


def complete(app, docname: str, source: list[str]) -> None:
    """Completa una fuente antes de que Sphinx la lea."""
    path = Path(app.env.doc2path(docname))

    def is_page(target):
        return app.env.path2doc(str(target)) in app.env.found_docs

    if path.suffix == ".md":
        source[0] = to_repository(source[0], path.parent, is_page) + contents(path)
        return
    notebook = json.loads(source[0])
    describe_figures(notebook["cells"])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = to_repository("".join(cell["source"]), path.parent, is_page)
    source[0] = json.dumps(notebook)


def add_front_page(app, error) -> None:
    """La portada es el README de la raíz: se la deja también con el nombre que piden los servidores."""
    if error is None:
        shutil.copyfile(app.outdir / "README.html", app.outdir / "index.html")


def setup(app):
    app.connect("source-read", complete)
    app.connect("build-finished", add_front_page)
