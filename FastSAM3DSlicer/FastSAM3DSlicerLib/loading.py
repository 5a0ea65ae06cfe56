"""Loads the network before the first click, which would wait for it otherwise."""

from . import install
from .errors import UserError
from .network import Engine
from .worker import Pump, Worker


class Loader:
    """Loads a network on a thread, and keeps the window alive meanwhile.

    Attributes:
        isLoading: whether it is at work.
    """

    def __init__(self, engine: Engine, pump: Pump) -> None:
        self.isLoading = False
        self._engine = engine
        self._worker = Worker(pump)

    def load(self) -> str:
        """Load the network, unless there is one or it is on its way.

        Returns:
            What is to be said about it, or "".

        Raises:
            UserError: it cannot be loaded; says why, and what to do.
            Stale: the panel was closed meanwhile.
        """
        if self.isLoading or self._engine.place:
            return ""
        self.isLoading = True
        try:
            self._worker.run(lambda ticket: self._engine.network())
        except (UserError, OSError) as error:
            raise install.explained(error) from error
        finally:
            self.isLoading = False
        return install.remark(self._engine.place)

    def close(self) -> None:
        """End the thread."""
        self._worker.stop()
