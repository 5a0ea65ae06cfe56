"""Miniature public datasets, laid out on disk as they are downloaded."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SIZE = (24, 20, 16)
"""Voxels along i, j, k."""

SPACING = (1.0, 1.2, 2.5)


@dataclass(frozen=True)
class Body:
    """A grey volume with two balls, 1 and 2, and the grid that it lies on."""

    spacing: tuple[float, float, float] = SPACING
    origin: tuple[float, float, float] = (-11.0, 7.0, 30.0)
    direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    seed: int = 0

    def _placed(self, array):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    def labels(self, values=(1, 2)):
        """Two balls of these values; the second is smaller."""
        k, j, i = np.indices(SIZE[::-1])
        mm = np.array(self.spacing)

        def ball(centre, radius_mm):
            away = np.stack([i, j, k], -1) * mm - np.array(centre) * mm
            return (away**2).sum(-1) <= radius_mm**2

        array = np.zeros(SIZE[::-1], np.uint8)
        array[ball((7, 9, 7), 6.0)] = values[0]
        array[ball((17, 10, 8), 5.0)] = values[1]
        return self._placed(array)

    def image(self):
        """A scan of int16 in which the balls are bright."""
        noise = np.random.default_rng(self.seed).normal(0, 20, SIZE[::-1])
        bright = sitk.GetArrayFromImage(self.labels()) * 300.0
        return self._placed((bright + noise - 500).astype(np.int16))


def write(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def write_json(content, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def nnunet(folder, *, version=2, cases=3, tests=1, channels=("CT",)):
    """Lay out a raw dataset of nnU-Net, with unlabelled test images."""
    for number in range(cases + tests):
        body = Body(seed=number)
        part = "Tr" if number < cases else "Ts"
        name = f"case_{number:03d}"
        for index in range(len(channels)):
            write(body.image(), folder / f"images{part}" / f"{name}_{index:04d}.nii.gz")
        if part == "Tr":
            write(body.labels(), folder / "labelsTr" / f"{name}.nii.gz")
    numbered = {str(index): name for index, name in enumerate(channels)}
    description = {
        1: {
            "modality": numbered,
            "labels": {"0": "background", "1": "liver", "2": "kidney"},
            "training": [
                {
                    "image": f"./imagesTr/case_{n:03d}.nii.gz",
                    "label": f"./labelsTr/case_{n:03d}.nii.gz",
                }
                for n in range(cases)
            ],
        },
        2: {
            "channel_names": numbered,
            "labels": {"background": 0, "liver": 1, "kidney": 2},
            "numTraining": cases,
            "file_ending": ".nii.gz",
        },
    }
    write_json(description[version], folder / "dataset.json")
    return folder


def amos(folder, *, train=(1, 507), validation=(8,), test=(20,)):
    """Lay out AMOS 2022, with the shadow files that its archive holds."""
    parts = {"Tr": train, "Va": validation, "Ts": test}
    for part, numbers in parts.items():
        for number in numbers:
            body, name = Body(seed=number), f"amos_{number:04d}.nii.gz"
            write(body.image(), folder / f"images{part}" / name)
            if part != "Ts":
                write(body.labels(), folder / f"labels{part}" / name)
    (folder / "imagesTr" / f"._amos_{train[0]:04d}.nii.gz").write_bytes(b"\0\5\26\7")
    names = {"0": "background", "1": "spleen", "2": "right kidney"}
    return write_json({"labels": names}, folder / "dataset.json").parent


def totalsegmentator(folder, *, splits=("train", "val", "test"), version=2):
    """Lay out TotalSegmentator: a scan for each split, most structures empty in each."""
    more = ";manufacturer;scanner_model;kvp" if version == 2 else ""
    lines = [f"image_id;age;gender;institute;study_type;split{more}"]
    for number, split in enumerate(splits):
        body, scan = Body(seed=number), folder / f"s{number:04d}"
        write(body.image(), scan / "ct.nii.gz")
        labels = body.labels()
        for name, value in {"liver": 1, "aorta": 2, "skull": 3}.items():
            write(labels == value, scan / "segmentations" / f"{name}.nii.gz")
        lines.append(f"s{number:04d};60;f;A;CT;{split}{';x;y;120' * (version == 2)}")
    (folder / "meta.csv").write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


def brats(folder, *, patients=(2, 5), unlabelled=(9,)):
    """Lay out BraTS 2021's training and validation folders."""
    for number in (*patients, *unlabelled):
        body, name = Body(seed=number), f"BraTS2021_{number:05d}"
        part = "TrainingData" if number in patients else "ValidationData"
        for channel in ("flair", "t1", "t1ce", "t2"):
            write(body.image(), folder / part / name / f"{name}_{channel}.nii.gz")
        if number in patients:
            write(body.labels((2, 4)), folder / part / name / f"{name}_seg.nii.gz")
    return folder


LAYOUTS = {"nnunet": nnunet, "amos22": amos, "totalsegmentator": totalsegmentator, "brats21": brats}


def damage(path: Path):
    """Cut a file short, as a broken download leaves it."""
    path.write_bytes(path.read_bytes()[:-30])
