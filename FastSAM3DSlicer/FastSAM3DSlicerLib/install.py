"""What the network needs besides Slicer, how it is installed, and what to do if that fails."""

import importlib.metadata
import logging
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import slicer

from .errors import UserError
from .language import tr as _

NEEDED = {"torch": (2, 5), "safetensors": (0, 5)}
"""Names of distributions, and the oldest versions that will do."""
DOWNLOADER = {"huggingface-hub": (1, 0)}
"""What fetches other weights than those that come with the module."""
REQUESTER = "FastSAM3D"

Say = Callable[[str], None]
"""Called with a line of the log."""


def missing() -> list[str]:
    """Return what is not installed or too old, as requirements of pip."""
    return _missingOf(NEEDED)


def announcement(wanted: list[str]) -> str:
    """Say what will be installed, how large it is, and where it comes from."""
    sizes = {
        "torch": _("PyTorch: 0.2 GB to download, with an NVIDIA card 2 to 3 GB"),
        "safetensors": _("safetensors: 1 MB"),
    }
    lines = [f"<li>{sizes[_nameOf(each)]}</li>" for each in wanted]
    return (
        _("Needed once, from the Python Package Index and pytorch.org:")
        + f"<ul style='margin: 4px'>{''.join(lines)}</ul>"
        + _("The weights of the network are here already.")
    )


def install(say: Say) -> None:
    """Install what is missing, after one question; called on the main thread.

    Raises:
        UserError: nothing was installed, or not all; says why, and what to do.
    """
    wanted = missing()
    torch = [each for each in wanted if _nameOf(each) == "torch"]
    rest = [each for each in wanted if each not in torch]
    with _told(say):
        for each in torch:
            _installTorch(each.removeprefix("torch"))
        if rest:
            _installRest(rest, ask=not torch)
    importlib.invalidate_caches()
    if left := missing():
        raise UserError(
            _(
                "{names} could not be found after it was installed: restart Slicer, then open this "
                "module again."
            ).format(names=", ".join(map(_nameOf, left)))
        )


def installDownloader(say: Say) -> None:
    """Install what downloads weights if it is missing, after a question; on the main thread.

    Raises:
        UserError: as `install`.
    """
    if wanted := _missingOf(DOWNLOADER):
        with _told(say):
            _installRest(wanted, ask=True)
        importlib.invalidate_caches()


def advice(said: str) -> str:
    """Name the cause of a failed installation, and the cure, from what pip said."""
    for pattern, text in (
        (r"no space left|not enough space|errno 28", _("The disk is full: make room on it.")),
        (
            r"permission denied|access is denied|winerror (5|32)\b|used by another process",
            _(
                "Files are in use or may not be written: restart Slicer and install first of all; "
                "if that does not help, install Slicer where you may write."
            ),
        ),
        (
            r"ssl|certificate|proxy",
            _("A proxy or a firewall is in the way: ask whoever runs the network for pypi.org."),
        ),
        (
            r"connection|timed out|getaddrinfo|name resolution|unreachable|retries",
            _("The Python Package Index cannot be reached: connect to the internet."),
        ),
        (
            r"no matching distribution|could not find a version",
            _("There is no package for this version of Slicer or this computer: update Slicer."),
        ),
        (r"memoryerror|out of memory", _("The memory is full: close other programs.")),
    ):
        if re.search(pattern, said, re.IGNORECASE):
            return text
    return _("The log below says more.")


def remark(device: str) -> str:
    """Say why the network works on the CPU; "" if it does not, or before it works at all."""
    torch = sys.modules.get("torch")
    if not device.startswith("cpu") or torch is None:
        return ""
    if shutil.which("nvidia-smi") is None:
        return _("The network works on the CPU of this computer.")
    if torch.version.cuda is None:
        return _(
            "The network works on the CPU: this PyTorch was built without CUDA. To use the NVIDIA "
            "card, uninstall it in the module PyTorch Utils and install it again."
        )
    return _(
        "The network works on the CPU: the NVIDIA driver does not serve CUDA {version}. Update "
        "the driver to use the card."
    ).format(version=torch.version.cuda)


def explained(error: Exception) -> UserError:
    """Say why a network could not be loaded, and what to do."""
    cause = error.__cause__ if isinstance(error, UserError) else error
    if isinstance(error, UserError) and not isinstance(cause, ImportError):
        return error
    return UserError(
        _(
            "PyTorch cannot be loaded ({error}). Restart Slicer; if that does not help, uninstall "
            "it in the module PyTorch Utils and open this module again to install it."
        ).format(error=_firstLine(cause or error))
    )


def _missingOf(needed: dict[str, tuple[int, int]]) -> list[str]:
    return [
        f"{name}>={'.'.join(map(str, oldest))}"
        for name, oldest in needed.items()
        if _version(name) < oldest
    ]


def _version(name: str) -> tuple[int, ...]:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", found)[:2])


def _nameOf(requirement: str) -> str:
    return requirement.partition(">=")[0]


def _installTorch(versions: str) -> None:
    try:
        from PyTorchUtils import PyTorchUtilsLogic  # type: ignore[import-not-found]
    except ImportError as error:
        raise UserError(
            _(
                "The extension PyTorch is missing, which installs PyTorch: get it from the "
                "Extensions Manager, restart Slicer, and come back."
            )
        ) from error
    logic = PyTorchUtilsLogic()
    if logic.installTorch(askConfirmation=True, torchVersionRequirement=versions) is None:
        raise _nothingDone()


def _installRest(wanted: list[str], *, ask: bool) -> None:
    try:
        from slicer.packaging import pip_ensure
    except ImportError:  # Slicer 5.10
        question = _("Install {names}?").format(names=", ".join(wanted))
        if ask and not slicer.util.confirmOkCancelDisplay(question):
            raise _nothingDone() from None
        slicer.util.pip_install(" ".join(wanted))
        return
    try:
        pip_ensure(wanted, prompt_install=ask, requester=REQUESTER)
    except RuntimeError as error:  # the user said no
        raise _nothingDone() from error


def _nothingDone() -> UserError:
    return UserError(_("Nothing was installed. Ask for it again whenever you like."))


@contextmanager
def _told(say: Say) -> Iterator[None]:
    """Pass on what is logged meanwhile; turn what fails into a sentence for the user."""
    lines: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())
            say(lines[-1])

    listener, root = Listener(logging.INFO), logging.getLogger()
    root.addHandler(listener)
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        said = "\n".join([*lines, str(error)])
        raise UserError(
            _("The installation failed ({error}). {advice}").format(
                error=_firstLine(error), advice=advice(said)
            )
        ) from error
    finally:
        root.removeHandler(listener)


def _firstLine(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
