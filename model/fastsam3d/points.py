"""Clicks from the command line and from files, in mm or voxels, for one object or several.

Three ways to say them:

- `X,Y,Z` or `X,Y,Z,out` on the command line;
- a `.mrk.json` of 3D Slicer. Each point list is an object, named by the list or else by the file. A
  point whose label or description begins with the word out, exclude, negative or background lies
  outside the object: a list called "exclude" gives its points such labels;
- a JSON file: `{"coordinates": "ras", "objects": [{"name": "liver", "points": [[X, Y, Z],
  [X, Y, Z, "out"]]}]}`.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .geometry import kji_to_ras, ras_to_kji

SPACES = ("ras", "lps", "ijk")

_EXCLUDE = re.compile(r"\s*(out|exclude|negative|background)\b", re.IGNORECASE)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Point:
    """A click: where, and whether the object is there or is not."""

    position: Triple
    positive: bool = True
    voxel: Triple | None = field(default=None, compare=False)
    """(i, j, k), if it was given so."""


@dataclass(frozen=True)
class Target:
    """An object to segment: its name and the clicks on and off it."""

    name: str
    points: tuple[Point, ...]
    space: str = "ras"
    """Of the positions: "ras" or "lps" in mm, or "ijk" in voxels."""
    file: str = field(default="", compare=False)
    """The name of the file that it comes from, if from one."""


def parse_point(text: str) -> Point:
    """Read `X,Y,Z` or `X,Y,Z,out`.

    Raises:
        InputError: not three finite numbers, or another last word.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 4 and parts[3].lower() in ("in", "out"):
        return Point(triple_of(parts[:3], text), positive=parts[3].lower() == "in")
    return Point(triple_of(parts, text))


def read_targets(path: str | Path, space: str = "ras") -> list[Target]:
    """Read the objects of a points file, Slicer's or ours.

    Args:
        path: a JSON file.
        space: of the positions, where our own form does not say it.

    Raises:
        InputError: no such file, or a content that is neither form.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no points file {path}; check its path.") from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path.name} is no JSON file; expected .mrk.json from Slicer, or a file with objects."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("markups"), list):
        stem = path.name.removesuffix(".json").removesuffix(".mrk")
        return _from_markups(content["markups"], stem, path.name)
    if isinstance(content, dict) and isinstance(content.get("objects"), list):
        given = str(content.get("coordinates", space)).lower()
        return [_from_object(o, n, given, path.name) for n, o in enumerate(content["objects"], 1)]
    raise InputError(
        f'{path.name} has neither "markups" nor "objects"; see `fastsam3d segment --help`.'
    )


def in_ras(target: Target, ijk_to_ras: NDArray[np.float64]) -> Target:
    """Express a target's points in mm in RAS.

    Raises:
        InputError: an unknown space.
    """
    points = np.array([point.position for point in target.points]).reshape(-1, 3)
    if target.space == "lps":
        points = points * (-1, -1, 1)
    elif target.space == "ijk":
        points = kji_to_ras(points[:, ::-1], ijk_to_ras)
    elif target.space != "ras":
        raise InputError(f"Got coordinates {target.space!r}; expected {', '.join(SPACES)}.")
    moved = (
        replace(
            point,
            position=(float(x), float(y), float(z)),
            voxel=point.position if target.space == "ijk" else None,
        )
        for point, (x, y, z) in zip(target.points, points, strict=True)
    )
    return replace(target, points=tuple(moved), space="ras")


def check_given(targets: Iterable[Target], *, started: bool = False) -> None:
    """Refuse targets that no scan could be segmented with.

    Args:
        targets: the objects.
        started: whether there are masks to go on from, that points may be excluded from.

    Raises:
        InputError: no points, or an object with only exclude points and no mask to go on from.
    """
    targets = list(targets)
    if not any(target.points for target in targets):
        raise InputError("There are no points; give at least one on the object: --point X,Y,Z.")
    for target in targets:
        if not any(point.positive or started for point in target.points):
            raise InputError(
                f"{target.name} has {'no points' if started else 'only exclude points or none'}; "
                "add a point that lies on it."
            )


def check_targets(
    targets: Iterable[Target],
    shape_kji: tuple[int, ...],
    ijk_to_ras: NDArray[np.float64],
    *,
    started: bool = False,
) -> None:
    """Refuse targets in RAS that cannot be segmented in a volume.

    Raises:
        InputError: as `check_given`, or a point outside the volume.
    """
    targets = list(targets)
    check_given(targets, started=started)
    for target in targets:
        for point in target.points:
            _check_inside(point, target.file, shape_kji, ijk_to_ras)


def _check_inside(
    point: Point, file: str, shape_kji: tuple[int, ...], ijk_to_ras: NDArray[np.float64]
) -> None:
    check = f"check it, and the coordinates of {file}." if file else "check it, and --coordinates."
    if _inside(point.position, shape_kji, ijk_to_ras):
        return
    if point.voxel is not None:
        raise InputError(_voxel_outside(point.voxel, shape_kji, check))
    x, y, z = point.position
    last = np.array(shape_kji)[::-1] - 1
    corners = kji_to_ras((np.indices((2, 2, 2)).reshape(3, 8).T * last)[:, ::-1], ijk_to_ras)
    reach = ", ".join(
        f"{axis} {low:.1f} to {high:.1f}"
        for axis, low, high in zip("RAS", corners.min(0), corners.max(0), strict=True)
    )
    lps = _inside((-x, -y, z), shape_kji, ijk_to_ras)
    where = f"then say so in {file}" if file else "--coordinates lps"
    hint = f"was it meant in LPS ({where})?" if lps else check
    raise InputError(
        f"Point {x:g},{y:g},{z:g} mm (RAS) lies outside the volume ({reach} mm); {hint}"
    )


def _voxel_outside(voxel: Triple, shape_kji: tuple[int, ...], check: str) -> str:
    i, j, k = voxel
    size = " x ".join(map(str, shape_kji[::-1]))
    turned = all(0 <= round(n) < length for n, length in zip(voxel, shape_kji, strict=True))
    hint = "was it meant as k,j,i? Turn it round." if turned else check
    return f"Voxel {i:g},{j:g},{k:g} (i,j,k) lies outside the volume ({size} voxels); {hint}"


def _inside(position: Triple, shape_kji: tuple[int, ...], ijk_to_ras: NDArray[np.float64]) -> bool:
    (voxel,) = np.rint(ras_to_kji([position], ijk_to_ras))
    return bool(((voxel >= 0) & (voxel < shape_kji)).all())


def triple_of(parts: Any, shown: object) -> Triple:
    """Read three finite numbers.

    Raises:
        InputError: they are not; names what is `shown`.
    """
    try:
        x, y, z = (float(part) for part in parts)
    except (TypeError, ValueError):
        x = y = z = math.nan
    if not all(map(math.isfinite, (x, y, z))):
        raise InputError(f"Point {shown!r} is not three numbers; expected X,Y,Z or X,Y,Z,out.")
    return x, y, z


def _from_object(content: Any, number: int, space: str, file: str) -> Target:
    if not isinstance(content, dict) or not isinstance(content.get("points"), list):
        raise InputError(
            f'Object {number} of {file} has no list of "points"; expected [[X, Y, Z], …].'
        )
    points = tuple(_from_list(entry) for entry in content["points"])
    return Target(str(content.get("name", f"object {number}")), points, space, file)


def _from_list(entry: Any) -> Point:
    if isinstance(entry, list) and len(entry) == 4 and entry[3] in ("in", "out"):
        return Point(triple_of(entry[:3], entry), positive=entry[3] == "in")
    return Point(triple_of(entry, entry))


def _from_markups(markups: list[Any], stem: str, file: str) -> list[Target]:
    targets = []
    for number, markup in enumerate(markups, 1):
        if not isinstance(markup, dict) or not isinstance(markup.get("controlPoints"), list):
            raise InputError(
                f'Markup {number} of {file} has no "controlPoints"; save it from Slicer again.'
            )
        fallback = stem if len(markups) == 1 else f"{stem} {number}"
        points = tuple(_from_control(p, file) for p in markup["controlPoints"] if _defined(p))
        name = markup.get("name") or fallback
        targets.append(Target(name, points, _space(markup, file), file))
    return targets


def _space(markup: dict[str, Any], file: str) -> str:
    space = str(markup.get("coordinateSystem", "LPS")).lower()
    units = markup.get("coordinateUnits", "mm")
    if space not in ("lps", "ras") or units not in ("mm", ["mm"]):
        raise InputError(f"{file} is in {space!r} and {units!r}; expected LPS or RAS, in mm.")
    return space


def _defined(control: Any) -> bool:
    return not isinstance(control, dict) or control.get("positionStatus", "defined") == "defined"


def _from_control(control: Any, file: str) -> Point:
    if not isinstance(control, dict):
        raise InputError(f"Control point {control!r} of {file} is none; save it from Slicer again.")
    words = (str(control.get(key, "")) for key in ("label", "description"))
    positive = not any(_EXCLUDE.match(text) for text in words)
    return Point(triple_of(control.get("position"), control.get("position")), positive=positive)
