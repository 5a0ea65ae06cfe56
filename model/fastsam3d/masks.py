"""Masks to files, on the grid of the scan they were made from; whole or not at all."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from .errors import InputError
from .nifti import check_complete
from .whole import write_whole as write_whole

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""And back."""

MASK_SUFFIXES = (".nii.gz", ".seg.nrrd", ".nrrd", ".nii", ".mha")

COLOURS = (
    (1.00, 0.69, 0.13),
    (0.18, 0.80, 0.78),
    (0.95, 0.42, 0.58),
    (0.55, 0.83, 0.32),
    (0.60, 0.56, 0.96),
    (0.97, 0.89, 0.42),
    (0.36, 0.66, 0.98),
    (0.93, 0.55, 0.30),
)
"""Red, green and blue, 0 to 1, of the objects in order; they repeat."""


def colour_of(label: int) -> tuple[float, float, float]:
    """Return the colour of label 1, 2, ..."""
    return COLOURS[(label - 1) % len(COLOURS)]


def check_output(path: str | Path, suffixes: Sequence[str] = MASK_SUFFIXES) -> Path:
    """Make sure before any work that a file of this name can be written.

    Raises:
        InputError: unknown extension, a folder, or a place that cannot be written to.
    """
    path = Path(path)
    if not path.name.lower().endswith(tuple(suffixes)) or path.name.lower() in suffixes:
        raise InputError(
            f"Cannot write {path.name}: give a name that ends in {' or '.join(suffixes)}."
        )
    if path.is_dir():
        raise InputError(f"Cannot write {path}: it is a folder; give a file name.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise InputError(
            f"Cannot write {path}: {error.strerror or error}; choose a folder that exists and that "
            "you may write to."
        ) from error


def write_mask(
    path: str | Path,
    labels_kji: NDArray[Any],
    ijk_to_ras: ArrayLike,
    names: Sequence[str] | Mapping[int, str] = (),
) -> None:
    """Write a mask or label map.

    Args:
        path: what it ends in decides the format; `.seg.nrrd` is Slicer's segmentation.
        labels_kji: bool, or whole numbers from 0; a label is one segment.
        ijk_to_ras: (4, 4), of the scan.
        names: of labels 1, 2, ..., or of each label that is a segment; used by `.seg.nrrd`.

    Raises:
        InputError: as from `check_output` and `write_whole`.
    """
    path = check_output(path)
    called = by_label(names)
    if path.name.lower().endswith(".seg.nrrd"):
        unnamed = {int(n): f"object {n}" for n in np.unique(labels_kji) if n}
        called = dict(sorted((unnamed | called).items()))
    highest = max(int(labels_kji.max(initial=0)), *called, 0)
    image = sitk.GetImageFromArray(labels_kji.astype(np.uint8 if highest < 256 else np.uint16))
    place(image, np.asarray(ijk_to_ras, float))
    if path.name.lower().endswith(".seg.nrrd"):
        for key, value in _segments(sitk.GetArrayViewFromImage(image), called).items():
            image.SetMetaData(key, value)
    write_whole(path, lambda partial: write_image(image, partial))


def write_image(image: Any, path: Path) -> None:
    """Write an image of SimpleITK, compressed.

    Raises:
        OSError: not all of a NIfTI file could be written.
        RuntimeError: ITK could not write it.
    """
    sitk.WriteImage(image, str(path), useCompression=True)
    try:
        check_complete(path)  # ITK does not notice a disk that fills up
    except InputError as error:
        raise OSError(str(error)) from error


def place(image: Any, ijk_to_ras: NDArray[np.float64]) -> None:
    """Give an image of SimpleITK the grid of a (4, 4) affine, voxel (i, j, k) to RAS mm."""
    matrix = LPS_TO_RAS @ ijk_to_ras
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(matrix[:3, 3].tolist())


def by_label(texts: Sequence[str] | Mapping[int, str]) -> dict[int, str]:
    """Return texts of labels by their label; those of a sequence are of labels 1, 2, ..."""
    return dict(texts) if isinstance(texts, Mapping) else dict(enumerate(texts, start=1))


def _segments(labels_kji: NDArray[np.int64], names: Mapping[int, str]) -> dict[str, str]:
    """Describe the segments as Slicer's vtkMRMLSegmentationStorageNode reads them."""
    boxes = ndimage.find_objects(labels_kji, max_label=max(names, default=0))
    header = {
        "Segmentation_SourceRepresentation": "Binary labelmap",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for index, (label, name) in enumerate(names.items()):
        values = {
            "ID": f"Segment_{label}",
            "Name": " ".join(name.split()),
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{part:.6g}" for part in colour_of(label)),
            "ColorAutoGenerated": "0",
            "Layer": "0",
            "LabelValue": str(label),
            "Extent": _extent(boxes[label - 1]),
            "Tags": "|",
        }
        header |= {f"Segment{index}_{key}": value for key, value in values.items()}
    return header


def _extent(box: tuple[slice, ...] | None) -> str:
    if box is None:
        return "0 -1 0 -1 0 -1"
    return " ".join(f"{part.start} {part.stop - 1}" for part in reversed(box))
