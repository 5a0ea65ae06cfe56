from dataclasses import dataclass, field

import numpy as np
import pytest
import SimpleITK as sitk

from fastsam3d.clicks import Click
from fastsam3d.errors import InputError
from fastsam3d.evaluate import evaluate, score_masks
from fastsam3d.images import read_volume
from fastsam3d.masks import write_mask
from fastsam3d.methods import SessionMethod
from fastsam3d.summary import summarise

SHAPE = (16, 20, 24)
AFFINE = np.array([[0, -1.5, 0, 10], [1, 0, 0, -20], [0, 0, 2, 5], [0, 0, 0, 1.0]])


def write_case(folder, case, labels):
    scan = sitk.GetImageFromArray(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) % 999)
    write_mask(folder / f"{case}_label.nii.gz", labels, AFFINE)
    scan.CopyInformation(sitk.ReadImage(str(folder / f"{case}_label.nii.gz")))
    sitk.WriteImage(scan, str(folder / f"{case}.nii.gz"))


def two_objects():
    """Two objects of 512 and 300 voxels, and one too small to count."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:10, 2:10, 2:10] = 1
    labels[11:14, 10:20, 12:22] = 2
    labels[0, 0, 20:] = 3
    return labels


@pytest.fixture
def labels():
    return two_objects()


@pytest.fixture
def manifest(tmp_path, labels):
    """Cases a1 and a2 of one patient, b1 of another folder, and one without a label map."""
    rows = ["case,patient,image,label,modality,labels_voxels"]
    for folder, case in [("ct", "a1"), ("ct", "a2"), ("mr", "b1")]:
        (tmp_path / folder).mkdir(exist_ok=True)
        write_case(tmp_path / folder, case, labels)
        path = f"{folder}/{case}"
        rows.append(f"{case},{case[0]},{path}.nii.gz,{path}_label.nii.gz,CT,1:one;2:two;3:dot")
    rows.append("plain,,ct/a1.nii.gz,,CT,")
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(rows))
    return path


@dataclass
class Painter:
    """Marks a cube round each click, and keeps what it was asked."""

    name: str = "painter"
    radius: int = 2
    asked: list[tuple[int, Click]] = field(default_factory=list)

    def start(self, volume_kji, ijk_to_ras):
        self.volume = volume_kji
        self.mask = np.zeros(volume_kji.shape, bool)

    def click(self, voxel_kji, *, positive):
        self.asked.append((id(self.volume), Click(voxel_kji, positive)))
        around = tuple(slice(max(n - self.radius, 0), n + self.radius + 1) for n in voxel_kji)
        self.mask[around] = positive
        return self.mask


class Oracle(Painter):
    """Knows the truth from the second click on."""

    def __init__(self, labels):
        super().__init__("oracle")
        self.labels = labels

    def click(self, voxel_kji, *, positive):
        first = not self.mask.any()
        super().click(voxel_kji, positive=positive)
        if not first:
            self.mask = self.labels == self.labels[voxel_kji]
        return self.mask


class Failing(Painter):
    """Raises from its third click on an object on."""

    def start(self, volume_kji, ijk_to_ras):
        super().start(volume_kji, ijk_to_ras)
        self.left = 2

    def click(self, voxel_kji, *, positive):
        if not self.left:
            raise RuntimeError("out of ink")
        self.left -= 1
        return super().click(voxel_kji, positive=positive)


def test_every_object_large_enough_is_clicked_and_scored(manifest):
    results = evaluate(manifest, [Painter()], clicks=4)
    assert [(r.case, r.label) for r in results] == [
        (case, label) for case in ("a1", "a2", "b1") for label in (1, 2)
    ]
    first = results[0]
    assert (first.patient, first.folder, first.name, first.voxels) == ("a", "ct", "one", 512)
    assert first.placed[0] == (5, 5, 5, 1)
    assert first.dice[0] == pytest.approx(2 * 125 / (512 + 125))
    assert first.dice == tuple(sorted(first.dice))
    assert len(first.dice) == len(first.surface_dice) == len(first.seconds) == 4
    assert not first.failure


@pytest.mark.parametrize("strategy", ["centre", "random"])
def test_methods_get_paired_clicks(manifest, strategy):
    one, other = Painter("one"), Painter("other")
    evaluate(manifest, [one, other], clicks=5, strategy=strategy)
    assert one.asked == other.asked
    again = Painter()
    evaluate(manifest, [again], clicks=5, strategy=strategy, seed=1)
    same = [click for _, click in again.asked] == [click for _, click in one.asked]
    assert same == (strategy == "centre")


def test_objects_of_one_image_come_with_the_same_array(manifest):
    method = Painter()
    evaluate(manifest, [method], clicks=1)
    arrays = [array for array, _ in method.asked]
    assert arrays[0] == arrays[1] != arrays[2]


def test_perfect_mask_is_not_clicked_again_and_keeps_its_score(manifest, labels):
    oracle = Oracle(labels)
    result = evaluate(manifest, [oracle], clicks=6, limit=1)[0]
    assert len(result.placed) == 2
    assert result.dice[1:] == (1.0,) * 5
    assert result.surface_dice[5] == 1.0
    assert result.clicks_to(0.9) == 2
    assert not result.failure


def test_failed_click_keeps_the_last_score_and_is_counted(manifest):
    results = evaluate(manifest, [Failing()], clicks=5)
    assert results[0].failure == "RuntimeError: out of ink"
    assert results[0].dice[1] > 0
    assert results[0].dice[1:] == (results[0].dice[1],) * 4
    assert summarise(results).methods[0].failures == len(results) == 6


def test_failure_before_the_first_mask_scores_zero(manifest):
    class Broken(Painter):
        def start(self, volume_kji, ijk_to_ras):
            raise RuntimeError("no answer")

    result = evaluate(manifest, [Broken()], clicks=2, limit=1)[0]
    assert result.dice == result.surface_dice == (0.0, 0.0)
    assert result.failure.startswith("RuntimeError")


def test_mask_of_another_shape_is_a_failure(manifest):
    class Cropped(Painter):
        def click(self, voxel_kji, *, positive):
            return super().click(voxel_kji, positive=positive)[1:]

    result = evaluate(manifest, [Cropped()], clicks=2, limit=1)[0]
    assert "(15, 20, 24)" in result.failure
    assert result.dice == (0.0, 0.0)


def test_interrupted_evaluation_goes_on_where_it_stopped(manifest, tmp_path):
    records = tmp_path / "runs" / "records.jsonl"

    def stop(done, total, result):
        assert total == 6
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(manifest, [Painter()], clicks=3, records=records, on_progress=stop)
    with records.open("a") as file:
        file.write('{"method": "pain')
    method, seen = Painter(), []
    results = evaluate(
        manifest,
        [method],
        clicks=3,
        records=records,
        on_progress=lambda done, total, result: seen.append((done, total, result.case)),
    )
    assert len(method.asked) == 4 * 3
    assert seen == [(n + 1, 6, case) for n, case in enumerate(["a1"] * 2 + ["a2"] * 2 + ["b1"] * 2)]
    idle = Painter()
    assert evaluate(manifest, [idle], clicks=3, records=records) == results
    assert not idle.asked
    fresh = evaluate(manifest, [Painter()], clicks=3)
    assert [r.dice for r in results] == [r.dice for r in fresh]


def test_records_of_another_protocol_are_not_taken(manifest, tmp_path):
    records = tmp_path / "records.jsonl"
    evaluate(manifest, [Painter()], clicks=2, limit=1, records=records)
    method = Painter()
    evaluate(manifest, [method], clicks=3, limit=1, records=records)
    assert len(method.asked) == 3


def test_file_that_holds_no_records_is_refused_and_kept(manifest, tmp_path):
    records = tmp_path / "notes.txt"
    records.write_text("dear diary\n")
    with pytest.raises(InputError, match=r"Line 1 of .*notes\.txt"):
        evaluate(manifest, [Painter()], records=records)
    assert records.read_text() == "dear diary\n"


def test_saved_masks_score_the_same_when_they_come_from_elsewhere(manifest, tmp_path):
    results = evaluate(manifest, [Painter()], clicks=3, save_masks=tmp_path / "masks")
    scored = score_masks(manifest, tmp_path / "masks" / "painter")
    assert [r.dice for r in scored] == [r.dice[-1:] for r in results]
    assert [r.surface_dice for r in scored] == [r.surface_dice[-1:] for r in results]
    assert {r.method for r in scored} == {"painter"}
    saved = read_volume(tmp_path / "masks" / "painter" / "a1_1.nii.gz")
    np.testing.assert_allclose(saved.ijk_to_ras, AFFINE, atol=1e-5)


def test_label_maps_from_elsewhere_are_scored_by_value(manifest, tmp_path, labels):
    (tmp_path / "other").mkdir()
    write_mask(tmp_path / "other" / "a1.nii.gz", labels, AFFINE)
    scored = score_masks(manifest, tmp_path / "other")
    assert {r.method for r in scored} == {"other"}
    assert [r.dice for r in scored[:2]] == [(1.0,), (1.0,)]
    assert [bool(r.failure) for r in scored] == [False] * 2 + [True] * 4


def test_mask_on_another_grid_is_a_failure_and_an_empty_one_is_none(manifest, tmp_path, labels):
    (tmp_path / "masks").mkdir()
    moved = AFFINE + np.eye(4)[3][None] * [[9], [0], [0], [0]]
    write_mask(tmp_path / "masks" / "a1_1.nii.gz", labels == 1, moved)
    write_mask(tmp_path / "masks" / "a1_2.nii.gz", labels == 9, AFFINE)
    moved_one, empty_one = score_masks(manifest, tmp_path / "masks")[:2]
    assert "grid" in moved_one.failure
    assert not empty_one.failure
    assert moved_one.dice == empty_one.dice == (0.0,)


def test_label_map_on_another_grid_is_refused(manifest, labels):
    write_mask(manifest.parent / "ct" / "a1_label.nii.gz", labels, AFFINE * [[2], [1], [1], [1]])
    with pytest.raises(InputError, match=r"a1 .* not on its image's grid"):
        evaluate(manifest, [Painter()])


def test_value_that_the_label_map_lacks_is_refused(manifest):
    manifest.write_text(manifest.read_text().replace("1:one;2:two;3:dot", "7:none=900", 1))
    with pytest.raises(InputError, match="a1 has no voxel of 7"):
        evaluate(manifest, [Painter()])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"clicks": 0}, "0 clicks"), ({"seed": -1}, "seed -1"), ({"limit": 0}, "limit of 0")],
)
def test_numbers_that_make_no_sense_are_refused(manifest, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(manifest, [Painter()], **options)


def test_methods_of_one_name_are_refused(manifest):
    with pytest.raises(InputError, match="two methods of one name"):
        evaluate(manifest, [Painter(), Painter()])


class FakeSession:
    opened = 0

    def __init__(self, volume_kji, ijk_to_ras):
        FakeSession.opened += 1
        self.mask = np.zeros(volume_kji.shape, bool)

    def click(self, point, *, positive=True, space="ras"):
        assert space == "ijk"
        i, j, k = point
        self.mask[k, j, i] = positive

    def reset(self):
        self.mask = np.zeros_like(self.mask)


def test_session_is_shared_by_the_objects_of_an_image(manifest):
    FakeSession.opened = 0
    results = evaluate(manifest, [SessionMethod("fake", FakeSession)], clicks=2)
    assert FakeSession.opened == 3
    assert results[1].dice[0] == pytest.approx(2 / 301)
    assert results[1].dice[1] == pytest.approx(4 / 302)
