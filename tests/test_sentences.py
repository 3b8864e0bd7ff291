"""Separar en oraciones: los casos difíciles, uno por renglón, y lo que llega roto."""

import time

import pytest
from conftest import assert_light_import

from utils.sentences import split_sentences

# «|» marca dónde termina cada oración; «\n» va como en un texto.
SPANISH = """
El Sr. Gómez saludó a la Sra. Ruiz.| Ella no contestó.
La Dra. Paz y el Dr. Soler llegaron tarde.| Nadie se sorprendió.
La Lic. Vera habló con el Gral. San Martín.| Fue breve.
Vivió en EE. UU. durante diez años.| Después volvió.
Nació en EE. UU.| Murió en Lima.
Los EE.UU. enviaron barcos.| Llegaron tarde.
El EE. UU. de Twain y las FF. AA. de hoy no se parecen.| Es otro siglo.
Véase la pág. 34 y el art. 5.| Lo demás sobra.
Compró pan, leche, etc. en la esquina.| Volvió a pie.
Compró pan, leche, etc.| Volvió a pie.
Roma cayó en el año 476 d. C.| El resto es conocido.
César murió en el 44 a. C. en Roma.| Lo mataron veintitrés puñaladas.
Los griegos, p. ej. Arquímedes, lo sabían.| Lo olvidamos.
Leímos a J. L. Borges y a J. R. R. Tolkien.| Nos gustaron.
La biografía de John F. Kennedy es larga.| Tiene mil páginas.
Le faltaba vitamina C.| Comió naranjas.
El papel lo firmó Carlos X.| El rey exigía dinero.
En el siglo XX.| Nadie lo esperaba.
La reunión es a las 8 p. m. en la sede.| Hay que llegar antes.
Salió a las 7 a. m.| Llegó de noche.
El número pi vale 3.1416 y algo más.| No termina nunca.
Cuesta 1.250 pesos.| Es caro.
Pesaba 3 kg.| Nadie podía con ella.
No sé... quizá mañana.| Veremos.
No sé…| Mañana veremos.
¿Vienes? —preguntó Ana—.| Nadie respondió.
—No sé —dijo Luis—.| Mañana vemos.
—¿Vienes?| —Sí.| —Vamos, entonces.
¡Qué calor!| ¿Abrimos la ventana?| Sí.
¡Ay! exclamó la vieja, y se sentó.| Nadie la miró.
¿Y eso?!| Nada.
Dijo: «No voy a ir».| Y no fue.
Dijo: «No voy a ir.»| Y no fue.
«¿Quién anda ahí?», gritó el guardia.| Era el gato.
Murió joven (¡a los veinte años!) y pobre.| Lo enterraron sin lápida.
(Nadie lo vio entrar.)| Nadie lo vio salir.
La Av. Rivadavia es larga.| La Avda. de Mayo, no.
El n.º 5 perdió.| El núm. 7 ganó.| El No. 9 empató.
Dijo que no.| Nadie insistió.
La empresa Faro S. A. cerró.| Sus obreros protestaron.
Escribí a luz@faro.com.ar o entrá en www.faro.com.ar.| Contestan rápido.
1. Harina y agua.| 2. Sal a gusto.
Según el Prof. Ortiz, la obra (cf. cap. 4) es falsa.| Nadie lo discute.
hola.| esto lo escribí apurado.| chau
El faro de Punta Brava|\\n\\nSe encendió en 1904.| Hoy es automático.
Un renglón cortado\\npor el ancho de la página.| Otro.
Se miraron.|\\n—Buenas —dijo ella.|\\n—Buenas.
"""
OTHERS = {
    "en": "Mr. Smith met Dr. Jones at 5 p.m.| He saw fig. 3, e.g. the top, and No. 5.| J. K. Rowling wrote.",
    "pt": "O Sr. Silva chegou.| Veja a pág. 3.| Não há mais.",
    "fr": "M. Dupont est venu.| Voir p. 12.| C'est tout.",
    "it": "Il sig. Rossi è partito.| Il dott. Bianchi no.",
    "de": "Am 3. Oktober feiert man.| Das gilt z. B. für Berlin.| Dr. Meier kommt.",
    "ru": "Сегодня тепло.| Завтра будет дождь?| Да.",
    "ja": "今日は晴れです。|明日は雨です。",
    "ar": "هل أنت بخير؟| نعم.",
}
CASES = [(line, "es") for line in SPANISH.strip().split("\n")]
CASES += [(line, language) for language, line in OTHERS.items()]


def test_import_is_light():
    assert_light_import("utils.sentences")


@pytest.mark.parametrize(("line", "language"), CASES)
def test_splitting(line, language):
    text = line.replace("\\n", "\n")
    expected = [" ".join(part.split()) for part in text.split("|")]
    assert split_sentences(text.replace("|", ""), language) == expected


@pytest.mark.parametrize(("line", "language"), CASES)
def test_every_letter_is_kept(line, language):
    text = line.replace("\\n", "\n").replace("|", "")
    assert "".join("".join(split_sentences(text, language)).split()) == "".join(text.split())


@pytest.mark.parametrize("text", ["", " \n\t ", "...", "¿?!", "—\n—", "🙂 🙂"])
def test_nothing_to_read_gives_no_sentences(text):
    assert split_sentences(text) == []


def test_splitting_is_linear():
    hostile = ["." * 300_000, "a. " * 100_000, "\n" * 300_000, "\n " * 150_000, ".)" * 150_000, "A" * 300_000]
    start = time.process_time()
    for text in hostile:
        split_sentences(text + "x")
    assert time.process_time() - start < 10


def test_half_characters_can_be_written():
    (sentence,) = split_sentences("Llegó un \ud800 roto.")
    assert sentence == "Llegó un ? roto."
    with pytest.raises(TypeError, match="un texto"):
        split_sentences(None)
