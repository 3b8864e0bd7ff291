"""Los cargadores: lo que devuelven y cada error, con su mensaje."""

import http.server
import io
import json
import pickle
import tarfile
import threading
import zipfile
import zlib

import pandas as pd
import pytest
from conftest import ROOT, assert_light_import

from utils import datasets
from utils.datasets import DatasetError, RealFile


def test_import_is_fast_and_light():
    assert_light_import("utils.datasets")


def test_articles():
    frame = datasets.load_articles()
    assert list(frame) == ["id", "tema", "titulo", "texto", "resumen", "pregunta", "particion"]
    assert frame.groupby(["tema", "particion"]).size().unstack().drop_duplicates().values.tolist() == [[4, 8]]


def test_documents_embedded():
    frame = datasets.load_documents()
    assert list(frame) == ["id", "titulo", "texto", "tema", "particion"]
    assert len(frame) == 120


def test_unknown_mode(monkeypatch):
    monkeypatch.setenv("NLP_DATOS", "real")
    with pytest.raises(DatasetError, match="«embebidos» o «reales»"):
        datasets.load_documents()


def test_relative_cache_starts_at_the_root(monkeypatch):
    monkeypatch.setenv("NLP_CACHE", "../datos")
    assert datasets.cache_dir() == ROOT.parent / "datos"


def test_unknown_name():
    with pytest.raises(DatasetError, match=r"No conozco el archivo «quijote».*2000-8.txt"):
        datasets.fetch("quijote")


def test_damaged_embedded_corpus(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "EMBEDDED_DIR", tmp_path)
    with pytest.raises(DatasetError, match=r"git checkout -- utils/datos/articulos.csv"):
        datasets.load_articles()
    (tmp_path / "articulos.csv").write_text("id,tema\n1,\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="falta o está dañado"):
        datasets.load_articles()


# --- descarga, contra un servidor en esta misma máquina --------------------------------------------


@pytest.fixture
def web(tmp_path_factory):
    """Servidor local: ``web.files[ruta] = bytes``; una lista de rutas en ``web.failures`` falla una vez."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            if self.path in self.server.failures:
                self.server.failures.remove(self.path)
                return self.send_error(503)
            if self.path not in self.server.files:
                return self.send_error(404)
            body = self.server.files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.failures, server.asked = {}, [], []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NLP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def register(monkeypatch, urls, body):
    sum_ = datasets.hashlib.sha256(body).hexdigest()
    monkeypatch.setitem(datasets.REAL_FILES, "prueba.txt", RealFile(tuple(urls), sum_, "ninguna"))


def test_download_retries_uses_the_mirror_and_caches(web, cache, monkeypatch):
    web.files = {"/espejo": b"hola"}
    web.failures = ["/espejo"]
    register(monkeypatch, [f"{web.url}/caido", f"{web.url}/espejo"], b"hola")
    path = datasets.fetch("prueba.txt")
    assert path == cache / "prueba.txt"
    assert path.read_bytes() == b"hola"
    assert web.asked.count("/espejo") == 2
    web.asked.clear()
    datasets.fetch("prueba.txt")
    assert web.asked == []


def test_wrong_checksum_leaves_nothing(web, cache, monkeypatch):
    web.files = {"/a": b"otra cosa"}
    register(monkeypatch, [f"{web.url}/a"], b"hola")
    with pytest.raises(DatasetError, match=r"no es lo que esperaba.*no lo guardé"):
        datasets.fetch("prueba.txt")
    assert list(cache.iterdir()) == []


def test_damaged_cached_file(web, cache, monkeypatch):
    register(monkeypatch, [f"{web.url}/a"], b"hola")
    cache.mkdir()
    (cache / "prueba.txt").write_bytes(b"ho")
    with pytest.raises(DatasetError, match=r"dañado.*borralo"):
        datasets.fetch("prueba.txt")
    assert (cache / "prueba.txt").read_bytes() == b"ho", "lo dañado no se borra sin permiso"


def test_no_network(cache, monkeypatch):
    register(monkeypatch, ["http://127.0.0.1:9/nada"], b"hola")
    with pytest.raises(DatasetError, match=r"No pude descargar.*revisá la conexión.*NLP_DATOS=embebidos"):
        datasets.fetch("prueba.txt")


def test_unwritable_cache(web, cache, monkeypatch):
    cache.parent.joinpath("cache").write_text("soy un archivo, no una carpeta")
    register(monkeypatch, [f"{web.url}/a"], b"hola")
    with pytest.raises(DatasetError, match=r"No puedo escribir en la caché.*NLP_CACHE"):
        datasets.fetch("prueba.txt")


# --- 20 Newsgroups ---------------------------------------------------------------------------------


def newsgroups_tar(messages):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in messages.items():
            data = text.encode("latin1")
            info = tarfile.TarInfo(f"repo-abc/datos/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


MESSAGES = {
    "20news-bydate-train/sci.space/1": "From: x\n\nThe orbit of the moon.",
    "20news-bydate-train/rec.autos/2": "From: x\n\nA fast café.",
    "20news-bydate-test/sci.space/3": "From: x\n\nAnother launch.",
}


@pytest.fixture
def newsgroups(web, cache, monkeypatch, tmp_path):
    """figshare caído y un espejo que sirve tres mensajes."""
    expected = tmp_path / "esperado"
    for name, text in MESSAGES.items():
        (expected / name).parent.mkdir(parents=True, exist_ok=True)
        (expected / name).write_bytes(text.encode("latin1"))
    monkeypatch.setattr(datasets, "NEWSGROUPS_CONTENT_SHA256", datasets._content_sha256(expected))
    monkeypatch.setattr(datasets, "NEWSGROUPS_MIRROR", f"{web.url}/espejo")
    caido = RealFile((f"{web.url}/figshare",), "0" * 64, "ninguna")
    monkeypatch.setitem(datasets.REAL_FILES, "20news-bydate.tar.gz", caido)
    monkeypatch.setenv("NLP_DATOS", "reales")
    web.files["/espejo"] = newsgroups_tar(MESSAGES)
    return cache


def test_newsgroups_come_from_the_mirror_when_figshare_fails(newsgroups, web):
    frame = datasets.load_documents()
    assert list(frame) == list(datasets.load_articles()[["id", "titulo", "texto", "tema", "particion"]])
    assert frame.set_index("id").texto.to_dict() == {
        "sci.space/1": "The orbit of the moon.",
        "rec.autos/2": "A fast café.",
        "sci.space/3": "Another launch.",
    }
    assert frame.particion.tolist().count("train") == 2
    web.asked.clear()
    pd.testing.assert_frame_equal(datasets.load_documents(), frame)
    assert web.asked == [], "la segunda vez sale de la caché"


def test_newsgroups_with_other_content_are_refused(newsgroups, web):
    web.files["/espejo"] = newsgroups_tar(MESSAGES | {"20news-bydate-test/sci.space/4": "intruso"})
    with pytest.raises(DatasetError, match="su contenido no coincide"):
        datasets.load_documents()
    assert list(newsgroups.iterdir()) == []


def test_newsgroups_truncated_download(newsgroups, web):
    web.files["/espejo"] = web.files["/espejo"][:100]
    with pytest.raises(DatasetError, match="llegó dañada"):
        datasets.load_documents()
    assert list(newsgroups.iterdir()) == []


def test_newsgroups_never_opens_an_unknown_pickle(newsgroups):
    newsgroups.mkdir()
    (newsgroups / datasets.NEWSGROUPS).write_bytes(zlib.compress(pickle.dumps({"train": "no", "test": "no"})))
    with pytest.raises(DatasetError, match="dañado o no es el esperado"):
        datasets.load_documents()


# --- IMDB ------------------------------------------------------------------------------------------

CRITICS = {
    ("train", "pos", "0_9"): "Great, <br /><br />truly.",
    ("train", "neg", "0_3"): "N/A",
    ("test", "pos", "0_10"): 'A "classic", é.',
    ("test", "neg", "1_2"): "Awful.  ",
}


def imdb_tar(critics):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for (split, label, name), text in critics.items():
            data = text.encode()
            info = tarfile.TarInfo(f"repo-abc/etc/data/{split}/{label}/{name}.txt")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def imdb(web, cache, monkeypatch):
    """Stanford caído y un espejo que sirve cuatro críticas."""
    rows = [
        (split, {"pos": "positive", "neg": "negative"}[label], name, text)
        for (split, label, name), text in CRITICS.items()
    ]
    frame = pd.DataFrame(rows, columns=["split", "sentiment", "file", "review"])
    monkeypatch.setattr(datasets, "IMDB_CONTENT_SHA256", datasets._imdb_sha256(frame))
    monkeypatch.setattr(datasets, "IMDB_MIRROR", f"{web.url}/espejo")
    caido = RealFile((f"{web.url}/stanford",), "0" * 64, "ninguna")
    monkeypatch.setitem(datasets.REAL_FILES, "aclImdb_v1.tar.gz", caido)
    web.files["/espejo"] = imdb_tar(CRITICS)
    return cache


def test_imdb_comes_from_the_mirror_when_stanford_fails(imdb, web):
    frame = datasets.load_imdb()
    assert list(frame) == ["id", "texto", "positiva", "particion"]
    found = frame.set_index("id")
    assert found.texto["train/pos/0_9"] == "Great,   truly."
    assert found.texto["train/neg/0_3"] == "N/A", "un texto que parece un hueco no se pierde"
    assert found.texto["test/pos/0_10"] == CRITICS["test", "pos", "0_10"]
    assert found.positiva.to_dict() == {"/".join(key): int(key[1] == "pos") for key in CRITICS}
    official = found.particion.replace("validation", "train")
    assert (official == found.index.str.split("/").str[0]).all()
    web.asked.clear()
    pd.testing.assert_frame_equal(datasets.load_imdb(), frame)
    assert web.asked == [], "la segunda vez sale de la caché"


def test_imdb_with_other_content_is_refused(imdb, web):
    web.files["/espejo"] = imdb_tar(CRITICS | {("test", "neg", "2_1"): "intrusa"})
    with pytest.raises(DatasetError, match=r"su contenido no coincide.*imdb_50k.csv.xz.*NLP_DATOS=embebidos"):
        datasets.load_imdb()
    assert list(imdb.iterdir()) == []


def test_imdb_truncated_download(imdb, web):
    web.files["/espejo"] = web.files["/espejo"][:100]
    with pytest.raises(DatasetError, match="llegó dañada"):
        datasets.load_imdb()
    assert list(imdb.iterdir()) == []


def test_imdb_without_network(imdb, web):
    web.files.clear()
    with pytest.raises(DatasetError, match=r"No pude descargar IMDB.*imdb_50k_index.csv.xz en .*cache, o"):
        datasets.load_imdb()


def test_imdb_damaged_cache(imdb):
    datasets.load_imdb()
    path = imdb / "imdb_50k.csv.xz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DatasetError, match=r"dañados o no son los esperados.*borralos"):
        datasets.load_imdb()


# --- ropa, hoteles y libros -----------------------------------------------------------------------


def test_clothing_is_stratified_and_without_copies(monkeypatch, tmp_path):
    path = tmp_path / "ropa.csv"
    stars = [1, 2, 3, 3, 4, 4, 5, 5, 5, 5] * 100
    frame = pd.DataFrame(
        {
            "Title": ["Título", None] * 500,
            "Review Text": [f"reseña {i}" for i in range(1000)],
            "Rating": stars,
        }
    )
    extra = pd.DataFrame({"Title": ["x"] * 2, "Review Text": ["reseña 0", None], "Rating": [1, 5]})
    pd.concat([frame, extra], ignore_index=True).to_csv(path)
    monkeypatch.setattr(datasets, "fetch", lambda name: path)
    clothing = datasets.load_clothing()
    assert list(clothing) == ["id", "titulo", "texto", "estrellas", "particion"]
    assert len(clothing) == clothing.texto.nunique() == 1000
    assert clothing.titulo.eq("").sum() == 500
    counts = clothing.groupby(["particion", "estrellas"]).size().unstack()
    assert counts.loc["test"].tolist() == [20, 20, 40, 40, 80]
    assert counts.loc["validation"].tolist() == [8, 8, 16, 16, 32]
    pd.testing.assert_frame_equal(datasets.load_clothing(), clothing)


def test_hotels_lose_their_copies_before_the_split(monkeypatch, tmp_path):
    path = tmp_path / "hoteles.csv"
    rows = [f"opinión {i},{i % 2}" for i in range(1000)]
    path.write_text("\n".join(["clean_text,y", *rows, *rows[1::2]]), encoding="utf-8")
    monkeypatch.setattr(datasets, "fetch", lambda name: path)
    hotels = datasets.load_hotels()
    assert len(hotels) == hotels.texto.nunique() == 1000
    assert hotels.positiva.mean() == 0.5
    share = hotels.particion.value_counts(normalize=True)
    assert abs(share["train"] - 0.8) < 0.05
    assert abs(share["validation"] - 0.1) < 0.03


def test_app_reviews_say_which_ones_were_seen(monkeypatch, tmp_path):
    texts = {"train": "content,label\nnull,0\nhola,2\nhola,2\n", "val": "content,label\nhola,2\n"}
    texts["test"] = 'content,label\n"uno, dos",1\nnull,0\n'
    for part, text in texts.items():
        (tmp_path / f"google_play_reviews_{part}.csv").write_text(text, encoding="utf-8")
    monkeypatch.setattr(datasets, "fetch", lambda name: tmp_path / name)
    reviews = datasets.load_app_reviews()
    assert reviews.texto.tolist() == ["null", "hola", "hola", "hola", "uno, dos", "null"]
    assert reviews.clase.tolist() == [0, 2, 2, 2, 1, 0]
    assert reviews.particion.tolist() == ["train"] * 3 + ["validation", "test", "test"]
    assert reviews.repetida.tolist() == [False] * 3 + [True, False, True]


def test_books_lose_their_licence(monkeypatch, tmp_path):
    path = tmp_path / "libro.txt"
    pages = [
        "The Project Gutenberg EBook, by José\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***",
        "Produced by an anonymous Project Gutenberg volunteer.",
        "Había una vez\nun ñandú.",
        "Fin.",
        "End of Project Gutenberg's X\n\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nlicence",
    ]
    path.write_text("\n\n".join(pages), encoding="latin-1")
    monkeypatch.setattr(datasets, "fetch", lambda name: path)
    assert datasets.load_book("quijote") == "Había una vez\nun ñandú.\n\nFin."
    with pytest.raises(DatasetError, match="No conozco el libro «biblia»"):
        datasets.load_book("biblia")


# --- pares de oraciones y charlas -----------------------------------------------------------------


def test_tatoeba_families_share_a_sentence_and_never_a_partition(monkeypatch, tmp_path):
    path = tmp_path / "pares.zip"
    chained = ["Go.\tVe.", "Go!\t¡Vete!", "Leave.\tVete.", "Stay.\tQuédate."]
    single = [f"I have {i}.\tTengo {i}." for i in range(1000)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("spa-eng/spa.txt", "\n".join(chained + single) + "\n")
    monkeypatch.setattr(datasets, "fetch", lambda name: path)
    pairs = datasets.load_tatoeba()
    assert list(pairs.familia[:4]) == [0, 0, 0, 1]
    assert pairs.ingles[1] == "Go!"
    assert pairs.espanol[1] == "¡Vete!"
    assert len(pairs) == 1004
    assert pairs.groupby("familia").particion.nunique().max() == 1
    share = pairs.particion.value_counts(normalize=True)
    assert abs(share["train"] - 0.9) < 0.05


def test_convai_keeps_only_chat_and_splits_by_question(monkeypatch, tmp_path):
    def dialogue(*texts):
        classes = ["Human", "Bot"]
        return {
            "dialog": [
                {"sender": f"p{i % 2}", "sender_class": classes[i % 2], "text": text}
                for i, text in enumerate(texts)
            ]
        }

    path = tmp_path / "charlas.json"
    chats = [
        dialogue("Hi!", "hello  there", "/end"),
        dialogue("hi", "Hello there."),
        dialogue("HI", "привет", "hi", "good", "🙂", "palabra " * 31),
        *(dialogue(f"question {i}", "yes") for i in range(500)),
    ]
    path.write_text(json.dumps(chats), encoding="utf-8")
    monkeypatch.setattr(datasets, "fetch", lambda name: path)
    pairs = datasets.load_convai()
    assert pairs.loc[:1, ["pregunta", "respuesta", "contesta"]].to_numpy().tolist() == [
        ["Hi!", "hello there", "Bot"],
        ["hi", "good", "Bot"],
    ]
    assert len(pairs) == 502
    assert pairs.particion[0] == pairs.particion[1]
    assert set(pairs.particion) == {"train", "validation", "test"}
