"""A network to test sessions with, and what they are shown."""

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline

from fastsam3d.errors import InputError
from fastsam3d.geometry import ras_to_kji


class BrightNetwork:
    """Stands in for the model: what is bright at an included point, less excluded balls."""

    patch_size = 32
    mask_size = 16

    def __init__(self):
        self.encoded = 0
        self.previous = []

    def embed_patch(self, patch):
        self.encoded += 1
        return patch.reshape(16, 2, 16, 2, 16, 2).mean((1, 3, 5))

    def predict(self, embedding, points, labels, mask_logits):
        if not len(points):
            raise InputError("Got no points; expected at least one, as the real networks do.")
        self.previous.append(mask_logits)
        parts, _ = ndimage.label(embedding > 0.5)
        cells = np.clip(np.asarray(points) / 2, 0, 15).astype(int)
        kept = [parts[tuple(c)] for c, label in zip(cells, labels, strict=True) if label]
        inside = np.isin(parts, [part for part in kept if part])
        grid = np.indices((16,) * 3)
        for cell, label in zip(cells, labels, strict=True):
            if not label:
                inside &= ((grid - cell[:, None, None, None]) ** 2).sum(0) > 9
        return np.where(inside, 4.0, -4.0).astype(np.float32), 0.9


class CuttingNetwork(BrightNetwork):
    """Takes what hangs together with an included point once the excluded balls are cut out."""

    def predict(self, embedding, points, labels, mask_logits):
        cells = np.clip(np.asarray(points) / 2, 0, 15).astype(int)
        left, grid = embedding.copy(), np.indices((16,) * 3)
        for cell in cells[np.asarray(labels) == 0]:
            left[((grid - cell[:, None, None, None]) ** 2).sum(0) <= 9] = 0
        return super().predict(left, points, labels, mask_logits)


class SheetNetwork(BrightNetwork):
    """Takes all that is bright, weakly, so that a thin part fades away from cube to cube."""

    def predict(self, embedding, points, labels, mask_logits):
        super().predict(embedding, points, labels, mask_logits)
        return np.where(embedding > 0.45, 1.0, -6.0).astype(np.float32), 0.9


def volume_with(*boxes, shape=(40, 40, 40)):
    volume = np.zeros(shape, np.float32)
    for box in boxes:
        volume[box] = 1
    return volume


def bent_tube(shape_kji, path_kji, radius):
    """Draw a tube along a curve through points; return it and 600 points of its middle line."""
    curve = CubicSpline(np.arange(len(path_kji)), path_kji)
    line = curve(np.linspace(0, len(path_kji) - 1, 600))
    away = np.ones(shape_kji, bool)
    away[tuple(np.rint(line).astype(int).T)] = False
    return ndimage.distance_transform_edt(away) < radius, line


def cut_across(mask, truth):
    """Return the greatest share of the truth's section along k at which a mask ends too early."""
    worst = 0.0
    for here, there in ((slice(0, -1), slice(1, None)), (slice(1, None), slice(0, -1))):
        ended = (mask[here] & ~mask[there] & truth[there]).sum((1, 2))
        worst = max(worst, float((ended / np.maximum(truth[here].sum((1, 2)), 1)).max()))
    return worst


def cut_at_faces(mask, patches, ijk_to_ras):
    """Return the greatest share of a mask's section under a face of a patch that ends at it.

    For a volume whose axes are parallel to the world's; its own border is no face. Sections count
    that are a tenth of the largest one.
    """
    return max(
        (
            share
            for patch in patches
            for axis in range(3)
            for share in shares_ended(mask, patch, axis, ijk_to_ras)
        ),
        default=0.0,
    )


def shares_ended(mask, patch, axis, ijk_to_ras):
    """Yield the share for the lower and the upper face of a patch across an axis."""
    reach = patch.size * patch.spacing_mm / 2
    corners = np.add(patch.centre_ras, [[-reach] * 3, [reach] * 3])
    low, high = np.sort(ras_to_kji(corners, ijk_to_ras), 0)
    first, last = np.ceil(low).astype(int), np.floor(high).astype(int)
    part = [slice(max(a, 0), b + 1) for a, b in zip(first, last, strict=True)]
    sizes = mask.sum(tuple({0, 1, 2} - {axis}))
    for inner, outer in ((first[axis], first[axis] - 1), (last[axis], last[axis] + 1)):
        if outer < 0 or outer >= mask.shape[axis]:
            continue
        here, there = (mask[*part[:axis], n, *part[axis + 1 :]] for n in (inner, outer))
        if here.sum() > 0.1 * sizes.max():
            yield float((here & ~there).sum() / here.sum())
