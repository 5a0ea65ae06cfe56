"""Small scans for the benchmark's tests, and networks that need no weights."""

import os

import numpy as np
import SimpleITK as sitk
import torch

from fastsam3d.benchmark.planar import PlanarNetwork
from fastsam3d.errors import InputError
from fastsam3d.masks import write_mask

AFFINE = np.diag([1.5, 1.5, 1.5, 1.0])
SHAPE = (14, 16, 18)


def write_scan(folder, case, image_kji, labels_kji, ijk_to_ras=AFFINE):
    """Write CASE.nii.gz and CASE_label.nii.gz on one grid."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mask(folder / f"{case}_label.nii.gz", labels_kji, ijk_to_ras)
    scan = sitk.GetImageFromArray(image_kji)
    scan.CopyInformation(sitk.ReadImage(str(folder / f"{case}_label.nii.gz")))
    sitk.WriteImage(scan, str(folder / f"{case}.nii.gz"))


def write_manifest(folder, cases=("a1", "a2", "b1", "b2")):
    """Write scans of two bright boxes each, of patients a and b, and their manifest."""
    rows = ["case,patient,image,label,modality,labels_voxels"]
    rng = np.random.default_rng(0)
    for number, case in enumerate(cases):
        labels = np.zeros(SHAPE, np.uint8)
        labels[2:9, 2 : 8 + number, 2:9] = 1
        labels[3:11, 4:13, 11:17] = 2
        image = (200 * labels + rng.integers(0, 20, SHAPE)).astype(np.int16)
        write_scan(folder / "scans", case, image, labels)
        path = f"scans/{case}"
        rows.append(f"{case},{case[0]},{path}.nii.gz,{path}_label.nii.gz,CT,1:one;2:two")
    (folder / "manifest.csv").write_text("\n".join(rows))
    return folder / "manifest.csv"


class BrightSlices(PlanarNetwork):
    """Takes what is bright, by the second of its three masks; keeps what it was asked."""

    def __init__(self, size=64):
        super().__init__(size)
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.embedded = 0
        self.asked = []

    def encode(self, images):
        self.embedded += len(images)
        return torch.nn.functional.avg_pool2d(images[:, :1], 4)

    def decode(self, embedding, points_xy, labels, mask_logits=None, boxes=None, *, multimask):
        self.asked.append((points_xy.numpy(), labels.numpy(), mask_logits))
        assert multimask
        masks = torch.cat([torch.full_like(embedding, 9), embedding, -embedding], dim=1)
        return masks, torch.tensor([[0.1, 0.9, 0.5]]).expand(len(masks), -1)


class BrightVolumes:
    """A 3D network that takes what is bright, as a session needs it."""

    patch_size, mask_size = 128, 32

    def embed_patch(self, patch):
        return patch.reshape((32, 4) * 3).mean(axis=(1, 3, 5))

    def predict(self, embedding, points, labels, mask_logits):
        return (embedding - embedding.mean() - embedding.std()).astype(np.float32), 0.5


def die(share, on_done):
    os._exit(9)


def refuse(words, share, on_done):
    raise InputError(words)
