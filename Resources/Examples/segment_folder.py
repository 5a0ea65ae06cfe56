"""Segment many scans in Slicer, one click each: an example of the module without its panel.

    Slicer --no-main-window --python-script segment_folder.py clicks.csv masks

`clicks.csv` has a row for each click: image, r, a, s (RAS, mm) and label, 1 to include and 0 to
exclude. Each scan gets a segmentation `<image>.seg.nrrd` in the folder that is named last.
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


def segment(logic, image: Path, clicks: list[Click], folder: Path) -> Path:
    """Segment one scan, and return the file of its segmentation."""
    volume = slicer.util.loadVolume(str(image))
    places, labels = zip(*clicks, strict=True)
    segmentation, _ = logic.segment(volume, places, labels)
    file = folder / f"{image.name.split('.')[0]}.seg.nrrd"
    slicer.util.saveNode(segmentation, str(file))
    slicer.mrmlScene.Clear(False)
    return file


def main(table: Path, folder: Path) -> list[Path]:
    """Segment all scans of a table; paths in it are beside the table."""
    from FastSAM3DSlicer import FastSAM3DSlicerLogic

    folder.mkdir(parents=True, exist_ok=True)
    logic = FastSAM3DSlicerLogic()
    try:
        return [
            segment(logic, table.parent / image, clicks, folder)
            for image, clicks in read_clicks(table).items()
        ]
    finally:
        logic.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
    slicer.util.exit()
