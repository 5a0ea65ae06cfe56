"""A volume where the networks are: patches are cut from it on a GPU, and nothing waits for that.

`Patch.sample` stays what is meant; here is its twin.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .errors import out_of_memory
from .geometry import Box, Patch
from .history import Mask
from .mosaic import View
from .ondevice_mask import mask_on
from .ondevice_resample import resample_on
from .ondevice_trilinear import uploaded
from .scan import ScanOnHost

MAX_BYTES = 2 << 30
"""Size up to which a volume is kept on a device whole."""

_KEPT = tuple(map(np.dtype, ("uint8", "int8", "int16", "int32", "float16", "float32")))
"""Types that all devices know; the others become float32."""

log = logging.getLogger(__name__)


class ScanOnDevice:
    """A volume on a device; where that has no room for it, the computer does the work."""

    def __init__(self, host: ScanOnHost, device: torch.device) -> None:
        """Take a volume that a device may be given."""
        self._host, self._device = host, device
        self._volume = VolumeOnDevice(host.volume_kji, host.ijk_to_ras, device, room_on(device))

    def sample(self, patch: Patch) -> Tensor:
        """Return a patch's raw intensities."""
        try:
            return self._volume.sample(patch)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            log.info("A patch is cut by the CPU: %s", error)
            return torch.from_numpy(self._host.sample(patch))

    def signs(self, views: Sequence[View], within: Box) -> tuple[Mask, Mask]:
        """Return what views show inside, and what they show at all."""
        try:
            grid = self._host.volume_kji.shape, self._host.ijk_to_ras
            return mask_on(views, *grid, within, self._device)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            log.info("A mask is brought to the volume by the CPU: %s", error)
            return self._host.signs(views, within)


def room_on(device: torch.device) -> int:
    """Return the bytes that a volume may take there for long: a quarter of what is free."""
    if device.type != "cuda":
        return MAX_BYTES
    return min(MAX_BYTES, torch.cuda.mem_get_info(device)[0] // 4)


class VolumeOnDevice:
    """A volume that patches are cut from on a device, taken there at the first one.

    Changes of the array after that are not seen.
    """

    def __init__(
        self,
        volume_kji: NDArray[Any],
        ijk_to_ras: ArrayLike,
        device: torch.device,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Remember a volume.

        Args:
            volume_kji: 3D array of finite values of any type. If it is memory-mapped, or larger
                than `max_bytes`, a patch takes along no more than what it reads.
            ijk_to_ras: of the volume.
            device: where to.
            max_bytes: that may be taken on the device for long.
        """
        self.volume_kji, self.ijk_to_ras, self.device = volume_kji, ijk_to_ras, device
        self._type = volume_kji.dtype if volume_kji.dtype in _KEPT else np.dtype(np.float32)
        size = volume_kji.size * self._type.itemsize
        self._by_part = isinstance(volume_kji, np.memmap) or size > max_bytes
        self._whole: Tensor | None = None

    @torch.inference_mode()
    def sample(self, patch: Patch) -> Tensor:
        """Resample a patch's cube as `Patch.sample` does.

        Returns:
            (size, size, size) float32 on the device, in the order R, A, S.

        Raises:
            InputError: no 3D array, or an affine that cannot be inverted.
            torch.OutOfMemoryError: the device has no room.
        """
        box, matrix, spans = patch.reading(self.volume_kji.shape, self.ijk_to_ras)
        part = self._part(box)
        shape = (patch.size,) * 3
        return resample_on(part, matrix, shape, spans=spans, outside=None).contiguous()

    def _part(self, box: Box) -> Tensor:
        if self._by_part:
            return self._there(self.volume_kji[box])
        if self._whole is None:
            self._whole = self._there(self.volume_kji)
        return self._whole[box]

    def _there(self, values: NDArray[Any]) -> Tensor:
        return uploaded(values.astype(self._type, copy=False), self.device)
