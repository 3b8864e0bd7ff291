"""Resultados medidos: cómo los declara un notebook, dónde se guardan y cómo se comparan.

Un notebook declara sus métricas con :func:`record`, que las deja en una salida de celda y no
escribe ningún archivo. Quien ejecuta los notebooks (``utils.portfolio``) las lee de ahí con
:func:`recorded` y las guarda en ``clase_N/resultados.json`` con :func:`save`. Así, correr un
notebook o una prueba nunca cambia un archivo del repositorio.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import tempfile
from pathlib import Path

from utils.datasets import MODES, ROOT, data_mode

MODEL_RESULTS = ROOT / "utils" / "modelos" / "resultados.json"
MIME = "application/vnd.portfolio-nlp.resultados+json"


def record(notebook: str, metrics: dict[str, float], headline: str) -> None:
    """Declara las métricas de esta ejecución, que quedan en la salida de la celda para quien ejecuta.

    Parameters
    ----------
    notebook : str
        Nombre del notebook sin extensión, por ejemplo ``"1a_bolsa_de_palabras"``.
    metrics : dict of str to float
        Nombre y valor de cada métrica; los valores tienen que ser números finitos.
    headline : str
        La métrica que resume el notebook en el índice y en el README.

    Raises
    ------
    ValueError
        Si una métrica no es un número finito o si ``headline`` no está entre ellas.
    """
    from IPython.display import display

    from utils.notebook import versions

    values = {name: float(value) for name, value in metrics.items()}
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise ValueError(f"Estas métricas no son números finitos: {', '.join(bad)}.")
    if headline not in values:
        raise ValueError(f"La métrica principal «{headline}» no está entre las declaradas.")
    values = {name: _rounded(value) for name, value in values.items()}
    payload = {
        "notebook": notebook,
        "modo": data_mode(),
        "principal": headline,
        "metricas": values,
        "versiones": versions(),
    }
    text = (
        f"{len(values)} métricas declaradas; la principal, `{headline}` = {format_number(values[headline])}."
    )
    display({MIME: payload, "text/markdown": text}, raw=True)


def _rounded(value: float) -> float:
    """Cuatro decimales; un valor que así quedaría en cero (un error numérico) conserva dos cifras."""
    return round(value, 4) or float(f"{value:.1e}")


def recorded(cells: list) -> dict | None:
    """Lo que un notebook ejecutado declaró con :func:`record`, o ``None`` si no declaró nada.

    Parameters
    ----------
    cells : list
        Celdas de un notebook (``nbformat``) ya ejecutado.
    """
    for cell in cells:
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                return output["data"][MIME]
    return None


def compare(notebook: str, metrics: dict[str, float]) -> None:
    """Muestra las métricas embebidas y las reales lado a lado.

    Las del modo en curso son las de esta ejecución; las del otro, las guardadas en
    ``resultados.json``, con su fecha.

    Parameters
    ----------
    notebook, metrics
        Como en :func:`record`.
    """
    from IPython.display import Markdown, display

    stored = load(notebook)
    current = data_mode()
    columns = {mode: stored.get(mode, {}).get("metricas", {}) for mode in MODES} | {current: metrics}
    rows = "\n".join(
        f"| `{name}` | " + " | ".join(format_number(columns[mode].get(name)) for mode in MODES) + " |"
        for name in metrics
    )
    other = next(mode for mode in MODES if mode != current)
    if other in stored:
        origin = f"los valores {other} son de la ejecución guardada del {stored[other]['fecha']}"
    else:
        origin = f"todavía no hay una ejecución guardada con datos {other}"
    heads = " | ".join(f"Datos {mode}" for mode in MODES)
    display(
        Markdown(
            f"| Métrica | {heads} |\n|---|---:|---:|\n{rows}\n\n*Los valores {current} son de esta "
            f"ejecución; {origin}.*"
        )
    )


def format_number(value: float | None) -> str:
    """Número con coma decimal, como se escribe en español; una raya si no hay."""
    if value is None:
        return "–"
    text = f"{value:.0f}" if float(value).is_integer() and value != 1 else f"{value:.3f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace(".", ",")


def results_path(notebook: str) -> Path:
    """El ``resultados.json`` de la clase de un notebook, que su nombre indica: «1a_…» es de la clase 1."""
    return ROOT / f"clase_{notebook[0]}" / "resultados.json"


def load(notebook: str) -> dict:
    """Los resultados guardados de un notebook: ``{"embebidos": {...}, "reales": {...}}``, o lo que haya."""
    path = results_path(notebook)
    if not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8")).get(notebook, {})


def save(payload: dict, seconds: float, date: str) -> None:
    """Guarda en ``clase_N/resultados.json`` lo que un notebook declaró, sin tocar lo demás.

    Parameters
    ----------
    payload : dict
        Lo que devuelve :func:`recorded`.
    seconds : float
        Duración de la ejecución, en segundos.
    date : str
        Fecha de la ejecución, ``AAAA-MM-DD``.
    """
    _add(
        results_path(payload["notebook"]),
        payload["notebook"],
        {
            payload["modo"]: _entry(
                payload["metricas"], payload["principal"], seconds, payload["versiones"], date
            )
        },
    )


def save_model(name: str, metrics: dict[str, float], headline: str, seconds: float) -> None:
    """Guarda en ``utils/modelos/resultados.json`` lo medido a un modelo que trae el repositorio.

    Parameters
    ----------
    name : str
        Carpeta del modelo, por ejemplo ``"vectores_mini"``.
    metrics : dict of str to float
        Nombre y valor de cada métrica.
    headline : str
        La que lo resume.
    seconds : float
        Cuánto tardó en entrenarse.
    """
    from utils.notebook import versions

    metrics = {key: round(value, 4) for key, value in metrics.items()}
    date = datetime.date.today().isoformat()
    _add(MODEL_RESULTS, name, _entry(metrics, headline, seconds, versions(), date))


def _entry(metrics: dict, headline: str, seconds: float, versions: dict, date: str) -> dict:
    """Una medición, como se guarda."""
    return {
        "metricas": metrics,
        "principal": headline,
        "segundos": round(seconds, 1),
        "versiones": versions,
        "fecha": date,
    }


def _add(path: Path, key: str, values: dict) -> None:
    """Agrega o renueva ``values`` bajo ``key`` en un ``resultados.json``, sin tocar lo demás."""
    everything = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    everything.setdefault(key, {}).update(values)
    write_atomic(path, json.dumps(everything, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def write_atomic(path: Path, text: str) -> None:
    """Escribe un archivo de una vez: quien lo lea, o quien interrumpa, ve el anterior o el nuevo entero."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
