"""Whose turn it is: one piece of work at a time; what comes meanwhile waits.

Work on a target takes the place of older work on the same one, under way or waiting: the latest
wins. Work on another target waits until what came before it is complete.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .binding import Key, Target
from .worker import Worker

Work = Callable[[], None]


class Turns:
    """Gives one piece of work its turn after the other."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._waiting: dict[Target, Work] = {}
        self._target: Target | None = None
        self._isActing = False
        self._isYielding = False

    @property
    def isActing(self) -> bool:
        """Tell whether something is under way."""
        return self._isActing

    def isAbout(self, key: Key) -> bool:
        """Tell whether work on a segment waits or is under way, and was not dropped."""
        steps = list(self._waiting)
        if self._target is not None and not self._isYielding:
            steps.append(self._target)
        return any(target.key == key for target in steps)

    def take(self, target: Target, work: Work) -> None:
        """Do work, or let it wait if called from within other work."""
        self._waiting[target] = work
        if not self._isActing:
            self._catchUp()
        elif self._isYielding or target == self._target:
            self._worker.supersede()

    def again(self, target: Target, work: Work) -> None:
        """Let work wait for another turn, unless newer work on the same does."""
        self._waiting.setdefault(target, work)

    @contextmanager
    def turn(self, target: Target | None = None, *, isYielding: bool = False) -> Iterator[None]:
        """Do something else than work on a target; what came meanwhile is done at its end.

        Args:
            target: what it is about.
            isYielding: any work that comes meanwhile makes it stale.
        """
        self._isActing, self._target, self._isYielding = True, target, isYielding
        try:
            yield
        finally:
            self._catchUp()

    def drop(self, key: Key | None = None) -> list[Target]:
        """Leave off what is about a segment, or everything; return the targets of it."""
        dropped = [target for target in self._waiting if key in (None, target.key)]
        for target in dropped:
            del self._waiting[target]
        if self._target is not None and key in (None, self._target.key):
            dropped.append(self._target)
            self._target = None
            self._worker.supersede()
        elif key is None:
            self._worker.supersede()
        return dropped

    def _catchUp(self) -> None:
        """Do what waits, to the end; raise the first error only then."""
        failed: Exception | None = None
        self._isActing = True
        try:
            while self._waiting:
                self._target, self._isYielding = next(iter(self._waiting)), False
                try:
                    self._waiting.pop(self._target)()
                except Exception as error:
                    failed = failed or error
        finally:
            self._isActing, self._target, self._isYielding = False, None, False
        if failed is not None:
            raise failed
