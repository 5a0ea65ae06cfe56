import csv
import json
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
from fastsam3d.plan import plan
from fastsam3d.results import ObjectResult
from fastsam3d.summary import summarise
from fastsam3d.tables import markdown, write_report

SHAPE = (16, 20, 24)
AFFINE = np.array([[0, -1.5, 0, 10], [1, 0, 0, -20], [0, 0, 2, 5], [0, 0, 0, 1.0]])


def write_case(folder, case, labels):
    scan = sitk.GetImageFromArray(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) % 999)
    write_mask(folder / f"{case}_label.nii.gz", labels, AFFINE)
    scan.CopyInformation(sitk.ReadImage(str(folder / f"{case}_label.nii.gz")))
    sitk.WriteImage(scan, str(folder / f"{case}.nii.gz"))


@pytest.fixture
def labels():
    """Two objects of 512 and 300 voxels, and one too small to count."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:10, 2:10, 2:10] = 1
    labels[11:14, 10:20, 12:22] = 2
    labels[0, 0, 20:] = 3
    return labels


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


def test_what_is_left_out_is_listed_with_its_reason(manifest):
    found = plan(manifest)
    assert found.left_out == (
        ("a1", "label 3 (dot): 4 voxels"),
        ("a2", "label 3 (dot): 4 voxels"),
        ("b1", "label 3 (dot): 4 voxels"),
        ("plain", "no label map"),
    )


def test_counts_in_the_manifest_are_believed_and_missing_names_do_not_matter(manifest):
    text = manifest.read_text().replace("1:one;2:two;3:dot", "1:one=512;2:two=199;3:dot=4", 1)
    manifest.write_text(text.replace("1:one;2:two;3:dot", "", 1))
    tasks = [(task.row.case, task.label.value) for task in plan(manifest).tasks]
    assert tasks == [("a1", 1), ("a2", 1), ("a2", 2), ("b1", 1), ("b1", 2)]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (2, [("a1", 1), ("b1", 1)]),
        (4, [("a1", 1), ("a1", 2), ("a2", 1), ("b1", 1)]),
    ],
)
def test_limit_spreads_over_folders_and_images(manifest, limit, expected):
    tasks = plan(manifest, limit=limit).tasks
    assert [(task.row.case, task.label.value) for task in tasks] == expected


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
            raise MemoryError

    result = evaluate(manifest, [Broken()], clicks=2, limit=1)[0]
    assert result.dice == result.surface_dice == (0.0, 0.0)
    assert result.failure.startswith("MemoryError")


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
    (tmp_path / "masks").mkdir()
    write_mask(tmp_path / "masks" / "a1.nii.gz", labels, AFFINE)
    scored = score_masks(manifest, tmp_path / "masks", name="other")
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


def result(method, case, patient, folder, dice, **others):
    values = {"modality": "CT", "label": 1, "name": "", "voxels": 500, "seed": 0} | others
    return ObjectResult(
        method=method,
        case=case,
        patient=patient,
        folder=folder,
        strategy="centre",
        dice=dice,
        surface_dice=dice,
        seconds=(0.5, 0.1, 0.3),
        placed=((1, 2, 3, 1),),
        **values,
    )


@pytest.fixture
def results():
    return [
        result("ours", "x1", "x", "ct", (0.5, 0.9, 0.85)),
        result("ours", "x2", "x", "ct", (0.7, 0.7, 0.95)),
        result("ours", "y", "y", "ct", (0.2, 0.4, 0.6)),
        result("ours", "z", "z", "mr", (0.0, 0.0, 0.3), failure="ValueError: no"),
        result("theirs", "x1", "x", "ct", (0.4, 0.4, 0.4)),
        result("theirs", "z", "z", "mr", (0.1, 0.1, 0.1)),
    ]


def test_summary_averages_objects_then_patients_then_folders(results):
    ours = summarise(results).methods[0]
    assert [e.mean for e in ours.dice] == pytest.approx([0.2, 0.3, 0.525])
    assert [e.mean for e in ours.best_dice] == pytest.approx([0.2, 0.3, (0.925 + 0.6) / 4 + 0.15])
    assert ours.folders["ct"] == pytest.approx((0.4, 0.6, 0.75))
    assert all(e.low <= e.mean <= e.high for e in (*ours.dice, *ours.surface_dice))
    assert (ours.objects, ours.patients, ours.failures) == (4, 3, 1)
    assert (ours.first_seconds, ours.later_seconds) == (0.5, 0.2)


def test_object_that_never_reaches_a_dice_counts_with_all_clicks(results):
    at_80, at_90 = summarise(results).methods[0].reach
    assert (at_80.share, at_80.clicks) == pytest.approx((0.25, ((2.5 + 3) / 2 + 3) / 2))
    assert (at_90.share, at_90.clicks) == pytest.approx((0.25, ((2.5 + 3) / 2 + 3) / 2))


def test_methods_are_compared_on_the_objects_that_both_have(results):
    found = summarise(results).versus
    assert [(v.method, v.other, v.clicks) for v in found] == [("ours", "theirs", n) for n in (1, 3)]
    assert found[1].comparison.difference == pytest.approx((0.45 + 0.2) / 2)
    assert found[1].comparison.patients == 2


def test_results_of_different_protocols_are_not_mixed(results):
    with pytest.raises(InputError, match="different seeds"):
        summarise([*results, result("ours", "q", "q", "ct", (0.1, 0.2, 0.3), seed=4)])
    with pytest.raises(InputError, match="no results"):
        summarise([])


def test_report_says_protocol_scores_failures_and_what_was_left_out(results):
    text = markdown(summarise(results), [("plain", "no label map")])
    assert "Protocol `sound`" in text
    assert "| Method | 1 click | 3 clicks |" in text
    assert "| ours | 0.20 (" in text
    assert "1 of 4" in text
    assert "| ct | ours | 0.40 | 0.75 |" in text
    assert "- plain: no label map" in text


def test_report_is_written_as_markdown_csv_and_json(results, tmp_path):
    paths = write_report(tmp_path / "report", results, [("plain", "no label map")])
    assert [path.name for path in paths] == ["report.md", "objects.csv", "report.json"]
    with paths[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert (rows[1]["case"], rows[1]["dice_3"], rows[3]["failure"]) == (
        "x2",
        "0.9500",
        "ValueError: no",
    )
    report = json.loads(paths[2].read_text())
    assert report["protocol"] == "sound"
    assert report["objects"][2]["dice"] == [0.2, 0.4, 0.6]
    assert report["left_out"] == [{"case": "plain", "reason": "no label map"}]
