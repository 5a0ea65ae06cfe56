"""Work shared out over processes, GPUs and machines, and its results put together again.

A process gets whole images, so that each is read once, and writes to a file of its own, new at
each call; it reads those of all others before it begins. So nothing is locked, nothing is done
twice by calls that follow one another, whatever their number of processes, and a process that is
killed loses the object it was at. What the files hold together does not depend on the sharing.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from secrets import token_hex

from ..errors import InputError
from ..plan import Task
from ..results import Key, ObjectResult, Records, line_of, read_results
from ..whole import write_whole

OnDone = Callable[[str], None]
"""Told each case of which an object is done."""

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _Parent:
    """What a process shares with the one that started it: what it tells, when it is to stop."""

    told: "SimpleQueue[str]"
    stop: Event

    def tell(self, case: str) -> None:
        """Tell of a case.

        Raises:
            InterruptedError: this process is to stop.
        """
        self.told.put(case)
        if self.stop.is_set():
            raise InterruptedError("another process failed")

    def pass_on(self, on_done: OnDone) -> None:
        """Say what was told."""
        while not self.told.empty():
            on_done(self.told.get())


_parent: _Parent | None = None


@dataclass(frozen=True)
class Share:
    """One process's part of the work: which of how many, and the device it has."""

    index: int = 0
    count: int = 1
    device: str = "cpu"


Work = Callable[[Share, OnDone], None]
"""Does a share; can be pickled."""


def shares_of(processes: int, device: str) -> list[Share]:
    """List the shares of this call: all, or with torchrun the one of this process.

    GPUs are dealt in turn.

    Raises:
        InputError: no process, or several beside those of torchrun, or no such device.
    """
    if processes < 1:
        raise InputError(f"Got {processes} processes; give at least 1.")
    if "WORLD_SIZE" not in os.environ:
        return [Share(n, processes, _device(device, n)) for n in range(processes)]
    if processes > 1:
        raise InputError(
            f"Got {processes} processes and torchrun; give the number to torchrun alone, as "
            "--nproc-per-node."
        )
    rank, count, local = (int(os.environ[n]) for n in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return [Share(rank, count, _device(device, local))]


def part_of(tasks: Sequence[Task], share: Share) -> list[Task]:
    """Return a share's tasks: whole images, so that shares have about as many objects."""
    images: dict[str, int] = defaultdict(int)
    for task in tasks:
        images[task.row.case] += 1
    loads = [0] * share.count
    chosen = set()
    for case in sorted(images, key=lambda case: -images[case]):
        lightest = loads.index(min(loads))
        loads[lightest] += images[case]
        if lightest == share.index:
            chosen.add(case)
    return [task for task in tasks if task.row.case in chosen]


def run_shares(work: Work, shares: Sequence[Share], on_done: OnDone) -> None:
    """Do shares: one in this process, several in one process each.

    When one fails, the others stop at their next case.

    Raises:
        InputError: of a share, or a process was killed.
    """
    if len(shares) == 1:
        work(shares[0], on_done)
        return
    context = get_context("spawn")
    parent = _Parent(context.SimpleQueue(), context.Event())
    with ProcessPoolExecutor(len(shares), context, _begin, (parent,)) as pool:
        waiting = {pool.submit(_do, work, share) for share in shares}
        try:
            while waiting:
                done, waiting = wait(waiting, _POLL_SECONDS)
                parent.pass_on(on_done)
                for future in done:
                    future.result()
        except BrokenProcessPool as error:
            raise InputError(
                "A process was killed, perhaps for want of memory; what is done is kept. Call "
                "again with fewer processes."
            ) from error
        finally:
            _let_end(waiting, parent)


@contextmanager
def same_threads() -> Iterator[None]:
    """Let torch use one thread, or OMP_NUM_THREADS if it is set, however work is shared.

    The last digits of what a network answers depend on their number.
    """
    import torch

    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def new_records(folder: Path, share: Share) -> Records:
    """Name a file of results that no other process has."""
    return Records(folder / f"{share.index + 1}-of-{share.count}.{token_hex(4)}.jsonl")


def most_processes(folder: Path) -> int:
    """Count the processes of the call that had most, by the files of `new_records`; 0 if none."""
    names = (path.name.partition(".")[0] for path in folder.glob("*-of-*.jsonl"))
    return max((int(name.rpartition("-")[2]) for name in names), default=0)


def found(folder: Path) -> dict[Key, ObjectResult]:
    """Read the results that all processes have kept so far.

    Raises:
        InputError: a file there holds something else.
    """
    results: dict[Key, ObjectResult] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for result in read_results(path):
            results.setdefault(result.key, result)
    return results


def merge(results: Mapping[Key, ObjectResult], keys: Iterable[Key], path: Path) -> int:
    """Write results in the order of their keys, all or none; return how many are missing."""
    wanted = list(keys)
    missing = sum(key not in results for key in wanted)
    if not missing:
        content = b"".join(line_of(results[key]) for key in wanted)
        write_whole(path, lambda partial: partial.write_bytes(content))
    return missing


def _device(name: str, place: int) -> str:
    import torch

    from ..inputs import pick_device

    where = pick_device(name)
    if where.type != "cuda" or where.index is not None:
        return str(where)
    return f"cuda:{place % torch.cuda.device_count()}"


def _begin(parent: _Parent) -> None:
    """Prepare a process."""
    global _parent
    _parent = parent


def _do(work: Work, share: Share) -> None:
    assert _parent is not None, "the process was prepared"
    work(share, _parent.tell)


def _let_end(waiting: "set[Future[None]]", parent: _Parent) -> None:
    """Have processes stop, and hear them out: one that is not heard would wait for ever."""
    parent.stop.set()
    while waiting:
        _, waiting = wait(waiting, _POLL_SECONDS)
        parent.pass_on(lambda case: None)
