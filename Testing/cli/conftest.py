"""What the tests of the commands share: a scan, a fake network, and ways to run a command."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

import fastsam3d
from fastsam3d import segment as segment_module
from fastsam3d.cli import main
from fastsam3d.session import Session

SHAPE = (24, 40, 36)


class SimilarNetwork:
    """Finds what hangs together with an include point, has its intensity, and no exclude point."""

    patch_size, mask_size = 128, 64

    def embed_patch(self, patch):
        return patch.reshape(64, 2, 64, 2, 64, 2).mean((1, 3, 5))

    def predict(self, embedding, points, labels, mask_logits):
        cells = np.clip(np.rint((np.asarray(points) - 0.5) / 2).astype(int), 0, 63)
        found = np.zeros((64,) * 3, bool)
        for cell, label in zip(cells, labels, strict=True):
            similar, _ = ndimage.label(np.abs(embedding - embedding[tuple(cell)]) < 40)
            if label:
                found |= similar == similar[tuple(cell)]
        for cell, label in zip(cells, labels, strict=True):
            pieces, _ = ndimage.label(found)
            if not label and found[tuple(cell)]:
                found &= pieces != pieces[tuple(cell)]
        return np.where(found, 8, -8).astype(np.float32), 0.9


@pytest.fixture
def similar_network():
    """Return the fake network's class."""
    return SimilarNetwork


@pytest.fixture
def network(monkeypatch):
    """Put the fake in the place of the network; returns the devices asked for."""
    asked = []

    def open_network(preset, checkpoint, device, *, ct_clamp, postprocessing):
        asked.append(device)
        return lambda *volume: Session(SimilarNetwork(), *volume), "cpu"

    monkeypatch.setattr(segment_module, "open_network", open_network)
    return asked


@pytest.fixture
def image(tmp_path):
    """Save a scan with a ball of 9 mm at (-10, 0, 30) mm and one of 7 mm at (8, -20, 40)."""
    z, y, x = (n * mm for n, mm in zip(np.indices(SHAPE), (2, 1.5, 1.5), strict=True))
    array = np.random.default_rng(0).normal(0, 5, SHAPE).astype(np.float32)
    array += 100 * ((x - 30) ** 2 + (y - 25) ** 2 + (z - 20) ** 2 < 81)
    array += 100 * ((x - 12) ** 2 + (y - 45) ** 2 + (z - 30) ** 2 < 49)
    scan = sitk.GetImageFromArray(array)
    scan.SetSpacing((1.5, 1.5, 2.0))
    scan.SetOrigin((-20.0, -25.0, 10.0))
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(scan, str(path))
    return path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def process():
    """Run the command as a process of its own."""
    model = Path(fastsam3d.__file__).parents[1]

    def process(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "fastsam3d", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(model), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

    return process


@pytest.fixture
def assert_refused():
    """Check that a command said one sentence, ended with 2 and wrote nothing."""

    def assert_refused(result, folder, before, told):
        code, out, err = result
        assert code == 2
        assert out == ""
        assert err.startswith("fastsam3d: ")
        assert err.count("\n") == 1
        assert told in err
        assert sorted(folder.iterdir()) == before

    return assert_refused
