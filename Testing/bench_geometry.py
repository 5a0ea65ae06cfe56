"""Time of sampling and pasting a patch: it follows the patch, not the volume.

The patch is 96 mm wide, so that even the smallest of the volumes fills most of it.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from fastsam3d.geometry import Patch, kji_to_ras

SHAPES_KJI = ((128,) * 3, (256,) * 3, (512,) * 3, (1024, 512, 512))
SPACING_IJK_MM = (0.7, 0.7, 1.5)
OBLIQUE_DEG = (20, 15, 10)

Row = tuple[str, float, float, float]


def measure() -> Iterator[Row]:
    """Yield for each volume its size, and milliseconds to sample, sample obliquely, and paste."""
    with tempfile.TemporaryDirectory() as folder:
        for shape_kji in SHAPES_KJI:
            volume = np.memmap(Path(folder) / "volume", np.int16, "w+", shape=shape_kji)
            yield _row(volume)
            del volume


def _row(volume: NDArray[np.int16]) -> Row:
    along, slanted = np.diag([*SPACING_IJK_MM, 1.0]), np.eye(4)
    slanted[:3, :3] = Rotation.from_euler("xyz", OBLIQUE_DEG, degrees=True).as_matrix()
    slanted = slanted @ along
    grid = np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32)
    patch, tilted = _middle(volume.shape, along), _middle(volume.shape, slanted)
    return (
        " x ".join(str(length) for length in volume.shape[::-1]),
        _milliseconds(lambda: patch.sample(volume, along)),
        _milliseconds(lambda: tilted.sample(volume, slanted)),
        _milliseconds(lambda: patch.paste(grid, volume.shape, along)),
    )


def _middle(shape_kji: tuple[int, ...], ijk_to_ras: NDArray[np.float64]) -> Patch:
    r, a, s = kji_to_ras([np.divide(shape_kji, 2)], ijk_to_ras)[0].tolist()
    return Patch((r, a, s), spacing_mm=0.75)


def _milliseconds(action: Callable[[], Any], repeats: int = 5) -> float:
    action()
    times = []
    for _ in range(repeats):
        start = perf_counter()
        action()
        times.append(1000 * (perf_counter() - start))
    return median(times)


def main() -> None:
    """Print the table."""
    table = Table("volume (i, j, k)", "sample, ms", "oblique, ms", "paste, ms")
    for size, *times in measure():
        table.add_row(size, *(f"{time:.0f}" for time in times))
    Console().print(table)


if __name__ == "__main__":
    main()
