"""Las fuentes del corpus: cada formato, la descarga, la conversión y sus errores."""

import http.server
import io
import json
import lzma
import re
import sys
import tarfile
import threading

import pytest
from conftest import ROOT, assert_light_import

from utils import corpus, corpus_sources
from utils.corpus_sources import SOURCES, CorpusError, Source, convert, is_sentence, split_sentences


def test_import_is_fast_and_light():
    assert_light_import("utils.corpus_sources")


# --- oraciones ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Vino el Sr. Paz con la Dra. Luz, según el art. Primero y D. Juan.|Después se fue.",
        "¿Vino ayer?|—Sí.|«No lo creo.»|¡Qué raro!...|(Y se fue.)|Hoy no",
        "Pasó J. L. Borges por los EE. UU. y compró pan, leche, etc.|Luego volvió.",
        "Cuesta 2.500 pesos. con iva. y ya",
    ],
)
def test_sentences(text):
    assert split_sentences(text.replace("|", " ")) == text.split("|")


@pytest.mark.parametrize(
    "text",
    [
        "El perro duerme al sol.",
        "¿Y qué me dijo?",
        "Ya es de noche.",  # 15 caracteres
        "la " * 199 + "la.",  # 600
    ],
)
def test_spanish_sentences_stay(text):
    assert is_sentence(text)


@pytest.mark.parametrize(
    "text",
    [
        "Es de noche ya",  # 14 caracteres
        "la " * 199 + "la..",  # 601
        "Muchísimas gracias, señores.",  # tres palabras
        "The dog sleeps under the warm morning sun.",
        "En 1990, 1991, 1992 y 1993: 45.000, 46.000.",
        "LA SECRETARIA DE LA PRESIDENCIA",
        "El ni\ufffdo come de la olla.",
    ],
)
def test_the_rest_goes(text):
    assert not is_sentence(text)


# --- formatos: fragmentos escritos para estas pruebas ----------------------------------------------

TEI = """<?xml version="1.0" encoding="UTF-8"?>
<?xml-model href="x.rng" type="application/xml"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><p>La cabecera no va.</p></teiHeader><text>
<front><div><p>El prólogo no va.</p></div></front>
<body><div><head>De lo que pasó en el puerto</head><pb n="7"/>
<p>Llegó el barco <pb n="8"/>
   a la bahía<ref target="#N1">[1]</ref>, <hi>muy <foreign>lento</foreign></hi>.<note><p>La nota no va.</p></note> Y se fue.</p>
<quote><l>Una morena canta</l><l>al pie del mar.</l></quote><!-- nada --></div></body>
<back><p>El apéndice no va.</p></back></text></TEI>"""

OLD_SPEECH = """Palabras en el acto de la plaza.
--------------------------------

[Miércoles 12 de Diciembre del 2007]

 Buenas tardes a todos
y a todas, compañeros.

<span style="x">El **pan** cuesta</span> [más](http://x.ar).
"""

NEW_SPEECH = "# El título\n\nLa bajada\n[12-12-2019]\nBuenas tardes a todos\nEl pan cuesta más"

TRANSCRIPT = """Versión estenográfica de la conferencia
Presidencia
1 de enero
---
PRESIDENTE DE LA REPÚBLICA
Buenos días a todos.
"""

LAW = """---
title: "CENSOS"
---
# CENSOS

**Sobre el censo general.**

El Senado y la Cámara sancionan con fuerza de

Ley:

Art.1° Se manda levantar

el censo.

##### Artículo 2 bis. — Los gastos, según la *(*[Ley

Nº 20](http://x.ar)*)*:

a) serán públicos;

b) serán pocos.

Firma
"""

PO = r"""# Comentario
msgid ""
msgstr ""
"Language: es\n"

#: a.rst:1
msgid "x"
msgstr "El :ref:`índice <general>` usa ``List<int>`` (``a < b``)."

#: a.rst:2
msgid ""
"y"
msgstr ""
"La \"guía\" de `Docutils <https://"
"x.io>`_ y :c:func:`malloc`.\n"
"Es *muy* útil."

#, python-format, fuzzy
msgid "z"
msgstr "Esta traducción es dudosa."

#: a.rst:4
msgid "sin traducir"
msgstr ""

#~ msgid "w"
#~ msgstr "Esta es obsoleta."
"""

CONLLU = (
    "# sent_id = 1\n# text = El gato duerme.\n# text_en = The cat.\n1\tEl\tel\n\n# text = La luna sale.\n"
)

CSV = 'title,content,date\n"Uno","Hola, ""che"".\nChau.",1\n"Vacío",,2\n"Dos",Adiós,3\n'

SQUAD = {"data": [{"paragraphs": [{"context": "Uno.", "qas": []}, {"context": "Dos."}]}, {"paragraphs": []}]}


@pytest.mark.parametrize(
    "name, text, expected",
    [
        (
            "tei",
            TEI,
            [["Llegó el barco a la bahía, muy lento. Y se fue.", "Una morena canta", "al pie del mar."]],
        ),
        ("speech", OLD_SPEECH, [["Buenas tardes a todos y a todas, compañeros.", "El pan cuesta más."]]),
        ("speech", NEW_SPEECH, [["Buenas tardes a todos", "El pan cuesta más"]]),
        ("speeches_csv", CSV, [['Hola, "che".', "Chau."], ["Adiós"]]),
        ("transcript", TRANSCRIPT, [["---", "PRESIDENTE DE LA REPÚBLICA", "Buenos días a todos."]]),
        (
            "law",
            LAW,
            [
                [
                    "CENSOS",
                    "Sobre el censo general.",
                    "El Senado y la Cámara sancionan con fuerza de Ley:",
                    "Se manda levantar el censo.",
                    "Los gastos, según la (Ley Nº 20):",
                    "a) serán públicos;",
                    "b) serán pocos.",
                    "Firma",
                ]
            ],
        ),
        (
            "po",
            PO,
            [["El índice usa List<int> (a < b).", 'La "guía" de Docutils y malloc. Es muy útil.', ""]],
        ),
        ("conllu", CONLLU, [["El gato duerme.", "La luna sale."]]),
        ("squad", json.dumps(SQUAD), [["Uno.", "Dos."], []]),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_readers(name, text, expected, newline):
    read = getattr(corpus_sources, f"read_{name}")
    found = [list(map(corpus.clean, document)) for document in read(text.replace("\n", newline).encode())]
    if name not in ("tei", "po"):
        found = [list(filter(None, document)) for document in found]
    assert found == expected


def test_external_entities_are_not_read(tmp_path):
    secret = tmp_path / "secreto.txt"
    secret.write_text("secreto")
    doctype = f'<!DOCTYPE TEI [<!ENTITY e SYSTEM "{secret.as_uri()}">]><TEI>'
    data = re.sub(r"<\?xml-model.*?\?>\s*<TEI[^>]*>", doctype, TEI).replace("Llegó", "&e;")
    with pytest.raises(SyntaxError, match="undefined entity"):
        list(corpus_sources.read_tei(data.encode()))


# --- descarga y conversión, contra un servidor en esta misma máquina -------------------------------


def tar(files):
    """Un repositorio como los sirve GitHub: todo dentro de una carpeta."""
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "abc"}
    ) as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"repo-abc/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def web(monkeypatch, tmp_path):
    """Servidor local en lugar de GitHub: ``web.files[nombre en la caché] = bytes``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            body = self.server.files.get(self.path.removeprefix("/"))
            self.send_response(200 if body else 404)
            self.end_headers()  # sin Content-Length, como codeload
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(Source, "urls", property(lambda source: (f"{url}/{source.file}",)))
    monkeypatch.setenv("NLP_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()


def serve(web, name, *bodies):
    for source, body in zip(SOURCES[name], bodies, strict=True):
        web.files[source.file] = body


def read(folder, name):
    with lzma.open(folder / f"corpus_es_{name}.txt.xz", "rt", encoding="utf-8") as file:
        text = file.read()
    return [document.split("\n") for document in text.strip().split("\n\n")]


def po(*messages):
    return "\n\n".join(f'msgid "{i}"\nmsgstr "{message}"\n' for i, message in enumerate(messages))


def test_convert(web, tmp_path):
    files = {
        "LEEME.md": "Este no es un archivo de la fuente.",
        "a/uno.po": po("El gato duerme al sol. La luna sale de noche.", "Ya", "La luna sale de noche."),
        "b.po": po(
            "La luna sale de noche. Cancio\u0301n  de\u00a0cuna para el mar.", "Short text in English here."
        ),
        "c.po": po("La luna sale de noche."),
    }
    serve(web, "python_docs_es", tar(files))
    folder = tmp_path / "nueva" / "corpus"
    assert convert("python_docs_es", folder, progress=False) == (2, 3)
    assert read(folder, "python_docs_es") == [
        ["El gato duerme al sol.", "La luna sale de noche."],
        ["Canción de cuna para el mar."],
    ]
    assert [path.name for path in folder.iterdir()] == ["corpus_es_python_docs_es.txt.xz"]
    found = list(corpus.documents(folder, progress=False))
    assert [document.sentences for document in found] == read(folder, "python_docs_es")


def test_what_is_converted_or_downloaded_is_not_repeated(web, tmp_path):
    serve(web, "python_docs_es", tar({"a.po": po("El gato duerme al sol.")}))
    for expected in ((1, 1), (0, 0)):
        assert convert("python_docs_es", tmp_path, progress=False) == expected
    assert convert("python_docs_es", tmp_path / "otra", progress=False) == (1, 1)
    assert len(web.asked) == 1


def test_only_some_files_are_read(web, tmp_path, monkeypatch):
    texts = dict.fromkeys(["x/9.txt", *(f"y/{i}.txt" for i in range(9)), "y/1/2.txt"])
    files = {name: f"1\n2\n3\nEl archivo es el {name.replace('/', ' y ')[:5]}." for name in texts}
    source = Source(
        "python/python-docs-es", corpus_sources.read_transcript, members=r"y/\d\.txt", last="y/7.txt", every=3
    )
    monkeypatch.setitem(SOURCES, "python_docs_es", [source])
    serve(web, "python_docs_es", tar(files))
    convert("python_docs_es", tmp_path, progress=False)
    assert read(tmp_path, "python_docs_es") == [[f"El archivo es el y y {i}."] for i in (0, 3, 6)]


def test_laws_keep_only_finished_sentences(web, tmp_path):
    law = "El primero es este.\n\n¿Y qué es lo otro?\n\nLo que sigue es así:\n\nNo se sabe qué es"
    serve(
        web,
        "leyes_ar",
        tar({"ar/LEY-2.md": law, "ar/LEY-24073.md": "La que sigue no es.", "ar/DEC-2.md": law}),
    )
    convert("leyes_ar", tmp_path, progress=False)
    assert read(tmp_path, "leyes_ar") == [["El primero es este.", "Lo que sigue es así:"]]


def test_a_source_with_several_files(web, tmp_path):
    conllu = [f"# text = El texto es de la parte {name}.\n".encode() for name in ("uno", "dos", "tres")]
    squad = json.dumps({"data": [{"paragraphs": [{"context": "El texto es de la parte cuatro."}]}]}).encode()
    serve(web, "ud_xquad", *conllu, squad)
    assert convert("ud_xquad", tmp_path, progress=False) == (4, 4)
    names = [document[0].split()[-1] for document in read(tmp_path, "ud_xquad")]
    assert names == ["uno.", "dos.", "tres.", "cuatro."]


def test_nothing_leaves_the_folder(web, tmp_path):
    files = {"../../../fuera.po": po("El gato duerme al sol."), "b.po": po("La luna sale de noche.")}
    serve(web, "python_docs_es", tar(files))
    convert("python_docs_es", tmp_path / "corpus", progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "corpus"]


def test_no_network(web, tmp_path):
    with pytest.raises(CorpusError, match=r"No pude descargar http.*revisá la conexión.*no se repite.*cache"):
        convert("eltec_spa", tmp_path / "corpus", progress=False)
    assert list((tmp_path / "corpus").iterdir()) == []


@pytest.mark.parametrize("cut", [0.5, 0.98])
def test_damaged_download(web, tmp_path, cut):
    body = tar({f"{i}.po": po(f"El texto es el de la parte {i}.") for i in range(50)})
    serve(web, "python_docs_es", body[: int(cut * len(body))])
    with pytest.raises(CorpusError, match=r"La descarga .*está dañada.*borrala"):
        convert("python_docs_es", tmp_path / "corpus", progress=False)
    assert list((tmp_path / "corpus").iterdir()) == [], "no queda nada a medias"


@pytest.mark.parametrize(
    "name, body",
    [
        ("eltec_spa", tar({"level1/SPA1.xml": "<TEI><p>"})),
        ("discursos_milei", b"a,b\n1,2\n"),
        ("discursos_milei", b"<html>"),
        ("python_docs_es", b"<html>no es un tar</html>"),
    ],
)
def test_unexpected_download(web, tmp_path, name, body):
    serve(web, name, body)
    with pytest.raises(CorpusError, match=r"La descarga .*está dañada"):
        convert(name, tmp_path, progress=False)


def test_another_layout(web, tmp_path):
    serve(web, "eltec_spa", tar({"nivel1/a.xml": TEI}))
    with pytest.raises(CorpusError, match=r"no tiene lo que esperaba"):
        convert("eltec_spa", tmp_path, progress=False)


def test_unwritable(web, tmp_path, monkeypatch):
    (tmp_path / "archivo").write_text("")
    with pytest.raises(CorpusError, match=r"No puedo escribir en .*elegí otra carpeta"):
        convert("eltec_spa", tmp_path / "archivo", progress=False)
    monkeypatch.setenv("NLP_CACHE", str(tmp_path / "archivo"))
    with pytest.raises(CorpusError, match=r"No puedo escribir en la caché.*NLP_CACHE"):
        convert("eltec_spa", tmp_path / "corpus", progress=False)


def test_command_line(web, tmp_path, monkeypatch, capsys):
    serve(web, "python_docs_es", tar({"a.po": po("El gato duerme al sol.")}))
    order = ["corpus_sources", str(tmp_path / "corpus"), "--fuentes", "python_docs_es"]
    for expected in ("1 documentos, 1 oraciones", "ya estaba"):
        monkeypatch.setattr(sys, "argv", order)
        corpus_sources.main()
        assert capsys.readouterr().out == f"python_docs_es: {expected}\n"
    monkeypatch.setattr(sys, "argv", [*order[:2], "--fuentes", "eltec_spa"])
    with pytest.raises(SystemExit, match="No pude descargar"):
        corpus_sources.main()


# --- registro -------------------------------------------------------------------------------------


def test_registry():
    sources = [source for parts in SOURCES.values() for source in parts]
    assert {source.repo for source in sources} == set(corpus_sources.COMMITS)
    assert len({source.file for source in sources}) == len(sources), "no se pisan en la caché"
    for source in sources:
        assert re.fullmatch(r"[0-9a-f]{40}", corpus_sources.COMMITS[source.repo])
        assert bool(source.path) != bool(source.members)
        assert all(corpus_sources.COMMITS[source.repo] in url for url in source.urls)


def test_the_card_says_the_same():
    card = (ROOT / "utils/modelos/vectores_mini/README.md").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"https://github\.com/([\w.-]+/[\w.-]+)/tree/([0-9a-f]{40})", card))
    assert len(pinned) == 8
    assert pinned.items() <= corpus_sources.COMMITS.items()
    assert set(SOURCES) <= set(re.findall(r"^\| `(\w+)` \|", card, re.MULTILINE))
