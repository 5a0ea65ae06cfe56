"""Whether a folder keeps to one thing, and tells how another differs from it."""

import json

import pytest

from fastsam3d.claim import check_holder, claim
from fastsam3d.errors import InputError


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "asked.json"
    claim(path, {"clicks": 10, "split": None, "recipe": {"steps": 4, "name": "own"}}, "thing")
    return path


def refusal(note, asked, **more):
    with pytest.raises(InputError) as told:
        claim(note, asked, "thing", **more)
    return str(told.value).removeprefix(f"{note.parent} holds ")


def test_same_thing_may_go_on(note):
    before = note.read_bytes()
    claim(note, json.loads(before), "thing")
    assert note.read_bytes() == before


def test_another_thing_is_told_with_what_is_there_and_what_is_asked(note):
    same = json.loads(note.read_text())
    assert refusal(note, same | {"clicks": 5, "split": "val"}) == (
        "another thing, with another clicks and split; choose another folder. It has clicks 10 and "
        "split none; asked for: clicks 5 and split val."
    )


def test_nested_values_are_told_by_themselves(note):
    asked = json.loads(note.read_text()) | {"recipe": {"steps": 6, "name": "own"}}
    told = refusal(note, asked, instead="choose another --name")
    assert told == (
        "another thing, with another recipe; choose another --name. It has recipe steps 4; asked "
        "for: recipe steps 6."
    )


def test_what_is_asked_no_more_differs_too(note):
    asked = {"clicks": 10, "recipe": {"steps": 4, "name": "own"}, "seed": 1}
    assert refusal(note, asked).endswith("It has seed none; asked for: seed 1.")
    assert refusal(note, {"split": None, "recipe": asked["recipe"]}).endswith(
        "It has clicks 10; asked for: clicks none."
    )


def test_none_is_as_if_it_were_not_there(note):
    kept = json.loads(note.read_text())
    del kept["split"]
    note.write_text(json.dumps(kept))
    claim(note, kept | {"split": None}, "thing")
    assert json.loads(note.read_text()) == kept | {"split": None}


def test_a_note_of_which_nothing_came_gives_way(note):
    claim(note, {"clicks": 5}, "thing", binding=False)
    assert json.loads(note.read_text()) == {"clicks": 5}
    assert "another clicks" in refusal(note, {"clicks": 10})


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_damaged_note_is_told(note, text):
    note.write_text(text)
    assert refusal(note, {"clicks": 1}) == "a damaged asked.json; choose another folder."


@pytest.mark.parametrize(
    ("trace", "command"),
    [
        ("training.json", "train"),
        ("training.ckpt", "train"),
        ("distillation.json", "distill"),
        ("ablation-plan.json", "distill-ablation"),
    ],
)
def test_folder_in_which_another_command_learnt_is_refused(trace, command, tmp_path):
    mine = tmp_path / ("training.json" if command != "train" else "distillation.json")
    (tmp_path / trace).touch()
    with pytest.raises(InputError, match=rf" by `fastsam3d {command}`; choose another folder\.$"):
        check_holder(mine)
    mine.touch()
    check_holder(mine)


def test_folder_of_the_same_command_is_no_other(tmp_path):
    (tmp_path / "training.ckpt").touch()
    check_holder(tmp_path / "training.json")
