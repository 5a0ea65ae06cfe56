"""What can be said about the segment being edited, and what to do next."""

from dataclasses import dataclass

FIRST = "Click on the object: the mask appears at once."
NEXT = "Add + where the mask lacks something, - where it has too much; or go to the next segment."
NOTHING_FOUND = "Nothing is in the segment: click with + on the middle of the object."


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
    message: str = FIRST
