"""El corpus de preentrenamiento y los vectores de palabras: lectura, entrenamiento, carga y medidas."""

import json
import lzma
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from conftest import ROOT, assert_light_import

from utils import corpus, datasets, results, vectors
from utils.corpus import CorpusError
from utils.vectors import Settings, VectorsError


def test_imports_are_light():
    assert_light_import("utils.corpus", "utils.vectors")


# --- corpus ---------------------------------------------------------------------------------------


def write_source(folder, name, *texts):
    folder.mkdir(exist_ok=True)
    with lzma.open(folder / f"{name}.txt.xz", "wt", encoding="utf-8") as file:
        file.write("\n\n".join("\n".join(text) for text in texts))


def test_documents_are_read_in_order_cleaned_and_without_duplicates(tmp_path):
    folder = tmp_path / "corpus"
    write_source(folder, "b", ["Hola.", "Otra   cosa. "], ["Hola."], ["HOLA."])
    decomposed = unicodedata.normalize("NFD", "Más café.")
    write_source(folder, "a", ["\tMás\u00a0café.", "Hola."], [decomposed, "Fin."])
    found = [
        (document.source, document.sentences, document.duplicates)
        for document in corpus.documents(folder, progress=False)
    ]
    assert found == [
        ("a", ["Más café.", "Hola."], 0),
        ("a", ["Fin."], 1),
        ("b", ["Otra cosa."], 1),
        ("b", ["HOLA."], 0),
    ]


def test_validation_is_one_percent_and_does_not_depend_on_the_other_documents(tmp_path):
    texts = [[f"Documento {i}.", f"Su segunda oración, {i}."] for i in range(5000)]
    write_source(tmp_path / "todo", "x", *texts)
    write_source(tmp_path / "parte", "y", *texts[1000:2000])
    held_out = {
        name: {
            document.sentences[0]
            for document in corpus.documents(tmp_path / name, progress=False)
            if document.validation
        }
        for name in ("todo", "parte")
    }
    assert 30 <= len(held_out["todo"]) <= 75
    assert held_out["parte"] == held_out["todo"] & {text[0] for text in texts[1000:2000]}


def test_summary_counts_what_is_kept_and_what_is_dropped(tmp_path):
    write_source(tmp_path / "c", "uno", ["Tres palabras acá.", "Y dos."], ["Y dos.", "Año 1910."])
    write_source(tmp_path / "c", "dos", ["Nada se repite."])
    table = corpus.summary(tmp_path / "c", progress=False)
    assert table.loc["uno", ["documentos", "oraciones", "palabras", "repetidas"]].tolist() == [2, 3, 7, 1]
    assert table.loc["dos", ["documentos", "oraciones", "palabras", "repetidas"]].tolist() == [1, 1, 3, 0]


def test_corpus_errors(tmp_path):
    with pytest.raises(CorpusError, match=r"No existe la carpeta .*nada: indicá"):
        next(corpus.documents(tmp_path / "nada"))
    with pytest.raises(CorpusError, match=r"no tiene archivos \.txt\.xz: indicá"):
        next(corpus.documents(tmp_path))
    write_source(tmp_path, "cortado", ["Una oración."] * 100)
    path = tmp_path / "cortado.txt.xz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match=r"cortado\.txt\.xz está dañado"):
        list(corpus.documents(tmp_path, progress=False))


def test_command_line_says_what_is_wrong(tmp_path):
    for module in ("corpus", "pretrain"):
        command = [sys.executable, "-m", f"utils.{module}", str(tmp_path)]
        out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert out.returncode == 1
        assert "no tiene archivos .txt.xz" in out.stderr
        assert "Traceback" not in out.stderr


# --- entrenamiento --------------------------------------------------------------------------------

TINY = {"dimensions": 8, "min_count": 1, "epochs": 4, "buckets": 500, "subsampling": 1e-2}


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """Un corpus minúsculo, ya preparado: los cuentos del portfolio."""
    folder = tmp_path_factory.mktemp("preparado")
    texts = [text.split("\n") for text in datasets.load_stories().texto[:10]]
    write_source(folder / "corpus", "cuentos", *texts)
    return vectors.prepare(folder / "corpus", folder)


def test_preparation_is_done_once(sentences):
    changed = sentences.stat().st_mtime_ns
    assert vectors.prepare(sentences.parent / "corpus", sentences.parent) == sentences
    assert sentences.stat().st_mtime_ns == changed
    words = sentences.read_text(encoding="utf-8").split()
    assert all(word.isalpha() and word == word.lower() for word in words)


@pytest.mark.parametrize(
    "settings",
    [
        Settings("word2vec", skip_gram=True, **TINY),
        Settings("fasttext", skip_gram=False, **TINY),
    ],
    ids=lambda settings: settings.algorithm,
)
@pytest.mark.parametrize("saved", [0, 2], ids=["antes de guardar", "después de guardar"])
def test_interrupted_training_ends_with_the_same_weights(settings, saved, sentences, tmp_path, monkeypatch):
    whole = vectors.train(settings, sentences, tmp_path / "entero")
    checkpoint = vectors._checkpoint

    def interrupt(model, folder, epoch):
        if epoch > saved:  # la época terminó y el corte llega antes de guardarla
            (folder / "a_medias").mkdir(parents=True)
            raise KeyboardInterrupt
        checkpoint(model, folder, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(vectors, "_checkpoint", interrupt)
        with pytest.raises(KeyboardInterrupt):
            vectors.train(settings, sentences, tmp_path / "cortado")
    resumed = vectors.train(settings, sentences, tmp_path / "cortado")
    assert resumed.wv.index_to_key == whole.wv.index_to_key
    np.testing.assert_array_equal(resumed.wv.vectors, whole.wv.vectors)
    np.testing.assert_array_equal(resumed.syn1neg, whole.syn1neg)
    assert [path.name for path in (tmp_path / "cortado").glob("modelo_*/*")] == ["epoca_4"]


def test_other_settings_do_not_resume_the_same_model(sentences, tmp_path):
    for dimensions in (8, 9):
        settings = Settings("word2vec", skip_gram=True, **TINY | {"dimensions": dimensions, "epochs": 1})
        assert vectors.train(settings, sentences, tmp_path).vector_size == dimensions


def test_publish_writes_vectors_results_and_card(sentences, tmp_path, monkeypatch):
    target = tmp_path / "modelo"
    target.mkdir()
    names = ("corpus", "medidas", "ajustes")
    blocks = "".join(f"<!-- {name}: inicio -->\n<!-- {name}: fin -->\n" for name in names)
    (target / "README.md").write_text(f"Ficha\n{blocks}", encoding="utf-8")
    settings = Settings("word2vec", skip_gram=True, **TINY)
    monkeypatch.setattr(vectors, "PUBLISHED_WORDS", 300)
    monkeypatch.setattr(vectors, "CANDIDATES", {"skip-gram": settings})
    monkeypatch.setattr(vectors, "FOLDER", target)
    monkeypatch.setattr(vectors, "measure", lambda _: dict.fromkeys(vectors.GOALS, 0.5))
    monkeypatch.setattr(results, "MODEL_RESULTS", tmp_path / "resultados.json")
    vectors.publish(sentences.parent / "corpus", sentences.parent)
    assert len(vectors.load(target)) == 300
    stored = json.loads((tmp_path / "resultados.json").read_text(encoding="utf-8"))["vectores_mini"]
    assert stored["metricas"]["analogias_top1"] == 0.5
    assert set(stored) == {"metricas", "principal", "segundos", "versiones", "fecha"}
    card = (target / "README.md").read_text(encoding="utf-8")
    assert "| Medida | **skip-gram** |\n" in card
    assert "| `analogias_top1` | 0,500 |\n" in card
    assert "| `skip_gram` | sí |\n" in card


# --- medidas --------------------------------------------------------------------------------------


def test_analogies_and_purity_of_perfect_vectors():
    """Vectores armados a mano en los que toda analogía y toda categoría salen bien."""
    analogies, categories = datasets.load_analogies(), datasets.load_categories()
    genders = analogies[analogies.familia == "género"]
    pairs = sorted(set(zip(genders.a, genders.b, strict=True)) | set(zip(genders.c, genders.d, strict=True)))
    words, rows = [], []
    for i, pair in enumerate(pairs):
        for j, word in enumerate(pair):
            words.append(word)
            rows.append(np.eye(40)[i] + j * np.eye(40)[39])
    perfect = vectors._keyed_vectors(words, np.array(rows))
    table = vectors.analogy_accuracy(perfect)
    assert table.loc["género"].tolist() == [52, 52, 1.0]
    assert table.loc["total", ["cuadruplos", "en_vocabulario"]].tolist() == [420, 52]
    assert np.isnan(table.loc["capitales", "exactitud"])

    codes = categories.categoria.astype("category").cat.codes
    matrix = np.eye(12)[codes] + np.random.default_rng(0).normal(scale=0.01, size=(144, 12))
    assert vectors.category_purity(vectors._keyed_vectors(list(categories.palabra), matrix)) == 1
    half = vectors._keyed_vectors(list(categories.palabra[:72]), matrix[:72])
    assert vectors.category_purity(half) <= 0.5, "lo que falta cuenta como error"


# --- vectores publicados --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published():
    return vectors.load()


@pytest.fixture(scope="module")
def stored():
    return json.loads(results.MODEL_RESULTS.read_text(encoding="utf-8"))["vectores_mini"]["metricas"]


def test_loads_offline_in_under_three_seconds():
    # Tiempo de procesador, no de reloj: otra cosa corriendo en la máquina no debe hacer fallar la prueba.
    code = (
        "import socket, time; socket.socket.connect = None; t = time.process_time(); "
        "from utils import vectors; vectors.load(); print(time.process_time() - t)"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(out.stdout) < 3


def test_shape_and_size(published):
    from gensim.models import KeyedVectors

    assert isinstance(published, KeyedVectors)
    assert len(published) >= 30_000
    assert 100 <= published.vector_size <= 200
    assert published.vectors.dtype == np.float32
    assert len(set(published.index_to_key)) == len(published)
    assert np.load(vectors.FOLDER / "vectores.npy", allow_pickle=False).dtype == np.float16
    assert sum(file.stat().st_size for file in vectors.FOLDER.iterdir()) <= 10_000_000
    assert {file.name for file in vectors.FOLDER.iterdir()} == {
        "README.md",
        "vectores.npy",
        "vocabulario.txt",
    }


@pytest.mark.parametrize(
    ("word", "family", "least"),
    [
        ("enero", "febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre", 6),
        ("lunes", "martes miércoles jueves viernes sábado domingo", 4),
        ("francia", "españa inglaterra bélgica italia portugal alemania luxemburgo marruecos rusia", 4),
        ("azul", "azules verde verdes amarillo amarilla amarillas rojo roja negro blanco gris", 4),
        ("hermano", "hermana hermanito padre madre sobrino cuñado primo hijo hija esposo", 5),
    ],
)
def test_known_neighbours(published, word, family, least):
    neighbours = {neighbour for neighbour, _ in published.most_similar(word, topn=10)}
    assert len(neighbours & set(family.split())) >= least, neighbours


def test_known_similarities(published):
    for close, far in (("reina", "tren"), ("príncipe", "decreto"), ("monarca", "zapato")):
        assert published.similarity("rey", close) > published.similarity("rey", far) + 0.2


def test_figures_reach_the_goals_and_are_the_stored_ones(published, stored):
    measured = vectors.measure(published)
    assert measured["analogias_top1"] >= 0.25
    assert measured["categorias_pureza"] >= 0.60
    for name, value in measured.items():
        assert stored[name] == pytest.approx(value, abs=0.02), name


def test_measures_are_deterministic(published):
    assert vectors.category_purity(published, seeds=2) == vectors.category_purity(published, seeds=2)
    first, second = (vectors.analogy_accuracy(published) for _ in range(2))
    assert first.equals(second)


def test_missing_or_damaged_vectors(tmp_path):
    message = r"faltan o están dañados: recuperalos con «git checkout"
    with pytest.raises(VectorsError, match=message):
        vectors.load(tmp_path)
    copy = tmp_path / "copia"
    shutil.copytree(vectors.FOLDER, copy)
    matrix = (copy / "vectores.npy").read_bytes()
    (copy / "vectores.npy").write_bytes(matrix[:-1000])
    with pytest.raises(VectorsError, match=message):
        vectors.load(copy)
    (copy / "vectores.npy").write_bytes(matrix)
    (copy / "vocabulario.txt").write_text("una sola\n", encoding="utf-8")
    with pytest.raises(VectorsError, match=message):
        vectors.load(copy)


# --- vectores de un archivo propio ----------------------------------------------------------------


@pytest.fixture
def real_mode(monkeypatch):
    monkeypatch.setenv("NLP_DATOS", "reales")
    monkeypatch.delenv("NLP_VECTORES", raising=False)
    return monkeypatch


@pytest.fixture(scope="module")
def tiny_fasttext(tmp_path_factory):
    """Un fastText de juguete, guardado en los formatos en que se publican los grandes."""
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    folder = tmp_path_factory.mktemp("fasttext")
    model = FastText(
        [["sol", "y", "mar", "mar"]] * 5, vector_size=4, min_count=1, bucket=50, workers=1, epochs=1
    )
    save_facebook_model(model, str(folder / "mini.bin"))
    model.wv.save_word2vec_format(str(folder / "mini.vec"))
    model.wv.save_word2vec_format(str(folder / "mini.vec.gz"))
    return folder, model.wv


def test_pretrained_are_the_shipped_ones_unless_asked(real_mode):
    assert vectors.load_pretrained()[1] == "vectores_mini"
    real_mode.setenv("NLP_DATOS", "embebidos")
    real_mode.setenv("NLP_VECTORES", "no_existe.vec")
    assert vectors.load_pretrained()[1] == "vectores_mini", "el modo embebido no mira la variable"


@pytest.mark.parametrize("name", ["mini.bin", "mini.vec", "mini.vec.gz"])
def test_pretrained_from_a_file(real_mode, tiny_fasttext, name):
    folder, original = tiny_fasttext
    real_mode.setenv("NLP_VECTORES", str(folder / name))
    loaded, source = vectors.load_pretrained(limit=2)
    assert source == name
    assert loaded.index_to_key == original.index_to_key[:2]
    np.testing.assert_allclose(loaded.vectors, original.vectors[:2], atol=1e-5)


def test_pretrained_from_glove(real_mode, tmp_path):
    path = tmp_path / "glove.3d.txt"
    path.write_text("the 0.1 0.2 0.3\ndress -1 0 1\n, 1 1 1\n", encoding="utf-8")
    real_mode.setenv("NLP_VECTORES", str(path))
    loaded, source = vectors.load_pretrained(limit=2)
    assert source == "glove.3d.txt"
    assert loaded.index_to_key == ["the", "dress"], "la primera línea es una palabra, no un encabezado"
    np.testing.assert_allclose(loaded["dress"], [-1, 0, 1])


def test_pretrained_file_missing_or_damaged(real_mode, tmp_path):
    real_mode.setenv("NLP_VECTORES", str(tmp_path / "falta.vec"))
    with pytest.raises(VectorsError, match="no existe: corregí la ruta"):
        vectors.load_pretrained()
    for name in ("roto.bin", "roto.vec", "roto.vec.gz"):
        (tmp_path / name).write_bytes(b"esto no son vectores")
        real_mode.setenv("NLP_VECTORES", str(tmp_path / name))
        with pytest.raises(VectorsError, match="No pude leer"):
            vectors.load_pretrained()
