import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

import fastsam3d
from fastsam3d import shelf
from fastsam3d.data import Sources, read_training_volume
from fastsam3d.errors import InputError
from fastsam3d.manifest import read_manifest
from fastsam3d.shelf import Cache, stored_volumes
from fastsam3d.synthetic import Random

SHAPE = (24, 40, 36)
BLOCK = (slice(6, 18), slice(8, 30), slice(10, 20))
VOXELS = 12 * 22 * 10
BYTES = 3 * int(np.prod(SHAPE))
"""Of a scan of 16 bits and its labels."""


def write_case(folder, number, shape=SHAPE):
    labels = np.zeros(shape, np.uint8)
    labels[BLOCK] = 1
    scan = labels * 1000.0 + np.random.default_rng(number).integers(0, 50, shape)
    for name, array in (("scan", scan.astype(np.int16)), ("label", labels)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"{name}{number}.nrrd"))


@pytest.fixture
def manifest(tmp_path):
    """Four scans with labels, a scan alone and a label map alone, all counted."""
    for number in range(5):
        write_case(tmp_path, number)
    rows = [f"c{n},scan{n}.nrrd,label{n}.nrrd,1:block={VOXELS}" for n in range(4)]
    rows += ["alone,scan4.nrrd,,", f"map,,label4.nrrd,1:block={VOXELS}"]
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(["case,image,label,labels_voxels", *rows]))
    return path


@pytest.fixture
def read(monkeypatch):
    """Note which cases are read, and whether with their image."""
    cases = []

    def note(row):
        cases.append((row.case, row.image is not None))
        return read_training_volume(row)

    monkeypatch.setattr(shelf, "read_training_volume", note)
    return cases


def uncounted(manifest):
    manifest.write_text(manifest.read_text().replace(f"={VOXELS}", ""))
    return manifest


def test_a_volume_is_read_when_it_is_drawn_and_no_other(manifest, read):
    volumes = stored_volumes(manifest)
    sources = Sources(volumes, spacing_mm=0.5)
    assert [len(kind) for kind in (sources.labelled[""], sources.maps, sources.images)] == [4, 1, 5]
    assert read == []
    sources.draw(Random.seeded(0))
    assert len(set(read)) == 1


@pytest.mark.parametrize("cache_bytes", [0, 2 * BYTES, 100 * BYTES])
def test_examples_are_the_same_whatever_the_cache_holds(manifest, cache_bytes):
    stored = Sources(stored_volumes(manifest, cache_bytes=cache_bytes), spacing_mm=0.5)
    volumes = [read_training_volume(row) for row in read_manifest(manifest)]
    held = Sources(volumes, spacing_mm=0.5)
    for seed in (3, 1, 2, 3, 1):
        mine, plain = (sources.draw(Random.seeded(seed)) for sources in (stored, held))
        assert torch.equal(mine.image, plain.image)
        assert torch.equal(mine.objects, plain.objects)
        assert mine.targets == plain.targets


def test_a_label_map_is_read_once_where_the_manifest_does_not_count(manifest, read):
    counted = stored_volumes(manifest)
    volumes = stored_volumes(uncounted(manifest))
    assert read == [(case, False) for case in ("c0", "c1", "c2", "c3", "map")]
    assert [v.has_objects for v in volumes] == [v.has_objects for v in counted]
    assert [v.has_objects for v in volumes] == [True] * 4 + [False, True]
    Sources(volumes)
    assert len(read) == 5


def test_manifest_that_counts_no_voxel_names_no_object(manifest, read):
    text = manifest.read_text().replace(f"1:block={VOXELS}", "1:block=0;2:other=0")
    manifest.write_text(text)
    assert not any(volume.has_objects for volume in stored_volumes(manifest))
    assert read == []


def test_cache_keeps_the_newest_as_far_as_they_fit(manifest, read):
    rows = read_manifest(manifest)[:3]
    cache = Cache(2 * BYTES)
    for n in (0, 1, 0, 2, 0, 2, 1):
        cache.read(rows[n])
    assert [case for case, _ in read] == ["c0", "c1", "c2", "c1"]
    assert cache.bytes == 2 * BYTES


def test_cache_without_room_keeps_the_newest_alone(manifest, read):
    row, other = read_manifest(manifest)[:2]
    cache = Cache(0)
    for each in (row, row, other, row):
        cache.read(each)
    assert [case for case, _ in read] == ["c0", "c1", "c0"]
    assert cache.bytes == BYTES


def test_labels_of_another_grid_are_refused_before_anything_is_read(manifest, read):
    write_case(manifest.parent, 3, (24, 40, 37))
    label = sitk.ReadImage(str(manifest.parent / "label3.nrrd"))
    label.SetOrigin((50, 0, 0))
    sitk.WriteImage(label, str(manifest.parent / "label3.nrrd"))
    with pytest.raises(InputError, match=r"label3\.nrrd .* is not on the grid of scan3\.nrrd"):
        stored_volumes(manifest)
    assert read == []


PEAKS = """
import resource, sys, tempfile
from pathlib import Path
import torch
from fastsam3d.pool import Pool
from fastsam3d.prepare import prepare
torch.set_num_threads(1)
for manifest in sys.argv[1:]:
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(Path(folder))
        list(prepare(pool, 3, Path(manifest), workers=0, spacing_mm=0.5, cache_bytes=1 << 20))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_set(tmp_path):
    write_case(tmp_path, 0, (96, 160, 160))
    manifests = []
    for count in (1, 40):
        rows = [f"c{n},scan0.nrrd,label0.nrrd,1:block={VOXELS}" for n in range(count)]
        manifests.append(tmp_path / f"{count}.csv")
        manifests[-1].write_text("\n".join(["case,image,label,labels_voxels", *rows]))
    environment = os.environ | {
        "PYTHONPATH": str(Path(fastsam3d.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, *map(str, manifests)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one_mb, forty_mb = map(int, done.stdout.split())
    assert forty_mb - one_mb < 60


def test_workers_are_sent_no_voxels_and_share_one_cache_each(manifest):
    sent = pickle.dumps(stored_volumes(manifest))
    assert len(sent) < BYTES / 20
    assert len({id(volume.cache) for volume in pickle.loads(sent)}) == 1
