"""A volume as a session needs it: patches come out of it, masks go back to its grid.

On a CPU that is NumPy's work; a network on a GPU brings the volume there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .geometry import Box, Matrix, Patch
from .history import Mask
from .mosaic import View, blend


class Scan(Protocol):
    """A volume that patches are cut from."""

    def sample(self, patch: Patch) -> Any:
        """Return a patch's (size, size, size) raw intensities, as a network on the device takes."""

    def signs(self, views: Sequence[View], within: Box) -> tuple[Mask, Mask]:
        """Bring views to a part of the volume's grid.

        Returns:
            Two masks of the shape of `within`: what they show inside, and what they show at all.
        """


@dataclass(frozen=True)
class ScanOnHost:
    """A volume in the computer's memory.

    volume_kji: 3D array; may be memory-mapped.
    ijk_to_ras: (4, 4).
    """

    volume_kji: NDArray[Any]
    ijk_to_ras: Matrix

    def sample(self, patch: Patch) -> NDArray[np.float32]:
        """Return a patch's raw intensities."""
        return patch.sample(self.volume_kji, self.ijk_to_ras)

    def signs(self, views: Sequence[View], within: Box) -> tuple[Mask, Mask]:
        """Return what views show inside, and what they show at all."""
        logits = blend(views, self.volume_kji.shape, self.ijk_to_ras, within)
        return logits > 0, logits > -np.inf
