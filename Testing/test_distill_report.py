import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread

from distilling import STUDENT, TEACHER, drawn, network, small_presets, teacher
from fastsam3d import distill_report as module
from fastsam3d import distill_results as results
from fastsam3d.config import PRESETS
from fastsam3d.curve import Record, open_log
from fastsam3d.distill_report import write_report
from fastsam3d.distill_results import SHIPPED, Distilled, shipped_like
from fastsam3d.distillation import followed
from fastsam3d.gather import Gathered
from fastsam3d.heldout import Kept
from fastsam3d.loading import outline
from fastsam3d.recipes import OURS, Setting, adapted
from fastsam3d.sidebyside import Pair, write_side_by_side
from fastsam3d.trial import play, ready


@pytest.fixture(scope="module")
def distilled():
    recipe = adapted(OURS, Setting(steps=5, device="cpu"))
    held_out = Kept(drawn(2), [("set", "ann"), ("set", "bob")])
    kept = Gathered(drawn(3), held_out, "of 2 patients, none of whom was learnt from")
    return Distilled(
        "/home/me/scans",
        "/home/me/big.file",
        "small",
        teacher(TEACHER),
        network(STUDENT),
        recipe,
        kept,
        "The student began somewhere.",
    )


@pytest.fixture(scope="module")
def written(distilled, tmp_path_factory):
    """A folder with a report, and logs of both stages; and what was measured for it."""
    folder = tmp_path_factory.mktemp("report")
    for name, values in (
        ("feature", {"loss": 2.0, "layer1": 2.0, "k": 1.0}),
        ("logits", {"loss": 1.0}),
    ):
        log = open_log(folder / f"{name}.csv", 0)
        for step in range(1, 6):
            log(Record(step, 1.5 * step, values, 1e-3))
    found = []
    real = module.measure
    with small_presets(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "shipped_like", lambda student: network(STUDENT, seed=7))
        patch.setattr(module, "measure", lambda *given: found.append(real(*given)) or found[0])
        write_report(folder, distilled)
    return folder, found[0]


@pytest.fixture
def folder(written):
    return written[0]


@pytest.fixture
def found(written):
    return written[1]


def test_report_tells_what_was_distilled_from_what_and_how(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "# Distillation of big.file to small" in text
    assert "| Teacher | big.file | fastsam3d-teacher | 6 | 16 |" in text
    assert "| Student | small | fastsam3d-default | 3 | 16 |" in text
    assert "Layer i of the student follows layer 2i" in text
    assert "Layers followed: progressive. The student began somewhere. Objects" in text
    assert "Half of the real patches are cut turned by up to 20 degrees" in text
    assert "| feature | 5 steps | 16 | adamw | 0.0005 | cosine |" in text
    assert "Learnt from 3 examples of scans. Kept apart: 2 examples, of 2 patients" in text
    assert f"torch {torch.__version__}" in text
    assert "Stage feature: 5 steps in 8 s." in text


def test_report_names_no_folder_of_the_machine_it_was_written_on(folder):
    for name in ("report.md", "report.html"):
        assert "/home" not in (folder / name).read_text(encoding="utf-8")


def test_html_needs_no_other_file(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_pictures_are_drawn(folder):
    for name in ("masks", "feature", "logits"):
        picture = imread(folder / f"{name}.png")
        assert picture.shape[1] > 400
        assert picture.std() > 0.02


def test_one_table_holds_the_dice_of_each_network_and_what_it_costs(found, folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    theirs, own = found.costs
    for name, dice, cost in (
        ("Teacher", found.teacher, theirs),
        ("Student", found.student, own),
        (f"{SHIPPED} as shipped", found.shipped, own),
    ):
        cells = " | ".join(f"{dice[:, n - 1].mean():.3f}" for n in (1, 3, 5, 10))
        costs = (
            f"{cost.milliseconds:.0f} ms | {cost.peak_mb:.0f} MB | "
            f"{cost.encoder_parameters / 1e6:.1f} M | {cost.parameters / 1e6:.1f} M"
        )
        assert f"| {name} | {cells} | {costs} |" in text
    assert f"| {own.parameters / theirs.parameters:.0%} |" in text
    assert not np.allclose(found.shipped, found.student)


def test_shipped_weights_are_compared_with_a_student_of_their_kind_alone(default_weights):
    assert shipped_like(network(STUDENT)) is None
    assert shipped_like(outline(PRESETS[SHIPPED])).config == PRESETS[SHIPPED]
    with small_presets():
        assert shipped_like(network(STUDENT)) is None


def test_p_is_over_patients_where_they_are_known_and_says_so_where_not(found, folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert (
        "Difference after 10 clicks: no test is possible with fewer than 6 patients (here 2)."
        in text
    )
    many = found._replace(teacher=np.zeros((6, 10)), student=np.ones((6, 10)))
    patients = Kept([None] * 6, [("set", f"p{n}") for n in range(6)])
    assert "p = 0.031 (Wilcoxon, over 6 patients)." in results.compared(many, patients)
    unknown = "over 6 examples, whose patients are not known"
    assert unknown in results.compared(many, [None] * 6)


def test_layers_that_are_as_many_follow_one_by_one(distilled):
    said = followed(distilled.recipe, teacher(STUDENT), distilled.student)
    assert said == "Teacher and student have as many layers: layer i follows layer i."


def test_few_epochs_are_reported_with_the_average_that_they_learnt_with(distilled):
    few = replace(distilled, recipe=adapted(OURS, Setting(epochs=80, batch=1, device="cpu")))
    assert ["feature", "80 epochs", "1", "adamw", "0.0005", "cosine", "0.958333", "0"] in [
        list(row) for row in module._recipe(few)[1].rows
    ]


def test_each_network_gets_clicks_at_its_own_errors_from_the_same_first_one(found):
    assert found.teacher.shape == found.student.shape == found.guided.shape == (2, 10)
    np.testing.assert_allclose(found.teacher[:, 0], found.guided[:, 0])
    assert not np.allclose(found.teacher, found.guided)


def test_report_without_examples_kept_apart_has_no_table_of_dice(distilled, tmp_path):
    none = Gathered(distilled.examples.learnt, [], "")
    write_report(tmp_path, replace(distilled, examples=none))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "Dice" not in text
    assert "Kept apart: none, so nothing is measured." in text
    assert not (tmp_path / "masks.png").exists()


def test_a_noisy_mask_is_tinted_without_outlines_and_colours_are_named(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **options: figures.append(figure))
    example = drawn(1)[0]
    found = play(ready(network(STUDENT), torch.device("cpu")), example, 0, clicks=5)
    noise = np.random.default_rng(0).random(found.masks.shape) < 0.5
    noisy = found._replace(masks=noise)
    write_side_by_side(tmp_path / "masks.png", [Pair(example.image, noisy, found)])
    figure = figures[0]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["truth", "teacher", "student", "click that includes", "click that excludes"]
    shown = figure.axes[2]
    tint = np.asarray(shown.images[1].get_array())
    place = int(found.points[0, 0, 2] / 2)
    np.testing.assert_array_equal(tint[..., 3] > 0, noise[0, :, :, place].T)
    assert tint[..., 3].max() < 0.5
    assert not shown.collections


def test_masks_that_differ_look_different(tmp_path):
    example = drawn(1)[0]
    asked = ready(network(STUDENT), torch.device("cpu"))
    found = play(asked, example, 0, clicks=5)
    full = found._replace(masks=np.repeat(found.truth[None], 5, 0))
    empty = found._replace(masks=np.zeros_like(full.masks))
    for name, student in (("full", full), ("empty", empty)):
        write_side_by_side(tmp_path / f"{name}.png", [Pair(example.image, full, student)])
    left, right = (imread(tmp_path / f"{name}.png")[..., :3] for name in ("full", "empty"))
    changed = np.abs(left - right).max(axis=(0, 2)) > 0.05
    columns = np.array_split(changed, 8)
    assert [bool(column.any()) for column in columns] == [False] * 3 + [True, False] * 2 + [True]
