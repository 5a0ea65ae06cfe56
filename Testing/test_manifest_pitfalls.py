"""What published preparation scripts got wrong, on the way from a manifest to a training."""

import pytest
import SimpleITK as sitk
import torch

from distilling import make_desk, small_presets
from fastsam3d.cli import main
from fastsam3d.data import Sources, read_training_volume
from fastsam3d.errors import InputError
from fastsam3d.manifest import read_manifest
from fastsam3d.pool import Pool
from fastsam3d.prepare import prepare
from fastsam3d.shelf import stored_volumes
from fastsam3d.synthetic import Random

VOXELS = 12 * 22 * 10
HEADER = "case,image,label,split,labels_voxels"


@pytest.fixture
def desk(tmp_path):
    """A manifest of one labelled scan, `scan.nrrd` and `label.nrrd`, and a teacher's weights."""
    return make_desk(tmp_path)


def manifest(desk, labels_voxels=""):
    path = desk / "manifest.csv"
    path.write_text(f"{HEADER}\none,scan.nrrd,label.nrrd,,{labels_voxels}\n")
    return path


def change(desk, make, name="label"):
    path = str(desk / f"{name}.nrrd")
    sitk.WriteImage(make(sitk.ReadImage(path)), path)


def read(path):
    (row,) = read_manifest(path)
    return read_training_volume(row)


def resampled(interpolator):
    """Bring an image to voxels of 1.5 mm over as much of the world."""

    def make(image):
        size = [int(length / 1.5) for length in image.GetSize()]
        return sitk.Resample(
            image, size, sitk.Transform(), interpolator, image.GetOrigin(), (1.5,) * 3
        )

    return make


def placed(**grid):
    def make(image):
        for name, value in grid.items():
            getattr(image, f"Set{name}")(value)
        return image

    return make


ELSEWHERE = {
    "image resampled, label not": ("scan", resampled(sitk.sitkLinear)),
    "label resampled, image not": ("label", resampled(sitk.sitkNearestNeighbor)),
    "label cropped": ("label", lambda image: image[:, :, 1:]),
    "another origin": ("label", placed(Origin=(50, 0, 0))),
    "origin overwritten, spacing not": ("label", placed(Spacing=(2, 2, 2))),
    "flipped": ("label", placed(Direction=(-1, 0, 0, 0, 1, 0, 0, 0, -1))),
}


@pytest.mark.parametrize(("name", "make"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_labels_that_lie_elsewhere_are_refused_before_an_example_is_drawn(desk, name, make):
    change(desk, make, name)
    path = manifest(desk, f"1:block={VOXELS}")
    pool = Pool(desk / "pool")
    with pytest.raises(InputError, match=r"label\.nrrd .* is not on the grid of scan\.nrrd"):
        next(prepare(pool, 1, path, workers=0))
    with pytest.raises(InputError, match="resample the labels onto it, by nearest neighbour"):
        read(path)
    assert len(pool) == 0


def test_labels_whose_place_is_off_by_rounding_are_taken(desk):
    change(desk, placed(Origin=(0.01, -0.01, 0), Spacing=(1.0001, 1, 1)))
    assert read(manifest(desk)).voxels == {1: VOXELS}


def linear(label):
    """Interpolate a label map of 0 and 3."""
    smooth = sitk.DiscreteGaussian(sitk.Cast(label, sitk.sitkFloat32) * 3, 2.0)
    return placed(Origin=label.GetOrigin())(smooth)


def test_interpolated_labels_are_refused(desk):
    change(desk, linear)
    with pytest.raises(InputError, match=r"between whole numbers; labels were interpolated"):
        read(manifest(desk))


def test_classes_that_never_existed_are_refused_where_the_manifest_names_the_true_ones(desk):
    change(desk, lambda label: sitk.Cast(sitk.Round(linear(label)), sitk.sitkUInt8))
    assert set(read(manifest(desk)).voxels) == {1, 2, 3}
    with pytest.raises(InputError, match=r"voxels of 1, which its labels_voxels does not name"):
        read(manifest(desk, "3:block"))


def test_whole_numbers_stored_as_floats_are_labels(desk):
    change(desk, lambda label: sitk.Cast(label, sitk.sitkFloat64))
    volume = read(manifest(desk, f"1:block={VOXELS}"))
    assert volume.labels.dtype == torch.uint8
    assert volume.voxels == {1: VOXELS}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda scan: scan - 2000, "the value -"),
        (lambda scan: scan + 70000, "no label is above 65535"),
        (lambda scan: scan * 100 + 5000, "no label map has more than 500"),
    ],
)
def test_a_scan_in_place_of_a_label_map_is_refused(desk, make, told):
    scan = make(sitk.ReadImage(str(desk / "scan.nrrd")))
    sitk.WriteImage(sitk.Cast(scan, sitk.sitkInt32), str(desk / "label.nrrd"))
    with pytest.raises(InputError, match=f"label map of one holds .*{told}.*is it a scan"):
        read(manifest(desk))


def empty(label):
    return label * 0


def test_an_empty_label_map_gives_no_patch_round_the_scans_centre(desk, monkeypatch):
    change(desk, empty)
    (volume,) = stored_volumes(manifest(desk))
    assert not volume.has_objects
    monkeypatch.setattr(Sources, "_labelled", lambda *given: pytest.fail("nothing to cut round"))
    assert Sources([volume], spacing_mm=1.5).draw(Random.seeded(0)).targets


@pytest.mark.parametrize("labels_voxels", [f"1:block={VOXELS}", f"1:block={VOXELS};2:other=5"])
def test_an_object_that_is_only_in_the_manifest_is_refused(desk, labels_voxels):
    path = manifest(desk, labels_voxels)
    if "other" not in labels_voxels:
        change(desk, empty)
    sources = Sources(stored_volumes(path), spacing_mm=1.5)
    with pytest.raises(InputError, match=r"has no voxel of [12]; correct its labels_voxels"):
        sources.draw(Random.seeded(0))


def test_scans_of_validation_are_not_read_by_training(desk):
    for name in ("val_scan.nrrd", "val_label.nrrd"):
        (desk / name).write_text("not even opened")
    rows = ["one,scan.nrrd,label.nrrd,train,", "two,val_scan.nrrd,val_label.nrrd,val,"]
    path = desk / "manifest.csv"
    path.write_text("\n".join([HEADER, *rows]))
    assert list(prepare(Pool(desk / "pool"), 2, path, split="train", workers=0)) == [1, 2]
    with pytest.raises(InputError, match="val_label"):
        stored_volumes(path)


@pytest.mark.parametrize("command", ["train", "distill"])
@pytest.mark.parametrize("pitfall", ["flipped", "interpolated"])
def test_commands_that_learn_refuse_labels_that_are_not_the_images(desk, capsys, command, pitfall):
    change(desk, linear if pitfall == "interpolated" else ELSEWHERE[pitfall][1])
    value = 3 if pitfall == "interpolated" else 1
    path, out = manifest(desk, f"{value}:block={VOXELS}"), desk / "out"
    arguments = {
        "train": f"train {path} --out {out} --steps 1",
        "distill": f"distill {path} {out} --teacher {desk / 'teacher.safetensors'} --steps 1",
    }[command]
    with small_presets(), pytest.raises(SystemExit) as ended:
        main(f"{arguments} --examples 40 --workers 0 --device cpu".split())
    assert ended.value.code
    told = " ".join(capsys.readouterr().err.split())
    expected = {"flipped": "is not on the grid of", "interpolated": "labels were interpolated"}
    assert expected[pitfall] in told
    assert not list(out.glob("*.safetensors"))
