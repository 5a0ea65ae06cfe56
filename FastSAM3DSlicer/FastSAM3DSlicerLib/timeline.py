"""What was done to a segment, in order, so that it can be taken back and done again.

The clicks and paintings themselves are kept, not masks: a click that is moved or deleted is one
more list of them, and the session replays what comes after it.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]
Place = tuple[float, float, float]

SAME_MM = 1e-3
"""Points nearer to each other than this are one point: transforms there and back leave less."""


@dataclass(frozen=True)
class Point:
    """A click: a place in the volume's own RAS, mm, and whether to include what is there."""

    ras: Place
    positive: bool


@dataclass(frozen=True)
class Painted:
    """Voxels that were painted or erased by hand, as compressed bits of a box."""

    box: Box
    added: bytes
    removed: bytes

    @classmethod
    def between(cls, before: Mask, after: Mask) -> "Painted":
        """Tell how two (k, j, i) masks of one shape differ."""
        box = boundsOf(before != after)
        return cls(box, _pack(after[box] & ~before[box]), _pack(before[box] & ~after[box]))

    def on(self, mask: Mask) -> Mask:
        """Return a copy of a (k, j, i) mask with the same painting on it."""
        painted = mask.copy()
        part = painted[self.box]
        part |= _unpack(self.added, part.shape)
        part &= ~_unpack(self.removed, part.shape)
        return painted


@dataclass(frozen=True)
class Start:
    """A mask to go on from, as compressed bits of a box."""

    box: Box
    bits: bytes

    @classmethod
    def of(cls, mask: Mask) -> "Start":
        """Keep a (k, j, i) mask."""
        box = boundsOf(mask)
        return cls(box, _pack(mask[box]))

    def on(self, mask: Mask) -> Mask:
        """Return the mask that was kept, of the shape of another."""
        whole = np.zeros_like(mask)
        part = whole[self.box]
        part[...] = _unpack(self.bits, part.shape)
        return whole


@dataclass(frozen=True)
class Refined:
    """A closer look at the object as it is."""


Entry: TypeAlias = Point | Painted | Start | Refined
Entries: TypeAlias = tuple[Entry, ...]


@dataclass(frozen=True)
class Timeline:
    """Lists of entries: those before the present one, the present one, and those taken back."""

    now: Entries = ()
    past: tuple[Entries, ...] = ()
    future: tuple[Entries, ...] = ()

    @classmethod
    def ofPoints(cls, points: Sequence[Point]) -> "Timeline":
        """Begin with points that were placed one after the other."""
        return cls(tuple(points), tuple(tuple(points[:count]) for count in range(len(points))))

    def done(self, entries: Entries) -> "Timeline":
        """Return a timeline whose present list is another one."""
        return self if entries == self.now else Timeline(entries, (*self.past, self.now))

    def undone(self) -> "Timeline":
        """Return the timeline one list back, or this one if there is none."""
        if not self.past:
            return self
        return Timeline(self.past[-1], self.past[:-1], (*self.future, self.now))

    def redone(self) -> "Timeline":
        """Return the timeline one list forth, or this one if there is none."""
        if not self.future:
            return self
        return Timeline(self.future[-1], (*self.past, self.now), self.future[:-1])

    def carried(self, place: Callable[[Place], Place], *, keepsMasks: bool) -> "Timeline":
        """Return the same in another RAS, with its masks if they are on the same voxels there."""
        known: dict[Point, Point] = {}

        def moved(entry: Entry) -> Entry:
            if not isinstance(entry, Point):
                return entry
            if entry not in known:
                known[entry] = Point(place(entry.ras), entry.positive)
            return known[entry]

        def along(entries: Entries) -> Entries:
            return tuple(
                moved(entry)
                for entry in entries
                if keepsMasks or not isinstance(entry, Start | Painted)
            )

        past, future = (tuple(map(along, lists)) for lists in (self.past, self.future))
        return Timeline(along(self.now), past, future)


def pointsIn(entries: Entries) -> tuple[Point, ...]:
    """Return the clicks of a list, in order."""
    return tuple(entry for entry in entries if isinstance(entry, Point))


def startsOf(entries: Entries) -> Entries:
    """Return the masks that a list began with."""
    return tuple(entry for entry in entries if isinstance(entry, Start))


def withPoints(entries: Entries, points: Sequence[Point]) -> Entries:
    """Return a list with other clicks: moved, deleted, or new ones at the place they were put.

    Paintings stay where they are between the clicks.
    """
    old = pointsIn(entries)
    new = [_known(point, old) for point in points]
    at = [n for n, entry in enumerate(entries) if isinstance(entry, Point)]
    out: list[Entry] = list(entries)
    changes = SequenceMatcher(None, _keys(old), _keys(new), autojunk=False).get_opcodes()
    for kind, start, stop, newStart, newStop in reversed(changes):
        if kind != "equal":
            _exchange(out, at[start:stop], at[start:], new[newStart:newStop])
    return tuple(out)


def newPoints(points: Sequence[Point], old: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points that are none of the old ones."""
    return tuple(point for point in points if _known(point, old) not in old)


def boundsOf(mask: Mask) -> Box:
    """Return the smallest box that holds a mask's true voxels; an empty one if none is."""
    # Rows are read as they lie in memory: a seventh of the time.
    flat = np.asarray(mask.any(axis=0))
    return _span(mask.any(axis=(1, 2))), _span(flat.any(axis=1)), _span(flat.any(axis=0))


def joined(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds some boxes; an empty one if none holds anything."""
    filled = [box for box in boxes if all(part.start < part.stop for part in box)]
    k, j, i = (
        slice(
            min((box[axis].start for box in filled), default=0),
            max((box[axis].stop for box in filled), default=0),
        )
        for axis in range(3)
    )
    return k, j, i


def _span(line: ArrayLike) -> slice:
    where = np.flatnonzero(line)
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 0)


def _exchange(
    out: list[Entry], taken: Sequence[int], following: Sequence[int], new: Sequence[Point]
) -> None:
    """Put new clicks in the place of some; those beyond their number stand after the last."""
    paired = min(len(taken), len(new))
    end = taken[-1] + 1 if taken else (following[0] if following else len(out))
    out[end:end] = new[paired:]
    for n in reversed(range(len(taken))):
        if n < paired:
            out[taken[n]] = new[n]
        else:
            del out[taken[n]]


def _known(point: Point, old: Sequence[Point]) -> Point:
    """Return the old point that this one is, if it is one."""
    for other in old:
        near = np.abs(np.subtract(other.ras, point.ras)).max() < SAME_MM
        if near and other.positive == point.positive:
            return other
    return point


def _keys(points: Sequence[Point]) -> list[tuple[Place, bool]]:
    return [(point.ras, point.positive) for point in points]


def _pack(mask: Mask) -> bytes:
    return zlib.compress(np.packbits(mask).tobytes(), 1)


def _unpack(packed: bytes, shape: tuple[int, ...]) -> Mask:
    bits = np.frombuffer(zlib.decompress(packed), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
