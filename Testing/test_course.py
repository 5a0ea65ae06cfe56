import pytest

from fastsam3d.course import attempt


def raising(error):
    def call():
        raise error

    return call


def test_what_a_method_raises_is_its_failure():
    assert attempt(lambda: 3) == (3, "")
    assert attempt(raising(RuntimeError("no answer"))) == (None, "RuntimeError: no answer")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 3.0 GiB for an array"),
        RuntimeError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_full_memory_is_no_failure_of_a_method(error):
    with pytest.raises(type(error)):
        attempt(raising(error))
