"""How each system looks in every picture: a colour that the colour-blind can tell, and a shape."""

from typing import NamedTuple

INK = "#1a1d24"
PALE = "#8a919e"


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
}
"""Okabe and Ito's colours, their yellow darkened to be seen on white."""

_OTHERS = ("<", ">", "h", "d")


def look(key: str, place: int = 0) -> Look:
    """Return how a system looks; any other method, the `place`-th of its picture, is grey."""
    return _LOOKS.get(key) or Look("#6b7280", _OTHERS[place % len(_OTHERS)])
