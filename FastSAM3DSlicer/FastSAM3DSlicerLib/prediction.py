"""A session that can be brought to any list of entries; what the worker's thread does.

Knows neither the scene nor a window. The engine is imported when the first session is opened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import UserError
from .timeline import Box, Entries, Entry, Mask, Painted, Point, Refined, Start
from .wording import told

Check = Callable[[], None]
"""Raises if nobody waits for the result any more."""


class Network(Protocol):
    """What is needed of a model; `fastsam3d.model.FastSAM3D` is one."""

    patch_size: int
    mask_size: int

    def embed_patch(self, patch: NDArray[np.float32]) -> Any:
        """Turn a patch into an embedding."""

    def predict(self, embedding: Any, points: Any, labels: Any, mask_logits: Any) -> Any:
        """Turn clicks on an embedding into logits and a predicted IoU."""


@dataclass(frozen=True)
class Options:
    """What a click may change, and what is done to what the network says.

    Attributes:
        region: voxels beyond it stay as they are; None for the whole volume.
        keepClicked: keep only the pieces that hold an included point; all if none does.
        fillHoles: fill cavities.
        smoothVoxels: standard deviation of a Gaussian that rounds the surface; 0 for none.
    """

    region: Box | None = None
    keepClicked: bool = True
    fillHoles: bool = False
    smoothVoxels: float = 0.0


@dataclass(frozen=True)
class Times:
    """Milliseconds that the network took."""

    encodeMs: float = 0.0
    decodeMs: float = 0.0


class Meter:
    """A network that takes the time, and leaves off between two steps if nobody waits."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.patch_size = network.patch_size
        self.mask_size = network.mask_size
        self.times = Times()
        self.check: Check = lambda: None

    @property
    def device(self) -> Any:
        """Return where the network is; None if it does not say."""
        return getattr(self.network, "device", None)

    def scan(self, host: Any) -> Any:
        """Bring a volume to where the network is, if it does that."""
        bring = getattr(self.network, "scan", None)
        return host if bring is None else bring(host)

    def embed_patch(self, patch: Any) -> Any:
        """Embed a patch."""
        self.check()
        began = perf_counter()
        embedding = self.network.embed_patch(patch)
        took = 1000 * (perf_counter() - began)
        self.times = replace(self.times, encodeMs=self.times.encodeMs + took)
        return embedding

    def predict(self, embedding: Any, points: Any, labels: Any, mask_logits: Any) -> Any:
        """Decode clicks."""
        self.check()
        began = perf_counter()
        answer = self.network.predict(embedding, points, labels, mask_logits)
        took = 1000 * (perf_counter() - began)
        self.times = replace(self.times, decodeMs=self.times.decodeMs + took)
        return answer


class Prediction:
    """One object of one volume, as the engine sees it.

    Attributes:
        applied: the entries that the session has been through, with the options of each.
        changed: the box of `mask` that changed since `takeChanged`.
    """

    def __init__(
        self, network: Network, volumeKji: NDArray[Any], ijkToRas: NDArray[np.float64]
    ) -> None:
        from fastsam3d.history import NOTHING
        from fastsam3d.session import Session

        self._meter = Meter(network)
        self._session = Session(self._meter, volumeKji, ijkToRas)
        self._nothing: Box = NOTHING
        self.applied: list[tuple[Entry, Options | None]] = []
        self.changed: Box = NOTHING
        self._stepped: list[bool] = []
        self._undone: list[tuple[Entry, Options | None]] = []

    @property
    def mask(self) -> Mask:
        """Return the (k, j, i) mask so far; the session's own, to be read only."""
        return self._session.mask

    @property
    def confidence(self) -> float:
        """Return the IoU that the network predicts for its mask, 0 to 1."""
        return self._session.confidence

    @property
    def message(self) -> str:
        """Return what the session has to tell, or ""."""
        return told(self._session.message)

    @property
    def times(self) -> Times:
        """Return what the network took the last time that it was asked for anything."""
        return self._meter.times

    def clear(self) -> None:
        """Begin with another object of the same volume; embeddings are kept."""
        self._session.reset()
        self.applied.clear()
        self._stepped.clear()
        self._undone.clear()
        self.changed = self._nothing

    def goto(self, entries: Entries, options: Options, check: Check = lambda: None) -> None:
        """Make the mask that of a list of entries: undo what differs, then do what is missing.

        Args:
            entries: from the first click on.
            options: of every click in the list.
            check: called before each step of the network; what it raises leaves the session
                between two entries, from where the next call goes on.

        Raises:
            UserError: a click lies outside the volume, or there is nothing to refine at the end.
        """
        target = [(entry, options if _looks(entry) else None) for entry in entries]
        common = _common(self.applied, target)
        self._meter.check, self._meter.times = check, Times()
        while len(self.applied) > common:
            if self._stepped.pop():
                self._note(self._session.undo())
                self._undone.append(self.applied[-1])
            self.applied.pop()
        for entry, chosen in target[common:]:
            check()
            self._advance(entry, chosen)
        if not all(self._stepped[-1:]):
            self._stepped.pop()
            self.applied.pop()
            raise UserError(self.message)

    def takeChanged(self) -> Box:
        """Return the box that changed since the last call."""
        box, self.changed = self.changed, self._nothing
        return box

    def tidy(self) -> None:
        """Do what can wait until the mask is shown."""
        self._session.tidy()

    def uncertainty(self, check: Check = lambda: None) -> tuple[NDArray[np.float32], float]:
        """Estimate where a few passes of the decoder disagree.

        Returns:
            (k, j, i) values from 0, sure, to 1, undecided; and one number of the same meaning.
        """
        self._meter.check, self._meter.times = check, Times()
        probability = self._session.probability()
        return 4 * probability * (1 - probability), self._session.uncertainty()

    def _advance(self, entry: Entry, options: Options | None) -> None:
        if self._undone and self._undone[-1] == (entry, options):
            self._undone.pop()
            box = self._session.redo()
        else:
            self._undone.clear()
            box = self._do(entry, options or Options())
        self._note(box)
        self.applied.append((entry, options))
        self._stepped.append(box is not None)

    def _do(self, entry: Entry, options: Options) -> Box | None:
        """Return the box that changed, None if the session took no step."""
        session = self._session
        if isinstance(entry, Start):
            return session.start_from(entry.on(session.mask))
        if isinstance(entry, Painted):
            return session.edit(entry.on(session.mask))
        self._choose(options)
        if isinstance(entry, Refined):
            box = session.refine()
            return None if box == self._nothing and session.message else box
        return self._click(entry)

    def _choose(self, options: Options) -> None:
        from fastsam3d.postprocess import Postprocessing

        self._session.region = options.region
        self._session.postprocessing = Postprocessing(
            options.keepClicked, options.fillHoles, options.smoothVoxels
        )

    def _click(self, point: Point) -> Box:
        from fastsam3d.errors import InputError

        try:
            return self._session.click(point.ras, positive=point.positive)
        except InputError as error:
            raise UserError(told(str(error))) from error

    def _note(self, box: Box | None) -> None:
        from fastsam3d.history import join

        if box is not None:
            self.changed = join(self.changed, box)


def _looks(entry: Entry) -> bool:
    """Tell whether the network is asked for an entry, so that options matter."""
    return isinstance(entry, Point | Refined)


def _common(
    first: Sequence[tuple[Entry, Options | None]], second: Sequence[tuple[Entry, Options | None]]
) -> int:
    """Count the entries that two lists have in common from their start."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count
