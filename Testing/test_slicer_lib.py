"""Who of the Slicer module may import whom, and what is loaded when it opens."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import FastSAM3DSlicerLib

FOLDER = Path(FastSAM3DSlicerLib.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))
ENGINE = {"prediction", "network", "install", "weights"}
"""What may name the engine, and in functions only."""
OWN_PROCESS = {"storekeeper"}
"""What Slicer never imports: it is run in a process of its own."""
WITHOUT_SCENE = {"errors", "timeline", "prediction", "network", "worker"}
AT_THE_TOP = {"numpy", "slicer", "vtk", "SimpleITK"} | sys.stdlib_module_names


def imports(module, *, deferred):
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if deferred else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_file_loads_only_what_slicer_brings(module):
    assert imports(module, deferred=False) <= AT_THE_TOP


@pytest.mark.parametrize("module", sorted(set(MODULES) - OWN_PROCESS))
def test_no_file_knows_a_window_or_torch(module):
    assert not imports(module, deferred=True) & {"qt", "ctk", "torch", "PythonQt", "PySide6"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - ENGINE - OWN_PROCESS))
def test_few_files_know_the_engine(module):
    assert "fastsam3d" not in imports(module, deferred=True)


@pytest.mark.parametrize("module", sorted(WITHOUT_SCENE))
def test_what_runs_on_the_thread_knows_no_scene(module):
    assert not imports(module, deferred=True) & {"slicer", "vtk"}


def test_opening_the_module_loads_neither_torch_nor_the_engine():
    names = [f"FastSAM3DSlicerLib.{name}" for name in MODULES if name != "__init__"]
    code = (
        "import importlib, sys, types\n"
        "sys.modules['slicer.i18n'] = types.SimpleNamespace(tr=str)\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "assert not {'torch', 'scipy', 'fastsam3d'} & set(sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
