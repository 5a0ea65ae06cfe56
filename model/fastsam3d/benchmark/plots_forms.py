"""Pictures of Table 4: bars of each form of attention, beside the paper's where they compare."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ..document import Picture
from . import paper_figures as paper
from .canvas import TITLE, WIDTH, new_figure, say_below
from .palette import INK
from .plots import Bars, draw_bars, legend
from .table_ablation import FORMS, Form, Group, one_of_each, series

_COSTS: dict[str, tuple[Callable[[Form], float | None], Callable[[paper.Ablation], float]]] = {
    "time, ms": (lambda one: one.ms_median, lambda found: found.ms),
    "GFLOPs": (lambda one: one.gflops_published, lambda found: found.gflops),
    "memory, GB": (
        lambda one: None if one.peak_mb is None else one.peak_mb / 1000,
        lambda found: found.gb,
    ),
}


def form_pictures(folder: Path, forms: Sequence[Form]) -> tuple[Picture, ...]:
    """Draw Table 4 of each geometry, number of tokens and device that has a time into a folder."""
    pictures = []
    for group, own in series(forms).items():
        if any(one.ms_median is not None for one in own):
            path = folder / f"table4-{group.name}.png"
            form_bars(group, own).savefig(path)
            pictures.append(Picture(path, f"Table 4: encoder of {group.title}"))
    return tuple(pictures)


def form_bars(group: Group, forms: Sequence[Form]) -> Figure:
    """Draw time, GFLOPs and memory of an encoder in each form."""
    found = {one.form: one for one in one_of_each(forms)}
    figure = new_figure(WIDTH, 3.6)
    for axes, (cost, (own, printed)) in zip(
        figure.subplots(1, len(_COSTS), sharey=True), _COSTS.items(), strict=True
    ):
        rows = [
            Bars(
                found[form].attention if form in found else words,
                own(found[form]) if form in found else None,
                printed(paper.ABLATION[form]) if group.is_the_papers else None,
            )
            for form, words in FORMS.items()
        ]
        draw_bars(axes, rows, rows)
        axes.set_title(f"Encoder: {cost}", loc="left", fontsize=TITLE, color=INK)
    legend(figure, group.title, printed=group.is_the_papers)
    without = [words for form, words in FORMS.items() if form not in found or found[form].skipped]
    if without:
        say_below(figure, [f"Not measured: {'; '.join(without)}."])
    return figure
