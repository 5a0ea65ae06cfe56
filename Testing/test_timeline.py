import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FastSAM3DSlicerLib.timeline import (
    Painted,
    Point,
    Start,
    Timeline,
    boundsOf,
    joined,
    pointsIn,
    startsOf,
    withPoints,
)

A, B, C, D = (Point((float(n), 0.0, 0.0), positive=n != 2) for n in range(4))


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    before, after = np.zeros((2, 6, 7, 8), bool)
    before[1:4, 2:5, 3:6] = rng.random((3, 3, 3)) < 0.5
    after[2:5, 2:6, 1:6] = rng.random((3, 4, 5)) < 0.5
    return before, after


@pytest.fixture
def painted(masks):
    return Painted.between(*masks)


def test_painting_turns_the_mask_before_into_the_mask_after(masks):
    before, after = masks
    np.testing.assert_array_equal(Painted.between(before, after).on(before), after)


def test_painting_on_another_mask_keeps_what_was_painted_and_nothing_else(masks):
    before, after = masks
    other = np.ones_like(before)
    done = Painted.between(before, after).on(other)
    np.testing.assert_array_equal(done, ~(before & ~after))


def test_a_start_is_the_mask_it_was_made_of(masks):
    np.testing.assert_array_equal(Start.of(masks[0]).on(masks[1]), masks[0])


def test_the_bounds_of_nothing_are_empty():
    assert boundsOf(np.zeros((3, 4, 5), bool)) == (slice(0, 0),) * 3


def test_undo_and_redo_walk_over_what_was_done():
    timeline = Timeline().done((A,)).done((A, B))
    assert timeline.undone().now == (A,)
    assert timeline.undone().undone().undone().now == ()
    assert timeline.undone().redone() == timeline
    assert timeline.redone() == timeline


def test_something_new_ends_what_could_be_redone():
    timeline = Timeline().done((A,)).undone().done((B,))
    assert timeline.redone().now == (B,)


def test_doing_nothing_is_no_step():
    timeline = Timeline().done((A,))
    assert timeline.done((A,)) is timeline


def test_points_that_were_loaded_can_be_undone_one_by_one():
    timeline = Timeline.ofPoints([A, B])
    assert timeline.undone().now == (A,)
    assert timeline.undone().undone().now == ()


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([A, B, C], "APBC"),
        ([B], "PB"),
        ([A], "AP"),
        ([A, D], "APD"),
        ([D, B], "DPB"),
        ([], "P"),
        ([C, A, B], "CAPB"),
    ],
)
def test_paintings_stay_between_the_points_that_are_left(painted, points, expected):
    names = {"A": A, "B": B, "C": C, "D": D, "P": painted}
    assert withPoints((A, painted, B), points) == tuple(names[name] for name in expected)


def test_a_start_stays_before_the_first_point(masks):
    start = Start.of(masks[0])
    assert withPoints((start,), [A]) == (start, A)
    assert startsOf((start, A)) == (start,)


def test_a_point_within_a_thousandth_of_a_mm_is_the_same():
    near = Point((1.0, 0.0, 5e-4), positive=True)
    assert withPoints((A, B), [A, near]) == (A, B)


lists = st.lists(st.sampled_from([A, B, C, D]), max_size=6)


@given(old=lists, new=lists, places=st.lists(st.integers(0, 5), max_size=3))
def test_points_are_what_was_asked_for_and_paintings_keep_their_order(old, new, places):
    entries = list(old)
    paintings = [Painted((slice(n, n),) * 3, b"", b"") for n in range(len(places))]
    for painting, place in zip(paintings, places, strict=True):
        entries.insert(min(place, len(entries)), painting)
    before = [entry for entry in entries if isinstance(entry, Painted)]
    after = withPoints(tuple(entries), new)
    assert pointsIn(after) == tuple(new)
    assert [entry for entry in after if isinstance(entry, Painted)] == before


def test_boxes_are_joined_but_empty_ones_and_none_is_empty():
    first, second, empty = np.s_[0:3, 2:5, 1:2], np.s_[2:8, 0:3, 4:6], np.s_[9:9, 0:20, 0:20]
    assert joined([first, second, empty]) == np.s_[0:8, 0:5, 1:6]
    assert joined([empty]) == joined([]) == np.s_[0:0, 0:0, 0:0]
