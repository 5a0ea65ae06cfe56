import torch

from fastsam3d.clarity import clear_pieces


def scene(*boxes):
    """Return a noisy grey patch and its pieces, boxes of (low, high, added brightness)."""
    generator = torch.Generator().manual_seed(0)
    image = 100 + 10 * torch.randn(64, 64, 64, generator=generator)
    pieces = torch.zeros(32, 32, 32, dtype=torch.int64)
    for number, (low, high, brightness) in enumerate(boxes, 1):
        image[tuple(slice(2 * a, 2 * b) for a, b in zip(low, high, strict=True))] += brightness
        pieces[tuple(map(slice, low, high))] = number
    return image, pieces, len(boxes)


def test_solid_piece_that_stands_out_is_clear_whether_brighter_or_darker():
    boxes = ((4, 4, 4), (12, 12, 12), 30), ((18, 18, 18), (28, 26, 26), -30)
    assert clear_pieces(*scene(*boxes)).tolist() == [True, True]


def test_piece_as_bright_as_its_surroundings_is_not_clear():
    assert clear_pieces(*scene(((4, 4, 4), (12, 12, 12), 0))).tolist() == [False]


def test_sheet_is_not_clear_however_bright():
    assert clear_pieces(*scene(((4, 4, 4), (28, 28, 6), 90))).tolist() == [False]


def test_piece_that_touches_its_like_is_judged_by_all_that_is_round_it():
    beside = ((4, 4, 4), (12, 12, 12), 30), ((12, 4, 4), (20, 12, 12), 30)
    assert clear_pieces(*scene(*beside)).tolist() == [True, True]


def test_piece_without_cells_or_that_fills_the_patch_is_not_clear():
    image = torch.rand(64, 64, 64)
    assert clear_pieces(image, torch.ones(32, 32, 32, dtype=torch.int64), 2).tolist() == [
        False,
        False,
    ]
