"""The training volumes as one small file: read where there is no room or no reader for the rest.

An archive of NumPy arrays, five a volume: `NNN.image` or `NNN.hounsfield`, `NNN.labels` (either may
be missing), `NNN.groups` (such as 1+2;2), `NNN.ijk_to_ras` and `NNN.folder`. All voxels are bytes.
"""

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fastsam3d.data import TrainingVolume
from fastsam3d.overlap import Values

LEVELS_HU = np.concatenate(
    [np.linspace(-1024, -200, 42)[:-1], np.linspace(-200, 300, 126), np.linspace(300, 3071, 90)[1:]]
).astype(np.int16)
"""What the bytes of `hounsfield` stand for: fine where organs differ, coarse in air and bone."""


def shrink(volume: TrainingVolume, finest_mm: float) -> TrainingVolume:
    """Crop to what is there, bring axes finer than `finest_mm` to it, store in few bits."""
    cropped = _cropped(volume)
    coarse = _coarser(cropped, finest_mm)
    image = None if coarse.image is None else _in_few_bits(coarse.image)
    if coarse.labels is None:
        return replace(coarse, image=image)
    labels, groups = _in_a_byte(coarse.labels, coarse.groups)
    return replace(coarse, image=image, labels=labels, groups=groups)


def write_pack(path: Path, volumes: Iterable[TrainingVolume]) -> int:
    """Write volumes, whole or not at all; return the file's bytes."""
    scratch = path.with_suffix(".part")
    with zipfile.ZipFile(scratch, "w", zipfile.ZIP_BZIP2) as archive:
        for number, volume in enumerate(volumes):
            for name, values in _arrays(volume).items():
                with archive.open(f"{number:03}.{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, values, allow_pickle=False)
    scratch.replace(path)
    return path.stat().st_size


def read_pack(path: Path, device: torch.device) -> list[TrainingVolume]:
    """Read volumes to a device."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    numbers = sorted({name.partition(".")[0] for name in arrays})
    return [_volume(arrays, number).to(device) for number in numbers]


def _volume(arrays: dict[str, np.ndarray], number: str) -> TrainingVolume:
    image, labels = arrays.get(f"{number}.image"), arrays.get(f"{number}.labels")
    if (levels := arrays.get(f"{number}.hounsfield")) is not None:
        image = LEVELS_HU[levels]
    return TrainingVolume(
        None if image is None else torch.from_numpy(image),
        None if labels is None else torch.from_numpy(labels),
        torch.from_numpy(arrays[f"{number}.ijk_to_ras"]),
        str(arrays[f"{number}.folder"]),
        _groups(str(arrays.get(f"{number}.groups", ""))),
    )


def _arrays(volume: TrainingVolume) -> dict[str, np.ndarray]:
    arrays = {"ijk_to_ras": volume.ijk_to_ras.numpy(), "folder": np.array(volume.folder)}
    if volume.groups:
        arrays["groups"] = np.array(";".join("+".join(map(str, group)) for group in volume.groups))
    if volume.labels is not None:
        arrays["labels"] = volume.labels.numpy()
    if volume.image is not None and volume.image.dtype == torch.int16:
        arrays["hounsfield"] = _nearest_level(volume.image.numpy())
    elif volume.image is not None:
        arrays["image"] = volume.image.numpy()
    return arrays


def _groups(text: str) -> tuple[Values, ...]:
    return tuple(tuple(map(int, group.split("+"))) for group in text.split(";") if group)


def _nearest_level(values_hu: np.ndarray) -> np.ndarray:
    between = (LEVELS_HU[1:].astype(float) + LEVELS_HU[:-1]) / 2
    return np.searchsorted(between, values_hu).astype(np.uint8)


def _cropped(volume: TrainingVolume, margin: int = 2) -> TrainingVolume:
    """Cut off slices that hold nothing but background on every side."""
    there = _there(volume)
    box = []
    for axis in range(3):
        across = tuple(other for other in range(3) if other != axis)
        hits = there.any(across[1]).any(across[0]).nonzero().flatten()
        low, high = (int(hits[0]), int(hits[-1]) + 1) if len(hits) else (0, there.shape[axis])
        box.append(slice(max(0, low - margin), high + margin))
    matrix = volume.ijk_to_ras.clone()
    start_ijk = torch.tensor([part.start for part in box[::-1]], dtype=torch.float64)
    matrix[:3, 3] += matrix[:3, :3] @ start_ijk
    image, labels = (
        None if values is None else values[tuple(box)] for values in (volume.image, volume.labels)
    )
    return replace(volume, image=image, labels=labels, ijk_to_ras=matrix)


def _there(volume: TrainingVolume) -> Tensor:
    if volume.image is not None:
        return volume.image > volume.image.amin()
    assert volume.labels is not None
    return volume.labels > 0


def _coarser(volume: TrainingVolume, finest_mm: float) -> TrainingVolume:
    """Resample axes that are finer: images by averaging areas, labels by the nearest voxel."""
    spacing_ijk = volume.ijk_to_ras[:3, :3].norm(dim=0).tolist()
    shape = volume.shape_kji
    target = [
        max(1, int(n * min(1.0, mm / finest_mm)))
        for n, mm in zip(shape, spacing_ijk[::-1], strict=True)
    ]
    if target == list(shape):
        return volume
    scale_ijk = torch.tensor([n / m for n, m in zip(shape, target, strict=True)][::-1])
    matrix = volume.ijk_to_ras.clone()
    matrix[:3, 3] += matrix[:3, :3] @ ((scale_ijk.double() - 1) / 2)
    matrix[:3, :3] *= scale_ijk.double()
    image, labels = volume.image, volume.labels
    if image is not None:
        image = F.interpolate(image.float()[None, None], size=target, mode="area")[0, 0]
    if labels is not None:
        labels = F.interpolate(labels.float()[None, None], size=target, mode="nearest-exact")[0, 0]
    return replace(volume, image=image, labels=labels, ijk_to_ras=matrix)


def _in_few_bits(image: Tensor) -> Tensor:
    """Keep Hounsfield units as int16, whatever else as 256 levels from darkest to brightest."""
    if float(image.amin()) < -500:
        return image.clamp(int(LEVELS_HU[0]), int(LEVELS_HU[-1])).round().to(torch.int16)
    low, high = np.quantile(image.flatten()[::17].numpy(), [0.0005, 0.9995])
    scaled: Tensor = (image - low) / max(high - low, 1e-6) * 255
    return scaled.clamp(0, 255).round().byte()


def _in_a_byte(labels: Tensor, groups: Sequence[Values]) -> tuple[Tensor, tuple[Values, ...]]:
    """Number labels from 1, and groups alike, as only their places matter.

    If no group has any voxel, no label is left: without groups each would be an object.
    """
    values, places = torch.unique(labels.long().clamp(min=0), return_inverse=True)
    first = int(values[0] == 0)
    if len(values) > 255 + first:
        raise ValueError(f"Got {len(values)} labels in a volume; expected 255 at most.")
    number_of = {value: n for n, value in enumerate(values[first:].tolist(), 1)}
    held = (tuple(number_of[value] for value in group if value in number_of) for group in groups)
    kept = tuple(group for group in held if group)
    numbers: Tensor = places + 1 - first
    if groups and not kept:
        numbers = torch.zeros_like(numbers)
    return numbers.byte(), kept
