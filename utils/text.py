"""Texto en español: limpiarlo y separarlo en palabras, raíces y lemas, sin descargar nada."""

from __future__ import annotations

import unicodedata
from functools import cache


def strip_accents(text: str, keep: str = "ñÑ") -> str:
    """Quita tildes y diéresis.

    Parameters
    ----------
    text : str
    keep : str
        Letras que se dejan como están. Sin «ñ» entre ellas, «año» pasa a ser «ano».

    Returns
    -------
    str
    """
    text = unicodedata.normalize("NFC", text)
    return "".join(letter if letter in keep else _bare(letter) for letter in text)


def _bare(letter: str) -> str:
    """La letra sin sus marcas."""
    parts = unicodedata.normalize("NFD", letter)
    return unicodedata.normalize("NFC", "".join(part for part in parts if not unicodedata.combining(part)))


@cache
def pipeline(language: str = "es"):
    """El separador de palabras de spaCy para un idioma, con lemas por tabla y sin modelo entrenado.

    La tabla da un lema por forma, sin mirar la oración: no puede distinguir el «vino» que se bebe del
    que llegó.

    Parameters
    ----------
    language : str
        Código de spaCy: ``"es"``, ``"en"``…

    Returns
    -------
    spacy.language.Language
        ``token.lemma_`` trae el lema.

    References
    ----------
    https://spacy.io/api/lemmatizer y https://github.com/explosion/spacy-lookups-data
    """
    import spacy

    nlp = spacy.blank(language)
    nlp.add_pipe("lemmatizer", config={"mode": "lookup"})
    nlp.initialize()
    return nlp
