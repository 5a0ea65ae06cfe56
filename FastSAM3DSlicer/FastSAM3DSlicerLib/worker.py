"""One thread for all that the network does, while the caller keeps its window alive.

Python threads stall while Qt idles inside PythonQt, so the caller waits in short steps and lets a
function of its own (`slicer.app.processEvents`) run in between.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

T = TypeVar("T")

FIRST_S, STEP_S = 0.1, 0.03
"""Before the window is first let live, and between: most clicks are done by then, and what it draws
meanwhile would slow them down."""

Pump = Callable[[float], None]
"""Called with the seconds waited so far."""


class Stale(Exception):  # noqa: N818 - no error: something newer took its place
    """Says that work was superseded or cancelled; its result is dropped."""


@dataclass(frozen=True)
class Ticket:
    """What a piece of work looks at to learn whether anybody still waits for it."""

    worker: "Worker"
    generation: int

    @property
    def isStale(self) -> bool:
        """Tell whether newer work or a cancel took its place."""
        return self.generation != self.worker.generation

    def check(self) -> None:
        """Leave the work if nobody waits for it.

        Raises:
            Stale: it was superseded or cancelled.
        """
        if self.isStale:
            raise Stale


@dataclass
class _Job:
    work: Callable[[Ticket], Any]
    ticket: Ticket
    done: threading.Event
    result: Any = None
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.ticket.check()
            self.result = self.work(self.ticket)
        except BaseException as error:
            self.error = error
        self.done.set()


class Worker:
    """Runs one piece of work at a time on a thread that stays.

    Attributes:
        generation: a count that `supersede` raises; work of an older one is stale.
    """

    def __init__(self, pump: Pump = lambda seconds: None) -> None:
        self.pump = pump
        self.generation = 0
        self._waiting = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def isBusy(self) -> bool:
        """Tell whether somebody waits in `run`, perhaps farther up the stack."""
        return self._waiting

    def supersede(self) -> None:
        """Make the work under way stale; `run` raises Stale."""
        self.generation += 1

    def run(self, work: Callable[[Ticket], T], *, toItsEnd: bool = True) -> T:
        """Do some work on the thread, pump until it is over, and return its result.

        Args:
            work: what to do.
            toItsEnd: wait for its end even if it was superseded; otherwise it is left to itself,
                and what comes next begins after it.

        Raises:
            Stale: it was superseded meanwhile, even if it came to a result.
            RuntimeError: called from within the pump of another `run`.
        """
        if self._waiting:
            raise RuntimeError("The worker is busy; supersede its work and wait for it to end.")
        job = _Job(work, Ticket(self, self.generation), threading.Event())
        self._waiting = True
        try:
            self._start()
            self._jobs.put(job)
            self._wait(job, toItsEnd=toItsEnd)
        finally:
            self._waiting = False
        if job.ticket.isStale:
            raise Stale
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def stop(self) -> None:
        """End the thread after what it is doing; a later `run` starts a new one."""
        self.supersede()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="FastSAM3D", daemon=True)
            self._thread.start()

    def _wait(self, job: _Job, *, toItsEnd: bool) -> None:
        began, pause = perf_counter(), FIRST_S
        while not job.done.wait(pause) and (toItsEnd or not job.ticket.isStale):
            self.pump(perf_counter() - began)
            pause = STEP_S

    def _work(self) -> None:
        while self._ranOne():
            pass

    def _ranOne(self) -> bool:
        """Run the next job and hold nothing of it after; return whether there was one."""
        job = self._jobs.get()
        if job is not None:
            job.run()
        return job is not None
