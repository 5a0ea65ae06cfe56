"""The methods of Table 2 in the protocol `sound`: as a user has them, on whole volumes.

3D networks run in sessions, as in 3D Slicer: the patch comes from the clicks. Classical tools see
the cubes round the clicks. Networks for slices get clicks as `planar_method` says.
"""

from collections.abc import Callable
from functools import partial

from ..classical import TOOLS
from ..evaluate import Settings, evaluate_object
from ..methods import Method, SessionMethod
from ..plan import Scan, Task
from ..results import ObjectResult
from .entrants import Entrant, clamps_ct, network_of, slices_network_of

Evaluate = Callable[[Task, Scan], ObjectResult]
"""Evaluates one object; it is told the failures of the method, and raises none of them."""


def sound_evaluator(entrant: Entrant, device: str, settings: Settings) -> Evaluate:
    """Make what evaluates a method on one object after the other.

    Raises:
        InputError: the weights do not fit, or a package is missing.
    """
    if entrant.kind == "tool":
        return _by(TOOLS[entrant.key](), settings)
    if entrant.kind == "slices":
        from .planar_method import PlanarMethod

        return _by(PlanarMethod(entrant.name, slices_network_of(entrant, device)), settings)
    from ..session import Session

    network = network_of(entrant, device)
    evaluate = _by(SessionMethod(entrant.name, partial(Session, network)), settings)

    def clamped(task: Task, scan: Scan) -> ObjectResult:
        network.ct_clamp = task.row.is_ct
        return evaluate(task, scan)

    return clamped if clamps_ct(entrant) else evaluate


def _by(method: Method, settings: Settings) -> Evaluate:
    return lambda task, scan: evaluate_object(method, task, scan, settings)[0]
