import numpy as np
import torch
from torch.testing import assert_close

from fastsam3d.examples import make_example, separate, supervoxels, to_uint8
from fastsam3d.synthetic import Random


def patch():
    return torch.randn(128, 128, 128, generator=torch.Generator().manual_seed(0))


def two_boxes_and_a_crumb():
    labels = torch.zeros(64, 64, 64, dtype=torch.uint8)
    labels[2:8, 2:8, 2:8] = 5
    labels[20:30, 20:30, 20:30] = 5
    labels[40:43, 40:43, 40:43] = 5
    labels[50:60, 50:60, 50:60] = 2
    return labels


def test_pieces_are_numbered_by_label():
    pieces, owners = separate(two_boxes_and_a_crumb())
    assert owners.tolist() == [2, 5, 5, 5]
    assert pieces[55, 55, 55] == 1
    assert len({int(pieces[n, n, n]) for n in (5, 25, 41)}) == 3


def test_pieces_of_a_label_are_one_object_or_each_its_own():
    joined = make_example(patch(), two_boxes_and_a_crumb(), split=False)
    assert joined.targets == ((1,), (2, 3))
    split = make_example(patch(), two_boxes_and_a_crumb(), split=True)
    assert split.targets == ((1,), (2,), (3,))
    assert (split.objects == 2).sum() == 1000
    assert (split.objects == 3).sum() == 216


def test_crumbs_and_what_fills_the_patch_are_no_objects():
    labels = two_boxes_and_a_crumb() + 10
    example = make_example(patch(), labels, split=True)
    assert example.objects[41, 41, 41] == 0
    assert example.objects[62, 2, 62] == 0


def test_numbers_fit_a_byte_however_many_pieces_there_are():
    n = torch.arange(64) // 9
    blocks = 1 + n[:, None, None] * 64 + n[:, None] * 8 + n
    example = make_example(patch(), blocks.short(), split=True)
    assert len(example.targets) == 250
    assert set(example.objects.unique().tolist()) == set(range(251))


def test_patch_is_stored_from_its_darkest_to_its_brightest():
    ramp = torch.linspace(-50, 250, 128).expand(128, 128, 128)
    stored = to_uint8(ramp)
    assert (int(stored.min()), int(stored.max())) == (0, 255)
    assert_close(stored[0, 0, 64].float(), torch.tensor(128.0), rtol=0, atol=2)


def test_supervoxels_follow_the_intensity():
    image = torch.linspace(0, 100, 128)[:, None].expand(128, 128, 128) + patch()
    regions = supervoxels(image, Random.seeded(1)).numpy()
    assert regions.shape == (64,) * 3
    means = regions.mean(axis=(0, 2))
    assert means[0] + 0.9 < means[-1] <= regions.max()
    assert (np.diff(means) >= -0.01).all()
