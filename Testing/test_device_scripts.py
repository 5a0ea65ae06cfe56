import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage
from torch.testing import assert_close

from fastsam3d.config import CompactConfig
from fastsam3d.curve import read_log
from fastsam3d.data import Sources, TrainingVolume
from fastsam3d.examples import make_example, separate, supervoxels
from fastsam3d.model import CompactNetwork
from fastsam3d.packing import load_weights
from fastsam3d.synthetic import Random, random_labels
from fastsam3d.train import TrainConfig, make_average, make_optimizer

TINY = CompactConfig(width=16, depth=3, heads=2, embedding=32, middle=8, fine=8)
NAMES = ("pack", "pieces", "regions", "train_default", "volumes")


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "device"))
    yield {name: importlib.import_module(name) for name in NAMES}
    for name in NAMES:
        sys.modules.pop(name, None)


def volume(*, hounsfield, spacing=(0.5, 1.0, 3.0)):
    """An asymmetric object in a scan with empty slices round it."""
    labels = np.zeros((20, 60, 90), np.int16)
    labels[6:14, 20:40, 30:60] = 1200
    labels[6:9, 20:50, 30:40] = 1200
    image = np.full(labels.shape, -2000.0 if hounsfield else 0.0, np.float32)
    image[2:18, 10:55, 10:80] = -100 if hounsfield else 50
    image[labels > 0] = 60 if hounsfield else 400
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]]) * spacing
    matrix[:3, 3] = (5, -7, 11)
    return TrainingVolume(
        torch.from_numpy(image), torch.from_numpy(labels), torch.from_numpy(matrix), "set"
    )


def centre_ras(labels, ijk_to_ras):
    ijk = (labels > 0).nonzero().flip(1).double().mean(0)
    return ijk_to_ras[:3, :3] @ ijk + ijk_to_ras[:3, 3]


@pytest.mark.parametrize("hounsfield", [True, False])
def test_packed_volume_is_small_and_lies_where_it_lay(scripts, hounsfield, tmp_path):
    volumes, before = scripts["volumes"], volume(hounsfield=hounsfield)
    small = volumes.shrink(before, 1.25)
    volumes.write_pack(tmp_path / "pack.npz", [small])
    (after,) = volumes.read_pack(tmp_path / "pack.npz", torch.device("cpu"))
    spacing = after.ijk_to_ras[:3, :3].norm(dim=0)
    assert (spacing >= 1.0).all()
    assert (spacing >= 1.25 - 1e-9).sum() >= 2
    assert after.labels.dtype == torch.uint8
    assert after.labels.unique().tolist() == [0, 1]
    assert after.folder == "set"
    moved = centre_ras(after.labels, after.ijk_to_ras) - centre_ras(
        before.labels, before.ijk_to_ras
    )
    assert moved.norm() < 0.7
    inside = after.image[after.labels > 0].float().median()
    assert abs(float(inside) - (60 if hounsfield else 255)) < 3
    assert after.image.numel() < 0.4 * before.image.numel()


def test_hounsfield_units_keep_their_place_within_half_a_level(scripts):
    volumes = scripts["volumes"]
    assert len(volumes.LEVELS_HU) == 256
    values = np.arange(-1024, 3072, 7).astype(np.int16)
    back = volumes.LEVELS_HU[volumes._nearest_level(values)]
    soft = np.abs(values) < 190
    assert np.abs(back - values)[soft].max() <= 2
    assert np.abs(back - values).max() <= 16


def test_label_map_without_image_is_packed(scripts, tmp_path):
    labels_only = TrainingVolume(
        None, volume(hounsfield=True).labels, torch.eye(4).double(), "maps"
    )
    volumes = scripts["volumes"]
    volumes.write_pack(tmp_path / "pack.npz", [volumes.shrink(labels_only, 1.25)])
    (after,) = volumes.read_pack(tmp_path / "pack.npz", torch.device("cpu"))
    assert after.image is None
    assert after.has_objects


@pytest.mark.parametrize(
    ("groups", "packed"),
    [(((2, 700), (700,), (9,)), ((1, 2), (2,))), ((), ())],
)
def test_groups_are_packed_with_the_numbers_that_their_labels_get(
    scripts, groups, packed, tmp_path
):
    volumes, before = scripts["volumes"], volume(hounsfield=False)
    before.labels[before.labels == 1200] = 2
    before.labels[8:12, 22:30, 35:45] = 700
    before = replace(before, groups=groups)
    volumes.write_pack(tmp_path / "pack.npz", [volumes.shrink(before, 0.1)])
    (after,) = volumes.read_pack(tmp_path / "pack.npz", torch.device("cpu"))
    assert after.groups == packed
    assert list(after.objects.values()) == list(before.objects.values())
    assert Sources([after], spacing_mm=0.5).draw(Random.seeded(0)).targets


def test_groups_without_a_voxel_are_packed_as_no_object(scripts, tmp_path):
    volumes = scripts["volumes"]
    before = replace(volume(hounsfield=True), groups=((3, 4),))
    volumes.write_pack(tmp_path / "pack.npz", [volumes.shrink(before, 1.25)])
    (after,) = volumes.read_pack(tmp_path / "pack.npz", torch.device("cpu"))
    assert not before.has_objects
    assert not after.has_objects


def test_pieces_on_a_device_are_those_of_scipy(scripts):
    for seed in range(3):
        labels = random_labels(Random.seeded(seed))
        pieces, owners = scripts["regions"].separate_on_device(labels)
        plain, plain_owners = separate(labels)
        pairs = torch.stack([pieces.flatten(), plain.flatten()]).unique(dim=1)
        assert pairs.shape[1] == len(owners) + bool((labels == 0).any())
        assert sorted(owners.tolist()) == plain_owners.tolist()
        inside = labels > 0
        assert_close(owners[pieces[inside] - 1], labels[inside].long(), rtol=0, atol=0)


def test_long_winding_piece_is_found_whole(scripts):
    labels = torch.zeros(16, 16, 16, dtype=torch.uint8)
    labels[::2] = 3
    labels[1::4, 0, 0] = labels[3::4, 15, 15] = 3
    pieces, owners = scripts["regions"].separate_on_device(labels)
    assert owners.tolist() == [3]
    assert int(pieces.max()) == ndimage.label(labels.numpy())[1] == 1


def test_supervoxels_on_a_device_are_those_of_scipy_but_at_the_faces(scripts):
    image = torch.nn.functional.interpolate(
        torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0)), size=(128,) * 3
    )[0, 0]
    for seed in range(2):
        mine = scripts["regions"].supervoxels_on_device(image, Random.seeded(seed))
        plain = supervoxels(image, Random.seeded(seed))
        assert (mine == plain)[4:-4, 4:-4, 4:-4].float().mean() > 0.97


def test_example_is_the_same_wherever_its_pieces_are_found(scripts):
    labels = random_labels(Random.seeded(4))
    image = torch.zeros(128, 128, 128)
    plain = make_example(image, labels, split=True)
    mine = make_example(image, labels, split=True, separate=scripts["regions"].separate_on_device)
    assert (mine.objects > 0).sum() == (plain.objects > 0).sum()
    assert len(mine.targets) == len(plain.targets)


def test_no_tensor_is_made_on_the_default_device(scripts):
    labels, image = random_labels(Random.seeded(0)), torch.randn(128, 128, 128)
    with torch.device("meta"):
        pieces, _ = scripts["regions"].separate_on_device(labels)
        found = scripts["regions"].supervoxels_on_device(image, Random.seeded(0))
    assert pieces.device.type == found.device.type == "cpu"


@pytest.fixture
def state(scripts):
    torch.manual_seed(0)
    network = CompactNetwork(TINY)
    config = TrainConfig(steps=1)
    made = scripts["pieces"].State(
        network, make_optimizer(network, config), make_average(network, config), 1, 2.5
    )
    sum(value.sum() for value in network.parameters()).backward()
    made.optimizer.step()
    made.average.update_parameters(network)
    return made


def test_state_comes_back_from_pieces_of_the_size_asked_for(scripts, state, tmp_path):
    pieces = scripts["pieces"]
    paths = pieces.save_state(tmp_path, state, piece_bytes=100_000)
    assert len(paths) > 2
    assert max(path.stat().st_size for path in paths) <= 100_000
    torch.manual_seed(1)
    network = CompactNetwork(TINY)
    config = TrainConfig(steps=1)
    back = pieces.State(network, make_optimizer(network, config), make_average(network, config))
    pieces.load_state(tmp_path, back)
    assert (back.step, back.seconds) == (1, 2.5)
    for mine, theirs in (
        (back.network, state.network),
        (back.average.module, state.average.module),
    ):
        assert_close(mine.state_dict(), theirs.state_dict(), rtol=1e-3, atol=1e-6)


def test_full_sized_state_fits_eight_files_under_sixteen_megabytes(scripts, tmp_path):
    network = CompactNetwork(CompactConfig())
    numbers = sum(value.numel() for value in network.parameters())
    pieces = scripts["pieces"]
    assert pieces.PIECE_BYTES < 16e6
    assert 4 * numbers * 1.01 < pieces.MOST_PIECES * pieces.PIECE_BYTES


def test_missing_or_changed_piece_is_refused(scripts, state, tmp_path):
    pieces = scripts["pieces"]
    paths = pieces.save_state(tmp_path, state, piece_bytes=100_000)
    content = bytearray(paths[1].read_bytes())
    content[5000] ^= 1
    paths[1].write_bytes(content)
    with pytest.raises(ValueError, match="changed"):
        pieces.load_state(tmp_path, state)
    paths[1].unlink()
    with pytest.raises(ValueError, match="missing"):
        pieces.load_state(tmp_path, state)


def write_volumes(folder):
    lines = ["case,image,label"]
    for n, hounsfield in enumerate((True, False)):
        made = volume(hounsfield=hounsfield)
        for kind, values in (("scan", made.image), ("label", made.labels)):
            image = sitk.GetImageFromArray(values.numpy())
            image.SetSpacing((0.5, 1.0, 3.0))
            sitk.WriteImage(image, str(folder / f"{kind}{n}.nrrd"))
        lines.append(f"case{n},scan{n}.nrrd,label{n}.nrrd")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder / "manifest.csv"


def test_rehearsal_from_volumes_over_training_to_going_on(scripts, tmp_path):
    pack = tmp_path / "pack.npz"
    manifest = write_volumes(tmp_path)
    assert scripts["pack"].main([str(pack), "--manifest", str(manifest)]) == 0
    sizes = {"batch": 2, "objects": 2, "fresh": 1, "capacity": 3, "seconds": 500}
    common = ["--device=cpu", *(f"--{name}={value}" for name, value in sizes.items())]
    run = scripts["train_default"].main
    first, second = tmp_path / "first", tmp_path / "second"
    assert run([str(pack), str(first), *common, "--steps", "2"], TINY) == 0
    assert json.loads((first / "index.json").read_text())["step"] == 2
    assert len(read_log(first / "log.csv")) == 2
    more = ["--steps", "1", "--resume", str(first)]
    assert run([str(pack), str(second), *common, *more], TINY) == 0
    assert json.loads((second / "index.json").read_text())["step"] == 3
    weights = load_weights(second / "fastsam3d-default.safetensors")
    assert weights.keys() == CompactNetwork(TINY).state_dict().keys()
    with pytest.raises(SystemExit, match="--resume"):
        run([str(pack), str(second), *common], TINY)


def test_older_pieces_make_room_for_newer_ones(scripts, state, tmp_path):
    scripts["pieces"].save_state(tmp_path, state, piece_bytes=100_000)
    state.step = 2
    paths = scripts["pieces"].save_state(tmp_path, state, piece_bytes=100_000)
    assert set(tmp_path.glob("*.part")) == set(paths)


def test_examples_are_kept_up_to_the_capacity(scripts):
    class Source:
        drawn = 0

        def draw(self, random):
            self.drawn += 1
            return self.drawn

    source = Source()
    examples = scripts["train_default"].Examples(source, capacity=3, fresh=2)
    examples.draw(1, Random.seeded(0))
    examples.draw(1, Random.seeded(1))
    examples.draw(1, Random.seeded(2))
    assert source.drawn == 6
    assert set(examples.draw(60, Random.seeded(3))) <= set(range(5, 64))
