"""What can be evaluated: anything that turns clicks on a volume into masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from .clicks import Mask, Voxel
from .segment import Affine, ClickSession, OpenSession


class Method(Protocol):
    """The network or any other tool, on one object at a time."""

    @property
    def name(self) -> str:
        """Name it in tables; other weights or settings, another name."""

    def start(self, volume_kji: NDArray[Any], ijk_to_ras: Affine) -> None:
        """Begin with an object; the objects of one image come with the same array."""

    def click(self, voxel_kji: Voxel, *, positive: bool) -> Mask:
        """Add a click and return the mask, of the volume's shape."""


@dataclass
class SessionMethod:
    """Evaluate sessions; the objects of one image share one, so that its embeddings are kept."""

    name: str
    open_session: OpenSession
    _volume: NDArray[Any] | None = field(default=None, init=False, repr=False)
    _session: ClickSession | None = field(default=None, init=False, repr=False)

    def start(self, volume_kji: NDArray[Any], ijk_to_ras: Affine) -> None:
        """Begin with an object of a volume."""
        if self._session is not None and self._volume is volume_kji:
            self._session.reset()
            return
        self._session = None
        self._session = self.open_session(volume_kji, ijk_to_ras)
        self._volume = volume_kji

    def click(self, voxel_kji: Voxel, *, positive: bool) -> Mask:
        """Add a click and return the mask."""
        assert self._session is not None, "start comes before click"
        point_ijk: Sequence[int] = voxel_kji[::-1]
        self._session.click(point_ijk, positive=positive, space="ijk")
        return self._session.mask
