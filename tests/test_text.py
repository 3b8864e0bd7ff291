"""Las funciones de texto: tildes y lemas."""

import unicodedata

from conftest import assert_light_import

from utils import text


def test_import_is_light():
    assert_light_import("utils.text")


def test_strip_accents_keeps_the_enie_and_nothing_else():
    assert text.strip_accents("El pingüino añoró su ÑANDÚ") == "El pinguino añoro su ÑANDU"
    assert text.strip_accents("año", keep="") == "ano"
    assert text.strip_accents(unicodedata.normalize("NFD", "año")) == "año"
    assert text.strip_accents("") == ""


def test_lemmas_come_from_a_table():
    nlp = text.pipeline()
    assert [token.lemma_ for token in nlp("gatos dormían")] == ["gato", "dormir"]
    assert text.pipeline() is nlp
