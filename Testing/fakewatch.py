"""A measuring process that was not started, for the tests of what is made of its figures."""

from fastsam3d.benchmark.measurement import Counted, Outcome, Timed

COUNTED = Counted(5_000_000, 2_000_000_000, 4_000_000_000)
GIVEN = Outcome(COUNTED, Timed((10.0, 20.0, 30.0), 64.0, "some memory"))
TOO_SLOW = Outcome(COUNTED, skipped="took longer than 60 s")


class FakeWatch(list):
    """Takes the place of `watched`; keeps what it was asked."""

    outcome = GIVEN

    def __call__(self, request, limit_s):
        self.append(request)
        return self.outcome
