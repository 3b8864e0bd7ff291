"""La primera celda de cada notebook: semilla, estilo de figuras, versiones, silencio y modo de datos."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from utils.datasets import ROOT, data_mode

SEED = 42

# Paleta de Okabe e Ito (2008), que distinguen también las personas daltónicas: jfly.uni-koeln.de/color
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#000000"]

# En Colab vienen instaladas y compiladas para su GPU: reemplazarlas rompe la sesión.
KEEP_IN_COLAB = ("numpy", "tensorflow", "keras", "torch")


def setup(root: Path, opened_from: str = "") -> None:
    """Deja lista la sesión y dice con qué versiones y con qué datos va a correr.

    Parameters
    ----------
    root : Path
        Raíz del repositorio que encontró la primera celda: tiene que ser la de este ``utils``.
    opened_from : str
        En Colab, la respuesta de su API de sesiones, de donde se sabe qué clase se abrió;
        vacía en cualquier otro lado.

    Raises
    ------
    utils.datasets.DatasetError
        Si ``NLP_DATOS`` no es ``embebidos`` ni ``reales``.
    RuntimeError
        Si este ``utils`` no es el de ``root``, o si en Colab no se pudieron instalar las
        dependencias que faltaban.
    """
    if Path(root).resolve() != ROOT:
        raise RuntimeError(
            f"Se importó el utils de {ROOT} y este notebook es de {root}: reiniciá el núcleo y ejecutá todo."
        )
    mode = data_mode()
    if "google.colab" in sys.modules:
        install_missing(opened_from)
    # TensorFlow y transformers leen estas variables al importarse: hay que fijarlas antes.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    seed_everything()
    use_style()
    shown = " · ".join(f"{name} {version}" for name, version in versions().items())
    print(f"{shown}\nDatos: {mode} · semilla: {SEED}")


def seed_everything(seed: int = SEED) -> None:
    """Fija el azar de Python, de NumPy y, si ya se importaron, de Keras y PyTorch.

    ``utils.notebook.quiet`` la vuelve a llamar al salir, así que los marcos importados
    dentro de ese bloque también quedan con semilla.
    """
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
    elif "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@contextlib.contextmanager
def quiet():
    """Importa sin ruido los marcos que escriben en stderr al cargarse, y les fija la semilla.

    TensorFlow escribe desde C++, donde ``warnings`` y ``logging`` no llegan: hay que desviar el
    descriptor 2. Si el bloque falla, lo silenciado se muestra, porque ahí está la causa.

    Examples
    --------
    >>> with quiet():
    ...     import keras
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden:
        saved = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(saved, hidden.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
    seed_everything()


def use_style() -> None:
    """Aplica a matplotlib el estilo común: legible al ancho de GitHub y apto para daltónicos."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "figure.figsize": (8, 4.2),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": mpl.cycler(color=PALETTE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.labelsize": 11,
            "grid.alpha": 0.3,
            "font.size": 10,
            "legend.frameon": False,
            "image.cmap": "cividis",
        }
    )


def say(text: str) -> None:
    """Muestra un párrafo en Markdown: las conclusiones cuyos números salen de variables.

    Parameters
    ----------
    text : str
        Markdown; los saltos de línea sueltos se leen como espacios.
    """
    from IPython.display import Markdown, display

    display(Markdown(text))


def requirements(class_number: str | None = None) -> dict[str, str]:
    """Lee ``requirements.txt``.

    Parameters
    ----------
    class_number : str, optional
        Una clase («1» a «8»): solo sus dependencias y las de todas. Sin ella, las de todas las clases,
        sin las del taller.

    Returns
    -------
    dict
        De nombre de distribución (sin extras) a requisito completo: ``{"ray": "ray[data,serve]==2.60.0"}``.
    """
    found = {}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        match = re.match(r"(([\w.-]+)\S*)\s+# (todas|taller|clases? ([\d, ]+)):", line)
        if match is None or match[3] == "taller":
            continue
        if match[3] == "todas" or class_number is None or class_number in re.findall(r"\d", match[4]):
            found[match[2]] = match[1]
    return found


def versions() -> dict[str, str]:
    """Versiones de Python y de las dependencias que ya están importadas en esta sesión."""
    found = {"Python": platform.python_version()}
    modules = {"scikit-learn": "sklearn", "spacy-lookups-data": "spacy_lookups_data"}
    for name in requirements():
        if modules.get(name, name.replace("-", "_")) in sys.modules:
            found[name] = importlib.metadata.version(name)
    return found


def install_missing(opened_from: str) -> None:
    """Instala las dependencias de la clase que falten, sin tocar ninguna de las que ya están.

    Lo que Colab trae (TensorFlow, PyTorch, NumPy, Keras) se pasa a pip como restricción: si una
    dependencia nueva pidiera otra versión, pip falla en lugar de reemplazarla.
    """
    opened = re.search(r"/clase_(\d)/", opened_from)
    wanted = requirements(opened and opened[1])
    missing = [line for name, line in wanted.items() if not installed(name)]
    if not missing:
        return
    constraints = "".join(f"{name}=={installed(name)}\n" for name in KEEP_IN_COLAB if installed(name))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "restricciones.txt"
        file.write_text(constraints, encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(file), *missing]
        done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"No pude instalar {', '.join(missing)}: revisá la conexión y volvé a ejecutar esta celda.\n"
            f"{done.stderr.strip()}"
        )
    importlib.invalidate_caches()


def installed(name: str) -> str | None:
    """Versión instalada de una distribución, o ``None`` si no está."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
