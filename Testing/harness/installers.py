# ruff: noqa: N802, N803 -- these stand for functions of Slicer and are called by their names
"""Stand-ins for what installs packages in Slicer: they install nothing, and keep what was asked."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest


@dataclass
class Installers:
    """What was asked for, what is there, and what goes wrong.

    Attributes:
        versions: by name of the distribution; a request adds to it.
        asked: calls, in order: who, what, and whether the user was asked.
        error: raised by the next request.
        said: logged by each request.
        is_refused: whether the user says no.
    """

    versions: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    error: Exception | None = None
    said: tuple[str, ...] = ()
    is_refused: bool = False

    def serve(self, who: str, what: str, *, asks: bool) -> bool:
        """Answer a request; returns whether the user allowed it."""
        self.asked.append((who, what, asks))
        for line in self.said:
            logging.getLogger().info(line)
        if self.error is not None:
            raise self.error
        if not (asks and self.is_refused):
            self.versions.update({each.partition(">=")[0]: "99.0" for each in what.split()})
        return not (asks and self.is_refused)

    def version(self, name: str) -> str:
        """Stand for `importlib.metadata.version`."""
        from importlib.metadata import PackageNotFoundError

        if name not in self.versions:
            raise PackageNotFoundError(name)
        return self.versions[name]


def provide(served: Installers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins in the place of Slicer's modules."""

    class PyTorchUtilsLogic:
        def installTorch(
            self, askConfirmation: bool = False, torchVersionRequirement: str = ""
        ) -> Any:
            what = f"torch{torchVersionRequirement}"
            return served.serve("PyTorchUtils", what, asks=askConfirmation) or None

    def pip_ensure(
        requirements: list[str], prompt_install: bool = True, requester: str | None = None
    ) -> None:
        if not served.serve(
            f"pip_ensure for {requester}", " ".join(requirements), asks=prompt_install
        ):
            raise RuntimeError("User declined installation")

    utils, packaging = ModuleType("PyTorchUtils"), ModuleType("slicer.packaging")
    vars(utils).update(PyTorchUtilsLogic=PyTorchUtilsLogic)
    vars(packaging).update(pip_ensure=pip_ensure)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", utils)
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr("importlib.metadata.version", served.version)


@pytest.fixture
def installers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installers]:
    """A Slicer 5.12 in which nothing is installed yet."""
    served, level = Installers(), logging.getLogger().level
    provide(served, monkeypatch)
    logging.getLogger().setLevel(logging.INFO)
    yield served
    logging.getLogger().setLevel(level)
