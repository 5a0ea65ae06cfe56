"""The manifest of a prepared dataset, and the report of what was taken and what was left out."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .dataset_case import LOW_DICE, Outcome, Resampling
from .dataset_item import SPLITS, Dataset, Item, LeftOut
from .dataset_labels import SMALLEST_MM3
from .masks import write_whole

COLUMNS = (
    "case", "patient", "image", "label", "modality", "split", "labels_voxels", "image_sha256",
    "label_sha256",
)  # fmt: skip

_FEW = 8


def write_manifest(path: Path, dataset: Dataset, outcomes: Sequence[Outcome]) -> None:
    """Write a row for each image, in the manifest's format.

    Raises:
        InputError: it cannot be written.
    """

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(_rows(dataset, outcomes))

    write_whole(path, write)


def write_report(
    path: Path, dataset: Dataset, outcomes: Sequence[Outcome], resampling: Resampling
) -> None:
    """Write what was taken, what was left out and why, and what to know of the rest.

    Raises:
        InputError: it cannot be written.
    """
    text = "\n\n".join(_sections(dataset, outcomes, resampling)) + "\n"
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def left_out_of(dataset: Dataset, outcomes: Iterable[Outcome]) -> list[LeftOut]:
    """List all that was left out, when the dataset was listed and when it was read."""
    return [*dataset.left_out, *(one for outcome in outcomes for one in outcome.left_out)]


def _rows(dataset: Dataset, outcomes: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    for item, outcome in zip(dataset.items, outcomes, strict=True):
        if outcome.label is None:
            continue
        labels = ";".join(
            f"{value}:{_name(name)}={voxels}" for value, (name, voxels) in outcome.labels.items()
        )
        for channel in item.channels:
            if image := outcome.images.get(channel.case):
                yield (
                    channel.case, item.patient, image.path, outcome.label.path, channel.modality,
                    item.split, labels, image.sha256, outcome.label.sha256,
                )  # fmt: skip


def _name(name: str) -> str:
    return " ".join(name.replace(";", ",").split())


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
    """List reasons with their cases; reasons that differ in nothing but the case count as one."""
    cases: dict[str, list[str]] = defaultdict(list)
    for one in left_out:
        cases[re.sub(rf"\b{re.escape(one.case)}\b", "…", one.reason)].append(one.case)
    return "\n".join(f"- {reason}: {_shown(names)}." for reason, names in sorted(cases.items()))


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
