"""La línea de órdenes del portfolio: ejecuta los notebooks, renueva sus resultados y sella enlaces.

    python -m utils.portfolio ejecutar [--jobs N] [--forzar] [PREFIJO]
    python -m utils.portfolio actualizar [--jobs N] [PREFIJO]
    python -m utils.portfolio enlaces

Los módulos pesados se importan donde se usan: ``enlaces`` corre con Python solo.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import datetime
import hashlib
import html
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from utils import results
from utils.datasets import MODES, ROOT, DatasetError, data_mode

BUILD = ROOT / "build"
FIGURE_TAG = "portada"  # la etiqueta de la celda que dibuja la figura que representa al notebook
TABLE_START, TABLE_END = "<!-- tabla: inicio -->", "<!-- tabla: fin -->"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass
class Run:
    """Ejecución de un notebook: qué se ejecuta, cómo va y cómo salió."""

    path: Path
    status: str = "pendiente"
    seconds: float = 0.0
    payload: dict | None = None
    error: str = ""
    notebook: object = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.path.stem


def find_notebooks(prefix: str = "") -> list[Path]:
    """Los notebooks del portfolio, en orden, cuyo nombre empieza con ``prefix``.

    Raises
    ------
    SystemExit
        Si ninguno empieza así.
    """
    found = sorted(path for path in ROOT.glob("clase_*/*.ipynb") if path.name.startswith(prefix))
    if not found:
        raise SystemExit(f"No hay ningún notebook cuyo nombre empiece con «{prefix}».")
    return found


# --- ejecución ------------------------------------------------------------------------------------


async def execute(run: Run, progress, total_task) -> None:
    """Ejecuta un notebook en su carpeta y deja en ``run`` el resultado, sin escribir nada.

    Parameters
    ----------
    run : Run
        Se completa con ``status`` («bien» o «falló»), ``seconds``, ``payload``, ``error`` y ``notebook``.
    progress, total_task
        Barra de ``rich`` y su tarea total, que avanza una unidad por celda de código.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    run.notebook = nbformat.read(run.path, as_version=4)
    cells = [cell for cell in run.notebook.cells if cell.cell_type == "code"]
    for cell in cells:  # que tras una falla no queden a la vista salidas de otra ejecución
        cell.outputs, cell.execution_count = [], None
    row = progress.add_task(run.name, total=len(cells), celda="arranca el núcleo")
    titles = headings(run.notebook.cells)

    def on_start(cell, cell_index):
        progress.update(row, celda=titles[cell_index])

    def on_done(cell, cell_index, **_):
        progress.advance(row)
        progress.advance(total_task)

    client = NotebookClient(
        run.notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(run.path.parent)}},
        on_cell_execute=on_start,
        on_cell_executed=on_done,
        record_timing=False,
    )
    start = time.perf_counter()
    try:
        # Lo que el núcleo escribe fuera de las celdas (avisos de red, su propio cierre) no le sirve a nadie.
        await client.async_execute(stderr=subprocess.DEVNULL)
        run.status = "bien"
    except (CellExecutionError, DeadKernelError) as error:
        run.status, run.error = "falló", str(error)
    except asyncio.CancelledError:
        run.status = "interrumpido"
        raise
    finally:
        run.seconds = time.perf_counter() - start
        progress.remove_task(row)
    run.payload = results.recorded(run.notebook.cells)
    if run.status == "bien" and run.payload is None:
        run.status, run.error = "falló", "El notebook no declaró sus métricas con utils.results.record."


def headings(cells: list) -> list[str]:
    """Para cada celda, el último título de sección que la precede."""
    titles, current = [], ""
    for cell in cells:
        if cell.cell_type == "markdown" and (match := re.search(r"^#+ (.+)", cell.source, re.M)):
            current = match[1]
        titles.append(current)
    return titles


async def execute_all(runs: list[Run], jobs: int, on_finish) -> None:
    """Ejecuta varios notebooks, ``jobs`` a la vez; el que falla no detiene a los demás.

    ``on_finish(run)`` se llama al terminar cada uno, para que una interrupción no pierda los anteriores.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[celda]}"),
    )
    free = asyncio.Semaphore(jobs)
    with Progress(*columns) as progress:
        cells = sum(_count_code_cells(run.path) for run in runs)
        total = progress.add_task("Portfolio", total=cells, celda="")

        async def one(run: Run) -> None:
            async with free:
                progress.console.print(f"▶ {run.name}", highlight=False)
                try:
                    await execute(run, progress, total)
                except Exception as error:  # nada de un notebook debe impedir los demás
                    run.status, run.error = "falló", f"{type(error).__name__}: {error}"
                mark = "✓" if run.status == "bien" else "✗"
                progress.console.print(
                    f"{mark} {run.name}: {run.status}, {run.seconds:.0f} s", highlight=False
                )
                on_finish(run)

        await asyncio.gather(*(one(run) for run in runs))


def run_interruptible(coroutine) -> None:
    """Corre una corrutina en otro hilo, para que Ctrl-C la cancele y espere a que cierre sus núcleos.

    En el hilo principal nbclient se adueña de la señal, y con varios notebooks a la vez la pierde.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)

    async def drain() -> None:
        pending = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*pending, return_exceptions=True)

    try:
        while not future.done():  # esperar de a ratos deja pasar la señal también en Windows
            time.sleep(0.1)
        future.result()
    except KeyboardInterrupt:
        future.cancel()
        asyncio.run_coroutine_threadsafe(drain(), loop).result(timeout=30)
        raise
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _cells(path: Path) -> list[dict]:
    """Las celdas de un notebook tal como están escritas; ninguna si el archivo está dañado."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError):
        return []  # al ejecutarlo, nbformat dirá qué tiene


def _count_code_cells(path: Path) -> int:
    return sum(cell["cell_type"] == "code" for cell in _cells(path))


# --- make portfolio -------------------------------------------------------------------------------


def run_portfolio(prefix: str, jobs: int, force: bool) -> int:
    """Ejecuta lo que cambió o falló, deja todo en ``build/`` y muestra la tabla.

    Returns
    -------
    int
        Código de salida: 0 si todo está bien, 1 si algún notebook falló, 130 si se interrumpió.
    """
    mode = data_mode()
    folder = BUILD / mode
    state_file = folder / "estado.json"
    state = _read_state(state_file)
    runs = [Run(path) for path in find_notebooks(prefix)]
    shared = _shared_fingerprint(mode)
    prints = {run.name: _fingerprint(run.path, shared) for run in runs}
    pending = []
    for run in runs:
        before = state.get(run.name, {})
        done = before.get("estado") == "bien" and before.get("huella") == prints[run.name]
        if done and not force and (folder / f"{run.name}.html").exists():
            run.status, run.seconds, run.payload = "sin cambios", before["segundos"], before["resultado"]
        else:
            pending.append(run)

    def finish(run: Run) -> None:
        _write_outputs(run, folder)
        state[run.name] = {
            "estado": run.status,
            "huella": prints[run.name],
            "segundos": round(run.seconds, 1),
            "resultado": run.payload,
        }
        results.write_atomic(state_file, json.dumps(state, ensure_ascii=False, indent=1))

    interrupted = False
    try:
        run_interruptible(execute_all(pending, jobs, finish))
    except KeyboardInterrupt:
        interrupted = True
        for run in pending:
            if run.status == "pendiente":
                run.status = "interrumpido"
    _print_table(runs, mode)
    write_index()
    failed = [run for run in runs if run.status == "falló"]
    for run in failed:
        _print_error(f"\n--- {run.name} falló ---\n{run.error}")
    if interrupted:
        print("Interrumpido: lo terminado quedó en build/; la misma orden sigue desde acá.", file=sys.stderr)
        return 130
    print(f"Copias ejecutadas e índice: {(BUILD / 'index.html').relative_to(ROOT)}")
    return 1 if failed else 0


def _read_state(file: Path) -> dict:
    """Lo que quedó anotado de ejecuciones anteriores, de los notebooks que siguen existiendo."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    names = {path.stem for path in find_notebooks()}
    return {name: entry for name, entry in state.items() if name in names}


def _shared_fingerprint(mode: str) -> str:
    """Huella de lo que puede cambiar cualquier notebook: modo, Python, dependencias y ``utils/``."""
    digest = hashlib.sha256(f"{mode} {platform.python_version()} {os.environ.get('NLP_BERT')}".encode())
    files = [ROOT / "requirements.txt", *sorted((ROOT / "utils").rglob("*"))]
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _fingerprint(path: Path, shared: str) -> str:
    """Huella de un notebook: el código y la prosa de sus celdas, más lo compartido y sus resultados."""
    sources = [[cell["cell_type"], "".join(cell["source"])] for cell in _cells(path)]
    stored = results.results_path(path.stem)
    extra = stored.read_text(encoding="utf-8") if stored.exists() else ""
    return hashlib.sha256(json.dumps([shared, sources, extra]).encode()).hexdigest()


def _write_outputs(run: Run, folder: Path) -> None:
    """Guarda la copia ejecutada y su HTML, también las de un notebook que falló: ahí se ve dónde."""
    import nbformat
    from nbconvert import HTMLExporter

    if run.notebook is None:  # ni siquiera se pudo leer
        return
    results.write_atomic(folder / f"{run.name}.ipynb", nbformat.writes(run.notebook))
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(
        run.notebook, resources={"metadata": {"name": run.name}}
    )
    # Los enlaces del notebook parten de clase_N/; los de la página, de build/<modo>/, un nivel más abajo.
    results.write_atomic(folder / f"{run.name}.html", page.replace('href="../', 'href="../../'))


def headline(payload: dict | None) -> str:
    """La métrica principal como texto: ``macro_f1 = 0,713``."""
    if not payload:
        return "–"
    name = payload["principal"]
    return f"{name} = {results.format_number(payload['metricas'][name])}"


def _print_table(runs: list[Run], mode: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Portfolio con datos {mode}")
    for column, side in (
        ("Notebook", "left"),
        ("Métrica principal", "left"),
        ("Segundos", "right"),
        ("Estado", "left"),
    ):
        table.add_column(column, justify=side)
    for run in runs:
        table.add_row(run.name, headline(run.payload), f"{run.seconds:.0f}", run.status)
    Console().print(table)


def _print_error(text: str) -> None:
    """Escribe en stderr; los colores que IPython pone en las trazas, solo si lo lee una terminal."""
    print(text if sys.stderr.isatty() else re.sub(r"\x1b\[[\d;]*m", "", text), file=sys.stderr)


def write_index() -> None:
    """Escribe ``build/index.html`` con lo que haya ejecutado, en los dos modos."""
    rows = []
    for mode in MODES:
        for name, entry in sorted(_read_state(BUILD / mode / "estado.json").items()):
            cells = (mode, headline(entry["resultado"]), f"{entry['segundos']:.0f} s", entry["estado"])
            link = f'<a href="{mode}/{name}.html">{html.escape(name)}</a>'
            rows.append(
                f"<tr><td>{link}</td>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>"
            )
    page = f"""<!doctype html>
<html lang="es"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Portfolio de PLN</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
  table {{ border-collapse: collapse; width: 100%; }}
  th, td {{ text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #ccc; }}
</style>
<h1>Portfolio de PLN</h1>
<table>
<tr><th>Notebook</th><th>Datos</th><th>Métrica principal</th><th>Duración</th><th>Estado</th></tr>
{chr(10).join(rows)}
</table>
</html>
"""
    results.write_atomic(BUILD / "index.html", page)


# --- make actualizar ------------------------------------------------------------------------------


def refresh(prefix: str, jobs: int) -> int:
    """Re-ejecuta y guarda resultados; con datos embebidos también reescribe los notebooks y el README.

    Con datos reales los notebooks no se tocan: los que se publican son los embebidos.
    """
    mode = data_mode()
    runs = [Run(path) for path in find_notebooks(prefix)]
    refreshed_readmes()  # si a un README le faltan las marcas, que se sepa antes de ejecutar

    def finish(run: Run) -> None:
        if run.status != "bien":
            return
        results.save(run.payload, run.seconds, datetime.date.today().isoformat())
        if mode == "embebidos":
            _normalize(run.notebook, run.seconds)
            _write_notebook(run)
            write_figure(run.path, run.notebook.cells)

    try:
        run_interruptible(execute_all(runs, jobs, finish))
    except KeyboardInterrupt:
        print("Interrumpido: los notebooks terminados ya quedaron actualizados.", file=sys.stderr)
        return 130
    _print_table(runs, mode)
    for readme, text in refreshed_readmes().items():
        results.write_atomic(readme, text)
    failed = [run for run in runs if run.status == "falló"]
    for run in failed:
        _print_error(f"\n--- {run.name} falló; no lo toqué ---\n{run.error}")
    return 1 if failed else 0


def _write_notebook(run: Run) -> None:
    import nbformat

    results.write_atomic(run.path, nbformat.writes(run.notebook))


def figure(cells: list) -> bytes | None:
    """La figura que representa a un notebook ejecutado: la de la celda etiquetada ``portada``, en PNG."""
    for cell in cells:
        if FIGURE_TAG in cell["metadata"].get("tags", []):
            for output in cell["outputs"]:
                if picture := output.get("data", {}).get("image/png"):
                    return base64.b64decode("".join(picture))
    return None


def figure_path(path: Path) -> Path:
    """Dónde se guarda la figura de un notebook, para los README."""
    return path.parent / "figuras" / f"{path.stem}.png"


def write_figure(path: Path, cells: list) -> None:
    """Guarda la figura de un notebook, si la tiene."""
    if picture := figure(cells):
        figure_path(path).parent.mkdir(exist_ok=True)
        figure_path(path).write_bytes(picture)


def _normalize(notebook, seconds: float) -> None:
    """Quita lo que depende de la máquina y pone la duración medida en el encabezado."""
    notebook.metadata.clear()
    notebook.metadata.update(METADATA)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = tags
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
    header = notebook.cells[0]
    header.source = re.sub(
        r"(?<=\*\*Duración medida:\*\* )[^.]+", f"{seconds:.0f} s en dos núcleos de CPU", header.source
    )


# --- tabla del README -----------------------------------------------------------------------------


def readme_table() -> str:
    """La tabla de desafíos, hecha con los notebooks y sus ``resultados.json``."""
    origin = stamped_repository()
    lines = [
        "| Desafío | Resultado embebido | Resultado real | Duración |",
        "|---|---|---|---|",
    ]
    for path in find_notebooks():
        stored = results.load(path.stem)
        where = path.relative_to(ROOT).as_posix()
        title, summary = _title_and_summary(path)
        badge = f"[![Abrir en Colab]({BADGE})]({colab_url(origin, where)})"
        cells = [
            f"**[{title}]({where})** (clase {path.stem[0]})<br>{_thumbnail(path, title)}{summary} {badge}",
            *(_stored_headline(stored.get(mode)) for mode in MODES),
            _stored_seconds(stored),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _thumbnail(path: Path, title: str) -> str:
    """La figura de un notebook, chica, y un salto de línea; nada si todavía no tiene."""
    if not figure_path(path).exists():
        return ""
    where = figure_path(path).relative_to(ROOT).as_posix()
    return f'<img src="{where}" width="320" alt="Figura de «{title}»"><br>'


def _stored_headline(entry: dict | None) -> str:
    return f"`{headline(entry)}`" if entry else "–"


def _stored_seconds(stored: dict) -> str:
    return f"{stored['embebidos']['segundos']:.0f} s" if "embebidos" in stored else "–"


def _title_and_summary(path: Path) -> tuple[str, str]:
    """Título y primera oración de la presentación de un notebook."""
    header = "".join(_cells(path)[0]["source"])
    title = re.search(r"^# (.+)", header, re.M)[1]
    paragraph = next(block for block in header.split("\n\n")[1:] if not block.startswith(("[", "#")))
    sentence = re.match(r".+?[.?!](?=\s|$)", paragraph.replace("\n", " "))[0]
    return title, sentence


def class_table(folder: Path) -> str:
    """Los resultados de los notebooks de una clase, para su README."""
    lines = ["| Notebook | Resultado embebido | Resultado real | Duración |", "|---|---|---|---|"]
    for path in sorted(folder.glob("*.ipynb")):
        stored = results.load(path.stem)
        modes = " | ".join(_stored_headline(stored.get(mode)) for mode in MODES)
        lines.append(f"| `{path.stem}` | {modes} | {_stored_seconds(stored)} |")
    return "\n".join(lines)


def refreshed_readmes() -> dict[Path, str]:
    """El README de la raíz y los de las clases, con sus tablas al día."""
    tables = {ROOT / "README.md": readme_table()}
    for file in sorted(ROOT.glob("clase_*/README.md")):
        tables[file] = class_table(file.parent)
    return {file: with_table(file, table) for file, table in tables.items()}


def with_table(file: Path, table: str) -> str:
    """El texto de un README con la tabla puesta entre sus marcas.

    Raises
    ------
    SystemExit
        Si faltan las marcas.
    """
    text = file.read_text(encoding="utf-8")
    if TABLE_START not in text or TABLE_END not in text:
        where = file.relative_to(ROOT).as_posix()
        raise SystemExit(f"A {where} le faltan las marcas {TABLE_START} y {TABLE_END}.")
    before, rest = text.split(TABLE_START, 1)
    after = rest.split(TABLE_END, 1)[1]
    return f"{before}{TABLE_START}\n{table}\n{TABLE_END}{after}"


# --- make enlaces ---------------------------------------------------------------------------------

REPOSITORY = r"[\w.-]+/[\w.-]+"
# Los lugares que nombran al repositorio: insignias de Colab, insignias de GitHub y la primera celda.
STAMPS = [
    re.compile(rf"(colab\.research\.google\.com/github/){REPOSITORY}(?=/blob/)"),
    re.compile(rf"(github\.com/){REPOSITORY}(?=/actions/workflows/|\.git\b)"),
    re.compile(rf"(DEFAULT, here, opened = \\\"){REPOSITORY}(?=\\\")"),
]


def colab_url(repository: str, path: str) -> str:
    """Dirección que abre en Colab un archivo del repositorio."""
    return f"https://colab.research.google.com/github/{repository}/blob/main/{path}"


def stamped_repository() -> str:
    """El ``dueño/nombre`` sellado en la primera celda de los notebooks."""
    match = re.search(
        rf"DEFAULT, here, opened = \\\"({REPOSITORY})\\\"", find_notebooks()[0].read_text(encoding="utf-8")
    )
    return match[1]


def stamp_links() -> int:
    """Pone en insignias y enlaces el dueño y el nombre que dice el remoto ``origin`` de git."""
    git = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    remote = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    match = re.search(rf"github\.com[:/]({REPOSITORY}?)(?:\.git)?/?$", remote)
    if match is None:
        print(
            f"El remoto «origin» ({remote or 'no hay'}) no es de GitHub: agregalo con "
            "«git remote add origin https://github.com/dueño/nombre» y repetí la orden.",
            file=sys.stderr,
        )
        return 1
    changed = []
    stamped = ("*.md", "*.cff", "clase_*/*.md", "clase_*/*.ipynb")
    for file in [file for pattern in stamped for file in ROOT.glob(pattern)]:
        old = new = file.read_text(encoding="utf-8")
        for pattern in STAMPS:
            new = pattern.sub(rf"\g<1>{match[1]}", new)
        if new != old:
            results.write_atomic(file, new)
            changed.append(file.relative_to(ROOT).as_posix())
    print(f"Repositorio: {match[1]}. Archivos cambiados: {', '.join(changed) or 'ninguno'}.")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Interpreta la línea de órdenes y devuelve el código de salida."""
    parser = argparse.ArgumentParser(prog="python -m utils.portfolio", description=__doc__.split("\n")[0])
    orders = parser.add_subparsers(dest="order", required=True, metavar="orden")
    for name, text in (("ejecutar", "ejecuta en build/"), ("actualizar", "re-ejecuta en su lugar")):
        order = orders.add_parser(name, help=text)
        order.add_argument("prefijo", nargs="?", default="", help="solo los notebooks que empiezan así")
        order.add_argument("--jobs", type=int, default=1, help="notebooks a la vez")
        if name == "ejecutar":
            order.add_argument("--forzar", action="store_true", help="también lo que no cambió")
    orders.add_parser("enlaces", help="sella dueño y nombre del repositorio")
    options = parser.parse_args(arguments)
    try:
        if options.order == "ejecutar":
            return run_portfolio(options.prefijo, options.jobs, options.forzar)
        if options.order == "actualizar":
            return refresh(options.prefijo, options.jobs)
        return stamp_links()
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
