"""Who may import whom: data flows one way, and what a user sees first waits for no torch."""

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import fastsam3d

FOLDER = Path(fastsam3d.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))

NETWORK = {
    "config", "attention", "kernels", "fast", "layers", "remembered", "encoder", "prompts",
    "decoder", "compact", "compact_clicks",
}  # fmt: skip
"""Between tensors; `model` puts them together."""

MAY_IMPORT = {
    "config": {"errors"},
    "attention": {"errors", "kernels"},
    "kernels": set(),
    "remembered": set(),
    "fast": set(),
    "layers": {"fast", "remembered"},
    "encoder": {"config", "attention", "layers"},
    "prompts": {"layers", "remembered"},
    "decoder": {"attention", "layers"},
    "geometry": {"errors", "resample"},
    "resample": {"trilinear"},
    "trilinear": set(),
    "clicks": {"geometry"},
    "metrics": {"clicks"},
}

LEARNING = {
    "synthetic", "cube", "data", "overlap", "shelf", "examples", "pool", "prepare", "lesson",
    "learn", "train", "task", "loop", "loop_config", "learner", "optimizer", "order", "devices",
    "board", "bars", "taps", "progressive", "featurecache", "logits", "recipes", "teacher",
    "growth", "distill", "trial", "cost", "sidebyside", "augmentation", "clarity",
}  # fmt: skip
TORCH = (NETWORK - {"config"}) | LEARNING | {
    "model", "inputs", "checkpoints", "packing", "precision", "fastest", "plain", "hardware",
    "loading", "undrawn", "recorded", "replayed", "ondevice", "ondevice_intensity",
    "ondevice_mask", "ondevice_resample", "ondevice_trilinear", "bits",
}  # fmt: skip

ARRAYS_ALONE = {
    "geometry": {"numpy", "scipy"},
    "clicks": {"numpy", "scipy"},
    "session": {"numpy", "scipy"},
    "metrics": {"numpy", "scipy", "skimage"},
}
WITHOUT_TORCH = [
    "", "geometry", "clicks", "metrics", "session", "zoom", "sight", "history", "images", "cli",
    "errors", "intensity", "config", "commands", "segment", "evaluate", "doctor", "store",
    "dataset_prepare", "dataset_command", "cli_prepare", "cli_distill", "cli_benchmark",
    "benchmark.systems", "benchmark.keys",
    "benchmark.published", "benchmark.sound", "benchmark.shards",
]  # fmt: skip


@cache
def imports(module, *, deferred=False):
    """Return the package's own modules and the others that a module imports, by their first name.

    `deferred` counts imports in functions too.
    """
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    own, others = set(), set()
    for node in ast.walk(tree) if deferred else tree.body:
        if isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            own |= {name for name in names if name in MODULES}
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.partition(".")[0])
    return own, others


def reached(module, **kinds):
    """Return all that comes with a module: its own modules, and those of others."""
    own, others, todo = set(), set(), [module]
    while todo:
        direct, foreign = imports(todo.pop(), **kinds)
        todo += direct - own
        own |= direct
        others |= foreign
    return own, others - sys.stdlib_module_names


@pytest.mark.parametrize("module", MAY_IMPORT)
def test_a_module_imports_only_what_lies_below_it(module):
    own, _ = imports(module, deferred=True)
    assert own <= MAY_IMPORT[module]


@pytest.mark.parametrize("module", sorted(NETWORK | {"model"}))
def test_networks_know_no_volume_and_no_session(module):
    own, others = reached(module)
    assert not own & {"geometry", "session", "sight", "zoom", "images", "cli"}
    assert "SimpleITK" not in others


@pytest.mark.parametrize("module", ARRAYS_ALONE)
def test_what_knows_arrays_only_needs_only_what_computes_with_arrays(module):
    own, others = reached(module, deferred=True)
    assert others <= ARRAYS_ALONE[module]
    assert not own & (NETWORK | LEARNING | {"model", "images"})


@pytest.mark.parametrize("module", sorted(set(MODULES) - TORCH))
def test_torch_is_imported_at_the_top_of_few_files(module):
    _, others = imports(module)
    assert not others & {"torch", "lightning", "safetensors"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"cli", "__main__"}))
def test_commands_are_imported_by_nobody(module):
    own, _ = imports(module, deferred=True)
    assert "cli" not in own


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"classical"}))
def test_slicer_is_named_by_the_comparison_alone(module):
    _, others = imports(module, deferred=True)
    assert not others & {"slicer", "vtk", "vtkmodules", "qt", "ctk"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"cli_benchmark"}))
def test_the_benchmark_is_imported_by_its_commands_alone(module):
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    asked = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in asked if name.partition(".")[0] == "benchmark"]


def test_no_module_imports_itself_over_others():
    circles = [module for module in MODULES if module in reached(module)[0]]
    assert circles == []


def test_importing_loads_no_torch_until_a_network_is_needed():
    names = [f"fastsam3d.{name}".rstrip(".") for name in WITHOUT_TORCH]
    code = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
