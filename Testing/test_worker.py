import threading
import time

import pytest

from FastSAM3DSlicerLib.worker import Stale, Worker


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.stop()


def test_work_is_done_on_one_other_thread_that_stays(worker):
    names = {worker.run(lambda ticket: threading.get_ident()) for _ in range(3)}
    assert len(names) == 1
    assert threading.get_ident() not in names


def test_what_the_work_raises_is_raised_where_it_is_waited_for(worker):
    with pytest.raises(ZeroDivisionError):
        worker.run(lambda ticket: 1 // 0)
    assert worker.run(lambda ticket: 7) == 7


def test_the_caller_s_events_are_seen_to_while_it_waits():
    waits = []
    worker = Worker(waits.append)
    worker.run(lambda ticket: time.sleep(0.16))
    worker.stop()
    assert 2 <= len(waits) <= 5
    assert waits == sorted(waits)


def test_what_is_soon_done_is_not_slowed_down_by_events():
    waits = []
    worker = Worker(waits.append)
    worker.run(lambda ticket: time.sleep(0.02))
    worker.stop()
    assert not waits


def test_a_result_that_was_superseded_meanwhile_is_dropped():
    worker = Worker(lambda seconds: worker.supersede())
    with pytest.raises(Stale):
        worker.run(lambda ticket: time.sleep(0.16))
    worker.pump = lambda seconds: None
    assert worker.run(lambda ticket: "next") == "next"
    worker.stop()


def test_work_may_leave_off_when_nobody_waits_for_it_any_more():
    worker = Worker(lambda seconds: worker.supersede())
    steps = []

    def work(ticket):
        for n in range(100):
            ticket.check()
            steps.append(n)
            time.sleep(0.01)

    with pytest.raises(Stale):
        worker.run(work)
    worker.stop()
    assert len(steps) < 20


def test_work_that_is_left_to_itself_is_not_waited_for_and_what_comes_next_begins_after_it():
    gate, ended = threading.Event(), []
    worker = Worker(lambda seconds: worker.supersede())
    with pytest.raises(Stale):
        worker.run(lambda ticket: (gate.wait(20), ended.append("first")), toItsEnd=False)
    assert ended == []
    assert not worker.isBusy
    worker.pump = lambda seconds: gate.set()
    worker.run(lambda ticket: ended.append("second"))
    assert ended == ["first", "second"]
    worker.stop()


def test_waiting_within_waiting_is_refused():
    refused = []

    def pump(seconds):
        with pytest.raises(RuntimeError, match="busy"):
            worker.run(lambda ticket: None)
        refused.append(worker.isBusy)

    worker = Worker(pump)
    worker.run(lambda ticket: time.sleep(0.16))
    worker.stop()
    assert refused
    assert all(refused)
    assert not worker.isBusy


def test_a_stopped_worker_leaves_no_thread_and_can_be_used_again(worker):
    worker.run(lambda ticket: None)
    worker.stop()
    assert "FastSAM3D" not in {thread.name for thread in threading.enumerate()}
    assert worker.run(lambda ticket: 1) == 1
