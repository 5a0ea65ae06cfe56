"""The methods that Table 2 compares: systems with their weights, and classical tools."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ..classical import TOOLS
from ..config import PRESETS, CompactConfig, ModelConfig
from ..errors import InputError
from ..registry import ENTRIES
from ..store import path_of
from . import systems
from .published import Contestant, Tool, Volumetric
from .systems import SYSTEMS

if TYPE_CHECKING:
    from .planar import PlanarNetwork

_SHOWN = 8
_UNTRAINED = "untrained"

BOXES, _BOXED = "medsam-boxes", "medsam"
"""MedSAM in its own protocol, and as a system."""


@dataclass(frozen=True)
class Entrant:
    """A row of the table; name: in results, with the weights' hash; weights: None if untrained."""

    key: str
    name: str
    weights: Path | None = None

    @property
    def kind(self) -> Literal["tool", "boxes", "slices", "volumes"]:
        """Return what it is, is given, or reads."""
        if self.key in TOOLS:
            return "tool"
        if self.key == BOXES:
            return "boxes"
        return "volumes" if _reads_volumes(self.key) else "slices"

    @property
    def trained(self) -> bool:
        """Tell whether its figures mean anything."""
        return self.kind == "tool" or self.weights is not None


def entrants(
    keys: Sequence[str], weights: Mapping[str, Path], *, untrained: bool = False
) -> list[Entrant]:
    """Find the weights of methods, before any work.

    Args:
        keys: of systems, presets and classical tools.
        weights: files by system; those of the registry where there is none.
        untrained: whether a system without weights may run, its weights random.

    Raises:
        InputError: unknown or double keys, or weights that are missing.
    """
    if len(set(keys)) < len(keys) or not keys:
        raise InputError(f"Got the methods {', '.join(keys) or 'none'}; name each once.")
    if unused := [key for key in weights if key not in keys or key in TOOLS]:
        raise InputError(f"Got weights for {unused[0]}, which is not among the systems asked for.")
    return [_entrant(key, weights.get(key), untrained=untrained) for key in keys]


def check_usable(methods: Iterable[Entrant]) -> None:
    """Refuse methods that could not be made, before anything is begun with them.

    Raises:
        InputError: a file of weights is damaged or of another network, or a package is missing.
    """
    for method in methods:
        if method.kind == "tool":
            TOOLS[method.key]()
        elif method.kind == "volumes":
            _check_volumes(method)
        else:
            systems.check(SYSTEMS[_system(method.key)], method.weights)


def is_untrained(name: str) -> bool:
    """Tell by the name of a method in results whether its weights were random."""
    return name.endswith(f" {_UNTRAINED}")


def key_of(name: str) -> str:
    """Return the key of a method by its name in results."""
    return name.partition(" ")[0]


def contestant_of(entrant: Entrant, device: str) -> Contestant:
    """Make what runs in the protocol `published`.

    Raises:
        InputError: the weights do not fit, or a package is missing.
    """
    if entrant.kind == "tool":
        return Tool(TOOLS[entrant.key]())
    if entrant.kind == "volumes":
        return Volumetric(
            entrant.name,
            network_of(entrant, device),
            clamps_ct=clamps_ct(entrant),
            remembers=isinstance(PRESETS.get(entrant.key), CompactConfig),
        )
    from .planar_boxes import PlanarBoxes
    from .planar_case import Planar

    kind = PlanarBoxes if entrant.kind == "boxes" else Planar
    return kind(entrant.name, slices_network_of(entrant, device))


def clamps_ct(entrant: Entrant) -> bool:
    """Tell whether a method was trained on CT clamped to -1000 to 1000 HU."""
    config = PRESETS.get(entrant.key)
    return isinstance(config, ModelConfig) and config.clamps_ct


def network_of(entrant: Entrant, device: str) -> Any:
    """Load a 3D network, as a session takes it."""
    from ..loading import build, load_model

    if entrant.weights is not None:
        return load_model(entrant.key, checkpoint=entrant.weights, device=device)
    with _alike():
        state = build(PRESETS[entrant.key]).state_dict()
    return load_model(entrant.key, state_dict=state, device=device)


def slices_network_of(entrant: Entrant, device: str) -> "PlanarNetwork":
    """Load a network for slices."""
    with _alike():
        network = systems.load(SYSTEMS[_system(entrant.key)], entrant.weights, device)
    return cast("PlanarNetwork", network)


@contextmanager
def _alike() -> Iterator[None]:
    """Draw the same random weights in every process."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _reads_volumes(key: str) -> bool:
    return key in PRESETS if key not in SYSTEMS else SYSTEMS[key].dimensions == 3


def _entrant(key: str, path: Path | None, *, untrained: bool) -> Entrant:
    if key in TOOLS:
        return Entrant(key, key)
    if _system(key) not in SYSTEMS and key not in PRESETS:
        known = dict.fromkeys([*SYSTEMS, *PRESETS, BOXES, *TOOLS])
        raise InputError(f"Got the method {key!r}; expected one of {', '.join(known)}.")
    path = path or _registered(key, untrained=untrained)
    if path is None and not untrained:
        raise InputError(
            f"{key} has no weights here, and an untrained network has no accuracy. "
            f"{_where(key)}Give it with --weights {key}=FILE, or try the machinery with "
            "--untrained."
        )
    if path is None:
        return Entrant(key, f"{key} {_UNTRAINED}")
    if not path.is_file():
        raise InputError(f"There is no file of weights {path} for {key}; check the path.")
    return Entrant(key, f"{key} {_hash(path)}", path)


def _check_volumes(method: Entrant) -> None:
    if method.weights is not None:
        from ..checkpoints import check_state, expected_shapes, load_state

        check_state(load_state(method.key, method.weights), expected_shapes(method.key))


def _registered(key: str, *, untrained: bool) -> Path | None:
    """Return the registry's file of a preset; None if it has none."""
    for name in _names(key):
        try:
            return path_of(name)
        except InputError:
            if not untrained:
                raise
    return None


def _names(key: str) -> Iterator[str]:
    return (entry.name for entry in ENTRIES if entry.preset == key and key in PRESETS)


def _where(key: str) -> str:
    found = SYSTEMS.get(_system(key))
    return f"Its official file: {found.weights.rstrip('.')}. " if found else ""


def _system(key: str) -> str:
    return _BOXED if key == BOXES else key


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while part := file.read(1 << 22):
            digest.update(part)
    return digest.hexdigest()[:_SHOWN]
