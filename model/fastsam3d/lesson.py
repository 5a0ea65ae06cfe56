"""One lesson: a session of simulated clicks on patches, and what a network learns from it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .compact import CompactEmbedding
from .examples import Example
from .model import CompactNetwork
from .synthetic import GRID, Random


@dataclass(frozen=True)
class Prompted:
    """Patches and the objects to find in them.

    image: (B, 1, 128, 128, 128) float32, normalised.
    masks: (B * objects, 64, 64, 64) bool; those of one patch follow one another.
    """

    image: Tensor
    masks: Tensor

    @property
    def objects(self) -> int:
        """Return the number of objects of each patch."""
        return len(self.masks) // len(self.image)


def make_batch(examples: list[Example], objects: int, random: Random) -> Prompted:
    """Augment examples and draw objects of each."""
    images, masks = zip(*(augment(one, objects, random) for one in examples), strict=True)
    return Prompted(torch.stack(images)[:, None], torch.cat(masks))


def augment(example: Example, objects: int, random: Random) -> tuple[Tensor, Tensor]:
    """Flip, turn and re-colour an example.

    Returns:
        (128, 128, 128) float32 normalised, and (objects, 64, 64, 64) bool.
    """
    order = random.order()
    flips = [axis for axis in range(3) if random.chance(0.5)]
    image = example.image.to(random.device).permute(order).flip(flips).float() / 255
    if random.chance(0.4):
        image = 1 - image
    image = image ** (2 ** random.uniform(-0.7, 0.7))
    if random.chance(0.3):
        image = image + random.uniform(0, 0.12) * random.randn(*image.shape)
    labels = example.objects.to(random.device).permute(order).flip(flips)
    groups = [example.targets[random.integer(0, len(example.targets) - 1)] for _ in range(objects)]
    masks = [torch.isin(labels, torch.tensor(g, device=labels.device)) for g in groups]
    return (image - image.mean()) / (image.std() + 1e-5), torch.stack(masks)


def next_clicks(masks: Tensor, predicted: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    """Click into the middle of a large error of each mask, or near it.

    Args:
        masks: (B, g, g, g) bool, the truth.
        predicted: (B, g, g, g) bool.
        random: decides between the middle and its surroundings.

    Returns:
        (B, 3) points in patch voxels, two a cell; (B,) labels.
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
    return 2.0 * _wrong_voxel(errors, 1 - label, cell) + 0.5, label


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


def click_loss(
    network: CompactNetwork, batch: Prompted, clicks: tuple[int, ...], random: Random
) -> Tensor:
    """Simulate a session on every object; learn from its first and its last click.

    Args:
        network: what learns, or a wrapper with its `embed` and `answer_all`.
        batch: patches and objects.
        clicks: one of these numbers of clicks is simulated.
        random: draws it, and the clicks.

    Returns:
        (2,) the loss, and the mean IoU after the last click.
    """
    masks = batch.masks
    embedding = _repeated(network.embed(batch.image), batch.objects)
    previous = torch.zeros(len(masks), 1, GRID, GRID, GRID, device=masks.device)
    points, labels, losses = [], [], []
    count = clicks[random.integer(0, len(clicks) - 1)]
    for click in range(count):
        point, label = next_clicks(masks, previous[:, 0] > 0, random)
        points.append(point)
        labels.append(label)
        learn = click in (0, count - 1)
        with torch.set_grad_enabled(learn):
            logits, iou = network.answer_all(
                embedding, torch.stack(points, 1), torch.stack(labels, 1), previous
            )
        previous = logits[:, :1].detach().float()
        if learn:
            several = click == 0 and random.chance(0.25)
            loss, true_iou = mask_loss(logits if several else logits[:, :1], masks)
            losses.append(_answer_loss(loss, iou, true_iou))
    return torch.stack([torch.stack(losses).mean(), true_iou[:, 0].mean()])


def _repeated(embedding: CompactEmbedding, times: int) -> CompactEmbedding:
    """Give every object of a patch the patch's embedding."""
    return CompactEmbedding(*(part.repeat_interleave(times, 0) for part in embedding))


def _answer_loss(loss: Tensor, iou: Tensor, true_iou: Tensor) -> Tensor:
    """Add the single mask's loss, the best of the other three's, and the error of the IoUs."""
    total = loss[:, 0].mean()
    if loss.shape[1] > 1:
        total = total + 0.3 * loss[:, 1:].amin(1).mean()
    return total + F.mse_loss(iou[:, : loss.shape[1]].float(), true_iou)
