"""What the panel says about a segment, in the user's language."""

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
    return {"cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Metal)"}.get(kind, device)


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
