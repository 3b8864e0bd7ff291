"""Los enlaces internos abren algo que existe, las insignias abren lo que dicen y las imágenes se describen."""

import re
from urllib.parse import unquote

import prose
import pytest
from conftest import ROOT

from utils import portfolio

EVERYTHING = [*prose.DOCUMENTS, *prose.NOTEBOOKS]
everything = pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: path.relative_to(ROOT).as_posix())


@everything
def test_internal_links_exist(path):
    for link in prose.links(path):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists() and file.is_relative_to(ROOT), link
        if anchor and not anchor.startswith("L"):
            known = prose.anchors(file)
            assert anchor in known, f"{link}: los títulos de {file.name} son {', '.join(known)}"


@everything
def test_colab_badges_open_existing_notebooks(path):
    text = prose.markdown(path)
    badges = re.findall(r"\]\((https://colab\.research\.google\.com/github/[^)]+)\)", text)
    assert len(badges) == text.count("colab-badge.svg")
    where = [badge.partition("/blob/main/")[2] for badge in badges]
    assert badges == [portfolio.colab_url(portfolio.stamped_repository(), place) for place in where]
    assert all((ROOT / place).is_file() for place in where)


@everything
def test_images_have_a_description(path):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", prose.markdown(path), flags=re.S)
    assert "![](" not in text
    for image in re.findall(r"<img\b[^>]*>", text):
        assert re.search(r'\balt="[^"]+"', image), image
        source = re.search(r'\bsrc="([^"]+)"', image)[1]
        assert source.startswith("https://") or (path.parent / source).is_file(), image


def test_every_notebook_is_in_the_readmes():
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in prose.NOTEBOOKS:
        assert f"]({path.relative_to(ROOT).as_posix()})" in front
        assert f"]({path.name})" in (path.parent / "README.md").read_text(encoding="utf-8")
