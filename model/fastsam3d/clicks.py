"""The clicks that a user would make next, seen from the truth and the mask so far.

The `sound` protocol: the first click lies at the interior point farthest from the border, each
later one at the centre of the largest piece of error (as RITM, Sofiiuk et al. 2021). Arrays and
indices are (k, j, i); spacings are in mm in the same order.
"""

from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .geometry import Box

Mask = NDArray[np.bool_]
Voxel = tuple[int, int, int]
Spacing = tuple[float, float, float]
Strategy = Literal["centre", "random"]

ISOTROPIC: Spacing = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Click:
    """One point prompt: a voxel (k, j, i) of the volume, and whether it includes or excludes."""

    voxel_kji: Voxel
    positive: bool


def next_click(
    truth: Mask,
    mask: Mask,
    *,
    spacing_kji_mm: Spacing = ISOTROPIC,
    strategy: Strategy = "centre",
    rng: np.random.Generator | None = None,
) -> Click | None:
    """Choose where a user would correct a mask.

    Args:
        truth: what is to be segmented.
        mask: what was, of the same shape; all False before the first click.
        spacing_kji_mm: of the voxels.
        strategy: "centre" takes the point of the largest piece of error farthest from the
            piece's border; "random" draws from the points at least half as far from it.
        rng: draws the random points.

    Returns:
        A positive click in missed object, a negative one in wrong object, None without error.
    """
    piece = largest_error(truth, mask)
    if piece is None:
        return None
    corner, component = piece
    depth_mm = _depth(component, spacing_kji_mm)
    if strategy == "random":
        generator = rng if rng is not None else np.random.default_rng(0)
        inside = _random_voxel(depth_mm, generator)
    else:
        inside = _deepest_voxel(depth_mm)
    k, j, i = (int(a + b) for a, b in zip(corner, inside, strict=True))
    return Click((k, j, i), bool(truth[k, j, i]))


def paired_rng(seed: int, case: str, label: int) -> np.random.Generator:
    """Return the generator of an object's clicks: the same whatever is being compared."""
    return np.random.default_rng([seed, crc32(case.encode()), label])


def bounding_box(mask: NDArray[Any]) -> Box | None:
    """Return the smallest box round the true voxels of a 3D array, None if there are none."""
    first, region = _span(mask, (1, 2)), mask
    if first is None:
        return None
    region = region[first]
    second = _span(region, (0, 2))
    assert second is not None
    third = _span(region[:, second], (0, 1))
    assert third is not None
    return first, second, third


def largest_error(truth: Mask, mask: Mask) -> tuple[Voxel, Mask] | None:
    """Cut out the largest connected piece (by faces) of missed or of wrongly taken voxels.

    Returns:
        Its corner (k, j, i) in the volume and the piece in its bounding box; None without error.
    """
    error = truth != mask
    box = bounding_box(error)
    if box is None:
        return None
    error, wanted = error[box], truth[box]
    pieces = [_largest_component(error & side) for side in (wanted, ~wanted)]
    inner, piece = max((p for p in pieces if p is not None), key=lambda p: np.count_nonzero(p[1]))
    k, j, i = (outer.start + part.start for outer, part in zip(box, inner, strict=True))
    return (k, j, i), piece


def _span(mask: NDArray[Any], across: tuple[int, int]) -> slice | None:
    hits = np.flatnonzero(mask.any(axis=across))
    return slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else None


def _largest_component(mask: Mask) -> tuple[Box, Mask] | None:
    labels, count = ndimage.label(mask)
    if not count:
        return None
    largest = 1 + int(np.bincount(labels[mask], minlength=count + 1)[1:].argmax())
    k, j, i = ndimage.find_objects(labels, largest)[largest - 1]
    return (k, j, i), labels[k, j, i] == largest


def _depth(component: Mask, spacing_kji_mm: Spacing) -> NDArray[np.float64]:
    """Measure each voxel's distance to the nearest one outside; the volume's edge is outside."""
    padded = np.pad(component, 1)
    depth_mm = ndimage.distance_transform_edt(padded, sampling=spacing_kji_mm)
    return np.asarray(depth_mm)[1:-1, 1:-1, 1:-1]


def _deepest_voxel(depth_mm: NDArray[np.float64]) -> NDArray[np.intp]:
    """Among equally deep voxels, take the one nearest to their mean, so that no corner wins."""
    deepest = np.argwhere(depth_mm >= depth_mm.max() * (1 - 1e-6))
    away = ((deepest - deepest.mean(axis=0)) ** 2).sum(axis=1)
    return np.asarray(deepest[away.argmin()])


def _random_voxel(depth_mm: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    inner = np.argwhere((depth_mm > 0) & (depth_mm >= depth_mm.max() / 2))
    return np.asarray(inner[rng.integers(len(inner))])
