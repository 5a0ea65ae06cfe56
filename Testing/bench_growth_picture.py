"""Growth in one picture: time above memory, a column for each size."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench_growth import Curve, Panel, Unit
from fastsam3d.benchmark.canvas import TITLE, WIDTH, new_figure, say_below, tidy
from fastsam3d.benchmark.labels import SMALL
from fastsam3d.benchmark.palette import INK, PALE, Look

UNITS: dict[Unit, str] = {"ms": "time, ms", "MB": "memory, MB"}
LOOKS = (Look("#0072b2", "o"), Look("#d55e00", "s"), Look("#009e73", "^"), Look("#cc79a7", "D"))
"""Okabe and Ito's colours, as in the package's pictures, with markers that tell them apart too."""
WHAT = (
    "p: grows as size to the power of p. Dotted: a straight line through the smaller sizes, those "
    "up to half of the largest.",
    "Memory is what comes on top: of five clicks at most, beyond volume and network; of clicks and "
    "segments, since the first; of encoding and decoding a patch at most, beyond the network.",
    "Volume, clicks, segments: the default network. Patch: random weights; sparse: the student "
    "with sparse attention, in segments of 49 to 72 tokens that cut each patch evenly.",
)


def draw(panels: Sequence[Panel], machine: str) -> Figure:
    """Draw all panels; `machine` says what was measured on."""
    figure = new_figure(WIDTH, 6)
    grid = figure.subplots(len(UNITS), len(panels), squeeze=False, sharex="col")
    for column, panel in zip(grid.T, panels, strict=True):
        column[0].set_title(panel.title, loc="left", fontsize=TITLE, color=INK)
        column[-1].set_xlabel(panel.along, fontsize=SMALL, color=INK)
        looks = dict(zip(dict.fromkeys(map(kind_of, panel.curves)), LOOKS, strict=False))
        for axes, unit in zip(column, UNITS, strict=True):
            fill(axes, panel.of_unit(unit), looks)
    for axes, words in zip(grid[:, 0], UNITS.values(), strict=True):
        axes.set_ylabel(words, fontsize=SMALL, color=INK)
    say_below(figure, [*WHAT, machine])
    return figure


def kind_of(curve: Curve) -> str:
    """Return what a curve is of, beside others of the same."""
    return curve.what.partition(":")[0]


def fill(axes: Axes, curves: Sequence[Curve], looks: Mapping[str, Look]) -> None:
    """Draw curves from 0 on, each over its straight line; of two of a kind the second is dashed."""
    tidy(axes)
    styles = {kind: iter(("-", "--")) for kind in looks}
    for curve in curves:
        colour, marker = looks[kind_of(curve)]
        sizes, values = zip(*curve.points, strict=True)
        start, slope = curve.line
        ends = (0, sizes[-1])
        axes.plot(ends, [start + slope * size for size in ends], color=PALE, linestyle=":")
        axes.plot(
            sizes, values, next(styles[kind_of(curve)]), color=colour, marker=marker, markersize=4,
            label=curve.what + curve.as_power.replace(" as size^", ", p "),
        )  # fmt: skip
    highest = max(value for curve in curves for _, value in curve.points) or 1.0
    axes.set_xlim(left=0)
    axes.set_ylim(0, (1.15 + 0.13 * len(curves)) * highest)
    axes.legend(
        loc="upper left", fontsize=SMALL - 1, labelspacing=0.2, framealpha=0.9, edgecolor="none",
        borderaxespad=0,
    )  # fmt: skip
