import numpy as np
import pytest

from FastSAM3DSlicerLib.errors import UserError
from FastSAM3DSlicerLib.prediction import Options, Prediction
from FastSAM3DSlicerLib.timeline import Painted, Point, Refined, Start
from harness.mrml import BallNetwork

SHAPE = (24, 32, 40)
A = Point((20.0, 16.0, 12.0), positive=True)
B = Point((26.0, 20.0, 12.0), positive=True)
C = Point((12.0, 10.0, 8.0), positive=False)


@pytest.fixture
def network():
    return BallNetwork()


@pytest.fixture
def prediction(network):
    return Prediction(network, np.zeros(SHAPE, np.int16), np.eye(4))


def alone(*entries):
    prediction = Prediction(BallNetwork(), np.zeros(SHAPE, np.int16), np.eye(4))
    prediction.goto(entries, Options())
    return prediction.mask


@pytest.mark.parametrize(
    "lists",
    [[(A,), (A, B), (A,)], [(A, B, C), (B, C)], [(A, B), (C, A, B), (A, B)], [(A,), (), (B,)]],
)
def test_the_way_to_a_list_of_entries_does_not_matter(prediction, lists):
    for entries in lists:
        prediction.goto(entries, Options())
        np.testing.assert_array_equal(prediction.mask, alone(*entries))


def test_the_box_holds_all_that_changed_since_it_was_taken(prediction):
    prediction.goto((A,), Options())
    prediction.takeChanged()
    before = prediction.mask.copy()
    prediction.goto((B,), Options())
    prediction.goto((B, C), Options())
    box = prediction.takeChanged()
    outside = prediction.mask != before
    outside[box] = False
    assert not outside.any()
    assert prediction.mask[prediction.takeChanged()].size == 0


def test_what_is_left_off_halfway_is_gone_on_with(prediction):
    calls = []

    def check():
        calls.append(None)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prediction.goto((A, B, C), Options(), check)
    assert len(prediction.applied) < 3
    prediction.goto((A, B), Options())
    np.testing.assert_array_equal(prediction.mask, alone(A, B))


def test_other_options_ask_the_network_again_and_the_same_do_not(prediction, network):
    prediction.goto((A,), Options())
    decoded = network.decoded
    prediction.goto((A,), Options())
    assert network.decoded == decoded
    prediction.goto((A,), Options(smoothVoxels=1.0))
    assert network.decoded > decoded


def test_a_region_bounds_the_mask(prediction):
    region = np.s_[10:14, 10:20, 15:25]
    prediction.goto((A,), Options(region=region))
    outside = prediction.mask.copy()
    outside[region] = False
    assert prediction.mask.any()
    assert not outside.any()


class SpeckNetwork(BallNetwork):
    """Sees a speck beside the balls, too."""

    def predict(self, *asked):
        logits, iou = super().predict(*asked)
        logits[1:3, 1:3, 1:3] = 4
        return logits, iou


def test_pieces_without_a_click_are_dropped_unless_the_options_keep_them():
    prediction = Prediction(SpeckNetwork(), np.zeros((40, 40, 40), np.int16), np.eye(4))
    middle = Point((20.0, 20.0, 20.0), positive=True)
    prediction.goto((middle,), Options())
    ball = prediction.mask.copy()
    prediction.goto((middle,), Options(keepClicked=False))
    assert prediction.mask.sum() > ball.sum()
    prediction.goto((middle,), Options())
    np.testing.assert_array_equal(prediction.mask, ball)


def test_painting_and_a_start_are_part_of_the_mask(prediction):
    mask = np.zeros(SHAPE, bool)
    mask[1:3, 1:3, 1:3] = True
    prediction.goto((Start.of(mask), A, Painted.between(mask, ~mask & False)), Options())
    assert prediction.mask[12, 16, 20]
    assert not prediction.mask[mask].any()


def test_nothing_to_refine_is_said_and_is_no_step(prediction):
    with pytest.raises(UserError, match="nothing to refine"):
        prediction.goto((Refined(),), Options())
    assert prediction.applied == []
    prediction.goto((Refined(), A), Options())
    np.testing.assert_array_equal(prediction.mask, alone(A))
    prediction.goto((), Options())
    assert not prediction.mask.any()


def test_refining_is_a_step_that_can_be_undone(prediction, monkeypatch):
    prediction.goto((A,), Options())
    before, session = prediction.mask.copy(), prediction._session
    monkeypatch.setattr(session, "refine", lambda: session.edit(~session.mask))
    prediction.goto((A, Refined()), Options())
    np.testing.assert_array_equal(prediction.mask, ~before)
    prediction.goto((A,), Options())
    np.testing.assert_array_equal(prediction.mask, before)


def test_a_point_outside_is_an_error_for_the_user(prediction):
    with pytest.raises(UserError, match="outside the volume"):
        prediction.goto((A, Point((99.0, 0.0, 0.0), positive=True)), Options())
    prediction.goto((A,), Options())
    np.testing.assert_array_equal(prediction.mask, alone(A))


def test_uncertainty_is_between_nought_and_one_and_lies_round_the_object(prediction):
    prediction.goto((A,), Options())
    values, number = prediction.uncertainty()
    assert values.shape == SHAPE
    assert 0 <= values.min() <= values.max() <= 1
    assert 0 <= number <= 1


class BringingNetwork(BallNetwork):
    """Says where it is, and counts the volumes that it brings there."""

    def __init__(self):
        super().__init__()
        self.device, self.brought = "a GPU", []

    def scan(self, host):
        self.brought.append(host.volume_kji.shape)
        return host


def test_a_network_on_a_gpu_brings_the_volume_there_once_and_again_where_it_moves():
    network = BringingNetwork()
    moving = Prediction(network, np.zeros(SHAPE, np.int16), np.eye(4))
    moving.goto((A,), Options())
    np.testing.assert_array_equal(moving.mask, alone(A))
    moving.goto((A, B), Options())
    assert network.brought == [SHAPE]
    network.device = "another"
    moving.goto((A,), Options())
    moving.goto((A, C), Options())
    assert network.brought == [SHAPE] * 2
