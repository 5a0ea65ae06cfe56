import pytest

from fastsam3d import ablation, dataset_command, distill, learn
from fastsam3d.cli import main

CALLS = {
    "prepare": (dataset_command, ["source", "folder"]),
    "train": (learn, ["manifest.csv", "-o", "folder", "--steps", "1"]),
    "distill": (distill, ["source", "folder"]),
    "distill-ablation": (ablation, ["source", "folder", "--steps", "2"]),
}


@pytest.mark.parametrize("command", CALLS)
def test_a_long_command_that_the_user_stops_says_that_it_goes_on(command, run, monkeypatch):
    def stopped(*args, **options):
        raise KeyboardInterrupt

    module, arguments = CALLS[command]
    monkeypatch.setattr(module, "run", stopped)
    code, out, err = run(command, *arguments)
    assert (code, out) == (130, "")
    assert err == "Stopped; what was finished is kept, and the same command goes on.\n"


def test_a_command_that_can_be_stopped_keeps_its_options_and_its_help(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "--steps" in capsys.readouterr().out
