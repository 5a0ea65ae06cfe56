"""What is done to a mask after the network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Points
from .pieces import clicked_pieces

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Postprocessing:
    """Choices for what the network says.

    keep_clicked: keep only the connected pieces that hold an included point; all if none does.
    fill_holes: fill cavities that no face of the box reaches.
    smooth_voxels: standard deviation of a Gaussian that rounds the surface; 0 for none.
    """

    keep_clicked: bool = True
    fill_holes: bool = False
    smooth_voxels: float = 0.0

    def apply(self, mask: Mask, included_kji: Points, firm: Mask | None = None) -> Mask:
        """Return a (k, j, i) mask with the choices applied.

        Args:
            mask: a box of the volume's grid.
            included_kji: (N, 3) clicks that include, as indices into `mask`.
            firm: voxels that stay in any case; pieces that touch them are kept as if clicked.
        """
        from scipy import ndimage

        if self.smooth_voxels > 0:
            mask = ndimage.gaussian_filter(mask.astype(np.float32), self.smooth_voxels) > 0.5
        if self.fill_holes:
            mask = ndimage.binary_fill_holes(mask)
        return clicked_pieces(mask, included_kji, firm) if self.keep_clicked else mask
