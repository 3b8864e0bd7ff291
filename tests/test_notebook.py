"""Semilla, silencio, versiones y dependencias por clase."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from utils import notebook


def test_seed_repeats_the_draws():
    notebook.seed_everything()
    first = random.random(), np.random.rand()
    notebook.seed_everything()
    assert (random.random(), np.random.rand()) == first


def test_quiet_hides_what_frameworks_write_and_seeds_them():
    code = (
        "from utils import notebook; notebook.setup(notebook.ROOT)\n"
        "with notebook.quiet():\n    import keras\n"
        "print(float(keras.random.uniform(())))"
    )
    run = [sys.executable, "-c", code]
    runs = [subprocess.run(run, cwd=ROOT, capture_output=True, text=True) for _ in range(2)]
    assert [run.stderr for run in runs] == ["", ""]
    assert runs[0].stdout == runs[1].stdout


def test_quiet_shows_what_it_hid_when_something_fails(capfd):
    with pytest.raises(ImportError), notebook.quiet():
        os.write(2, b"la causa\n")
        import no_existe  # noqa: F401
    assert "la causa" in capfd.readouterr().err


def test_setup_refuses_another_copy(tmp_path):
    with pytest.raises(RuntimeError, match="reiniciá el núcleo"):
        notebook.setup(tmp_path)


def test_requirements_by_class():
    every, first, last = notebook.requirements(), notebook.requirements("1"), notebook.requirements("8")
    assert "pooch" in first
    assert "ray" not in first
    assert last["ray"].startswith("ray[data,serve]==")
    assert not {"jupyterlab", "pytest"} & set(every)
    assert set(first) | set(last) <= set(every)


def test_every_requirement_says_which_class_needs_it():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    workshop = [line for line in lines if "# taller:" in line]
    assert len(lines) == len(notebook.requirements()) + len(workshop)
    assert all("==" in line for line in lines)
