"""What the report takes from calls that follow one another."""

import pytest

from benchmarked import scored, write_results
from fastsam3d.benchmark.accuracy import Asked, run
from fastsam3d.benchmark.collect import accuracy_folder, collect
from fastsam3d.errors import InputError
from fastsam3d.results import read_results
from minibench import write_manifest

TOOL = "region-growing"


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path, ("a1", "b1"))


def asked(manifest, methods, **options):
    return Asked(manifest, there(manifest), methods, clicks=2, device="cpu", **options)


def collected(manifest):
    """Return what the report knows of what was measured."""
    (found,) = collect(manifest.parent / "bench").scored
    return found


def there(manifest):
    return accuracy_folder(manifest.parent / "bench", "dev", "sound")


def test_methods_of_earlier_calls_stay(manifest):
    for method in (TOOL, "fast-marching"):
        outcome = run(asked(manifest, (method,), limit=2))
    assert [(r.case, r.method) for r in outcome.results] == [
        (case, method) for case in ("a1", "b1") for method in ("fast-marching", TOOL)
    ]
    assert tuple(read_results(there(manifest) / "objects.jsonl")) == outcome.results
    found = collected(manifest)
    assert sorted(found.methods) == ["fast-marching", TOOL]
    assert found.finished


def test_larger_run_that_was_stopped_is_unfinished_and_shows_what_it_has(manifest):
    run(asked(manifest, (TOOL,), limit=1))
    assert collected(manifest).finished

    def stop(case):
        if case == "b1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(asked(manifest, (TOOL,)), stop)
    found = collected(manifest)
    assert not found.finished
    assert len(found.results) == 3
    run(asked(manifest, (TOOL,)))
    assert collected(manifest).finished
    assert len(collected(manifest).results) == 4


def test_method_that_lacks_objects_of_another_leaves_the_table_unfinished(manifest):
    run(asked(manifest, (TOOL,), limit=1))
    outcome = run(asked(manifest, ("fast-marching",)))
    assert [r.method for r in outcome.results].count(TOOL) == 1
    assert not collected(manifest).finished


def test_last_call_says_which_objects_count(manifest):
    run(asked(manifest, (TOOL,)))
    assert len(collected(manifest).results) == 4
    run(asked(manifest, (TOOL,), limit=1))
    assert len(collected(manifest).results) == 1
    assert collected(manifest).finished


def test_what_was_left_out_is_read_with_its_reason(manifest):
    manifest.write_text(f"{manifest.read_text()}\nc,c,scans/a1.nii.gz,,CT,\n")
    run(asked(manifest, (TOOL,), limit=1))
    assert collected(manifest).left_out == (("c", "no label map"),)


def test_results_of_another_split_are_not_replaced(manifest):
    lines = manifest.read_text().splitlines()
    splits = ["split", "train", "val"]
    table = [f"{line},{split}" for line, split in zip(lines, splits, strict=True)]
    manifest.write_text("\n".join(table))
    run(asked(manifest, (TOOL,), split="train"))
    message = "another split; choose another output folder or --name. It has split train; asked "
    with pytest.raises(InputError, match=f"{message}for: split val"):
        run(asked(manifest, (TOOL,), split="val"))


def test_description_that_cannot_be_read_is_refused(manifest):
    run(asked(manifest, (TOOL,), limit=1))
    for text in ("hello", '{"objects": [1]}', '{"objects": []}', "[]", "3"):
        (there(manifest) / "accuracy.json").write_text(text)
        with pytest.raises(InputError, match=r"accuracy\.json holds something else"):
            collected(manifest)


def test_processes_are_read_from_the_records(tmp_path):
    for name in ("1-of-1.ab", "3-of-4.cd"):
        write_results(
            tmp_path / "accuracy" / "dev-sound" / "records" / f"{name}.jsonl", scored(patients=1)
        )
    assert collect(tmp_path).scored[0].processes == 4
