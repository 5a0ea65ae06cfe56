"""Fixtures for tests on the harness; a test file names those it wants."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from . import application as slicer_application
from .application import Application, LoadedModule, load_module
from .layout import LayoutManager
from .surfaced import surfaced

DEMO = Path(__file__).with_name("demo") / "PlaceDemo.py"


@pytest.fixture(scope="session")
def application() -> Application:
    """The application; there is one a process."""
    return slicer_application.start()


@pytest.fixture
def scene(application: Application) -> Iterator[Any]:
    """An empty scene; what slots and observers raise meanwhile fails the test."""
    with surfaced():
        yield application.mrmlScene()
        application.mrmlScene().Clear(False)
        application.processEvents()


@pytest.fixture
def views(application: Application, scene: Any) -> LayoutManager:
    """The offscreen views of an empty scene."""
    return application.layoutManager()


@pytest.fixture
def volume(scene: Any) -> Any:
    """A grey volume, 40 x 60 x 60 voxels (k, j, i) of 2 x 1 x 1 mm, its middle near the origin."""
    array_kji = np.full((40, 60, 60), 100, np.int16)
    array_kji[0, 0, 0], array_kji[0, 0, 1] = 0, 200
    ijk_to_ras = np.diag([-1.0, -1.0, 2.0, 1.0])
    ijk_to_ras[:3, 3] = (30.0, 30.0, -40.0)
    node = slicer.util.addVolumeFromArray(array_kji, ijkToRAS=ijk_to_ras, name="grey")
    node.CreateDefaultDisplayNodes()
    return node


@pytest.fixture
def demo(scene: Any) -> Iterator[LoadedModule]:
    """The demo module with its panel."""
    module = load_module(DEMO)
    yield module
    module.unload()
