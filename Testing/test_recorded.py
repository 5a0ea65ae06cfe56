"""Recorded functions, with what records and repeats them on a CPU in the place of CUDA graphs."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from fastsam3d.recorded import Recorded

CPU = torch.device("cpu")


class Repeating:
    """Records as a CUDA graph does: from then on the same memory is read and written."""

    def __init__(self):
        self.recorded = 0
        self.full = False

    def __call__(self, function, inputs):
        self.recorded += 1
        if self.full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        outputs = function(*inputs)

        def replay():
            for own, new in zip(outputs, function(*inputs), strict=True):
                own.copy_(new)

        return outputs, replay


def turned(x, y):
    return x + 2 * y, x * y


@pytest.fixture
def record():
    return Repeating()


@pytest.fixture
def function(record):
    return Recorded(turned, CPU, record)


def test_outputs_are_those_of_the_function(function):
    for _ in range(3):
        x, y = torch.randn(2, 3), torch.randn(2, 3)
        torch.testing.assert_close(function(x, y), turned(x, y))


def test_it_is_recorded_once_for_each_shape_and_precision(function, record):
    for sizes in ((2, 3), (2, 3), (4, 3), (2, 3)):
        function(torch.randn(sizes), torch.randn(sizes))
    assert record.recorded == 2
    function(torch.randn(2, 3).double(), torch.randn(2, 3))
    assert record.recorded == 3


def test_an_output_stays_what_it_was_at_the_next_call(function):
    first = function(torch.ones(3), torch.ones(3))
    function(torch.zeros(3), torch.zeros(3))
    torch.testing.assert_close(first, (3 * torch.ones(3), torch.ones(3)))


def test_inputs_of_any_layout_are_taken_and_not_changed(function):
    x, y = torch.randn(4, 3).T, torch.randn(4, 6)[:, ::2].T
    before = x.clone(), y.clone()
    for _ in range(2):
        torch.testing.assert_close(function(x, y), turned(x, y))
    torch.testing.assert_close((x, y), before)


def test_threads_get_their_own_answers(function):
    inputs = [(torch.full((64,), float(n)), torch.ones(64)) for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda given: function(*given), inputs))
    for given, answer in zip(inputs, answers, strict=True):
        torch.testing.assert_close(answer, turned(*given))


def test_a_full_memory_lets_go_of_recordings_and_the_next_call_tries_again(function, record):
    x, y = torch.randn(3), torch.randn(3)
    function(x, y)
    record.full = True
    torch.testing.assert_close(function(x[:2], y[:2]), turned(x[:2], y[:2]))
    record.full = False
    torch.testing.assert_close(function(x[:2], y[:2]), turned(x[:2], y[:2]))
    function(x, y)
    assert record.recorded == 4


def test_what_cannot_be_recorded_is_run_as_it_is_and_said_once(caplog):
    tried = []

    def refuse(function, inputs):
        tried.append(inputs)
        raise RuntimeError("operation not permitted when stream is capturing")

    function = Recorded(turned, CPU, refuse)
    x, y = torch.randn(3), torch.randn(3)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            torch.testing.assert_close(function(x, y), turned(x, y))
    assert len(tried) == 1
    assert [record.message for record in caplog.records] == [
        "This is run without a CUDA graph, and so more slowly: "
        "operation not permitted when stream is capturing"
    ]


def test_an_error_of_the_function_itself_is_told():
    def wrong(x):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        Recorded(wrong, CPU, Repeating())(torch.ones(1))
