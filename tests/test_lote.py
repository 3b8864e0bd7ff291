"""El trabajo por lotes de la clase 8: nada se pierde, nada se repite, y se puede cortar donde sea."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, assert_light_import

from clase_8.servicio import lote
from clase_8.servicio.lote import LoteError


class Toy:
    """Estrellas según el largo del texto: cada texto tiene una sola respuesta posible, solo o en tanda."""

    def __init__(self, pause=0.0):
        self.pause = pause

    def predict(self, texts):
        time.sleep(self.pause)
        found = np.full((len(texts), 5), 0.1)
        found[np.arange(len(texts)), [len(text) % 5 for text in texts]] = 0.6
        return found


def star(text):
    return 1 + len(text) % 5


def text_of(i):
    return f"reseña número {i}" + "!" * (i % 7)


def write_jsonl(path, rows):
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parquet(path, ids, texts, **options):
    pq.write_table(pa.table({"otra": list(range(len(ids))), "id": ids, "texto": texts}), path, **options)


def records(ids):
    return [{"id": i, "texto": text_of(i)} for i in ids]


def load(target):
    """Toda la salida, en el orden de los nombres de sus archivos."""
    files = sorted(Path(target).glob("clasificadas-*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files]).to_pylist()


@pytest.fixture
def here(monkeypatch):
    """Los trabajadores, en este proceso y sin Ray."""

    def stage(worker, arguments, tasks, workers):
        if tasks:
            one = worker(**arguments)
        for task in tasks:
            answer = json.loads(one({"tarea": [json.dumps(task)]})["respuesta"][0])
            if "error" in answer:
                raise LoteError(answer["error"])
            yield answer

    monkeypatch.setattr(lote, "_stage", stage)


def run(source, target, factory=Toy, model_id="toy", **options):
    return lote.run(source, target, factory, model_id, **options)


# --- leer -----------------------------------------------------------------------------------------


@pytest.fixture(params=["jsonl", "parquet"])
def thousand(request, tmp_path):
    """Mil filas en un archivo: líneas vacías y BOM en el JSONL, grupos desparejos en el Parquet."""
    path = tmp_path / f"mil.{request.param}"
    if request.param == "parquet":
        table = pa.table({"id": list(range(1000)), "texto": [text_of(i) for i in range(1000)]})
        with pq.ParquetWriter(path, table.schema) as writer:
            for start, end in [(0, 7), (7, 700), (700, 701), (701, 1000)]:
                writer.write_table(table.slice(start, end - start))
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in records(range(1000))]
        lines[300:300] = ["", "   "]
        path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())  # sin salto al final
    return path


@pytest.mark.parametrize("part_rows", [1, 256, 300, 600, 5000])
def test_parts_cover_the_file_without_overlap(thousand, part_rows):
    plan = lote.make_plan(thousand, "toy", part_rows)
    parts = [lote.Part(**part) for part in plan["partes"]]
    rows = [row for part in parts for row in lote.read_rows(thousand, part, "int")]
    assert [row.id for row in rows] == list(range(1000))
    assert [row.text for row in rows] == [text_of(i) for i in range(1000)]
    assert not any(row.problem for row in rows)
    assert sum(part.rows for part in parts) == plan["filas"] == 1000
    assert max(part.rows for part in parts) <= max(part_rows, lote.GRANULE)


def test_list_of_cuts_does_not_grow_with_the_file(thousand, monkeypatch):
    monkeypatch.setattr(lote, "GRANULE", 8)
    monkeypatch.setattr(lote, "MAX_CUTS", 10)
    kind, granules = lote.scan(thousand)
    assert kind == "int" and len(granules) <= 11
    assert sum(rows for _, _, rows, _ in granules) == 1000
    parts = [lote.Part(i, 0, offset, first, rows) for i, (offset, first, rows, _) in enumerate(granules)]
    assert [row.id for part in parts for row in lote.read_rows(thousand, part, kind)] == list(range(1000))


def test_rows_are_numbered_as_an_editor_does(thousand):
    parts = [lote.Part(**part) for part in lote.make_plan(thousand, "toy", 256)["partes"]]
    numbers = [row.number for part in parts for row in lote.read_rows(thousand, part, "int")]
    skipped = 2 if thousand.suffix == ".jsonl" else 0
    assert numbers == [*range(1, 301), *range(301 + skipped, 1001 + skipped)]


def test_huge_texts_make_shorter_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(lote, "MAX_PART_BYTES", 100_000)
    write_jsonl(tmp_path / "a.jsonl", [{"id": i, "texto": "x" * 200} for i in range(2000)])
    parts = lote.make_plan(tmp_path / "a.jsonl", "toy", 5000)["partes"]
    assert [part["rows"] for part in parts] == [256] * 7 + [208]


BAD_FILES = {
    "corto.parquet": (b"PAR1", "no es un archivo Parquet"),
    "vacio.parquet": (b"", "no es un archivo Parquet"),
    "malo.jsonl": (b"id,texto\n1,hola\n", "no es JSON"),
    "lista.jsonl": (b"[1, 2]\n", "no es un objeto"),
    "ingles.jsonl": (b'{"id": 1, "text": "hi"}\n', "sin texto"),
    "sin_id.jsonl": (b'{"texto": "hola"}\n', "sin id"),
    "hondo.jsonl": (b"[" * 100_000 + b"\n", "no es JSON"),
    "binario.jsonl": (bytes(range(128, 256)) + b"\n", "no es JSON"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named_with_their_problem(tmp_path, name):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LoteError, match=message) as found:
        lote.make_plan(tmp_path, "toy")
    assert name in str(found.value)


def test_all_bad_files_are_reported_together(tmp_path):
    for name in BAD_FILES:
        (tmp_path / name).write_bytes(BAD_FILES[name][0])
    write_jsonl(tmp_path / "bueno.jsonl", records(range(3)))
    with pytest.raises(LoteError) as found:
        lote.make_plan(tmp_path, "toy")
    assert all(name in str(found.value) for name in BAD_FILES)
    assert "bueno" not in str(found.value)


def test_line_without_end_does_not_reach_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(lote, "MAX_LINE", 1000)
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 1, "texto": "' + b"x" * 5000)
    with pytest.raises(LoteError, match="línea de más"):
        lote.make_plan(tmp_path, "toy")


def test_parquet_columns_are_checked(tmp_path):
    pq.write_table(pa.table({"id": [1.5], "texto": ["a"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [1], "text": ["a"]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"id": [1], "texto": [2]}), tmp_path / "c.parquet")
    with pytest.raises(LoteError) as found:
        lote.make_plan(tmp_path, "toy")
    assert "double" in str(found.value) and "«texto» (tiene id, text)" in str(found.value)
    assert str(found.value).count("\n") == 3


def test_ids_of_two_kinds_are_refused(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"id": 1, "texto": "x"}])
    write_parquet(tmp_path / "b.parquet", ["uno"], ["x"])
    with pytest.raises(LoteError, match=r"enteros en a\.jsonl y texto en b\.parquet"):
        lote.make_plan(tmp_path, "toy")


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("x")])
def test_nothing_to_read(tmp_path, make):
    make(tmp_path / "entrada")
    with pytest.raises(LoteError, match=r"No existe|no hay archivos"):
        lote.make_plan(tmp_path / "entrada", "toy")


def test_only_empty_files(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n\n")
    with pytest.raises(LoteError, match="ninguna fila"):
        lote.make_plan(tmp_path, "toy")


# --- clasificar -----------------------------------------------------------------------------------

ODD_ROWS = {
    "no es JSON": '{"id": 1,',
    "sin id": {"texto": "a"},
    "el id no es entero": {"id": "uno", "texto": "a"},
    "el id no es entero ni texto": {"id": 1.0, "texto": "a"},
    "entra en 64 bits": {"id": 2**63, "texto": "a"},
    "sin texto": {"id": 5, "texto": " \n"},
    "Unicode": {"id": 6, "texto": "\ud800"},
}


def test_rows_that_cannot_be_classified_are_listed_and_the_rest_goes_on(tmp_path, here):
    source = tmp_path / "a.jsonl"
    odd = [row if isinstance(row, str) else json.dumps(row) for row in ODD_ROWS.values()]
    write_jsonl(source, [*records(range(10, 13)), *odd, *records([20])])
    found = run(source, tmp_path / "salida")
    rejected = [json.loads(line) for line in (tmp_path / "salida/rechazadas.jsonl").read_text().splitlines()]
    assert [row["fila"] for row in rejected] == list(range(4, 11))
    assert all(words in row["motivo"] for words, row in zip(ODD_ROWS, rejected, strict=True))
    assert (found["filas_entrada"], found["filas_clasificadas"], found["filas_rechazadas"]) == (11, 4, 7)
    assert [row["id"] for row in load(tmp_path / "salida")] == [10, 11, 12, 20]


def test_null_values_in_parquet_are_rejected(tmp_path, here):
    write_parquet(tmp_path / "a.parquet", pa.array([1, None, 3]), ["a", "b", None])
    found = run(tmp_path / "a.parquet", tmp_path / "salida")
    assert (found["filas_clasificadas"], found["filas_rechazadas"]) == (1, 2)


def test_prediction_reaches_its_row_whatever_the_batches(monkeypatch):
    monkeypatch.setattr(lote, "WINDOW", 10)
    monkeypatch.setattr(lote, "BATCH", 3)
    ids = np.random.default_rng(0).permutation(100)
    rows = [lote.Row(n, int(i), text_of(i), "") for n, i in enumerate(ids, start=1)]
    table, rejected = lote.classify_part(Toy(), rows, 0, "int")
    assert table["id"].to_pylist() == list(range(100)) and not rejected
    assert table["estrellas"].to_pylist() == [star(text_of(i)) for i in range(100)]
    assert table["fila"].to_pylist() == (np.argsort(ids) + 1).tolist()


def test_only_a_window_of_texts_is_alive(monkeypatch):
    monkeypatch.setattr(lote, "WINDOW", 10)
    seen = []

    class Spy(Toy):
        def predict(self, texts):
            seen.append(read[0])
            return super().predict(texts)

    read = [0]

    def rows():
        for i in range(95):
            read[0] += 1
            yield lote.Row(i + 1, i, text_of(i), "")

    lote.classify_part(Spy(), rows(), 0, "int")
    assert seen == [*range(10, 91, 10), 95]


@pytest.mark.parametrize("bad", [np.full((2, 5), np.nan), np.ones((2, 4)), np.ones(2)])
def test_nonsense_from_the_model_stops_the_job(bad):
    class Broken:
        def predict(self, texts):
            return bad

    rows = [lote.Row(i, i, "hola", "") for i in (1, 2)]
    with pytest.raises(LoteError, match="clasificador"):
        lote.classify_part(Broken(), rows, 0, "int")


# --- escribir -------------------------------------------------------------------------------------


def test_commit_leaves_a_whole_file_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "partes" / "a.parquet"
    table = pa.table({"id": [1, 2]})
    lote.commit(table, path, {"trabajo": "t", "filas": 2})
    assert lote.committed(path, "t") == {"trabajo": "t", "filas": 2}
    assert lote.committed(path, "otro") is None

    def cut(table, where, **_):
        Path(where).write_bytes(path.read_bytes()[:40])
        raise OSError("disco lleno")

    monkeypatch.setattr(pq, "write_table", cut)
    with pytest.raises(OSError, match="disco lleno"):
        lote.commit(pa.table({"id": [3]}), path, {"trabajo": "t"})
    assert pq.read_table(path)["id"].to_pylist() == [1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["a.parquet"]


def test_a_damaged_part_counts_as_missing(tmp_path):
    path = tmp_path / "a.parquet"
    assert lote.committed(path, "t") is None
    pq.write_table(pa.table({"id": [1]}), path)
    assert lote.committed(path, "t") is None
    lote.commit(pa.table({"id": [1]}), path, {"trabajo": "t"})
    path.write_bytes(path.read_bytes()[:-20])
    assert lote.committed(path, "t") is None


# --- ordenar --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_ranges_cover_every_id_once(seed):
    rng = np.random.default_rng(seed)
    ids = [np.sort(rng.integers(0, [40, 10**6][seed % 2], rng.integers(0, 60))).tolist() for _ in range(9)]
    parts = [{"numero": n, "muestra": x[::7], "ultimo": x[-1] if x else None} for n, x in enumerate(ids)]
    ranges = lote.make_ranges(parts, output_rows=2 * lote.SAMPLE_EVERY)
    for n, some in enumerate(ids):
        for id_ in some:
            inside = [
                task
                for task in ranges
                if (task["desde"] is None or id_ >= task["desde"])
                and (task["hasta"] is None or id_ < task["hasta"])
            ]
            assert len(inside) == 1 and n in inside[0]["partes"]
    assert [task["numero"] for task in ranges] == list(range(len(ranges)))


def test_nothing_to_sort():
    assert lote.make_ranges([{"numero": 0, "muestra": [], "ultimo": None}]) == []


# --- el trabajo entero ----------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path):
    """Dos mil filas desordenadas en dos formatos, con tres id repetidos, uno de ellos en otro archivo."""
    ids = np.random.default_rng(0).permutation(2000).tolist()
    folder = tmp_path / "entrada"
    folder.mkdir()
    write_jsonl(folder / "a.jsonl", records([*ids[:900], ids[0], ids[1]]))
    write_parquet(folder / "b.parquet", [*ids[900:], ids[2]], [text_of(i) for i in [*ids[900:], ids[2]]])
    (folder / "LEEME.txt").write_text("hola")
    return folder, sorted([*ids, *ids[:3]])


@pytest.fixture
def small_outputs(monkeypatch):
    """Tramos de unas doscientas filas, para que haya varios."""
    monkeypatch.setattr(lote, "SAMPLE_EVERY", 10)
    monkeypatch.setattr(lote, "make_ranges", functools.partial(lote.make_ranges, output_rows=200))


def check(target, ids):
    rows = load(target)
    assert [row["id"] for row in rows] == ids
    assert all(row["estrellas"] == star(text_of(row["id"])) for row in rows)
    assert len({(row["archivo"], row["fila"]) for row in rows}) == len(rows)
    np.testing.assert_allclose(
        [[row[f"p{i}"] for i in range(1, 6)] for row in rows].pop(), sorted_like(rows[-1])
    )


def sorted_like(row):
    return [0.6 if i + 1 == row["estrellas"] else 0.1 for i in range(5)]


def test_output_is_complete_and_ordered(mixed, tmp_path, here, small_outputs):
    folder, ids = mixed
    found = run(folder, tmp_path / "salida", part_rows=256)
    check(tmp_path / "salida", ids)
    assert found["filas_clasificadas"] == 2003 and found["filas_rechazadas"] == 0
    assert found["ids_repetidos"] == 3 and set(found["ejemplos_repetidos"]) <= set(ids)
    assert len(found["salidas"]) > 5 and found["ignorados"] == ["LEEME.txt"]
    left = sorted(path.name for path in (tmp_path / "salida").iterdir())
    assert left == sorted([*found["salidas"], "plan.json", "informe.json"])


class Cut(Exception):
    pass


def test_a_second_call_does_only_what_is_missing(mixed, tmp_path, here, small_outputs):
    folder, ids = mixed
    target, seen = tmp_path / "salida", []

    def stop_at_third(about):
        seen.append(about["numero"])
        if len(seen) == 3:
            raise Cut

    with pytest.raises(Cut):
        run(folder, target, part_rows=256, on_part=stop_at_third)
    assert not (target / "informe.json").exists()
    damaged = lote.part_path(target, seen[0])
    damaged.write_bytes(damaged.read_bytes()[:-10])
    (target / "partes" / ".parte-000001.parquet.cortada").write_bytes(b"basura")

    again = []
    found = run(folder, target, on_part=lambda about: again.append(about["numero"]))
    assert seen[0] in again and not set(again) & set(seen[1:])
    assert found["partes_nuevas"] == len(again) == found["partes"] - 2
    check(target, ids)
    assert run(folder, target)["partes_nuevas"] == 0


def test_a_cut_while_sorting_keeps_what_was_sorted(mixed, tmp_path, here, small_outputs, monkeypatch):
    folder, ids = mixed
    target, do = tmp_path / "salida", lote.SortRange.do

    def fail_at_fourth(self, task):
        if task["numero"] == 3:
            raise Cut
        return do(self, task)

    monkeypatch.setattr(lote.SortRange, "do", fail_at_fourth)
    with pytest.raises(Cut):
        run(folder, target, part_rows=256)
    first = lote.output_path(target, 0).stat().st_mtime_ns
    monkeypatch.setattr(lote.SortRange, "do", do)
    assert run(folder, target)["partes_nuevas"] == 0
    assert lote.output_path(target, 0).stat().st_mtime_ns == first
    check(target, ids)


def test_ids_can_be_text(tmp_path, here, small_outputs):
    names = [f"ñandú-{i:03d}" for i in range(500)]
    write_jsonl(tmp_path / "a.jsonl", [{"id": name, "texto": name} for name in reversed(names)])
    run(tmp_path / "a.jsonl", tmp_path / "salida")
    assert [row["id"] for row in load(tmp_path / "salida")] == names


def test_every_row_rejected_is_still_a_report(tmp_path, here):
    write_jsonl(tmp_path / "a.jsonl", [*records([1]), {"id": 2}])
    parts = lote.make_plan(tmp_path / "a.jsonl", "toy")["partes"]
    assert len(parts) == 1
    pq.write_table(pa.table({"id": [1, 2], "texto": ["", " "]}), tmp_path / "b.parquet")
    found = run(tmp_path / "b.parquet", tmp_path / "salida")
    assert found["filas_rechazadas"] == 2 and found["salidas"] == []


def test_another_input_or_another_model_is_another_job(mixed, tmp_path, here):
    folder, _ = mixed
    target = tmp_path / "salida"
    run(folder, target)
    with pytest.raises(LoteError, match="otro modelo"):
        run(folder, target, model_id="otro")
    write_jsonl(folder / "a.jsonl", records(range(5)))
    with pytest.raises(LoteError, match="entrada cambió"):
        run(folder, target)


def test_a_folder_with_other_things_is_not_touched(mixed, tmp_path, here):
    (tmp_path / "salida").mkdir()
    (tmp_path / "salida" / "tesis.txt").write_text("todo")
    with pytest.raises(LoteError, match="otras cosas"):
        run(mixed[0], tmp_path / "salida")
    assert [path.name for path in (tmp_path / "salida").iterdir()] == ["tesis.txt"]


def test_input_that_disappears_is_explained(mixed, tmp_path, here):
    folder, _ = mixed
    source = lote.ClassifyParts(
        Toy, str(folder), str(tmp_path), {"tipo_id": "int", "archivos": ["x.jsonl"], "trabajo": "t"}
    )
    answer = source({"tarea": [json.dumps({"number": 0, "file": 0, "offset": 0, "first": 1, "rows": 1})]})
    assert "misma carpeta" in json.loads(answer["respuesta"][0])["error"]


def test_import_is_light():
    assert_light_import("clase_8.servicio.lote")


def test_command_line_says_what_is_wrong(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lote, "served_model", lambda: (Toy, "toy"))
    assert lote.main([str(tmp_path / "nada"), str(tmp_path / "salida")]) == 1
    assert "No existe" in capsys.readouterr().err


@pytest.mark.parametrize(("ids", "code"), [([1, 2], 0), ([1, 1], 3)])
def test_exit_code_tells_if_something_needs_a_look(tmp_path, monkeypatch, here, capsys, ids, code):
    monkeypatch.setattr(lote, "served_model", lambda: (Toy, "toy"))
    write_jsonl(tmp_path / "a.jsonl", records(ids))
    assert lote.main([str(tmp_path / "a.jsonl"), str(tmp_path / "salida")]) == code
    assert "2 filas: 2 clasificadas" in capsys.readouterr().out


# --- con un clúster de verdad ---------------------------------------------------------------------
# Tardan: no corren con las demás. `pytest -m cluster tests/test_lote.py`


@pytest.fixture
def cluster(monkeypatch):
    """Dos nodos de un procesador, que se detectan muertos en un par de segundos."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    health = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 3,
    }
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": health})
    found.add_node(num_cpus=1)
    ray.init(address=found.address, log_to_driver=False, logging_level="ERROR")
    yield found
    ray.shutdown()
    found.shutdown()


@pytest.mark.cluster
@pytest.mark.parametrize("replaced", [True, False])
def test_killed_node_costs_no_row(mixed, tmp_path, cluster, replaced):
    folder, ids = mixed
    seen = []

    def kill_at_second(about):
        seen.append(about)
        if len(seen) == 2:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
            if replaced:
                cluster.add_node(num_cpus=1)

    found = run(
        folder, tmp_path / "salida", functools.partial(Toy, 0.2), part_rows=256, on_part=kill_at_second
    )
    assert found["filas_clasificadas"] == 2003
    check(tmp_path / "salida", ids)


@pytest.mark.cluster
def test_killed_worker_costs_no_row(mixed, tmp_path, cluster):
    folder, ids = mixed
    seen = []

    def kill_at_second(about):
        seen.append(about)
        if len(seen) == 2:
            os.kill(int(about["trabajador"].split(":")[1]), signal.SIGKILL)

    found = run(
        folder, tmp_path / "salida", functools.partial(Toy, 0.2), part_rows=256, on_part=kill_at_second
    )
    assert len({part["trabajador"] for part in found["historia"]}) >= 2
    check(tmp_path / "salida", ids)


@pytest.mark.cluster
def test_killed_driver_is_resumed(mixed, tmp_path, cluster):
    folder, ids = mixed
    target = tmp_path / "salida"
    code = (
        "import functools, sys; from test_lote import Toy; from clase_8.servicio import lote\n"
        "lote.run(*sys.argv[1:], functools.partial(Toy, 0.3), 'toy', part_rows=256)"
    )
    environ = os.environ | {"RAY_ADDRESS": cluster.address}
    driver = subprocess.Popen([sys.executable, "-c", code, folder, target], cwd=ROOT, env=environ)
    limit = time.monotonic() + 90
    while len(list(target.glob("partes/parte-*"))) < 2 and time.monotonic() < limit:
        assert driver.poll() is None
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    found = run(folder, target)
    assert found["partes_nuevas"] <= found["partes"] - 2
    check(target, ids)
