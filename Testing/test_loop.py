import gc
import weakref

import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision
from torch import nn
from torch.amp import GradScaler
from torch.testing import assert_close

from fastsam3d import loop as module
from fastsam3d.curve import read_log
from fastsam3d.errors import InputError
from fastsam3d.loop import BOARD, Loop, run
from fastsam3d.task import Task
from tinytask import TinyTask, tiny_config, tiny_examples, tiny_run


class PowerCutError(Exception):
    pass


def states_of(folder, **changes):
    task, average = tiny_run(folder, **changes)
    return task.state_dict(), average


def test_training_lowers_the_loss_and_tells_of_each_step(tmp_path):
    told = []
    tiny_run(tmp_path, told.append, steps=60)
    assert [record.step for record in told] == list(range(1, 61))
    assert told[-1].seconds >= told[0].seconds > 0
    losses = [record.values["loss"] for record in told]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_folder_holds_checkpoint_and_logs_and_nothing_half_written(tmp_path):
    tiny_run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - {BOARD} == {"tiny.ckpt", "tiny.csv"}
    (first, *_, last) = read_log(tmp_path / "tiny.csv")
    assert list(first.values) == ["loss", "layer1", "layer2", "k"]
    assert (first.values["k"], last.values["k"]) == (1, 2)


def test_interrupted_training_ends_with_the_same_weights(tmp_path):
    def cut(record):
        if record.step == 8:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        tiny_run(tmp_path / "halved", cut)
    resumed = states_of(tmp_path / "halved")
    assert_close(resumed, states_of(tmp_path / "whole"), rtol=0, atol=0)
    logs = [
        [(one.step, one.values) for one in read_log(tmp_path / name / "tiny.csv")]
        for name in ("halved", "whole")
    ]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 10


def half_precision(*given):
    """Make a Fabric that scales gradients on the CPU, where 16-mixed means bf16-mixed else.

    The first scale overflows, so that the first steps halve it and are left out.
    """
    scaler = GradScaler("cpu", init_scale=2.0**22, growth_interval=4)
    fabric = Fabric(accelerator="cpu", plugins=MixedPrecision("16-mixed", "cpu", scaler))
    fabric.launch()
    return fabric


def test_interrupted_training_in_half_precision_goes_on_with_its_scale(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "make_fabric", half_precision)

    def cut(record):
        if record.step == 14:
            raise PowerCutError

    changes = {"precision": "16-mixed", "steps": 20}
    with pytest.raises(PowerCutError):
        tiny_run(tmp_path / "halved", cut, **changes)
    assert (
        torch.load(tmp_path / "halved" / "tiny.ckpt", weights_only=True)["scale"]["scale"] < 2**22
    )
    resumed = states_of(tmp_path / "halved", **changes)
    whole = states_of(tmp_path / "whole", **changes)
    assert not torch.equal(whole[0]["layers.0.weight"], TinyTask().layers[0].weight)
    assert_close(resumed, whole, rtol=0, atol=0)
    ends = [
        torch.load(tmp_path / name / "tiny.ckpt", weights_only=True) for name in ("halved", "whole")
    ]
    assert ends[0]["scale"] == ends[1]["scale"]


def test_scale_is_left_behind_where_the_precision_changes(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "make_fabric", half_precision)
        tiny_run(tmp_path, precision="16-mixed", steps=10)
    tiny_run(tmp_path, steps=12)
    assert torch.load(tmp_path / "tiny.ckpt", weights_only=True)["scale"] == {}
    monkeypatch.setattr(module, "make_fabric", half_precision)
    tiny_run(tmp_path, precision="16-mixed", steps=14)
    assert len(read_log(tmp_path / "tiny.csv")) == 14


@pytest.mark.parametrize("micro", [1, 3])
def test_accumulation_does_what_one_big_batch_does(micro, tmp_path):
    told, told_in_one = [], []
    parts = tiny_run(tmp_path / "parts", told.append, micro=micro)[0].state_dict()
    whole = tiny_run(tmp_path / "whole", told_in_one.append)[0].state_dict()
    assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(told, told_in_one, strict=True):
        assert mine.values == pytest.approx(theirs.values, rel=1e-5)


def test_seed_decides_what_is_learnt(tmp_path):
    first, other = (states_of(tmp_path / str(seed), seed=seed)[0] for seed in (0, 1))
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_training_that_is_done_does_nothing_more(tmp_path):
    first = states_of(tmp_path)
    written = (tmp_path / "tiny.ckpt").stat().st_mtime_ns
    assert_close(states_of(tmp_path, on_step=pytest.fail), first, rtol=0, atol=0)
    assert (tmp_path / "tiny.ckpt").stat().st_mtime_ns == written


def test_what_is_not_yet_used_is_left_alone(tmp_path):
    before = TinyTask().layers[1].weight
    after = tiny_run(tmp_path, steps=1)[0].layers[1].weight
    assert not torch.equal(after, before)
    half = []

    def look(record):
        if record.step == 5:
            half.append(task.layers[1].weight.detach().clone())

    task = TinyTask()
    run(task, tiny_examples(13), tmp_path, "other", tiny_config(weight_decay=0.5), look)
    assert_close(half[0], before, rtol=0, atol=0)


def test_average_starts_at_the_first_step_and_lags_behind(tmp_path):
    task, average = tiny_run(tmp_path / "one", steps=1)
    assert_close(average, task.state_dict(), rtol=0, atol=0)
    task, average = tiny_run(tmp_path / "many")
    assert not torch.equal(average["layers.0.weight"], task.layers[0].weight)
    task, average = tiny_run(tmp_path / "none", average=0.0)
    assert_close(average, task.state_dict(), rtol=0, atol=1e-7)


def test_seconds_end_a_training_too(tmp_path):
    told = []
    tiny_run(tmp_path, told.append, steps=None, seconds=1e-6)
    assert len(told) == 1


class Shelf:
    """Examples that exist while they are used."""

    def __init__(self, count):
        self.count, self.alive, self.most = count, weakref.WeakSet(), 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        example = tiny_examples(1)[0]
        self.alive.add(example)
        self.most = max(self.most, len(self.alive))
        return example


def test_no_more_examples_are_kept_than_two_steps_take(tmp_path):
    shelf = Shelf(1000)
    run(TinyTask(), shelf, tmp_path, "tiny", tiny_config(steps=100))
    assert shelf.most <= 3 * 4
    gc.collect()
    assert not shelf.alive


def test_failed_write_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    loop = Loop(TinyTask(), tiny_examples(13), tiny_config())
    loop.save(tmp_path / "tiny.ckpt")
    before = (tmp_path / "tiny.ckpt").read_bytes()

    def half(state, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(InputError, match="disk is full"):
        loop.save(tmp_path / "tiny.ckpt")
    assert (tmp_path / "tiny.ckpt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.ckpt"]


def test_damaged_checkpoint_and_one_of_another_task_are_refused(tmp_path):
    task = TinyTask()
    task.layers[0] = nn.Linear(3, 3)
    Loop(task, tiny_examples(13), tiny_config()).save(tmp_path / "tiny.ckpt")
    with pytest.raises(InputError, match="another network"):
        tiny_run(tmp_path)
    (tmp_path / "tiny.ckpt").write_bytes(b"hello")
    with pytest.raises(InputError, match="damaged"):
        tiny_run(tmp_path)


def test_loss_that_is_no_number_stops_the_training_before_it_is_saved(tmp_path):
    with pytest.raises(InputError, match="lower learning rate"):
        tiny_run(tmp_path, learning_rate=1e30, clip=None, save_every=1, warm_up=1)
    state = torch.load(tmp_path / "tiny.ckpt", weights_only=True)["task"]
    assert all(value.isfinite().all() for value in state.values())


def test_without_examples_one_sentence_says_so(tmp_path):
    with pytest.raises(InputError, match="no examples"):
        run(TinyTask(), [], tmp_path, "tiny", tiny_config())


class TaughtTask(TinyTask):
    """A task with a teacher, which is not learnt."""

    def __init__(self):
        super().__init__()
        self.teacher = (nn.Linear(2, 2),)
        self.brought = []

    def bring(self, device):
        self.brought.append(device.type)


def test_teacher_is_brought_to_the_device_and_not_saved(tmp_path):
    task = TaughtTask()
    average = run(task, tiny_examples(13), tmp_path, "tiny", tiny_config())
    state = torch.load(tmp_path / "tiny.ckpt", weights_only=True)
    assert task.brought == ["cpu"]
    assert average.keys() == state["task"].keys() == TinyTask().state_dict().keys()


class TwiceTask(Task):
    """Uses its weight without gradients, then with them."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 2)

    def forward(self, examples, randoms, moment):
        images = torch.stack([one.image.float().flatten() / 255 for one in examples])
        with torch.no_grad():
            wanted = self.layer(images) + 1
        return {"loss": (self.layer(images) - wanted.float()).square().mean()}


def test_reduced_precision_learns_after_an_answer_without_gradients(tmp_path):
    task = TwiceTask()
    before = task.layer.weight.detach().clone()
    run(task, tiny_examples(4), tmp_path, "twice", tiny_config(precision="bf16-mixed", steps=2))
    assert not torch.equal(task.layer.weight, before)
    assert task.layer.weight.dtype == torch.float32


def test_frozen_part_of_a_task_stays_as_it_is(tmp_path):
    task = TinyTask()
    task.layers[0].requires_grad_(requires_grad=False)
    before = task.layers[0].weight.detach().clone()
    average = run(task, tiny_examples(13), tmp_path, "tiny", tiny_config(steps=1))
    assert_close(task.layers[0].weight.detach(), before, rtol=0, atol=0)
    assert_close(average["layers.0.weight"], before, rtol=0, atol=0)
