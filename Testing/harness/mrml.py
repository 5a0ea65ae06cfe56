"""Volumes, transforms and a network to test on, in a real scene without views."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from numpy.typing import NDArray

from . import headless
from .surfaced import surfaced

OBLIQUE = np.array([[0.94, -0.342, 0, 10], [0.342, 0.94, 0, -20], [0, 0, 1.2, 30], [0, 0, 0, 1.0]])
SAGITTAL = np.array([[0, 0, 1.0, 3], [1, 0, 0, -5], [0, 1, 0, 9], [0, 0, 0, 1]])
AXIAL = np.array([[-1.0, 0, 0, 12], [0, -1, 0, 14], [0, 0, 1.5, -9], [0, 0, 0, 1]])
LEFT_HANDED = np.diag([-1.0, 1.0, 1.0, 1.0])
THICK = np.diag([0.5, 0.5, 5.0, 1.0])

VOLUMES: dict[str, tuple[tuple[int, int, int], NDArray[np.float64]]] = {
    "axial": ((24, 32, 40), AXIAL),
    "stored sagittally": ((24, 32, 40), SAGITTAL),
    "oblique by 20 degrees": ((24, 32, 40), OBLIQUE),
    "left-handed": ((24, 32, 40), LEFT_HANDED),
    "thick slices": ((12, 40, 40), THICK),
    "small": ((7, 9, 11), AXIAL),
    "two slices": ((2, 32, 40), AXIAL),
    "600 voxels a side": ((600, 600, 600), OBLIQUE),
}
"""Shape (k, j, i) and ijkToRas of the volumes that everything geometric has to pass on."""

TRANSFORMS = ["none", "on volume", "on segmentation", "on both", "not linear"]


class BallNetwork:
    """Stands in for the model: balls round included points, less balls round excluded ones."""

    patch_size = 32
    mask_size = 16
    device = "fake"

    def __init__(self, radius_cells: float = 3.0) -> None:
        self.radius_cells = radius_cells
        self.encoded = self.decoded = 0

    def embed_patch(self, patch: NDArray[np.float32]) -> float:
        """Count."""
        self.encoded += 1
        return float(patch.mean())

    def predict(self, embedding: Any, points: Any, labels: Any, mask_logits: Any) -> Any:
        """Draw the balls, in the order of the clicks."""
        self.decoded += 1
        grid = np.indices((self.mask_size,) * 3).transpose(1, 2, 3, 0)
        inside = np.zeros(grid.shape[:3], bool)
        for point, label in zip(np.asarray(points) / 2, labels, strict=True):
            inside[((grid - point) ** 2).sum(-1) <= self.radius_cells**2] = label
        return np.where(inside, 4.0, -4.0).astype(np.float32), 0.9


@pytest.fixture
def scene() -> Iterator[Any]:
    """An empty scene; what observers raise meanwhile fails the test."""
    with surfaced():
        served = headless.start().scene
        served.Clear(False)
        yield served
        served.Clear(False)


@pytest.fixture
def make_volume(scene: Any) -> Callable[..., Any]:
    """Make a volume of any shape (k, j, i)."""

    def make(
        shape_kji: tuple[int, int, int] = (24, 32, 40), ijk_to_ras: Any = AXIAL, name: str = "scan"
    ) -> Any:
        array = np.zeros(shape_kji, np.uint8 if np.prod(shape_kji) > 1e8 else np.int16)
        return slicer.util.addVolumeFromArray(array, ijkToRAS=ijk_to_ras, name=name)

    return make


def reload_from_mrb(scene: Any, file: Path) -> None:
    """Save the scene as .mrb, close it, and load it again."""
    assert scene.WriteToMRB(str(file))
    scene.Clear(False)
    manager, cache = slicer.vtkDataIOManager(), slicer.vtkCacheManager()
    (file.parent / "cache").mkdir()
    (file.parent / "cache" / ".slicer-cache").touch()
    cache.SetRemoteCacheDirectory(str(file.parent / "cache"))
    manager.SetCacheManager(cache)
    scene.SetDataIOManager(manager)
    scene.SetCacheManager(cache)
    assert scene.ReadFromMRB(str(file))
    scene.SetDataIOManager(None)
    scene.SetCacheManager(None)


def linear_transform(scene: Any, shift_mm: float = 17.0) -> Any:
    """Add a turn, a stretch and a shift."""
    transform = vtk.vtkTransform()
    transform.Translate(shift_mm, -4.5, 8.25)
    transform.RotateWXYZ(33, 1, 2, 0.5)
    transform.Scale(1.25, 1, 1)
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "linear")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def warping_transform(scene: Any) -> Any:
    """Add a thin-plate spline that bends space."""
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.indices((2, 2, 2)).reshape(3, 8).T * 200.0 - 100:
        source.InsertNextPoint(corner)
        target.InsertNextPoint(corner + np.roll(corner, 1) * 0.05)
    source.InsertNextPoint(0, 0, 0)
    target.InsertNextPoint(6, -4, 3)
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    spline.SetBasisToR()
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    node.SetAndObserveTransformToParent(spline)
    return node


def under(kind: str, volume: Any, segmentation: Any, scene: Any) -> None:
    """Put transforms where one of `TRANSFORMS` says."""
    on_volume = {"on volume": linear_transform, "on both": linear_transform}.get(kind)
    if kind == "not linear":
        on_volume = warping_transform
    if on_volume is not None:
        volume.SetAndObserveTransformNodeID(on_volume(scene).GetID())
    if kind == "on both":
        segmentation.SetAndObserveTransformNodeID(linear_transform(scene, -6.0).GetID())
    if kind == "on segmentation":
        segmentation.SetAndObserveTransformNodeID(linear_transform(scene).GetID())
