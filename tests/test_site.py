"""El sitio construido: enlaces que abren, nada que pedir a la red y figuras con descripción.

Mira lo que dejó ``make sitio`` en ``build/sitio``; si no se construyó, no hay qué mirar.
"""

import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

SITE = ROOT / "build" / "sitio"
PAGES = sorted(page for page in SITE.rglob("*.html") if "_static" not in page.parts)
pytestmark = pytest.mark.skipif(not PAGES, reason="no hay sitio: lo construye make sitio")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(SITE).as_posix())


class Page(HTMLParser):
    """Lo que interesa de una página: anclas, enlaces, recursos que carga e imágenes."""

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.links, self.loads, self.images, self.language = set(), [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given.get("id"), given.get("name") if tag == "a" else None} - {None}
        if tag == "html":
            self.language = given.get("lang", "")
        elif tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "script" and given.get("src"):
            self.loads.append(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(given["href"])
        elif tag == "img":
            self.images.append(given)


@cache
def read(page) -> Page:
    return Page(page.read_text(encoding="utf-8"))


def is_external(link: str) -> bool:
    return bool(urlsplit(link).scheme or urlsplit(link).netloc)


@every_page
def test_internal_links_open(page):
    for link in read(page).links + read(page).loads:
        if is_external(link):
            continue
        parts = urlsplit(link)
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), link
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in read(target).ids, link


@every_page
def test_asks_nothing_of_the_network(page):
    assert [load for load in read(page).loads if is_external(load)] == []


@every_page
def test_is_in_spanish_and_its_figures_are_described(page):
    assert read(page).language == "es"
    for image in read(page).images:
        assert image.get("alt"), image.get("src")
        source = image.get("src", "")
        assert is_external(source) or (page.parent / unquote(urlsplit(source).path)).is_file(), source


def test_has_a_page_for_each_notebook_class_and_card():
    sources = [
        path
        for pattern in (
            "clase_*/*.ipynb",
            "clase_*/README.md",
            "utils/datos/*.md",
            "utils/modelos/*/README.md",
        )
        for path in ROOT.glob(pattern)
    ]
    assert [
        path for path in sources if not (SITE / path.relative_to(ROOT)).with_suffix(".html").exists()
    ] == []


def test_search_finds_a_word_and_where_it_is():
    index = (SITE / "searchindex.js").read_text(encoding="utf-8")
    assert re.search(r'"?perplej\w*"?:', index)
    assert '"clase_4/4b_proxima_palabra"' in index


def test_formulas_are_drawn_with_the_bundled_mathjax():
    page = SITE / "clase_1" / "1a_bolsa_de_palabras.html"
    assert any("tex-svg.js" in load for load in read(page).loads)
