"""What can be said about the segment being edited, and what to do next."""

from dataclasses import dataclass, field

from .language import tr as _


def first() -> str:
    """Say what to do before the first click."""
    return _("Click on the object: the mask appears at once.")


def following(voxels: int) -> str:
    """Say what to do next, given how many voxels are in the segment."""
    if not voxels:
        return _("Nothing is in the segment: click with + on the middle of the object.")
    return _(
        "Add + where the mask lacks something, - where it has too much; or go to the next segment."
    )


@dataclass(frozen=True)
class Status:
    """What can be said about the segment being edited, for a status line.

    Attributes:
        device: where the network is; "" before the first click.
        encodeMs: of the last change; 0 if the embedding was kept.
        decodeMs: of the last change.
        volumeMl: of the segment.
        confidence: the IoU that the network predicts for its mask, 0 to 1.
        message: what happened and what to do next.
    """

    device: str = ""
    encodeMs: float = 0.0
    decodeMs: float = 0.0
    volumeMl: float = 0.0
    confidence: float = 0.0
    message: str = field(default_factory=first)
