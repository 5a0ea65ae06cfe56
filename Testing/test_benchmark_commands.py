import json

import pytest

from fakewatch import FakeWatch
from fastsam3d.benchmark import ablation, accuracy, arguments, commands, efficiency
from fastsam3d.benchmark.accuracy import Outcome
from fastsam3d.benchmark.table_ablation import FORMS
from fastsam3d.classical import RegionGrowing
from fastsam3d.cli import main
from minibench import write_manifest

TOOL = ("--method", "region-growing", "--clicks", 1, "--protocol", "sound")
SMALL = ("--geometry", "published", "--tokens", 8, "--no-sweep")
FEW = ("--protocol", "published", "--clicks", 1, "--limit", 1, "--device", "cpu")


@pytest.fixture
def call(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["benchmark", *map(str, arguments)])
        return ended.value.code or 0, capsys.readouterr().err

    return call


@pytest.fixture
def watched(monkeypatch):
    """Answer measurements at once; keeps what they were."""
    fake = FakeWatch()
    for module in (ablation, efficiency):
        monkeypatch.setattr(module, "watched", fake)
    return fake


@pytest.fixture(autouse=True)
def reported(monkeypatch):
    """Note which folders are reported on, instead of drawing."""
    asked = []
    monkeypatch.setattr(commands, "write_report", lambda folder, machine: asked.append(folder))
    return asked


@pytest.fixture
def dice(monkeypatch):
    """Note of what Table 4's Dice is asked, instead of evaluating."""
    noted = []
    monkeypatch.setattr(
        commands, "measure_dice", lambda rows, dataset, asked, on: noted.append(asked)
    )
    return noted


@pytest.fixture
def evaluated(monkeypatch):
    """Note of what Table 2 is asked, instead of evaluating; takes any file for weights."""
    noted = []

    def run(asked, on_done, ready):
        noted.append(asked)
        return Outcome((), None)

    monkeypatch.setattr(commands, "run", run)
    monkeypatch.setattr(accuracy, "check_usable", lambda methods: None)
    return noted


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path / "boxes", ("a1", "b1"))


@pytest.fixture
def torchrun(monkeypatch):
    """Make the tests' process one of two that torchrun started, each on a machine of its own."""

    def start(rank, local_rank=0):
        about = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": local_rank}
        for name, value in about.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(commands, "machine", lambda: f"machine of {rank}")

    return start


def machines(folder):
    lines = (folder / "machines.jsonl").read_text().splitlines()
    return [json.loads(line)["machine"] for line in lines]


def test_weights_of_other_systems_do_not_stop_all_at_the_dice_of_the_forms(
    call, watched, dice, evaluated, manifest, tmp_path
):
    weights = tmp_path / "sam.pth"
    weights.write_bytes(b"some weights")
    more = ("--weights", f"sam={weights}", "--ablation-dice", *FEW)
    code, err = call("all", tmp_path / "out", "--manifest", manifest, *more)
    assert code == 0, err
    assert [(asked.methods, asked.weights) for asked in dice] == [((arguments.DEFAULT,), ())]
    assert [(asked.methods, asked.weights) for asked in evaluated] == [
        (("sam",), (("sam", weights),))
    ]


def test_all_measures_the_dice_of_the_forms_only_when_asked(
    call, watched, dice, evaluated, manifest, tmp_path, reported
):
    assert call("all", tmp_path / "out", "--manifest", manifest, *FEW)[0] == 0
    assert dice == []
    assert len(evaluated) == len(reported) == 1
    assert watched


def test_other_processes_of_torchrun_measure_neither_costs_nor_forms(
    call, watched, dice, manifest, tmp_path, torchrun, reported
):
    torchrun(1, 1)
    assert call("efficiency", tmp_path / "out", "--device", "cpu")[0] == 0
    assert call("ablation", tmp_path / "out", "--manifest", manifest, "--device", "cpu")[0] == 0
    assert (watched, dice, reported) == ([], [], [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("everything", [False, True])
def test_of_torchruns_processes_the_last_to_end_writes_the_report(
    call, watched, manifest, tmp_path, torchrun, reported, order, everything
):
    out, told = tmp_path / "out", []
    for rank in order:
        torchrun(rank)
        about = ("all", out, "--manifest", manifest) if everything else ("accuracy", manifest, out)
        code, err = call(*about, *TOOL)
        told.append((code, "2 results are with other processes" in err, len(reported)))
    assert told == [(0, True, 0), (0, False, 1)]
    assert machines(tmp_path / "out") == [f"machine of {rank}" for rank in order]


def test_each_machine_is_noted_by_its_first_process_alone(call, manifest, tmp_path, torchrun):
    for rank in (0, 1):
        torchrun(rank, local_rank=rank)
        call("accuracy", manifest, tmp_path / "out", *TOOL)
    assert machines(tmp_path / "out") == ["machine of 0"]


@pytest.mark.parametrize("more", [("--geometry", "published"), ("--tokens", 16)])
def test_dice_that_would_have_no_rows_is_refused_before_anything_is_measured(
    call, watched, manifest, tmp_path, more
):
    code, err = call("ablation", tmp_path / "out", "--manifest", manifest, *more)
    assert code == 2
    assert "measure that first, with --geometry fastsam3d-default --tokens 8" in err
    assert not watched


def test_two_datasets_of_one_name_are_refused_before_anything_is_measured(
    call, watched, manifest, tmp_path
):
    other = write_manifest(tmp_path / "elsewhere" / "boxes", ("a1",))
    both = ("--manifest", manifest, "--manifest", other)
    code, err = call("all", tmp_path / "out", *both)
    assert code == 2
    assert f"Got two datasets called 'boxes', {manifest} and {other}" in err
    assert not watched


@pytest.mark.parametrize(
    ("methods", "by_sound"),
    [
        (("medsam-boxes", "region-growing"), [("sound", ("region-growing",))]),
        (("medsam-boxes",), []),
    ],
)
def test_boxes_round_the_truth_are_left_out_of_sound_when_both_protocols_are_asked(
    call, evaluated, manifest, tmp_path, methods, by_sound
):
    weights = tmp_path / "medsam.pth"
    weights.write_bytes(b"some weights")
    named = [word for method in methods for word in ("--method", method)]
    more = ("--weights", f"medsam-boxes={weights}")
    code, err = call("accuracy", manifest, tmp_path / "out", *named, *more)
    assert code == 0, err
    assert [(asked.protocol, asked.methods) for asked in evaluated] == [
        *by_sound, ("published", methods),
    ]  # fmt: skip
    assert "measured by the protocol published alone" in " ".join(err.split())


def test_what_is_measured_is_named_before_it_is(call, watched, tmp_path, capsys, monkeypatch):
    said = []

    def watching(request, limit_s):
        said.append(capsys.readouterr().err)
        return watched(request, limit_s)

    for module in (ablation, efficiency):
        monkeypatch.setattr(module, "watched", watching)
    code, _ = call("all", tmp_path / "out", "--system", "tinysam", "--device", "cpu", *SMALL)
    assert code == 0
    assert said[0] == "efficiency: 0%, now TinySAM, encoder\n"
    assert said[2].endswith("ablation: 0%, now published, 8³ tokens, neither\n")
    assert len(said) == 2 + 4


def test_all_names_methods_and_forms_as_they_begin(call, watched, dice, manifest, tmp_path):
    more = ("--manifest", manifest, "--ablation-dice", "--device", "cpu", "--system", "sam", *TOOL)
    ours = ("--geometry", "fastsam3d-default", "--tokens", 8, "--no-sweep", "--limit", 1)
    code, err = call("all", tmp_path / "out", *more, *ours)
    assert code == 0
    assert "ablation, sound: 0%, now 4 forms on 1 object\n" in err
    assert "accuracy, sound: 0%, now region-growing on 1 object\n" in err


def test_all_can_be_made_small(call, watched, manifest, tmp_path):
    named = ("--manifest", manifest, "--name", "amos", "--system", "sam", "--system", "medsam")
    code, err = call("all", tmp_path / "out", *named, *SMALL, *TOOL, "--device", "cpu")
    assert code == 0, err
    assert [request.arguments.get("system") for request in watched[:4]] == ["sam"] * 2 + [
        "medsam"
    ] * 2
    assert [request.arguments["form"] for request in watched[4:]] == list(FORMS)
    assert [path.name for path in (tmp_path / "out" / "accuracy").iterdir()] == ["amos-sound"]


@pytest.mark.parametrize("command", ["ablation", "all"])
@pytest.mark.parametrize("tokens", [0, 1, 4, 12])
def test_a_size_without_sparse_forms_is_refused(call, watched, tmp_path, command, tokens):
    code, err = call(command, tmp_path / "out", "--tokens", 8, "--tokens", tokens)
    assert code == 2
    assert f"Got {tokens} tokens a side; give a multiple of 8, as the segments of" in err
    assert not watched


@pytest.mark.parametrize("count", [0, 2])
def test_a_name_is_for_one_dataset_alone(call, watched, manifest, tmp_path, count):
    code, err = call("all", tmp_path / "out", *("--manifest", manifest) * count, "--name", "amos")
    assert code == 2
    assert f"Got --name amos and {count} manifests; give it with one." in err
    assert not watched


def test_all_refuses_dice_that_would_have_no_rows(call, watched, manifest, tmp_path):
    code, err = call("all", tmp_path / "out", "--manifest", manifest, "--ablation-dice", *SMALL)
    assert code == 2
    assert "measure that first, with --geometry fastsam3d-default --tokens 8" in err
    assert not watched


@pytest.mark.parametrize("stopped", [1, 3, 7])
def test_ctrl_c_at_all_ends_in_one_sentence_and_the_call_goes_on(
    call, watched, manifest, tmp_path, stopped, monkeypatch
):
    started = []

    def start(*arguments):
        started.append(arguments)
        if len(started) == stopped:
            raise KeyboardInterrupt

    def watching(request, limit_s):
        start(request)
        return watched(request, limit_s)

    real = RegionGrowing.start
    monkeypatch.setattr(RegionGrowing, "start", lambda *them: (start(*them), real(*them)))
    for module in (ablation, efficiency):
        monkeypatch.setattr(module, "watched", watching)
    named = ("all", tmp_path / "out", "--manifest", manifest, "--limit", 1, "--system", "sam")
    code, err = call(*named, *SMALL, *TOOL, "--device", "cpu")
    assert code == 130
    assert err.endswith("\nStopped; what was finished is kept, and the same command goes on.\n")
    assert "Traceback" not in err
    assert len(watched) == stopped - 1
    assert call(*named, *SMALL, *TOOL, "--device", "cpu")[0] == 0
    assert len(started) == 2 + 4 + 1 + 1


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (("--limit", 2), "1 object, beyond --limit 2; call again with a higher one."),
        ((), "1 object, which the manifest no longer holds."),
    ],
)
def test_objects_of_earlier_calls_that_are_not_shown_are_told(
    call, manifest, tmp_path, limit, told
):
    _, err = call("accuracy", manifest, tmp_path / "out", *TOOL, "--limit", 3)
    assert "not shown" not in err
    if not limit:
        manifest.write_text(manifest.read_text().partition("\nb1")[0])
    code, err = call("accuracy", manifest, tmp_path / "out", *TOOL, *limit)
    assert code == 0
    assert f"Measured earlier and kept, but not shown: {told}\n" in err
