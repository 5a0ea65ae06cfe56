"""The manifest of a prepared dataset, and the report of what was taken and what was left out."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from .dataset_case import LOW_DICE, Outcome, Resampling
from .dataset_item import SPLITS, Dataset, Item, LeftOut, shown
from .dataset_labels import SMALLEST_MM3
from .manifest import Label, groups_text, labels_text

COLUMNS = (
    "case", "patient", "image", "label", "modality", "split", "labels_voxels", "groups",
    "image_sha256", "label_sha256",
)  # fmt: skip
"""`groups` is left out where no row has any."""

_FEW = 8


def manifest_text(dataset: Dataset, outcomes: Sequence[Outcome]) -> str:
    """Return a row for each image, in the manifest's format."""
    grouped = any(item.groups for item in dataset.items)
    columns = [column for column in COLUMNS if grouped or column != "groups"]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(_rows(dataset, outcomes))
    return table.getvalue()


def report_text(dataset: Dataset, outcomes: Sequence[Outcome], resampling: Resampling) -> str:
    """Say what was taken, what was left out and why, and what to know of the rest."""
    return "\n\n".join(_sections(dataset, outcomes, resampling)) + "\n"


def left_out_of(dataset: Dataset, outcomes: Iterable[Outcome]) -> list[LeftOut]:
    """List all that was left out, when the dataset was listed and when it was read."""
    return [*dataset.left_out, *(one for outcome in outcomes for one in outcome.left_out)]


def _rows(dataset: Dataset, outcomes: Sequence[Outcome]) -> Iterator[dict[str, str]]:
    for item, outcome in zip(dataset.items, outcomes, strict=True):
        if outcome.label is None:
            continue
        labels, groups = labels_text(_labels(item, outcome)), groups_text(item.groups)
        for channel in item.channels:
            if image := outcome.images.get(channel.case):
                row = (
                    channel.case, item.patient, image.path, outcome.label.path, channel.modality,
                    item.split, labels, groups, image.sha256, outcome.label.sha256,
                )  # fmt: skip
                yield dict(zip(COLUMNS, row, strict=True))


def _labels(item: Item, outcome: Outcome) -> list[Label]:
    """List the values that are there, and those that a group has all the same, with 0 voxels."""
    wanted = {value for group in item.groups for value in group.values}
    return [
        Label(value, *outcome.labels.get(value, (item.names[value], 0)))
        for value in sorted(wanted | outcome.labels.keys())
    ]


def _sections(
    dataset: Dataset, outcomes: Sequence[Outcome], resampling: Resampling
) -> Iterator[str]:
    taken = [
        (item, outcome)
        for item, outcome in zip(dataset.items, outcomes, strict=True)
        if outcome.label
    ]
    images = sum(len(outcome.images) for _, outcome in taken)
    patients = len({item.patient for item, _ in taken})
    yield f"# {dataset.name}"
    yield (
        f"Layout `{dataset.layout}`. {images} images of {patients} patients at "
        f"{resampling.spacing_mm:g} mm, image {resampling.interpolation}, labels by nearest "
        "neighbour, both on one grid. Axes are those of the source."
    )
    yield from dataset.notes
    yield from dataset.warnings
    yield _counts(taken)
    yield "## Left out"
    yield _by_reason(left_out_of(dataset, outcomes)) or "Nothing."
    yield "## To know"
    yield (
        f"Structures below {SMALLEST_MM3} mm³ are dropped; those whose labels overlap themselves "
        f"by a Dice below {LOW_DICE} after resampling there and back are named."
    )
    notes = [LeftOut(o.name, note) for _, o in taken for note in o.notes]
    yield "\n".join(f"- {one.case}: {one.reason}." for one in notes) or "Nothing."


def _counts(taken: Sequence[tuple[Item, Outcome]]) -> str:
    images: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    patients: dict[str, set[str]] = defaultdict(set)
    for item, outcome in taken:
        patients[item.split].add(item.patient)
        for channel in item.channels:
            images[channel.modality][item.split] += channel.case in outcome.images
    lines = ["| Images | " + " | ".join(SPLITS) + " |", "| --- |" + " ---: |" * len(SPLITS)]
    lines += [
        f"| {modality} | " + " | ".join(str(counts[split]) for split in SPLITS) + " |"
        for modality, counts in sorted(images.items())
    ]
    lines.append("| Patients | " + " | ".join(str(len(patients[split])) for split in SPLITS) + " |")
    return "\n".join(lines)


def _by_reason(left_out: Sequence[LeftOut]) -> str:
    """List cases with their reason; reasons that differ in nothing but the case count as one."""
    alike: dict[str, list[LeftOut]] = defaultdict(list)
    for one in left_out:
        alike[re.sub(rf"\b{re.escape(one.case)}\b", "…", one.reason)].append(one)
    return "\n".join(
        f"- {shown([one.case for one in some], _FEW)}: "
        f"{some[0].reason if len(some) == 1 else reason}."
        for reason, some in sorted(alike.items())
    )
