"""What one dataset gave by one protocol, and how its methods are called."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from ..results import PUBLISHED, ObjectResult, protocol_of
from ..summary import MethodSummary, Summary, Versus, summarise
from . import paper_figures as paper
from .systems import SYSTEMS
from .table_efficiency import title_of

REFERENCES = ("fastsam3d-default", "fastsam3d", "sam-med3d")
"""The first of these that was measured is what the others are tested against."""

METHODS = {
    "fastsam3d-teacher": "FastSAM3D, teacher",
    "medsam-boxes": "MedSAM, boxes round the truth",
    "grow-from-seeds": "Grow from seeds (3D Slicer)",
    "region-growing": "Region growing (SimpleITK)",
    "fast-marching": "Fast marching (SimpleITK)",
}
"""What tables and pictures call methods that are none of `SYSTEMS`."""


@dataclass(frozen=True)
class Scored:
    """What one manifest gave by one protocol.

    results: of trained methods alone, as their records hold them; of one strategy, seed and number
        of clicks.
    untrained: systems that ran with random weights.
    finished: whether all objects that were asked for are there, of each method.
    processes: how many worked at once, at most; 0 if that is not known.
    left_out: cases, and why all or part of each was not evaluated, as far as that is known.
    """

    dataset: str
    results: tuple[ObjectResult, ...]
    untrained: tuple[str, ...] = ()
    finished: bool = True
    processes: int = 0
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def protocol(self) -> str:
        """Return `published` or `sound`."""
        return protocol_of(self.results[0].strategy)

    @property
    def title(self) -> str:
        """Name the dataset and the protocol."""
        return f"{self.dataset}, protocol {self.protocol}"

    @property
    def name(self) -> str:
        """Return what files of it are called after."""
        return f"{self.dataset}-{self.protocol}"

    @property
    def reference(self) -> str:
        """Return the method that the others are tested against."""
        return min(self._names, key=lambda name: _rank(system_of(name)))

    @cached_property
    def summary(self) -> Summary:
        """Summarise, with tests against the reference."""
        return summarise(self.results, self.reference)

    @cached_property
    def best_versus(self) -> tuple[Versus, ...]:
        """Return the tests of the best Dice so far, as the summary's are of the newest."""
        best = [replace(one, dice=tuple(accumulate(one.dice, max))) for one in self.results]
        return summarise(best, self.reference).versus

    @property
    def methods(self) -> dict[str, MethodSummary]:
        """Return the summaries by the method's name, systems in the paper's order."""
        known = {method.method: method for method in self.summary.methods}
        return {name: known[name] for name in sorted(known, key=_place)}

    @property
    def titles(self) -> dict[str, str]:
        """Return what tables call each method: a system by its title, if only one is of it."""
        systems = [system_of(name) for name in self._names]
        return {
            name: _title_of(system) if systems.count(system) == 1 else name
            for name, system in zip(self._names, systems, strict=True)
        }

    @property
    def paper_name(self) -> str:
        """Return what the paper calls the dataset; "" where its figures cannot be compared."""
        return paper.known_as(self.dataset) if self.protocol == PUBLISHED else ""

    @property
    def printed(self) -> dict[str, paper.Dice]:
        """Return the paper's figures of this dataset by system; none that cannot be compared."""
        return paper.DICE.get(self.paper_name, {})

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(result.method for result in self.results))


def system_of(method: str) -> str:
    """Return the system or method that a name, such as "sam 0123abcd", is of; itself if none."""
    first = method.partition(" ")[0]
    return first if first in SYSTEMS or first in METHODS else method


def _title_of(system: str) -> str:
    return METHODS.get(system) or title_of(system)


def _rank(system: str) -> int:
    return REFERENCES.index(system) if system in REFERENCES else len(REFERENCES)


def _place(method: str) -> int:
    order = list(SYSTEMS)
    system = system_of(method)
    return order.index(system) if system in order else len(order)
