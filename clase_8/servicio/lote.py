"""Clasificar millones de textos con Ray Data: ``python -m clase_8.servicio.lote entrada/ salida/``.

``entrada`` es un archivo ``.jsonl`` o ``.parquet``, o una carpeta con ellos, con dos campos: ``id``
(entero o texto) y ``texto``. Sin nada más corre en los procesadores de esta máquina; con ``RAY_ADDRESS``
(``servidor:6379``), en un clúster cuyas máquinas ven las mismas carpetas: la del repositorio, la de
entrada y la de salida.

El trabajo tiene tres pasos, y los tres se pueden cortar en cualquier punto:

1. **Planear.** La entrada se divide en partes, y la división se guarda en ``salida/plan.json``.
2. **Clasificar.** Un trabajador toma una parte, la lee de a ratos, la clasifica y deja
   ``salida/partes/parte-….parquet``: filas ordenadas por ``id``, y en el mismo archivo, quién la hizo,
   cuándo y qué filas rechazó. El archivo aparece entero o no aparece (se escribe con otro nombre y se
   renombra), así que una parte hecha dos veces queda una sola vez.
3. **Ordenar.** Con los ``id`` que cada parte dejó de muestra se corta el rango completo en tramos
   parejos; cada tramo junta lo suyo de todas las partes y deja ``salida/clasificadas-….parquet``.
   Leídos en el orden de sus nombres, esos archivos están ordenados por ``id``.

Al final se cuentan las filas y se escribe ``salida/informe.json``: si está, el resultado está completo.
Una segunda llamada hace solo lo que falta.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import itertools
import json
import logging
import os
import platform
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from utils.results import write_atomic

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("id", "texto")
GRANULE = 256  # filas: la parte más chica, y cada cuántas se anota dónde está parada la lectura
MAX_PART_ROWS = 50_000  # lo que un trabajador que se cae hace repetir, como mucho
MAX_PART_BYTES = 32 * 2**20
MIN_PARTS = 64  # un trabajo chico también se reparte
MAX_CUTS = 4096  # pedazos que se recuerdan de cada archivo mientras se lo recorre
OUTPUT_ROWS = 1_000_000
SAMPLE_EVERY = 1000  # filas entre un id de muestra y el siguiente
WINDOW, BATCH = 1024, 64  # textos en memoria a la vez, y por llamada al modelo
MAX_LINE = 8 * 2**20
HISTORY = ("numero", "filas", "trabajador", "nodo", "nacio", "cargo", "memoria", "empezo", "termino")
KINDS = {"int": "entero", "str": "texto"}
INT64 = range(-(2**63), 2**63)


class LoteError(RuntimeError):
    """El trabajo no se puede hacer, o no se puede seguir; el mensaje dice por qué y qué hacer."""


class Classifier(Protocol):
    """Lo único que el trabajo le pide al modelo."""

    def predict(self, texts: list[str]) -> np.ndarray:
        """Probabilidad de 1 a 5 estrellas de cada texto: shape (n, 5)."""


@dataclass(frozen=True)
class Part:
    """Un pedazo de un archivo de entrada: lo que un trabajador hace de una vez.

    Attributes
    ----------
    number : int
        Posición en el trabajo.
    file : int
        Posición del archivo en la lista del plan.
    offset : int
        En JSONL, en qué byte empieza; en Parquet no se usa.
    first : int
        Número de su primera línea (JSONL, contando las vacías) o fila (Parquet), desde 1.
    rows : int
        Cuántas filas tiene.
    """

    number: int
    file: int
    offset: int
    first: int
    rows: int


@dataclass(frozen=True)
class Row:
    """Una fila leída; ``problem`` dice por qué no se puede clasificar, y si está vacío, se puede."""

    number: int
    id: Any
    text: Any
    problem: str


# --- entrada --------------------------------------------------------------------------------------


def input_files(source: Path) -> tuple[list[Path], list[str]]:
    """Los archivos que se van a leer, por nombre, y los nombres de los que no."""
    if source.is_file():
        found, ignored = [source], []
    elif source.is_dir():
        everything = sorted(p for p in source.iterdir() if p.is_file() and not p.name.startswith("."))
        found = [path for path in everything if path.suffix in (".jsonl", ".parquet")]
        ignored = [path.name for path in everything if path not in found]
    else:
        raise LoteError(f"No existe {source}.")
    if not found or found[0].suffix not in (".jsonl", ".parquet"):
        raise LoteError(f"En {source} no hay archivos .jsonl ni .parquet.")
    return found, ignored


class Cuts:
    """Dónde se puede cortar un archivo, en una lista que no crece con él: si se alarga, los pedazos se juntan.

    Attributes
    ----------
    rows : int
        De cuántas filas conviene que sea el próximo pedazo.
    granules : list of (offset, first, rows, bytes)
        Pedazos seguidos, como en :class:`Part`.
    """

    def __init__(self):
        self.rows, self.granules = GRANULE, []

    def add(self, granule: tuple[int, int, int, int]) -> None:
        self.granules.append(granule)
        if len(self.granules) > MAX_CUTS and 2 * self.rows <= MAX_PART_ROWS:
            self.rows *= 2
            self.granules = list(_join(self.granules, self.rows))


def _join(granules, rows: int) -> Iterator[tuple[int, int, int, int]]:
    """Junta pedazos seguidos sin pasar de tantas filas ni de ``MAX_PART_BYTES`` (salvo que uno solo pase)."""
    current = None
    for offset, first, more_rows, more_bytes in granules:
        if current and current[2] + more_rows <= rows and current[3] + more_bytes <= MAX_PART_BYTES:
            current = (*current[:2], current[2] + more_rows, current[3] + more_bytes)
            continue
        if current:
            yield current
        current = (offset, first, more_rows, more_bytes)
    if current:
        yield current


def scan(path: Path) -> tuple[str | None, list[tuple[int, int, int, int]]]:
    """Recorre un archivo sin guardarlo y anota dónde se lo puede cortar.

    Returns
    -------
    kind : {"int", "str"} or None
        De qué tipo son sus ``id``; ``None`` si no tiene ninguna fila.
    granules : list of (offset, first, rows, bytes)
        Los de :class:`Cuts`.

    Raises
    ------
    LoteError
        Si no se puede leer, si no es lo que su nombre dice, o si le faltan columnas.
    """
    try:
        return _scan_parquet(path) if path.suffix == ".parquet" else _scan_jsonl(path)
    except OSError as error:  # también los errores de lectura de pyarrow
        raise LoteError(f"{path.name}: no se puede leer ({error.strerror or error}).") from None


def _scan_parquet(path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            size = sum(
                file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups)
            )
    except pa.ArrowInvalid:
        raise LoteError(f"{path.name}: no es un archivo Parquet, o está cortado.") from None
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise LoteError(
            f"{path.name}: le falta la columna «{'» y la columna «'.join(missing)}» (tiene {', '.join(schema.names)})."
        )
    kind = _kind(schema.field("id").type)
    if kind is None or _kind(schema.field("texto").type) != "str":
        raise LoteError(
            f"{path.name}: «id» tiene que ser entero o texto y «texto», texto; "
            f"son {schema.field('id').type} y {schema.field('texto').type}."
        )
    cuts, first = Cuts(), 1
    while first <= rows:
        step = min(cuts.rows, rows - first + 1)
        cuts.add((0, first, step, size * step // rows))
        first += step
    return kind, cuts.granules


def _kind(type_: pa.DataType) -> str | None:
    """De un tipo de Arrow a ``"int"`` o ``"str"``; ``None`` si no es ninguno de los dos."""
    import pyarrow.types as types

    if types.is_dictionary(type_):
        return _kind(type_.value_type)
    if types.is_integer(type_) and not types.is_uint64(type_):
        return "int"
    return "str" if types.is_string(type_) or types.is_large_string(type_) else None


def _scan_jsonl(path: Path):
    kind, example, cuts = None, None, Cuts()
    offset, line_number = 0, 0
    start, first, rows = 0, 1, 0
    with open(path, "rb") as file:
        for line in _lines(file, path.name):
            line_number += 1
            if line.strip():
                rows += 1
                if kind is None:  # el de la primera fila que sirve
                    row = _parse(line, line_number, None)
                    kind, example = (None if row.problem else type(row.id).__name__), example or row
            offset += len(line)
            if rows >= cuts.rows or (rows and offset - start >= MAX_PART_BYTES):
                cuts.add((start, first, rows, offset - start))
                start, first, rows = offset, line_number + 1, 0
    if rows:
        cuts.add((start, first, rows, offset - start))
    if cuts.granules and kind is None:
        raise LoteError(
            f"{path.name}: ninguna fila sirve (línea {example.number}: {example.problem}); "
            'se esperaba {"id": 1, "texto": "…"} en cada línea.'
        )
    return kind, cuts.granules


def _lines(file, name: str) -> Iterator[bytes]:
    """Líneas de un archivo binario; un archivo sin saltos de línea no llega a la memoria."""
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            raise LoteError(f"{name}: hay una línea de más de {MAX_LINE >> 20} MB; no parece JSONL.")
        yield line


def _parse(line: bytes, number: int, kind: str | None) -> Row:
    try:
        record = json.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
    except (ValueError, RecursionError):
        return Row(number, None, None, "no es JSON")
    if not isinstance(record, dict):
        return Row(number, None, None, "no es un objeto JSON")
    return _checked(number, record.get("id"), record.get("texto"), kind)


def _checked(number: int, id_: Any, text: Any, kind: str | None) -> Row:
    """Una fila y lo que le impide ser clasificada, si algo."""
    if id_ is None:
        problem = "sin id"
    elif isinstance(id_, bool) or not isinstance(id_, int | str):
        problem, id_ = "el id no es entero ni texto", None
    elif kind and type(id_).__name__ != kind:
        problem = f"el id no es {KINDS[kind]}"
    elif isinstance(id_, int) and id_ not in INT64:
        problem = "el id no entra en 64 bits"
    elif not isinstance(text, str) or not text.strip():
        problem = "sin texto"
    elif not _is_unicode(text) or not _is_unicode(str(id_)):
        problem = "tiene medios caracteres, que no son Unicode"
    else:
        problem = ""
    return Row(number, id_, text, problem)


def _is_unicode(text: str) -> bool:
    """Falso si hay un sustituto suelto: JSON lo deja escribir (``\\ud800``), pero no es un carácter."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def read_rows(path: Path, part: Part, kind: str) -> Iterator[Row]:
    """Las filas de una parte, de a una.

    Raises
    ------
    LoteError
        Si el archivo ya no está o no se deja leer.
    """
    reader = _read_parquet if path.suffix == ".parquet" else _read_jsonl
    try:
        yield from reader(path, part, kind)
    except (OSError, ValueError) as error:  # ValueError: pyarrow, ante un archivo cortado o sin UTF-8
        raise LoteError(
            f"{path}: no se puede leer en {platform.node()} ({getattr(error, 'strerror', None) or error}). "
            "En un clúster, todas las máquinas tienen que ver la misma carpeta."
        ) from None


def _read_jsonl(path: Path, part: Part, kind: str) -> Iterator[Row]:
    with open(path, "rb") as file:
        file.seek(part.offset)
        numbered = enumerate(_lines(file, path.name), start=part.first)
        rows = (_parse(line, number, kind) for number, line in numbered if line.strip())
        yield from itertools.islice(rows, part.rows)


def _read_parquet(path: Path, part: Part, kind: str) -> Iterator[Row]:
    import pyarrow.parquet as pq

    # Sin pre_buffer y con buffer_size se decodifica de a páginas: la memoria no depende del grupo de filas.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=2**20) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        ends = list(itertools.accumulate(sizes))
        group = next(i for i, end in enumerate(ends) if end >= part.first)
        skip = part.first - 1 - (ends[group] - sizes[group])
        groups = list(range(group, len(sizes)))
        batches = file.iter_batches(GRANULE, row_groups=groups, columns=list(COLUMNS), use_threads=False)
        pairs = (
            pair
            for batch in batches
            for pair in zip(*(batch[name].to_pylist() for name in COLUMNS), strict=True)
        )
        wanted = itertools.islice(pairs, skip, skip + part.rows)
        yield from (_checked(part.first + i, id_, text, kind) for i, (id_, text) in enumerate(wanted))


# --- plan -----------------------------------------------------------------------------------------


def make_plan(source: Path, model_id: str, part_rows: int | None = None) -> dict:
    """Qué archivos hay y cómo se reparten en partes.

    Parameters
    ----------
    source : Path
        Archivo o carpeta de entrada.
    model_id : str
        Qué modelo clasifica: un trabajo empezado con uno no se sigue con otro.
    part_rows : int, optional
        Filas por parte; sin él, las que den al menos ``MIN_PARTS`` partes sin pasar de ``MAX_PART_ROWS``.

    Raises
    ------
    LoteError
        Si algún archivo no sirve, con todos los problemas juntos, o si no hay ninguna fila.
    """
    files, ignored = input_files(source)
    scanned, problems = [], []
    for path in files:
        try:
            scanned.append((path, *scan(path)))
        except LoteError as error:
            problems.append(str(error))
    if problems:
        raise LoteError("La entrada no sirve:\n  " + "\n  ".join(problems))
    kinds = {kind: path.name for path, kind, granules in scanned if granules}
    if len(kinds) > 1:
        raise LoteError(
            f"Los id son enteros en {kinds['int']} y texto en {kinds['str']}: no se pueden ordenar juntos."
        )
    total = sum(rows for *_, granules in scanned for _, _, rows, _ in granules)
    if not total:
        raise LoteError(f"En {source} no hay ninguna fila.")
    size = part_rows or min(MAX_PART_ROWS, -(-total // MIN_PARTS))
    parts = [(i, *piece[:3]) for i, (*_, granules) in enumerate(scanned) for piece in _join(granules, size)]
    return {
        "modelo": model_id,
        "tipo_id": next(iter(kinds)),
        "archivos": [_stamp(path) for path in files],
        "ignorados": ignored,
        "filas": total,
        "partes": [asdict(Part(number, *part)) for number, part in enumerate(parts)],
    }


def _stamp(path: Path) -> dict:
    """Con qué se reconoce que un archivo de entrada es el mismo."""
    stat = path.stat()
    return {"nombre": path.name, "bytes": stat.st_size, "modificado": stat.st_mtime_ns}


def job_id(plan: dict) -> str:
    """Nombre del trabajo: la suma de su plan. Va en cada archivo que escribe."""
    text = json.dumps({key: plan[key] for key in sorted(plan) if key != "ignorados"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_plan(source: Path, target: Path, model_id: str, part_rows: int | None = None) -> dict:
    """El plan guardado en ``target`` o, si es la primera vez, uno nuevo, que queda guardado.

    Raises
    ------
    LoteError
        Si lo guardado es de otra entrada o de otro modelo, o si la carpeta tiene otras cosas.
    """
    path = target / "plan.json"
    if not path.exists():
        if target.exists() and any(not entry.name.startswith(".") for entry in target.iterdir()):
            raise LoteError(
                f"{target} tiene otras cosas: hace falta una carpeta vacía o la de un trabajo empezado."
            )
        plan = make_plan(source, model_id, part_rows)
        target.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(plan, ensure_ascii=False))
        return plan
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        was, model = plan["archivos"], plan["modelo"]
    except (ValueError, KeyError):
        raise LoteError(f"{path} está dañado: borrá {target} y empezá de nuevo.") from None
    if was != [_stamp(file) for file in input_files(source)[0]]:
        raise LoteError(f"La entrada cambió desde que se empezó {target}: usá otra carpeta de salida.")
    if model != model_id:
        raise LoteError(f"{target} se empezó con otro modelo ({model}): usá otra carpeta de salida.")
    return plan


# --- lo que hace un trabajador --------------------------------------------------------------------


def classify_part(model: Classifier, rows: Iterable[Row], file: int, kind: str) -> tuple[pa.Table, list]:
    """Clasifica las filas de una parte sin tener todos sus textos en memoria.

    Parameters
    ----------
    model : Classifier
    rows : iterable of Row
    file : int
        Qué archivo es, para la columna ``archivo``.
    kind : {"int", "str"}

    Returns
    -------
    table : pyarrow.Table
        ``id``, ``estrellas``, ``p1`` … ``p5``, ``archivo`` y ``fila``, ordenada por ``id`` (y a igual id,
        por archivo y fila).
    rejected : list of [int, str]
        Número de fila y motivo de las que no se pudieron clasificar.
    """
    import numpy as np
    import pyarrow as pa

    ids, numbers, found, rejected = [], [], [np.empty((0, 5), np.float32)], []
    rows = iter(rows)
    while window := list(itertools.islice(rows, WINDOW)):
        good = [row for row in window if not row.problem]
        rejected += [[row.number, row.problem] for row in window if row.problem]
        found.append(_predict(model, [row.text for row in good]))
        ids += [row.id for row in good]
        numbers += [row.number for row in good]
    probabilities = np.concatenate(found)
    table = pa.table(
        {
            "id": pa.array(ids, pa.int64() if kind == "int" else pa.string()),
            "estrellas": pa.array(1 + probabilities.argmax(axis=1), pa.int8()),
            **{f"p{i + 1}": pa.array(np.ascontiguousarray(probabilities[:, i])) for i in range(5)},
            "archivo": pa.array(np.full(len(ids), file, np.int32)),
            "fila": pa.array(numbers, pa.int64()),
        }
    )
    return _sorted(table), rejected


def _predict(model: Classifier, texts: list[str]) -> np.ndarray:
    """Probabilidades de los textos, agrupados por largo: así el relleno de cada tanda es el menor posible."""
    import numpy as np

    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = np.empty((len(texts), 5), np.float32)
    for start in range(0, len(texts), BATCH):
        chosen = order[start : start + BATCH]
        values = np.asarray(model.predict([texts[i] for i in chosen]))
        if values.shape != (len(chosen), 5) or not np.isfinite(values).all():
            raise LoteError(f"El clasificador devolvió {values.shape} o valores que no son números.")
        found[chosen] = values
    return found


def _sorted(table: pa.Table) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in ("id", "archivo", "fila")])


def commit(table: pa.Table, path: Path, about: dict) -> None:
    """Escribe un archivo Parquet de una vez, con ``about`` adentro.

    Se escribe con un nombre que nadie más usa, se baja al disco y se renombra, que es atómico: nunca se ve
    a medio escribir, y si dos trabajadores hacen lo mismo, queda el archivo de uno de los dos. Los datos y
    lo que se dice de ellos van juntos porque dos archivos no se pueden renombrar a la vez.
    """
    import pyarrow.parquet as pq

    table = table.replace_schema_metadata({"lote": json.dumps(about, ensure_ascii=False)})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        # Con grupos chicos, quien ordena lee de cada parte solo el tramo que le toca.
        pq.write_table(table, partial, row_group_size=4096)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def committed(path: Path, job: str) -> dict | None:
    """Lo que un archivo dice de sí mismo, o ``None`` si no está, no se lee o es de otro trabajo."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = json.loads(pq.read_schema(path).metadata[b"lote"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None
    return about if about.get("trabajo") == job else None


def part_path(target: Path, number: int) -> Path:
    """Dónde queda una parte clasificada."""
    return target / "partes" / f"parte-{number:06d}.parquet"


def output_path(target: Path, number: int) -> Path:
    """Dónde queda un tramo ordenado."""
    return target / f"clasificadas-{number:05d}.parquet"


class ClassifyParts:
    """Trabajador del paso 2: carga el modelo una vez y clasifica las partes que le tocan.

    Parameters
    ----------
    factory : callable
        Sin argumentos; devuelve el :class:`Classifier`.
    source, target : str
        Carpetas de entrada y de salida.
    job : dict
        ``trabajo`` (su nombre), ``tipo_id`` y ``archivos`` (sus nombres).
    """

    def __init__(self, factory: Callable[[], Classifier], source: str, target: str, job: dict):
        self.started = time.time()
        self.model = factory()
        self.source, self.target, self.job = Path(source), Path(target), job
        self.loaded = time.time()

    def do(self, task: dict) -> dict:
        part, start = Part(**task), time.time()
        name = self.job["archivos"][part.file]
        path = self.source if self.source.is_file() else self.source / name
        rows = read_rows(path, part, self.job["tipo_id"])
        table, rejected = classify_part(self.model, rows, part.file, self.job["tipo_id"])
        if table.num_rows + len(rejected) != part.rows:
            raise LoteError(f"{name} cambió mientras se lo leía: hay que empezar de nuevo en otra carpeta.")
        ids = table["id"].to_pylist()
        about = {
            "trabajo": self.job["trabajo"],
            "numero": part.number,
            "filas": len(ids),
            "rechazadas": rejected,
            "muestra": ids[::SAMPLE_EVERY],
            "ultimo": ids[-1] if ids else None,
            "trabajador": f"{platform.node()}:{os.getpid()}",
            "nodo": _node(),
            "nacio": self.started,
            "cargo": self.loaded,
            "memoria": _peak_megabytes(),
            "empezo": start,
            "termino": time.time(),
        }
        commit(table, part_path(self.target, part.number), about)
        return about

    def __call__(self, batch: dict) -> dict:
        return _answers(self.do, batch)


class SortRange:
    """Trabajador del paso 3: junta de todas las partes los ``id`` de un tramo, y los ordena."""

    def __init__(self, target: str, job: dict):
        self.target, self.job = Path(target), job

    def do(self, task: dict) -> dict:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        low, high = task["desde"], task["hasta"]
        inside = None if low is None else pc.field("id") >= low
        if high is not None:
            below = pc.field("id") < high
            inside = below if inside is None else inside & below
        paths = [part_path(self.target, number) for number in task["partes"]]
        pieces = [pq.read_table(path, filters=inside, use_threads=False, partitioning=None) for path in paths]
        table = _sorted(pa.concat_tables([piece.replace_schema_metadata(None) for piece in pieces]))
        ids = table["id"].combine_chunks()
        repeated = pc.equal(ids[1:], ids[:-1])
        names = pa.array(self.job["archivos"], pa.string())
        column = pa.DictionaryArray.from_arrays(table["archivo"].combine_chunks(), names)
        about = {
            "trabajo": self.job["trabajo"],
            "tramo": [low, high],
            "filas": table.num_rows,
            "repetidos": pc.sum(repeated).as_py() or 0,
            "ejemplos": pc.unique(ids[1:].filter(repeated)).to_pylist()[:5],
            "extremos": [ids[0].as_py(), ids[-1].as_py()] if len(ids) else None,
        }
        table = table.set_column(table.schema.get_field_index("archivo"), "archivo", column)
        commit(table, output_path(self.target, task["numero"]), about)
        return about

    def __call__(self, batch: dict) -> dict:
        return _answers(self.do, batch)


def _answers(do: Callable[[dict], dict], batch: dict) -> dict:
    """Hace las tareas de un lote de Ray Data; un error previsto vuelve como dato, con su mensaje."""
    import numpy as np

    answers = []
    for task in batch["tarea"]:
        try:
            answer = do(json.loads(str(task)))
        except LoteError as error:
            answer = {"error": str(error)}
        answers.append(json.dumps(answer, ensure_ascii=False))
    return {"respuesta": np.array(answers, dtype=object)}


def _peak_megabytes() -> float:
    """La mayor memoria que llegó a ocupar este proceso; 0 donde no se puede saber."""
    with contextlib.suppress(ImportError):  # Windows
        import resource

        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return 0.0


def _node() -> str:
    """En qué nodo del clúster corre este proceso, si corre en uno."""
    ray = sys.modules.get("ray")
    return ray.get_runtime_context().get_node_id()[:8] if ray and ray.is_initialized() else ""


# --- quien dirige ---------------------------------------------------------------------------------


def connect() -> None:
    """Se une al clúster de ``RAY_ADDRESS`` o arranca Ray en esta máquina, sin ruido; si ya está, nada.

    Raises
    ------
    LoteError
        Si en esa dirección no hay un clúster.
    """
    import ray
    import ray.data

    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS") or "local"
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        options = {"runtime_env": {"env_vars": {"PYTHONPATH": path}}}
        if address == "local":
            os.environ["PYTHONPATH"] = path  # los procesos de Ray lo heredan
            # Entre los trabajadores solo viajan números de parte: con poca memoria compartida alcanza.
            options = {"include_dashboard": False, "object_store_memory": 100 * 2**20}
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise LoteError(f"No pude empezar Ray en «{address}»: {str(error).splitlines()[0]}") from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.enable_auto_log_stats = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def run(
    source: Path | str,
    target: Path | str,
    factory: Callable[[], Classifier],
    model_id: str,
    *,
    workers: int | None = None,
    part_rows: int | None = None,
    on_part: Callable[[dict], None] = lambda about: None,
) -> dict:
    """Clasifica ``source`` en ``target``, o termina de hacerlo.

    Parameters
    ----------
    source, target : Path or str
        Entrada y carpeta de salida.
    factory : callable
        Construye el clasificador en cada trabajador; tiene que poder viajar (cloudpickle).
    model_id : str
        Nombre o suma del modelo.
    workers : int, optional
        Cuántos procesos clasifican; por omisión, tantos como procesadores tenga el clúster al empezar.
    part_rows : int, optional
        Como en :func:`make_plan`.
    on_part : callable, optional
        Se llama con lo que se sabe de cada parte que se termina.

    Returns
    -------
    dict
        El contenido de ``informe.json`` más ``partes_nuevas``: cuántas se clasificaron en esta llamada.

    Raises
    ------
    LoteError
        Si algo lo impide; lo hecho hasta ahí queda, y una nueva llamada sigue desde ahí.
    """
    source, target = Path(source).resolve(), Path(target).resolve()
    plan = load_plan(source, target, model_id, part_rows)
    job = {
        "trabajo": job_id(plan),
        "tipo_id": plan["tipo_id"],
        "archivos": [file["nombre"] for file in plan["archivos"]],
    }
    report = target / "informe.json"
    if report.exists():
        _clean(target)
        return {**json.loads(report.read_text(encoding="utf-8")), "partes_nuevas": 0}

    parts = plan["partes"]
    done = {part["number"]: committed(part_path(target, part["number"]), job["trabajo"]) for part in parts}
    missing = [part for part in parts if done[part["number"]] is None]
    arguments = {"factory": factory, "source": str(source), "target": str(target), "job": job}
    for about in _stage(ClassifyParts, arguments, missing, workers):
        done[about["numero"]] = about
        on_part(about)

    ranges = make_ranges(list(done.values()))
    pending = [task for task in ranges if not _is_sorted(target, task, job["trabajo"])]
    sorter = {"target": str(target), "job": job}
    if len(pending) == 1:  # no vale la pena repartirlo
        SortRange(**sorter).do(pending[0])
    else:
        for _ in _stage(SortRange, sorter, pending, workers):
            pass
    found = _report(target, plan, job, list(done.values()), len(ranges))
    _clean(target)
    return {**found, "partes_nuevas": len(missing)}


def _stage(worker: type, arguments: dict, tasks: Sequence[dict], workers: int | None) -> Iterator[dict]:
    """Reparte tareas entre un grupo fijo de procesos de Ray Data y entrega cada respuesta cuando llega.

    Leer, clasificar y escribir van juntos en el mismo proceso: por Ray solo pasan el número de la parte
    y lo que se sabe de ella, y la memoria que usa cada trabajador es la de una ventana de textos. Cada
    proceso tiene una sola tarea asignada a la vez, para que las últimas no hagan cola detrás de una lenta.
    """
    if not tasks:
        return
    connect()
    import ray
    import ray.data
    from ray.exceptions import RayError

    size = min(workers or max(1, int(ray.cluster_resources().get("CPU", 1))), len(tasks))
    items = [{"tarea": json.dumps(task)} for task in tasks]
    dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        worker,
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
        fn_constructor_kwargs=arguments,
        num_cpus=1,
    )
    try:
        for row in dataset.iter_rows():
            answer = json.loads(row["respuesta"])
            if "error" in answer:
                raise LoteError(answer["error"])
            yield answer
    except RayError as error:
        last = str(error).strip().splitlines()[-1]
        raise LoteError(
            f"El trabajo se cortó ({last}). Lo hecho quedó: una nueva llamada sigue desde ahí."
        ) from error


def make_ranges(parts: Sequence[dict], output_rows: int = OUTPUT_ROWS) -> list[dict]:
    """Corta el rango de los ``id`` en tramos de más o menos ``output_rows`` filas.

    Cada parte dejó un id de cada ``SAMPLE_EVERY``, ya ordenados: los cortes salen de esas muestras juntas.
    Un mismo id cae siempre en un solo tramo, así que los repetidos se ven aunque vengan de partes distintas.

    Returns
    -------
    list of dict
        ``numero``, ``desde`` (incluido), ``hasta`` (sin incluir; ``None`` es «sin límite») y ``partes``,
        los números de las que tienen algo en el tramo.
    """
    sample = sorted(id_ for part in parts for id_ in part["muestra"])
    step = max(1, output_rows // SAMPLE_EVERY)
    cuts = [None, *dict.fromkeys(sample[step::step]), None]
    if len(cuts) > 2 and cuts[1] == sample[0]:  # si no, el primer tramo quedaría vacío
        del cuts[1]
    ranges = []
    for number, (low, high) in enumerate(itertools.pairwise(cuts)):
        inside = [
            part["numero"]
            for part in parts
            if part["muestra"]
            and (low is None or part["ultimo"] >= low)
            and (high is None or part["muestra"][0] < high)
        ]
        ranges.append({"numero": number, "desde": low, "hasta": high, "partes": inside})
    return [task for task in ranges if task["partes"]]


def _is_sorted(target: Path, task: dict, job: str) -> bool:
    about = committed(output_path(target, task["numero"]), job)
    return about is not None and about["tramo"] == [task["desde"], task["hasta"]]


def _report(target: Path, plan: dict, job: dict, parts: list[dict], outputs: int) -> dict:
    """Cuenta todo otra vez, leyendo lo escrito, y deja ``informe.json`` y ``rechazadas.jsonl``.

    Raises
    ------
    LoteError
        Si las cuentas no cierran.
    """
    import pyarrow.parquet as pq

    abouts = [committed(output_path(target, number), job["trabajo"]) for number in range(outputs)]
    rows = sum(pq.read_metadata(output_path(target, number)).num_rows for number in range(outputs))
    edges = [about["extremos"] for about in abouts if about and about["extremos"]]
    rejected = [
        {"archivo": job["archivos"][plan["partes"][part["numero"]]["file"]], "fila": number, "motivo": reason}
        for part in sorted(parts, key=lambda part: part["numero"])
        for number, reason in part["rechazadas"]
    ]
    in_order = all(a[1] < b[0] for a, b in itertools.pairwise(edges))
    if None in abouts or rows + len(rejected) != plan["filas"] or not in_order:
        raise LoteError(
            f"Las cuentas no cierran: entraron {plan['filas']} filas y hay {rows} clasificadas y {len(rejected)} "
            f"rechazadas. Borrá {target} y empezá de nuevo."
        )
    if rejected:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rejected)
        write_atomic(target / "rechazadas.jsonl", lines)
    found = {
        "trabajo": job["trabajo"],
        "modelo": plan["modelo"],
        "filas_entrada": plan["filas"],
        "filas_clasificadas": rows,
        "filas_rechazadas": len(rejected),
        "ids_repetidos": sum(about["repetidos"] for about in abouts),
        "ejemplos_repetidos": [id_ for about in abouts for id_ in about["ejemplos"]][:5],
        "archivos": job["archivos"],
        "ignorados": plan["ignorados"],
        "partes": len(parts),
        "salidas": [output_path(target, number).name for number in range(outputs)],
        "historia": [{key: part[key] for key in HISTORY} for part in parts],
    }
    write_atomic(target / "informe.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    return found


def _clean(target: Path) -> None:
    """Borra lo intermedio: las partes y lo que algún corte haya dejado a medio escribir."""
    shutil.rmtree(target / "partes", ignore_errors=True)
    for partial in target.glob(".clasificadas-*"):
        partial.unlink(missing_ok=True)


# --- línea de órdenes -----------------------------------------------------------------------------


class Served:
    """El clasificador que se sirve, con un solo hilo: los trabajadores ya son uno por procesador.

    Parameters
    ----------
    folder : Path
        La carpeta del modelo.
    """

    def __init__(self, folder: Path):
        from clase_8.servicio.classifier import Classifier as OnnxClassifier

        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # si no, el tokenizador usa todos los procesadores
        self.model = OnnxClassifier(folder, threads=1)

    def predict(self, texts: list[str]) -> np.ndarray:
        import numpy as np

        return np.array([found.probabilities for found in self.model.predict(texts)])


def served_model() -> tuple[Callable[[], Classifier], str]:
    """Cómo construir el clasificador que se sirve, y la suma de sus archivos.

    Raises
    ------
    LoteError
        Si no está, o si la configuración del servicio no sirve.
    """
    from clase_8.servicio.settings import SettingsError, load_settings

    try:
        folder = load_settings().model.resolve()
    except SettingsError as error:
        raise LoteError(str(error)) from None
    files = sorted(path for path in folder.glob("*") if path.is_file())
    if not files:
        raise LoteError(f"No hay un modelo en {folder}: hacelo con «python -m clase_8.servicio.exportar».")
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return functools.partial(Served, folder), digest.hexdigest()[:16]


def main(arguments: Sequence[str] | None = None) -> int:
    """Devuelve 0 si todo se clasificó, 3 si algo se rechazó o había id repetidos y 1 si no se pudo."""
    parser = argparse.ArgumentParser(
        prog="python -m clase_8.servicio.lote",
        description="Clasifica un archivo o una carpeta de .jsonl o .parquet con «id» y «texto».",
        epilog="RAY_ADDRESS=servidor:6379 usa un clúster. Una segunda llamada hace solo lo que falte.",
    )
    parser.add_argument("entrada", type=Path, help="archivo o carpeta")
    parser.add_argument("salida", type=Path, help="carpeta nueva, o la de un trabajo empezado")
    options = parser.parse_args(arguments)
    try:
        found = _run_with_bar(options.entrada, options.salida)
    except (LoteError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrumpido. Lo hecho quedó: la misma orden sigue desde ahí.", file=sys.stderr)
        return 130
    print(_summary(found))
    return 3 if found["filas_rechazadas"] or found["ids_repetidos"] else 0


def _run_with_bar(source: Path, target: Path) -> dict:
    from tqdm import tqdm

    factory, model_id = served_model()
    # Sin terminal (un registro, un notebook) la barra no se dibuja.
    with tqdm(unit=" filas", unit_scale=True, desc="Clasificadas", disable=None) as bar:
        return run(source, target, factory, model_id, on_part=lambda about: bar.update(about["filas"]))


def _summary(found: dict) -> str:
    lines = [
        f"{found['filas_entrada']} filas: {found['filas_clasificadas']} clasificadas, "
        f"{found['filas_rechazadas']} rechazadas. "
        f"{found['partes']} partes, {found['partes_nuevas']} hechas en esta llamada."
    ]
    if found["filas_rechazadas"]:
        lines.append("En rechazadas.jsonl está cada fila que no se clasificó, y por qué.")
    if found["ids_repetidos"]:
        examples = ", ".join(str(id_) for id_ in found["ejemplos_repetidos"])
        lines.append(f"{found['ids_repetidos']} filas repiten el id de otra (quedaron todas): {examples}…")
    if found["ignorados"]:
        lines.append(f"Sin leer, por no ser .jsonl ni .parquet: {', '.join(found['ignorados'])}.")
    return "\n".join(lines)


if __name__ == "__main__":
    # El módulo se importa con su nombre para que los trabajadores reconozcan las clases que reciben.
    from clase_8.servicio import lote

    sys.exit(lote.main())
