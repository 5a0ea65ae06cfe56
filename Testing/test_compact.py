import hashlib
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from fastsam3d.compact import CompactEmbedding, _cell_means, _depth_to_space, _space_to_depth
from fastsam3d.compact_clicks import ClickEncoder
from fastsam3d.config import CompactConfig
from fastsam3d.errors import InputError
from fastsam3d.model import CompactNetwork

TINY = CompactConfig(width=16, depth=3, heads=2, embedding=32, middle=8, fine=8)


def embedding_of(fine, brightness=None):
    if brightness is None:
        brightness = torch.zeros(1, 1, 32, 32, 32)
    return CompactEmbedding(torch.empty(0), torch.empty(0), fine, brightness)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CompactNetwork(TINY).eval()


def test_keys_and_shapes_are_those_of_the_weights_in_use():
    with torch.device("meta"):
        state = CompactNetwork(CompactConfig()).state_dict()
    listed = repr(sorted((key, tuple(value.shape)) for key, value in state.items()))
    assert (
        hashlib.sha256(listed.encode()).hexdigest().startswith("4d57060c61d92e16c7323b571c15bc19")
    )


def test_embedding_and_masks_have_the_documented_shapes(network):
    embedding = network.embed(torch.randn(1, 1, 128, 128, 128))
    assert [tuple(part.shape) for part in embedding] == [
        (1, 32, 8, 8, 8),
        (1, 8, 16, 16, 16),
        (1, 8, 32, 32, 32),
        (1, 1, 32, 32, 32),
    ]
    logits, iou = network.answer_all(
        embedding, torch.rand(2, 3, 3) * 128, torch.ones(2, 3).long(), None
    )
    assert logits.shape == (2, 4, 64, 64, 64)
    assert iou.shape == (2, 4)


def test_previous_mask_moves_the_answer(network):
    embedding = network.embed(torch.randn(1, 1, 128, 128, 128))
    click = torch.full((1, 1, 3), 64.0), torch.ones(1, 1).long()
    without = network.answer_all(embedding, *click, torch.zeros(1, 1, 64, 64, 64))[0]
    with_one = network.answer_all(embedding, *click, torch.full((1, 1, 64, 64, 64), 8.0))[0]
    assert (without - with_one).abs().max() > 1e-3


def test_click_maps_peak_where_the_clicks_are_and_by_their_sign():
    encoder = ClickEncoder(TINY)
    points = torch.tensor([[[21.5, 41.5, 101.5], [80.0, 10.0, 60.0]]])
    labels = torch.tensor([[1, 0]])
    _, maps = encoder(points, labels, embedding_of(torch.randn(1, 8, 32, 32, 32)))
    included, excluded = maps[0, 0], maps[0, 6]
    assert included.argmax() == torch.tensor([5, 10, 25]) @ torch.tensor([1024, 32, 1])
    assert excluded.argmax() == torch.tensor([20, 2, 15]) @ torch.tensor([1024, 32, 1])
    assert included.max() > 0.8


def test_cells_like_the_clicked_one_light_up_and_nothing_does_without_clicks():
    encoder = ClickEncoder(TINY)
    fine = torch.zeros(1, 8, 32, 32, 32)
    fine[:, :, 16:] = 3.0
    points, included = torch.tensor([[[20.0, 64.0, 64.0]]]), torch.ones(1, 1).long()
    _, maps = encoder(points, included, embedding_of(fine))
    like, unlike_any = maps[0, 2], maps[0, 8]
    assert_close(like[:16], torch.ones(16, 32, 32))
    assert like[16:].max() < 1e-3
    assert unlike_any.abs().max() == 0


def test_cells_as_bright_as_the_clicked_one_light_up_most_where_they_are_near():
    brightness = torch.zeros(1, 1, 32, 32, 32)
    brightness[:, :, :, 16:] = 1.0
    embedding = embedding_of(torch.zeros(1, 8, 32, 32, 32), brightness)
    points, included = torch.tensor([[[20.0, 20.0, 64.0]]]), torch.ones(1, 1).long()
    _, maps = ClickEncoder(TINY)(points, included, embedding)
    narrow, wide, near = maps[0, 3:6]
    assert_close(narrow[:, :16], torch.ones(32, 16, 32))
    assert narrow[:, 16:].max() < wide[:, 16:].max() < 0.1
    assert near[5, 5, 16] > 0.9 > near[31, 5, 16]


def test_cells_and_their_eight_voxels_are_told_apart_and_joined_again():
    mask = torch.randn(2, 1, 8, 6, 4)
    cells = _space_to_depth(mask)
    assert cells.shape == (2, 8, 4, 3, 2)
    assert_close(cells[1, :, 2, 1, 0], mask[1, 0, 4:6, 2:4, 0:2].flatten())
    assert_close(_depth_to_space(cells), mask)


def test_patch_of_half_the_resolution_is_read_as_the_same_field_of_view(network):
    encoder = network.prompt_encoder
    whole, half = (torch.zeros(1, 8, cells, cells, cells) for cells in (32, 16))
    bright = torch.rand(1, 1, 32, 32, 32)
    labels = torch.ones(1, 1, dtype=torch.long)
    places = torch.tensor([[[63.5, 31.5, 95.5]]]), torch.tensor([[[31.5, 15.5, 47.5]]])
    tokens, maps = encoder(places[0], labels, embedding_of(whole, bright))
    coarse = embedding_of(half, torch.nn.functional.avg_pool3d(bright, 2))
    tokens_half, maps_half = encoder(places[1], labels, coarse)
    assert_close(tokens, tokens_half)
    near, near_half = torch.nn.functional.avg_pool3d(maps[:, 1:2], 2), maps_half[:, 1:2]
    assert_close(near, near_half, rtol=0, atol=0.05)


def test_smaller_patch_leaves_fewer_cells_behind():
    embedding = CompactNetwork(replace(TINY, attention="dense")).embed(
        torch.zeros(1, 1, 64, 64, 64)
    )
    assert [each.shape[-1] for each in embedding] == [4, 8, 16, 16]


def test_means_of_cells_are_the_same_on_apple_s_gpus(monkeypatch):
    image = torch.randn(2, 1, 16, 8, 12)
    expected = _cell_means(image)
    monkeypatch.setattr(torch.Tensor, "device", torch.device("mps"))
    assert_close(_cell_means(image), expected)


@pytest.mark.parametrize(("patch_size", "segment"), [(128, 64), (160, 50), (192, 54), (256, 64)])
def test_segments_of_sparse_attention_fit_a_patch_of_any_size(patch_size, segment):
    config = replace(TINY, patch_size=patch_size)
    assert config.segment == segment
    network = CompactNetwork(config)
    assert {block.attn.segment for block in network.image_encoder.blocks if block.attn} == {segment}


def test_a_patch_that_no_segments_fit_is_refused():
    with pytest.raises(InputError, match="27 tokens, which sparse attention cannot cut"):
        CompactNetwork(replace(TINY, patch_size=48))


def test_maps_of_several_clicks_are_the_greatest_of_each_click_s_own():
    random = torch.Generator().manual_seed(0)
    points = 128 * torch.rand(1, 5, 3, generator=random)
    labels = torch.tensor([[1, 0, 1, 1, 0]])
    fine = torch.zeros(1, 8, 32, 32, 32)
    embedding = embedding_of(fine, torch.randn(1, 1, 32, 32, 32, generator=random))
    encoder = ClickEncoder(TINY)
    _, maps = encoder(points, labels, embedding)
    for first, label in ((0, 1), (6, 0)):
        own = [n for n in range(5) if labels[0, n] == label]
        each = [encoder(points[:, n : n + 1], labels[:, n : n + 1], embedding)[1] for n in own]
        greatest = torch.cat(each).amax(0)
        for place in (0, 1, 3, 4, 5):
            assert_close(maps[0, first + place], greatest[first + place])


def test_maps_of_one_click_are_gaussians_of_its_distance_and_of_the_contrast_to_it():
    brightness = torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    embedding = embedding_of(torch.zeros(1, 8, 32, 32, 32), brightness)
    click = torch.tensor([[[40.0, 61.0, 90.0]]])
    _, maps = ClickEncoder(TINY)(click, torch.ones(1, 1).long(), embedding)
    axis = 4 * torch.arange(32) + 1.5
    away = torch.cartesian_prod(axis, axis, axis).sub(click[0]).square().sum(1).view(32, 32, 32)
    contrast = (brightness[0, 0] - brightness[0, 0, 10, 15, 22]) ** 2
    near = [torch.exp(-away / (2 * width**2)) for width in (4, 14, 28)]
    alike = [torch.exp(-contrast / (2 * width**2)) for width in (0.1, 0.4)]
    for place, expected in ((0, near[0]), (1, near[1]), (3, alike[0]), (4, alike[1])):
        assert_close(maps[0, place], expected, rtol=1e-4, atol=1e-5)
    assert_close(maps[0, 5], alike[1] * near[2], rtol=1e-4, atol=1e-5)
