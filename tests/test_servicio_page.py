"""La página, en un Chromium sin ventana: se escribe, se aprieta, se lee la respuesta y la consola calla."""

import json
import sys

import chromium
import pytest
from conftest import ROOT
from fake_service import stars

from clase_8.servicio.launch import serving

FAKE = (sys.executable, str(ROOT / "tests" / "fake_service.py"))
REVIEW = "La tela es linda"


@pytest.fixture(scope="module")
def server():
    with serving(FAKE) as server:
        yield server


@pytest.mark.skipif(chromium.PROGRAM is None, reason="no hay Chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_every_tab(server, width, tmp_path):
    with chromium.browsing(tmp_path / "perfil") as page:
        page.open(server.url, width)
        page.write("#resena textarea", REVIEW)
        page.press("#calificar")
        value = "document.querySelector('#estrellas [data-testid=label-output-value]')"
        said = page.wait(f"{value} && {value}.innerText")
        assert said.strip().startswith(f"{stars(REVIEW)} estrella")
        assert page.wait("document.querySelector('#palabras').innerText").count("tela") == 1
        page.picture(tmp_path / f"estrellas_{width}.png")

        page.choose_tab("Resumen")
        sentences = "Había un faro en la isla. Lo cuidaban tres familias del pueblo. Hoy es automático."
        page.write("#texto textarea", sentences)
        page.press("#resumir")
        page.wait("document.querySelector('#resumen textarea').value.startsWith('Había un faro')")
        page.picture(tmp_path / f"resumen_{width}.png")

        page.choose_tab("Palabra")
        page.write("#tapado textarea, #tapado input", "Hoy salió el [MASK].")
        page.press("#adivinar")
        page.wait("document.querySelector('#candidatas').innerText.includes('sol')")
        page.picture(tmp_path / f"tapada_{width}.png")

        page.choose_tab("Bot")
        for message in ("hola", "<b>dos</b>"):
            page.write("#mensaje textarea, #mensaje input", message)
            page.press("#enviar")
            page.wait("(document.querySelector('#mensaje textarea, #mensaje input')).value === ''")
        expected = json.dumps("hola | <b>dos</b>")  # recuerda el primero, y el HTML se ve como se escribió
        page.wait(f"document.querySelector('#chat').innerText.includes({expected})")
        page.picture(tmp_path / f"bot_{width}.png")

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.errors == []


@pytest.mark.skipif(chromium.PROGRAM is None, reason="no hay Chromium")
def test_an_error_is_shown_in_spanish(server, tmp_path):
    with chromium.browsing(tmp_path / "perfil") as page:
        page.open(server.url, 1280)
        page.choose_tab("Palabra")
        page.write("#tapado textarea, #tapado input", "sin nada tapado")
        page.press("#adivinar")
        page.wait("document.body.innerText.includes('se escribe [MASK]')")


@pytest.mark.skipif(chromium.PROGRAM is None, reason="no hay Chromium")
def test_an_example_can_be_clicked(server, tmp_path):
    with chromium.browsing(tmp_path / "perfil") as page:
        page.open(server.url, 1280)
        row = "[...document.querySelectorAll('button, td')].find(e => e.innerText.startsWith('La tela es preciosa'))"
        page.wait(f"{row} !== undefined")
        page.evaluate(f"{row}.click()")
        page.wait("document.querySelector('#resena textarea').value.startsWith('La tela es preciosa')")
