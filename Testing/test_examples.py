import numpy as np
import torch
from torch.testing import assert_close

from fastsam3d.examples import Intensities, make_example, separate, supervoxels, to_uint8
from fastsam3d.synthetic import Random


def patch():
    return torch.randn(128, 128, 128, generator=torch.Generator().manual_seed(0))


def shown(labels):
    """A patch as bright as its labels."""
    image = labels.float()
    for axis in range(3):
        image = image.repeat_interleave(2, axis)
    return 20 * image + patch()


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
    split = make_example(shown(two_boxes_and_a_crumb()), two_boxes_and_a_crumb(), split=True)
    assert split.targets == ((1,), (2,), (3,))
    assert (split.objects == 2).sum() == 1000
    assert (split.objects == 3).sum() == 216


def test_pieces_that_the_image_does_not_show_are_objects_only_if_someone_labelled_them():
    labels = two_boxes_and_a_crumb()
    image = shown(torch.where(labels == 2, 0, labels))
    assert make_example(image, labels, split=True).targets == ((2,), (3,))
    assert make_example(image, labels, split=False).targets == ((1,), (2, 3))


def test_crumbs_and_what_fills_the_patch_are_no_objects():
    labels = two_boxes_and_a_crumb() + 10
    example = make_example(patch(), labels, split=True)
    assert example.objects[41, 41, 41] == 0
    assert example.objects[62, 2, 62] == 0


def test_numbers_fit_a_byte_however_many_pieces_there_are():
    n = torch.arange(64) // 9
    blocks = 1 + n[:, None, None] * 64 + n[:, None] * 8 + n
    example = make_example(patch(), blocks.short(), split=False)
    assert len(example.targets) == 250
    assert set(example.objects.unique().tolist()) == set(range(251))


def test_patch_is_stored_from_its_darkest_to_its_brightest():
    ramp = torch.linspace(-50, 250, 128).expand(128, 128, 128)
    stored = to_uint8(ramp)
    assert (int(stored.min()), int(stored.max())) == (0, 255)
    assert_close(stored[0, 0, 64].float(), torch.tensor(128.0), rtol=0, atol=2)


def test_intensities_keep_their_zero_and_their_extremes_in_any_unit():
    for scale in (1e-6, 1.0, 1e6):
        image = scale * patch()
        image[3, 4, 5], image[6] = 40 * scale, 0
        kept = Intensities.of(image)
        assert kept.values.dtype == torch.float16
        assert_close(kept.values.float() * kept.unit, image, rtol=1 / 2000, atol=1e-6 * scale)
        assert torch.equal(kept.values.sign().float(), image.sign())
    assert not Intensities.of(torch.zeros(128, 128, 128)).values.any()


def test_supervoxels_follow_the_intensity():
    image = torch.linspace(0, 100, 128)[:, None].expand(128, 128, 128) + patch()
    regions = supervoxels(image, Random.seeded(1)).numpy()
    assert regions.shape == (64,) * 3
    means = regions.mean(axis=(0, 2))
    assert means[0] + 0.9 < means[-1] <= regions.max()
    assert (np.diff(means) >= -0.01).all()
