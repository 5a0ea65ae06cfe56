"""Table 2's machinery on small scans: who takes part, both protocols, what is written."""

import json

import numpy as np
import pytest

from fastsam3d.benchmark import entrants as entrants_module
from fastsam3d.benchmark import sound, systems
from fastsam3d.benchmark.accuracy import Asked, run
from fastsam3d.benchmark.entrants import entrants
from fastsam3d.benchmark.planar_method import PlanarMethod, filled
from fastsam3d.benchmark.systems import System, Traits
from fastsam3d.errors import InputError
from fastsam3d.results import PUBLISHED, ObjectResult, read_results
from fastsam3d.stats import Patients, bootstrap_interval
from fastsam3d.summary import summarise
from fastsam3d.tables import markdown
from minibench import AFFINE, BrightSlices, BrightVolumes, write_manifest

TOOL = "region-growing"


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path, ("a1", "b1"))


@pytest.fixture
def two_systems(monkeypatch):
    """Systems for slices and for volumes that take what is bright."""
    made = {"sam": (BrightSlices, 2), "sam-med3d": (BrightVolumes, 3)}
    for key, (build, dimensions) in made.items():
        system = System(key, key, 64, Traits(), dimensions, build, f"{key}.pth, example.org")
        monkeypatch.setitem(systems.SYSTEMS, key, system)
    monkeypatch.setattr(systems, "find", systems.SYSTEMS.__getitem__)
    monkeypatch.setattr(systems, "load", lambda system, path, device: system.build())
    use_volumes(monkeypatch, BrightVolumes())


def use_volumes(monkeypatch, network):
    """Have all 3D methods run one network."""
    for place in (entrants_module, sound):
        monkeypatch.setattr(place, "network_of", lambda entrant, device: network)


def asked(manifest, methods, **options):
    options = {"clicks": 2, "device": "cpu", "output": manifest.parent / "out"} | options
    return Asked(manifest, methods=methods, **options)


@pytest.mark.parametrize("protocol", ["published", "sound"])
def test_systems_and_tools_are_clicked_on_by_one_protocol(manifest, two_systems, protocol):
    methods = ("sam", "sam-med3d", TOOL)
    clicks = 1 if protocol == "published" else 2
    outcome = run(
        asked(manifest, methods, protocol=protocol, clicks=clicks, untrained=True, limit=2)
    )
    assert [(r.case, r.label) for r in outcome.results[::3]] == [("a1", 1), ("b1", 1)]
    names = [result.method for result in outcome.results[:3]]
    assert names == ["sam untrained", "sam-med3d untrained", TOOL]
    assert not any(result.failure for result in outcome.results)
    assert all(len(result.dice) == clicks for result in outcome.results)
    assert {result.strategy for result in outcome.results} == {
        "published" if protocol == "published" else "centre"
    }
    tool = [result.dice[0] for result in outcome.results if result.method == TOOL]
    assert max(tool) > 0.5


def test_what_is_written_holds_results_and_what_was_asked(manifest):
    outcome = run(asked(manifest, (TOOL,), protocol="published", limit=1, clicks=1))
    folder = manifest.parent / "out"
    assert tuple(read_results(folder / "objects.jsonl")) == outcome.results
    about = json.loads((folder / "accuracy.json").read_text())
    assert (about["protocol"], about["seed"], about["dataset"]) == (
        "published", 2023, manifest.parent.name
    )  # fmt: skip
    assert about["methods"][0] == {"name": TOOL, "key": TOOL, "trained": True}
    report = (folder / "report.md").read_text()
    assert "Protocol `published` (clicks: published, seed 2023)" in report
    assert "Means are over objects; in brackets" in report
    assert TOOL in report
    assert json.loads((folder / "report.json").read_text())["protocol"] == "published"


def test_untrained_systems_give_no_figures_unless_asked(manifest, two_systems, monkeypatch):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(manifest.parent / "none"))
    with pytest.raises(InputError, match=r"sam has no weights here.*: sam.pth, example.org. Give"):
        entrants(["sam"], {})
    with pytest.raises(InputError, match="sam-med3d"):
        entrants(["sam-med3d"], {})
    sam, med3d, tool = entrants(["sam", "sam-med3d", TOOL], {}, untrained=True)
    assert [each.name for each in (sam, med3d)] == ["sam untrained", "sam-med3d untrained"]
    assert [each.trained for each in (sam, med3d, tool)] == [False, False, True]
    assert [each.kind for each in (sam, med3d, tool)] == ["slices", "volumes", "tool"]


def test_weights_name_their_method_by_their_content(tmp_path, two_systems):
    (tmp_path / "sam.pth").write_bytes(b"some")
    (one,) = entrants(["sam"], {"sam": tmp_path / "sam.pth"})
    (tmp_path / "sam.pth").write_bytes(b"other")
    (other,) = entrants(["sam"], {"sam": tmp_path / "sam.pth"}, untrained=True)
    assert one.name == "sam a6b46dd0"
    assert other.name != one.name
    assert other.trained


@pytest.mark.parametrize(
    ("keys", "weights", "message"),
    [
        (["samm"], {}, "'samm'; expected one of"),
        ([], {}, "methods none"),
        ([TOOL, TOOL], {}, "name each once"),
        ([TOOL], {TOOL: "x"}, "weights for region-growing"),
        (["sam"], {"sam-med3d": "x"}, "weights for sam-med3d"),
    ],
)
def test_methods_and_weights_that_do_not_fit_are_refused(two_systems, keys, weights, message):
    with pytest.raises(InputError, match=message):
        entrants(keys, weights)


def test_missing_file_of_weights_is_refused(tmp_path, two_systems):
    with pytest.raises(InputError, match="no file of weights"):
        entrants(["sam"], {"sam": tmp_path / "none.pth"}, untrained=True)


@pytest.mark.parametrize(
    "options", [{"protocol": "own"}, {"strategy": "edge"}, {"clicks": 0}, {"seed": -1}]
)
def test_settings_that_make_no_sense_are_refused(manifest, options):
    with pytest.raises(InputError, match="Got "):
        asked(manifest, (TOOL,), **options)


def test_folder_of_another_protocol_is_refused(manifest):
    run(asked(manifest, (TOOL,), limit=1))
    with pytest.raises(InputError, match=r"another accuracy, with another .*protocol published"):
        run(asked(manifest, (TOOL,), limit=1, protocol="published"))


def test_failing_method_is_counted_with_its_last_score(manifest, two_systems, monkeypatch):
    class Failing(BrightVolumes):
        def predict(self, *arguments):
            raise RuntimeError("no answer")

    use_volumes(monkeypatch, Failing())
    for protocol in ("published", "sound"):
        output = manifest.parent / protocol
        options = {"untrained": True, "protocol": protocol, "output": output, "limit": 1}
        outcome = run(asked(manifest, ("sam-med3d",), **options))
        assert {result.failure for result in outcome.results} == {"RuntimeError: no answer"}
        assert summarise(outcome.results).methods[0].failures == len(outcome.results) == 1


@pytest.mark.parametrize("protocol", ["published", "sound"])
@pytest.mark.parametrize("full", [
    lambda: RuntimeError("CUDA out of memory"), lambda: MemoryError("Unable to allocate 3.0 GiB"),
    lambda: OSError(12, "Cannot allocate memory"),
], ids=["cuda", "numpy", "system"])  # fmt: skip
def test_full_memory_is_told_and_no_failure(manifest, two_systems, monkeypatch, full, protocol):
    class Full(BrightVolumes):
        def embed_patch(self, patch):
            raise full()  # anew: its traceback holds the session

    use_volumes(monkeypatch, Full())
    with pytest.raises(InputError, match="memory of cpu is full with sam-med3d"):
        run(asked(manifest, ("sam-med3d",), untrained=True, protocol=protocol))
    assert not list((manifest.parent / "out" / "records").glob("*.jsonl"))


def test_ct_is_clamped_in_sessions_of_sam_med3d(manifest, two_systems, monkeypatch):
    network = BrightVolumes()
    use_volumes(monkeypatch, network)
    run(asked(manifest, ("sam-med3d",), untrained=True, limit=1, clicks=1))
    assert network.ct_clamp


def test_methods_may_be_added_to_a_folder(manifest):
    run(asked(manifest, (TOOL,), limit=1))
    seen = []
    outcome = run(asked(manifest, ("fast-marching", TOOL), limit=1), seen.append)
    assert [result.method for result in outcome.results] == ["fast-marching", TOOL]
    assert seen == ["a1", "a1"]
    lines = [read_results(path) for path in (manifest.parent / "out" / "records").iterdir()]
    assert sorted(len(results) for results in lines) == [1, 1]


def result_of(patient, dice, method="m", strategy=PUBLISHED, case=""):
    return ObjectResult(
        method, case or f"{patient}{dice}", patient, "f", "CT", 1, "liver", 9, 0, strategy,
        (dice,), (dice,), (0.1,), (),
    )  # fmt: skip


def test_published_means_are_over_objects_alone():
    results = [result_of("a", 0.0), result_of("a", 0.2), result_of("a", 0.4), result_of("b", 1.0)]
    (published,) = summarise(results).methods
    assert published.dice[0].mean == pytest.approx(0.4)
    assert published.dice[0].low <= 0.2 + 1e-9
    assert published.dice[0].high == pytest.approx(1.0)
    sound = [result_of(r.patient, r.dice[0], strategy="centre") for r in results]
    assert summarise(sound).methods[0].dice[0].mean == pytest.approx(0.6)


def test_flat_interval_weighs_patients_drawn_by_their_objects():
    many, one = [str(n) for n in range(20)], [str(n) for n in range(20, 40)]
    patients = Patients.of([("f", name) for name in many * 9 + one], flat=True)
    low, high = bootstrap_interval([[0.0]] * 180 + [[1.0]] * 20, patients)
    assert 0 < low[0] < 0.1 < high[0] < 0.25  # patients by themselves would give about 0.5
    same = Patients.of([("f", str(n)) for n in range(8)])
    flat = Patients.of([("f", str(n)) for n in range(8)], flat=True)
    values = np.arange(8)[:, None] / 8
    np.testing.assert_allclose(bootstrap_interval(values, same), bootstrap_interval(values, flat))


def test_any_method_may_be_the_one_that_others_are_tested_against():
    results = [result_of(p, d, m, case=p) for m, d in [("x", 0.5), ("y", 0.9)] for p in "abcdefgh"]
    (versus,) = summarise(results, "y").versus
    assert (versus.method, versus.other, versus.comparison.better) == ("y", "x", True)
    assert "y against x" in markdown(summarise(results, "y"))
    with pytest.raises(InputError, match="no results of z"):
        summarise(results, "z")


@pytest.fixture
def bar():
    """A volume with a bright bar through all its planes, on a field that is nearly dark."""
    volume = np.zeros((12, 32, 32), np.int16)
    volume[:, 8:20, 12:24] = 400
    return volume


def test_click_on_a_slice_says_nothing_of_others(bar):
    method = PlanarMethod("bright", BrightSlices())
    method.start(bar, AFFINE)
    mask = method.click((5, 12, 16), positive=True)
    assert (mask[5] == (bar[5] > 0)).mean() > 0.9
    assert not np.delete(mask, 5, axis=0).any()


def test_slices_between_two_clicked_ones_are_filled(bar):
    network = BrightSlices()
    method = PlanarMethod("bright", network)
    method.start(bar, AFFINE)
    method.click((2, 12, 16), positive=True)
    mask = method.click((8, 12, 16), positive=True)
    assert mask.any(axis=(1, 2)).tolist() == [False] * 2 + [True] * 7 + [False] * 3
    assert (mask[5] == mask[2]).all()
    assert network.embedded == 2


def test_click_between_that_excludes_keeps_the_middle_of_what_was_there(bar):
    network = BrightSlices()
    method = PlanarMethod("bright", network)
    method.start(bar, AFFINE)
    for plane in (2, 8):
        method.click((plane, 12, 16), positive=True)
    method.click((5, 9, 13), positive=False)
    points, labels, _ = network.asked[-1]
    assert labels.tolist() == [[1, 0]]
    assert bar[5].T[tuple((points[0, 0] / 2).astype(int))] == 400
    assert points[0, 1].tolist() == [27, 19]  # x, y at twice the size


def test_slices_lie_across_the_axis_nearest_to_the_patients(bar):
    network = BrightSlices()
    method = PlanarMethod("bright", network)
    affine = np.eye(4)[[2, 1, 0, 3]]  # i runs upwards
    method.start(bar.transpose(2, 1, 0), affine)
    mask = method.click((16, 12, 5), positive=True)
    assert mask.any(axis=(0, 1)).tolist() == [n == 5 for n in range(12)]


def test_clicks_on_one_slice_add_up_and_embeddings_of_a_volume_are_kept(bar):
    network = BrightSlices()
    method = PlanarMethod("bright", network)
    for _ in range(2):
        method.start(bar, AFFINE)
        method.click((5, 12, 16), positive=True)
        method.click((5, 30, 30), positive=False)
    assert network.embedded == 1
    assert [labels.tolist() for _, labels, _ in network.asked] == [[[1]], [[1, 0]]] * 2
    assert [previous is None for *_, previous in network.asked] == [True, False] * 2


def test_outlines_are_blended_by_their_distances():
    masks = {0: np.zeros((9, 9), bool), 4: np.zeros((9, 9), bool)}
    masks[0][4, 4] = True
    masks[4][1:8, 1:8] = True
    whole = filled(masks, (6, 9, 9))
    sizes = [int(plane.sum()) for plane in whole]
    assert sizes[0] == 1
    assert sizes[:5] == sorted(sizes[:5])
    assert sizes[4:] == [49, 0]
    assert 1 < sizes[2] < 49
    for ends in ({0: masks[4], 4: np.zeros((9, 9), bool)}, {0: ~masks[4] & False, 4: masks[4]}):
        assert filled(ends, (6, 9, 9)).sum() == 49
