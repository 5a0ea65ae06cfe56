"""How each system looks in every picture: a colour that the colour-blind can tell, and a shape."""

from typing import NamedTuple
from zlib import crc32

INK = "#1a1d24"
PALE = "#8a919e"
_GREY = "#6b7280"


class Look(NamedTuple):
    """A colour, and a marker of matplotlib's."""

    colour: str
    marker: str


_LOOKS = {
    "sam": Look("#e69f00", "s"),
    "mobilesam": Look("#56b4e9", "^"),
    "tinysam": Look("#009e73", "v"),
    "medsam": Look("#cc79a7", "D"),
    "sam-med2d": Look("#a39400", "P"),
    "sam-med3d": Look("#0072b2", "o"),
    "fastsam3d": Look("#d55e00", "X"),
    "fastsam3d-default": Look("#000000", "*"),
    "fastsam3d-teacher": Look(_GREY, "p"),
    "medsam-boxes": Look("#cc79a7", "d"),
    "grow-from-seeds": Look(_GREY, "<"),
    "region-growing": Look(_GREY, ">"),
    "fast-marching": Look(_GREY, "h"),
}
"""Okabe and Ito's colours, their yellow darkened to be seen on white."""

_OTHERS = ("H", "8", "1", "2")


def look(key: str) -> Look:
    """Return how a system or method looks, the same in every picture; an unknown one is grey."""
    return _LOOKS.get(key) or Look(_GREY, _OTHERS[crc32(key.encode()) % len(_OTHERS)])
