"""Segment many scans in Slicer, one click each: an example of the module without its panel.

    Slicer --no-main-window --python-script segment_folder.py clicks.csv masks

`clicks.csv` has a row for each click: image, r, a, s (RAS, mm) and label, 1 to include and 0 to
exclude. Each scan gets a segmentation `<image>.seg.nrrd` in the folder that is named last; scans
in folders of their own get one there.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import slicer

Click = tuple[tuple[float, float, float], int]


def read_clicks(table: Path) -> dict[str, list[Click]]:
    """Return the clicks of each image, in the order of the rows."""
    clicks: dict[str, list[Click]] = defaultdict(list)
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            place = float(row["r"]), float(row["a"]), float(row["s"])
            clicks[row["image"]].append((place, int(row["label"])))
    return dict(clicks)


def name_files(images: list[str], folder: Path) -> list[Path]:
    """Return the file of each image's segmentation.

    Raises:
        ValueError: two images would be saved in one file.
    """
    files: dict[Path, str] = {}
    for image in images:
        path = Path(image)
        stem = Path(path.name.removesuffix(".gz")).stem
        inner = [part for part in path.parent.parts if part not in (path.anchor, "..")]
        file = folder.joinpath(*inner, f"{stem}.seg.nrrd")
        if file in files:
            raise ValueError(
                f"{files[file]} and {image} would both be saved as {file}: rename one of them."
            )
        files[file] = image
    return list(files)


def segment(logic, image: Path, clicks: list[Click], file: Path) -> None:
    """Segment one scan into a file.

    Raises:
        OSError: the file could not be written.
    """
    volume = slicer.util.loadVolume(str(image))
    places, labels = zip(*clicks, strict=True)
    segmentation, _ = logic.segment(volume, places, labels)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not slicer.util.saveNode(segmentation, str(file)):
        raise OSError(f"{file} could not be written: is there room, and may you write there?")
    slicer.mrmlScene.Clear(False)


def main(table: Path, folder: Path) -> list[Path]:
    """Segment all scans of a table; paths in it are beside the table."""
    from FastSAM3DSlicer import FastSAM3DSlicerLogic

    clicks = read_clicks(table)
    files = name_files(list(clicks), folder)
    logic = FastSAM3DSlicerLogic()
    try:
        for (image, placed), file in zip(clicks.items(), files, strict=True):
            segment(logic, table.parent / image, placed, file)
    finally:
        logic.close()
    return files


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
    slicer.util.exit()
