import torch
from torch.testing import assert_close

from fastsam3d.synthetic import Random, random_intensities, random_labels, synthetic_patch


def test_patch_and_labels_have_the_documented_form():
    image, labels = synthetic_patch(Random.seeded(3))
    assert image.shape == (128,) * 3
    assert image.dtype == torch.float32
    assert image.isfinite().all()
    assert labels.shape == (64,) * 3
    assert labels.dtype == torch.uint8
    assert len(labels.unique()) > 3


def test_same_numbers_draw_the_same_and_others_draw_another():
    first, again, other = (synthetic_patch(Random.seeded(*n))[0] for n in ((1, 2), (1, 2), (2, 1)))
    assert_close(first, again, rtol=0, atol=0)
    assert (first != other).float().mean() > 0.9


def test_image_shows_its_labels_in_place():
    labels = torch.zeros(64, 64, 64, dtype=torch.uint8)
    labels[4:20, 30:50, 8:60] = 1
    agreement = []
    for seed in range(8):
        image = random_intensities(labels, Random.seeded(seed))
        coarse = image.view(64, 2, 64, 2, 64, 2).mean((1, 3, 5))
        together = torch.stack([coarse.flatten(), labels.flatten().float()])
        agreement.append(abs(float(torch.corrcoef(together)[0, 1])))
    assert sorted(agreement)[4] > 0.5


def test_fine_labels_are_taken_as_they_are():
    fine = torch.zeros(128, 128, 128, dtype=torch.uint8)
    fine[::2] = 1
    assert random_intensities(fine, Random.seeded(0)).shape == (128,) * 3


def test_label_maps_use_the_whole_variety():
    drawn = [random_labels(Random.seeded(seed)) for seed in range(12)]
    assert any(int(labels.min()) == 0 for labels in drawn)
    assert any(int(labels.min()) > 0 for labels in drawn)
    assert max(int(labels.max()) for labels in drawn) > 12


def test_whole_numbers_reach_both_ends():
    random = Random.seeded(0)
    assert {random.integer(2, 4) for _ in range(60)} == {2, 3, 4}


def test_every_tensor_is_made_on_the_device_of_the_random_numbers():
    random = Random.seeded(5)
    with torch.device("meta"):
        image, labels = synthetic_patch(random)
    assert image.device.type == labels.device.type == "cpu"
