from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from fastsam3d.examples import Example, Intensities
from fastsam3d.pool import TARGETS, Pool


def example(value):
    image = torch.full((128,) * 3, value, dtype=torch.uint8)
    return Example(image, image[::2, ::2, ::2] // 2, ((value,), (1, 2)))


@pytest.fixture
def pool(tmp_path):
    pool = Pool(tmp_path / "pool")
    pool.append(example(10))
    pool.append(example(20))
    return pool


def test_example_comes_back_as_it_was(pool):
    back = pool[1]
    assert_close(back.image, example(20).image, rtol=0, atol=0)
    assert_close(back.objects, example(20).objects, rtol=0, atol=0)
    assert back.targets == ((20,), (1, 2))


def test_intensities_lie_beside_the_examples_that_have_them(pool):
    image = torch.arange(128.0**3).reshape(128, 128, 128) - 1000
    kept = Intensities.of(image, is_ct=True)
    pool.append(replace(example(30), intensities=kept))
    again = Pool(pool.folder)
    assert [again[n].intensities is None for n in range(3)] == [True, True, False]
    back = again[2].intensities
    assert (back.unit, back.is_ct) == (kept.unit, True)
    assert torch.equal(back.values, kept.values)
    assert again[2].targets == ((30,), (1, 2))


def test_reader_sees_what_a_writer_adds(pool):
    reader = Pool(pool.folder)
    assert len(reader) == 2
    pool.append(example(30))
    assert len(reader) == 3
    assert reader[2].image[0, 0, 0] == 30


def test_half_written_example_does_not_count_and_is_written_over(pool):
    for name in ("images.u8", "objects.u8"):
        with (pool.folder / name).open("ab") as file:
            file.write(b"\xff" * 1000)
    with (pool.folder / TARGETS).open("ab") as file:
        file.write(b"[[1], [2")
    resumed = Pool(pool.folder)
    assert len(resumed) == 2
    resumed.append(example(30))
    again = Pool(pool.folder)
    assert len(again) == 3
    assert (again[2].image == 30).all()
    assert again[2].targets == ((30,), (1, 2))


def test_example_that_is_not_there_is_an_error(pool):
    with pytest.raises(IndexError, match="holds 2 examples"):
        pool[2]
    with pytest.raises(IndexError):
        pool[-1]
