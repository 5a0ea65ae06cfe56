"""One lesson: a session of simulated clicks on patches, and what a network learns from it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .augmentation import CELL, Prompted
from .model import CompactNetwork
from .synthetic import GRID, Random

Answer = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Turns points, labels and the previous logits into logits and IoU, as `FastSAM3D.decode` does."""


def next_clicks(masks: Tensor, predicted: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    """Click into the middle of a large error of each mask, or near it.

    Args:
        masks: (B, g, g, g) bool, the truth; g is a multiple of 8.
        predicted: (B, g, g, g) bool.
        random: decides between the middle and its surroundings.

    Returns:
        (B, 3) points in voxels of the patch; (B,) labels.
    """
    errors = torch.stack([masks & ~predicted, predicted & ~masks], 1)
    errors = torch.where(errors.flatten(1).any(1)[:, None, None, None, None], errors, _whole(masks))
    depth = _depth(errors.float())
    threshold = depth.flatten(1).amax(1) * (0.999 if random.chance(0.5) else 0.6)
    chosen = (depth >= threshold[:, None, None, None, None]).flatten(1).float()
    pick = torch.multinomial(chosen, 1, generator=random.generator)[:, 0]
    side = depth.shape[-1]
    label = 1 - pick // side**3
    cell = torch.stack([pick // side**2 % side, pick // side % side, pick % side], 1)
    return CELL * _wrong_voxel(errors, 1 - label, cell) + (CELL - 1) / 2, label


def _whole(masks: Tensor) -> Tensor:
    """Return errors as if nothing were found, for masks that are found entirely."""
    return torch.stack([masks, torch.zeros_like(masks)], 1)


def _depth(errors: Tensor) -> Tensor:
    """Score the cells of a grid half as fine by how deep they lie in an error, and in how big."""
    half = F.avg_pool3d(errors, 2)
    score = F.avg_pool3d(half, 3, 1, 1)
    for factor in (2, 4):
        coarse = F.avg_pool3d(F.avg_pool3d(half, factor), 3, 1, 1)
        score = score + F.interpolate(coarse, scale_factor=float(factor), mode="trilinear")
    return score * (half > 0)


def _wrong_voxel(errors: Tensor, kind: Tensor, cell: Tensor) -> Tensor:
    """Return a voxel of the error among the eight of each chosen cell: (B, 3)."""
    corners = torch.cartesian_prod(*[torch.arange(2, device=cell.device)] * 3)
    voxels = 2 * cell[:, None] + corners
    item = torch.arange(len(cell), device=cell.device)[:, None]
    wrong = errors[item, kind[:, None], voxels[..., 0], voxels[..., 1], voxels[..., 2]]
    return voxels[item[:, 0], wrong.float().argmax(1)]


def mask_loss(logits: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return BCE + soft Dice loss, and the hard IoU, of (B, n, g, g, g) against (B, g, g, g)."""
    logits, truth = logits.float().flatten(2), masks.flatten(1)[:, None].float()
    bce = F.binary_cross_entropy_with_logits(logits, truth.expand_as(logits), reduction="none")
    soft = logits.sigmoid()
    overlap, total = (soft * truth).sum(2), soft.sum(2) + truth.sum(2)
    hard = logits > 0
    both = (hard & (truth > 0)).sum(2)
    iou = both / (hard | (truth > 0)).sum(2).clamp(min=1)
    return bce.mean(2) + 1 - (2 * overlap + 1) / (total + 1), iou


class Turn(NamedTuple):
    """One click of a session on each of B objects.

    points, labels: of all clicks so far, (B, n, 3) and (B, n).
    logits: (B, masks, g, g, g), the answer; iou: (B, masks), as predicted.
    learnt: whether they lead back to the network's weights.
    """

    points: Tensor
    labels: Tensor
    logits: Tensor
    iou: Tensor
    learnt: bool


def session(
    answer: Answer,
    masks: Tensor,
    count: int,
    randoms: Sequence[Random],
    mask_size: int | None = None,
) -> Iterator[Turn]:
    """Click at the errors of a network's answers; the first and the last click are learnt from.

    Args:
        answer: of the network, to clicks on all B objects.
        masks: (B, g, g, g) bool, the truth.
        count: of clicks.
        randoms: each decides about its share of the objects.
        mask_size: cells along a side of the network's logits, by default the truth's; the first
            previous ones are zeros.
    """
    cells = masks.shape[-1]
    previous = torch.zeros(len(masks), 1, *(mask_size or cells,) * 3, device=masks.device)
    points, labels = [], []
    for click in range(count):
        point, label = _clicks_of_each(masks, on_grid(previous, cells)[:, 0] > 0, randoms)
        points.append(point)
        labels.append(label)
        learnt = click in (0, count - 1)
        all_points, all_labels = torch.stack(points, 1), torch.stack(labels, 1)
        with torch.set_grad_enabled(learnt):
            logits, iou = answer(all_points, all_labels, previous)
        previous = logits[:, :1].detach().float()
        yield Turn(all_points, all_labels, logits, iou, learnt)


def _clicks_of_each(
    masks: Tensor, predicted: Tensor, randoms: Sequence[Random]
) -> tuple[Tensor, Tensor]:
    shares = zip(masks.chunk(len(randoms)), predicted.chunk(len(randoms)), randoms, strict=True)
    points, labels = zip(*(next_clicks(*share) for share in shares), strict=True)
    return torch.cat(points), torch.cat(labels)


def on_grid(logits: Tensor, cells: int = GRID) -> Tensor:
    """Interpolate (B, n, g, g, g) logits to the grid of the truth, unless they lie on it."""
    if logits.shape[-1] == cells:
        return logits
    return F.interpolate(logits.float(), size=(cells,) * 3, mode="trilinear")


def click_loss(
    network: CompactNetwork,
    batch: Prompted,
    clicks: tuple[int, ...],
    randoms: Sequence[Random],
    common: Random,
) -> Tensor:
    """Simulate a session on every object; learn from its first and its last click.

    Args:
        network: what learns.
        batch: patches and objects.
        clicks: one of these numbers of clicks is simulated.
        randoms: each draws the clicks of its share of the objects.
        common: draws their number, and how many masks are learnt of the first answer.

    Returns:
        (2,) the loss, and the mean IoU after the last click.
    """
    embedding = repeated(network.embed(batch.image), batch.objects)
    count = clicks[common.integer(0, len(clicks) - 1)]
    several = common.chance(0.25)
    losses = []
    for turn in session(partial(network.answer_all, embedding), batch.masks, count, randoms):
        if turn.learnt:
            whole = several and turn.points.shape[1] == 1
            logits = turn.logits if whole else turn.logits[:, :1]
            loss, true_iou = mask_loss(logits, batch.masks)
            losses.append(answer_loss(loss, turn.iou, true_iou))
    return torch.stack([torch.stack(losses).mean(), true_iou[:, 0].mean()])


def repeated(embedding: Any, times: int) -> Any:
    """Give every object of a patch the patch's embedding, a tensor or a tuple of tensors."""
    if isinstance(embedding, Tensor):
        return embedding.repeat_interleave(times, 0)
    return type(embedding)(*(part.repeat_interleave(times, 0) for part in embedding))


def answer_loss(loss: Tensor, iou: Tensor, true_iou: Tensor) -> Tensor:
    """Add the single mask's loss, the best of the other three's, and the error of the IoUs."""
    total = loss[:, 0].mean()
    if loss.shape[1] > 1:
        total = total + 0.3 * loss[:, 1:].amin(1).mean()
    return total + F.mse_loss(iou[:, : loss.shape[1]].float(), true_iou)
