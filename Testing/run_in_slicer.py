"""Run the module's own test inside a real Slicer, and say in one line how it went.

    Slicer --testing --no-main-window --python-script Testing/run_in_slicer.py

From a checkout, nothing needs to be installed: Slicer's factory loads the module from its folder.
The panel is made too, without a window, so that real widgets read the `.ui`. Slicer's exit code is
0 if all went well.
"""

import importlib.util
import logging
import sys
from pathlib import Path

import slicer

MODULE = Path(__file__).resolve().parent.parent / "FastSAM3DSlicer" / "FastSAM3DSlicer.py"
TORCH = ("torch", "safetensors")


def load() -> None:
    """Let Slicer's own factory load the module, unless an installed one is there."""
    import qt

    if hasattr(slicer.modules, "fastsam3dslicer"):
        return
    sys.path.insert(0, str(MODULE.parent))
    factory = slicer.app.moduleManager().factoryManager()
    factory.registerModule(qt.QFileInfo(str(MODULE)))
    if not factory.loadModules([MODULE.stem]):
        raise RuntimeError(f"Slicer could not load {MODULE}.")


def check() -> str:
    """Make the panel, enter and leave it, and run the module's own test.

    Returns:
        What was found out, in a sentence.
    """
    load()
    widget = slicer.modules.fastsam3dslicer.widgetRepresentation().self()
    widget.enter()
    sys.modules[type(widget).__module__].FastSAM3DSlicerTest().runTest()
    widget.exit()
    found = [importlib.util.find_spec(name) for name in TORCH]
    network = "the default weights" if all(found) else "a stand-in network: PyTorch is missing"
    return f"FastSAM3D works in Slicer {slicer.app.applicationVersion} with {network}."


def main() -> int:
    """Run the check; return the exit code."""
    try:
        logging.info(check())
    except Exception:
        logging.exception("FastSAM3D does not work in this Slicer.")
        return 1
    return 0


if __name__ == "__main__":
    slicer.util.exit(main())
