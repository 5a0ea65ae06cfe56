"""Clicks on a volume to a label map and its figures: what the commands do, without their words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, out_of_memory
from .geometry import Box
from .images import Volume
from .points import Target
from .postprocess import Postprocessing
from .tidying import tidied

Affine = NDArray[np.float64]
T = TypeVar("T")

DEFAULT_PRESET = "fastsam3d-default"


class ClickSession(Protocol):
    """What is needed of a session; `fastsam3d.session.Session` is one."""

    spacing_mm: float
    region: Box | None
    postprocessing: Postprocessing
    message: str

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Return the mask so far, (k, j, i)."""

    @property
    def confidence(self) -> float:
        """Return how sure the network is of it, 0 to 1."""

    def click(self, point: Any, *, positive: bool = True, space: Any = "ras") -> Any:
        """Add a click."""

    def reset(self) -> Any:
        """Forget the clicks and the mask."""

    def start_from(self, mask: NDArray[np.bool_]) -> Any:
        """Go on from an existing mask, (k, j, i)."""

    def probability(self) -> NDArray[np.float32]:
        """Estimate how likely each voxel, (k, j, i), belongs to the object."""

    def uncertainty(self) -> float:
        """Return how undecided the network is: 0 if it is not, towards 1."""


OpenSession = Callable[[NDArray[Any], Affine], ClickSession]


@dataclass(frozen=True, eq=False)
class Options:
    """How a volume is segmented.

    spacing_mm: of the first patch; None leaves it to the session.
    region: part of the volume to stay in.
    postprocessing: of the masks; None leaves it to the session.
    start_kji: label map to go on from, (k, j, i); what is in it of other objects stays.
    labels: of the objects, there and in the outcome; 1, 2, ... by default.
    probability: whether to work out the probability map.
    keep_start: whether the pieces of `start_kji` that hold no point stay in any case.
    """

    spacing_mm: float | None = None
    region: Box | None = None
    postprocessing: Postprocessing | None = None
    start_kji: NDArray[np.integer[Any]] | None = None
    labels: tuple[int, ...] = ()
    probability: bool = False
    keep_start: bool = True

    def apply(self, session: ClickSession) -> None:
        """Set up a session: it tidies what clicks change, but not all of a mask it starts from."""
        session.region = self.region
        chosen = self.postprocessing
        if chosen is not None:
            started = self.start_kji is not None
            session.postprocessing = Postprocessing(chosen.keep_clicked) if started else chosen
        if self.spacing_mm is not None:
            session.spacing_mm = self.spacing_mm

    def of_whole(self) -> Postprocessing:
        """Return what is done to all of a mask that was started from, once it is complete."""
        chosen = self.postprocessing or Postprocessing()
        return replace(chosen, keep_clicked=chosen.keep_clicked and not self.keep_start)


@dataclass(frozen=True)
class Found:
    """One segmented object."""

    name: str
    label: int
    clicks: int
    voxels: int
    volume_ml: float
    confidence: float
    uncertainty: float
    seconds: float
    message: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The label map of a volume, (k, j, i), 0 outside, and the objects in it.

    probability_kji: how likely each voxel belongs to the likeliest object; None unless asked for.
    """

    labels_kji: NDArray[Any]
    objects: tuple[Found, ...]
    probability_kji: NDArray[np.float32] | None = None


def open_network(
    preset: str,
    checkpoint: Path | None,
    device: str,
    *,
    ct_clamp: bool = False,
    postprocessing: Postprocessing | None = None,
) -> tuple[OpenSession, str]:
    """Load a network.

    Args:
        preset: its name.
        checkpoint: a weights file instead of the registry's.
        device: auto, cpu, cuda or mps.
        ct_clamp: whether it sees intensities clamped to -1000 to 1000.
        postprocessing: of the masks; None for the usual.

    Returns:
        What opens a session with it on a volume, and the device it is on.

    Raises:
        InputError: unknown preset or device, or weights that are missing or do not fit.
    """
    from .loading import load_model
    from .session import Session

    model = load_model(preset, checkpoint=checkpoint, device=device)
    model.ct_clamp = ct_clamp

    def opened(volume_kji: NDArray[Any], ijk_to_ras: Affine) -> ClickSession:
        return Session(model, volume_kji, ijk_to_ras, postprocessing=postprocessing)

    return opened, str(model.device)


@dataclass
class Engine:
    """A network, loaded when first needed; on the CPU once another device's memory is full."""

    preset: str = DEFAULT_PRESET
    checkpoint: Path | None = None
    device: str = "auto"
    ct_clamp: bool = False
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    place: str = ""
    """The device in use."""
    notes: list[str] = field(default_factory=list)
    _open: OpenSession | None = None

    def load(self) -> None:
        """Load the network unless it is loaded: what hinders that is known before any work.

        Raises:
            InputError: as `run`.
        """
        self.run(lambda _: None)

    def run(self, work: Callable[[OpenSession], T]) -> T:
        """Do some work with sessions; begin it again on the CPU if a device's memory is full.

        Raises:
            InputError: the CPU's memory is full too, or the network cannot be loaded.
        """
        try:
            return work(self._opened())
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            full = self.place or self.device
            if full.startswith("cpu") or isinstance(error, MemoryError):
                raise InputError(
                    "The computer's memory is full; close other programs or crop the volume."
                ) from error
        self.notes.append(f"The memory of {full} is full; continued on the CPU.")
        self.device, self._open = "cpu", None
        return work(self._opened())

    def _opened(self) -> OpenSession:
        if self._open is None:
            self._open, self.place = open_network(
                self.preset,
                self.checkpoint,
                self.device,
                ct_clamp=self.ct_clamp,
                postprocessing=self.postprocessing,
            )
        return self._open


def segment_targets(
    open_session: OpenSession,
    volume: Volume,
    targets: Sequence[Target],
    options: Options | None = None,
    *,
    on_click: Callable[[str], Any] | None = None,
) -> Outcome:
    """Segment one object after the other; where two overlap, the earlier keeps its voxels.

    What there is of other objects at the start keeps its voxels, too.

    Args:
        open_session: makes a session for a volume.
        volume: the scan.
        targets: points in RAS, inside the volume.
        options: how; the session's own ways by default.
        on_click: called with the object's name after each click.
    """
    options = options or Options()
    session = open_session(volume.array_kji, volume.ijk_to_ras)
    options.apply(session)
    likely = np.zeros(volume.array_kji.shape, np.float32) if options.probability else None
    own_labels = options.labels or tuple(range(1, len(targets) + 1))
    labels = _others(volume, own_labels, options.start_kji)
    objects = []
    for label, target in zip(own_labels, targets, strict=True):
        began = perf_counter()
        session.reset()
        if options.start_kji is not None:
            session.start_from(options.start_kji == label)
        for point in target.points:
            session.click(point.position, positive=point.positive)
            if on_click is not None:
                on_click(target.name)
        mask = session.mask
        if options.start_kji is not None:
            mask = tidied(mask, options.of_whole(), target, volume.ijk_to_ras, options.region)
        own = mask & (labels == 0)
        labels[own] = label
        if likely is not None:
            np.maximum(likely, session.probability(), out=likely)
        objects.append(_found(session, target, label, own, volume, perf_counter() - began))
    return Outcome(labels, tuple(objects), likely)


def _others(
    volume: Volume, own_labels: Sequence[int], start_kji: NDArray[np.integer[Any]] | None
) -> NDArray[Any]:
    highest = max(*own_labels, 0 if start_kji is None else int(start_kji.max()))
    others = np.zeros(volume.array_kji.shape, np.uint8 if highest < 256 else np.uint16)
    if start_kji is not None:
        np.copyto(others, start_kji, casting="unsafe", where=~np.isin(start_kji, own_labels))
    return others


def _found(
    session: ClickSession,
    target: Target,
    label: int,
    own: NDArray[np.bool_],
    volume: Volume,
    seconds: float,
) -> Found:
    voxels = int(own.sum())
    empty = "" if voxels else "nothing was found at these points"
    return Found(
        name=target.name,
        label=label,
        clicks=len(target.points),
        voxels=voxels,
        volume_ml=round(voxels * volume.voxel_ml, 3),
        confidence=round(float(session.confidence), 3),
        uncertainty=round(session.uncertainty(), 3),
        seconds=round(seconds, 3),
        message=session.message or empty,
    )
