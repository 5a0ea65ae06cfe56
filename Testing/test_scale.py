"""That looking more closely pays, with the default weights, on organs of a few centimetres."""

import numpy as np
import pytest

from fastsam3d import load_model
from fastsam3d.clicks import next_click
from fastsam3d.geometry import spacing_of
from fastsam3d.images import read_volume
from fastsam3d.manifest import read_manifest
from fastsam3d.metrics import dice
from fastsam3d.session import Session

CASES = 4


def first_dice(model, scan, truth):
    i, j, k = (float(mm) for mm in spacing_of(scan.ijk_to_ras))
    click = next_click(truth, np.zeros(truth.shape, bool), spacing_kji_mm=(k, j, i))
    session = Session(model, scan.array_kji, scan.ijk_to_ras)
    session.click(click.voxel_kji[::-1], space="ijk")
    return dice(session.mask, truth)


@pytest.mark.slow
def test_zooming_in_on_the_hippocampus_pays(data_folder, default_weights, monkeypatch):
    rows = [row for row in read_manifest(data_folder / "dev") if row.folder == "msd_hippocampus"]
    model = load_model(device="cpu")
    volumes = [(read_volume(row.image), read_volume(row.label)) for row in rows[:CASES]]
    objects = [(scan, label.array_kji == value) for scan, label in volumes for value in (1, 2)]
    zooming = np.mean([first_dice(model, scan, truth) for scan, truth in objects])
    # Neither to zoom nor to begin with less than 1.5 mm, as small as these volumes are.
    monkeypatch.setattr("fastsam3d.sight.next_patch", lambda *_: None)
    monkeypatch.setattr("fastsam3d.grid.Grid.limit", lambda *_: 1.5)
    fixed = np.mean([first_dice(model, scan, truth) for scan, truth in objects])
    assert zooming > fixed + 0.1, f"{zooming:.2f} with zooming, {fixed:.2f} at 1.5 mm"
