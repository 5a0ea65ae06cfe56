import pytest

from fastsam3d.devices import is_first, make_fabric, processes, wait_for_first
from fastsam3d.errors import InputError


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "NODE_RANK"])
def test_first_process_is_that_of_no_rank_or_rank_0(name, monkeypatch):
    assert is_first()
    monkeypatch.setenv(name, "0")
    assert is_first()
    monkeypatch.setenv(name, "1")
    assert not is_first()


def test_torchrun_decides_how_many_processes_there_are(monkeypatch):
    assert processes(2, 3) == 6
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert processes(1) == 8


def test_precision_that_there_is_none_of_is_told():
    with pytest.raises(InputError, match="8-wrong"):
        make_fabric("cpu", 1, 1, "8-wrong")


def test_others_wait_until_the_first_is_ready():
    answers = iter([False, True])
    wait_for_first(lambda: next(answers))
    assert next(answers, None) is None
