"""What is said about a segment, in the user's language."""

import re

from .language import tr as _
from .status import Status

SEPARATOR = " · "
NO_BREAK = "\N{NO-BREAK SPACE}"


def details(status: Status) -> str:
    """Return a line of figures; "" before the first click."""
    if not status.device:
        return ""
    parts = [
        _("{volume} mL").format(volume=f"{status.volumeMl:.3g}"),
        _("confidence {confidence:.2f}").format(confidence=status.confidence),
        place(status.device),
    ]
    if status.encodeMs:
        parts.append(_("encode {ms:.0f} ms").format(ms=status.encodeMs))
    if status.decodeMs:
        parts.append(_("decode {ms:.0f} ms").format(ms=status.decodeMs))
    return SEPARATOR.join(part.replace(" ", NO_BREAK) for part in parts)


def place(device: str) -> str:
    """Name a device as people do."""
    kind = device.partition(":")[0]
    return {"cpu": _("CPU"), "cuda": _("GPU (CUDA)"), "mps": _("GPU (Metal)")}.get(kind, device)


def undecided(number: float) -> str:
    """Say what the number of uncertainty means."""
    return _(
        "Uncertainty {number:.2f}, from 0, sure, to 1, undecided: "
        "click where the colours are, or press the button again to hide them."
    ).format(number=number)


def unexpected(error: BaseException) -> str:
    """Say that something happened that nobody foresaw, and where to read more."""
    return _(
        "This should not have happened ({kind}: {error}). The segment was left as it was; the "
        "Python console says more."
    ).format(kind=type(error).__name__, error=error)


def cancelled() -> str:
    """Say what a cancel leaves behind."""
    return _("Cancelled: the segment is as it was.")


def busy() -> str:
    """Say that one thing is done at a time."""
    return _("Something else is under way: wait for it, or cancel it.")


def imageChanged() -> str:
    """Say that a volume's voxels are other ones than those that were clicked on."""
    return _("The image has changed: the segment is kept, and clicks see the new image.")


def told(said: str) -> str:
    """Return what the engine says about clicks in the user's language.

    What else it says stays in English: it is about files of weights, their keys and commands.
    """
    for pattern, text in (
        (
            r"There is nothing to exclude",
            _(
                "There is nothing to exclude from yet: the point is kept, now include a point of "
                "the object."
            ),
        ),
        (
            r"There is nothing to refine",
            _(
                "There is nothing to refine: the mask is empty or as fine as can be, or a closer "
                "look shows something else."
            ),
        ),
        (
            r"The object goes on",
            _(
                "The object goes on beyond what the network sees at once: click where it goes on "
                "to follow it."
            ),
        ),
        (
            r"The point (?P<place>.+) mm is voxel (?P<voxel>.+), outside .+ of (?P<size>.+):",
            _(
                "The point {place} mm is voxel {voxel}, outside the volume of {size}: choose one "
                "inside it."
            ),
        ),
    ):
        if found := re.match(pattern, said):
            return text.format(**found.groupdict())
    return said
