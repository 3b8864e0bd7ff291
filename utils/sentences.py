"""Separar un texto en oraciones: con reglas, según el idioma y sin ningún modelo.

>>> split_sentences("La Dra. Paz llegó a las 8 a. m. ¿Quién la esperaba? Nadie.")
['La Dra. Paz llegó a las 8 a. m.', '¿Quién la esperaba?', 'Nadie.']
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    """Una lista de palabras, escrita corrida."""
    return frozenset(text.split())


# Abreviaturas a las que siempre les sigue algo: «Dra. Paz», «pág. 3». De las que pueden cerrar una
# oración («etc.», «EE. UU.», «a. m.») no hace falta lista: decide si lo que sigue va en mayúscula.
_ABBREVIATIONS = {
    "es": """sr sra srta sres sras dr dra dres d dña prof profa lic ing arq mtro mtra gral cnel tte cap cdte alm
        sgto mons pbro fr rvdo sto sta ilmo excmo hno hna pdte pág págs pg pp p art arts núm núms nro nros vol vols
        caps fig figs tít ed eds cf cfr vid ej p.ej av avda pza dpto depto edif tel máx mín aprox ca trad coord""",
    "en": """mr mrs ms mx dr prof rev fr hon gen col lt sgt capt cmdr gov sen rep pres st mt ft vs pp p fig figs vol
        vols ch sec ed eds cf viz approx e.g i.e al ave blvd""",
    "pt": "sr sra srs dr dra d prof profa eng gen cel cap pe sto sta pág págs p art núm vol fig ed av tel cf p.ex",
    "fr": "m mm mme mmes mlle dr pr me mgr st ste p pp art vol fig éd cf av bd chap p.ex tél",
    "it": "sig sigg sig.ra dott dott.ssa prof prof.ssa avv ing arch mons p pp art vol fig ed cfr p.es",
    "de": "hr fr dr prof dipl ing st nr bd abb kap art vgl bzw z.b d.h u.a evtl ggf inkl",
}
_ABBREVIATIONS = {language: _words(text) for language, text in _ABBREVIATIONS.items()}
_CLOSING_PAIRS = _words("a.c d.c a.m p.m s.a s.l b.c a.d ph.d")
# Con qué palabras se suele empezar una oración, y detrás de cuáles una letra suelta no es una inicial.
_STARTERS = _words(
    """
    el la los las lo un una unos unas en de del al a con sin por para según desde hasta entre sobre tras
    y e o ni pero aunque como cuando donde si no sí se su sus mi este esta esto estos estas ese esa eso
    aquel aquella que quien qué quién cómo cuándo es era fue son hay había ya así también además
    entonces luego después antes ahora hoy allí aquí todo toda todos todas nadie nada cada otro otra
    durante mientras porque pues tal tanto más muy le les me nos él ella ellos ellas the an at to for
    from with by and but or so it its he his she her they their we our this that these those there when
    where while after before not is was are were
    """
)
_LETTERED = _words(
    """
    vitamina vitaminas hepatitis grupo grupos clase plan opción punto eje rayos letra tipo serie
    apartado inciso anexo parte sección bloque zona línea nivel influenza vitamin group class option
    point type part
    """
)
_MONTHS = _words("januar februar märz april mai juni juli august september oktober november dezember")
_LETTERS = re.compile(r"[^\W\d_]|[A-ZÁÉÍÓÚÑ]{2}")  # una mitad de «EE. UU.» o «J. L.», y la otra
_NEXT_LETTERS = re.compile(r"(\w|[A-Z]{2})\.(?!\w)")
_OPENERS = "¿¡«“\"‘'([—–-*_ "
# Los cuantificadores posesivos («++») hacen que cada carácter se lea una sola vez, aun en «......».
_END = re.compile(
    r"([.!?…؟।]++|[。！？]++)([\"'»”’)\]*_]*+)"  # signos que pueden terminar, y lo que se cierra con ellos
    r"|\n[^\S\n]*+\n\s*+"  # un renglón en blanco
    r"|\n(?=[^\S\n]*+[-–—•*]\s?)"  # un renglón de diálogo o de lista
)


def split_sentences(text: str, language: str = "es") -> list[str]:
    """Separa un texto en oraciones, con reglas y sin modelo.

    Un punto no siempre termina: están las abreviaturas («Dra. Paz», «EE. UU.», «p. ej.»), las
    iniciales («J. L. Borges»), las cifras, los puntos suspensivos a mitad de frase y los incisos del
    diálogo («¿Vienes? —preguntó»). Un renglón en blanco sí, aunque no haya punto: un título es una
    oración.

    Parameters
    ----------
    text : str
    language : str
        Código de dos letras. Hay abreviaturas de español, inglés, portugués, francés, italiano y
        alemán; en los demás idiomas rigen las reglas generales.

    Returns
    -------
    list of str
        Con un solo espacio entre palabras; ninguna sin letras ni cifras.

    Raises
    ------
    TypeError
        Si no es un texto.
    """
    if not isinstance(text, str):
        raise TypeError("Hace falta un texto.")
    any_case = text == text.lower()  # escrito sin mayúsculas: no pueden ser la señal
    found, start = [], 0
    for match in _END.finditer(text):
        if match[1] is None or _is_end(text, start, match, language, any_case):
            found.append(text[start : match.end()])
            start = match.end()
    found.append(text[start:])
    return [sentence for sentence in map(clean, found) if any(map(str.isalnum, sentence))]


def clean(sentence: str) -> str:
    """Un espacio entre palabras, y sin medios caracteres (``\\ud800``), que no se pueden escribir."""
    return " ".join(sentence.encode("utf-8", "replace").decode().split())


def _is_end(text: str, start: int, match: re.Match, language: str, any_case: bool) -> bool:
    """Si el signo encontrado termina la oración que empezó en ``start``."""
    signs, after = match[1], text[match.end() : match.end() + 60]
    if signs[0] in "。！？":  # chino y japonés, sin espacios
        return True
    if after and not after[0].isspace():  # «3.5», «www.mar.org», «n.º», «—.»
        return False
    following = after.lstrip().lstrip(_OPENERS)
    if following[:1].islower() and not any_case:  # «¡Ay! dijo», «no sé... y se fue», «etc. en la mesa»
        return False
    if signs != "." or match[2]:
        return True
    words = text[max(start, match.start() - 60) : match.start()].split()
    return not (words and _continues(words, following, language))


def _continues(words: list[str], following: str, language: str) -> bool:
    """Si un punto solo no termina: es de una abreviatura, una inicial o el número de una lista."""
    word, previous = words[-1].lstrip(_OPENERS), words[-2] if len(words) > 1 else ""
    next_word = re.match(r"\w*", following)[0]
    if not previous and re.fullmatch(r"\d{1,3}|[IVX]+|[a-zA-Z]", word):  # «1. Harina», «IV. El regreso»
        return True
    if _LETTERS.fullmatch(word) and _NEXT_LETTERS.match(following):  # «EE. UU.», «J. L.», «a. C.»
        return True
    if f"{previous}{word}".lower() in _CLOSING_PAIRS:  # «44 a. C. Roma»
        return False
    if word.lower() in _ABBREVIATIONS.get(language, ()) and word != "D":
        return True
    if re.fullmatch(r"([^\W\d_]\.)*[^\W\d_]", word) and word.isupper():  # «J», «J.R.R»
        starts = next_word.lower() in _STARTERS or not next_word[:1].isupper()
        return not starts and previous.lower() not in _LETTERED
    if word in ("No", "Nr"):  # «No. 5»
        return next_word[:1].isdigit()
    return language == "de" and word.isdigit() and next_word.lower() in _MONTHS
