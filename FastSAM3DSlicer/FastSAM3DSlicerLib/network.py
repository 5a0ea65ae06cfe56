"""The network that answers clicks: loaded when first needed, on the CPU if nothing else will do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import UserError
from .language import tr as _
from .prediction import Network

OpenNetwork = Callable[[str, str], Network]
"""Called with a preset and a device."""


def loadNetwork(preset: str, device: str) -> Network:
    """Load a preset's weights.

    Raises:
        UserError: PyTorch is not installed, or the weights are missing or do not fit.
    """
    from fastsam3d.errors import InputError

    try:
        from fastsam3d.loading import load_model
    except ImportError as error:
        raise UserError(
            _(
                "PyTorch cannot be imported ({error}): open the module FastSAM3D and install it "
                "there, or call FastSAM3DSlicerLib.install.install(print) in Slicer's Python "
                "console."
            ).format(error=error)
        ) from error
    try:
        return load_model(preset, device=device)
    except InputError as error:
        raise UserError(str(error)) from error


@dataclass
class Engine:
    """Holds one network.

    Attributes:
        open: loads it.
        preset: which one.
        device: where it is to be; "auto" takes the best there is.
        note: what is to be said once about where it is, or "".
    """

    open: OpenNetwork = loadNetwork
    preset: str = "fastsam3d-default"
    device: str = "auto"
    note: str = ""
    _network: Network | None = None
    _opened: tuple[str, str] = ("", "")

    @property
    def place(self) -> str:
        """Return the device in use, or "" before there is a network."""
        return "" if self._network is None else str(getattr(self._network, "device", "cpu"))

    def network(self) -> Network:
        """Return the network of the preset on the device; load it if that is another one."""
        wanted = (self.preset, self.device)
        if self._network is None or self.isOther:
            self._network, self._opened = self.open(*wanted), wanted
        return self._network

    @property
    def isOther(self) -> bool:
        """Tell whether `network` has to load what it returns."""
        return self._network is None or self._opened != (self.preset, self.device)

    def retreat(self, error: BaseException) -> bool:
        """Go on on the CPU if a device's memory was full; tell whether that is of use."""
        from fastsam3d.errors import out_of_memory

        if not out_of_memory(error) or isinstance(error, MemoryError):
            return False
        if self.device == "cpu" or not self.place or self.place.startswith("cpu"):
            return False
        self.note = _(
            "The memory of {place} is full; continued on the CPU, which is slower."
        ).format(place=self.place)
        self.device, self._network = "cpu", None
        return True


def explained(error: BaseException) -> Any:
    """Return a UserError for a full memory, else the error itself."""
    from fastsam3d.errors import out_of_memory

    if not out_of_memory(error):
        return error
    return UserError(_("The computer's memory is full: close other programs or crop the volume."))
