"""Train the project's own network by simulated clicks: encode once, then many objects and clicks."""

import csv
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import Tensor, nn

from .data import Example
from .pool import Pool
from .synthetic import GRID, Random


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast to learn.

    batch: patches a step; objects: objects of each patch.
    clicks: of which a step simulates one of these numbers; the first and the last are learnt from.
    """

    seconds: float = 6000
    batch: int = 1
    objects: int = 3
    clicks: tuple[int, ...] = (1, 2, 3, 5)
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warm_up: int = 100
    average: float = 0.995
    precision: str = "bf16-mixed"
    seed: int = 0


@dataclass(frozen=True)
class Prompted:
    """Patches and the objects to find in them: image (B, 1, 128³), masks (B · objects, 64³)."""

    image: Tensor
    masks: Tensor


def augment(example: Example, objects: int, random: Random) -> tuple[Tensor, Tensor]:
    """Flip, turn and re-colour an example.

    Returns:
        (128, 128, 128) float32 normalised, and (objects, 64, 64, 64) bool.
    """
    order = torch.randperm(3, generator=random.generator, device=random.device).tolist()
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


def batches(pool: Pool, config: TrainConfig, random: Random) -> Iterator[Prompted]:
    """Draw batches from a pool for ever, also while it grows."""
    while True:
        picks = [random.integer(0, len(pool) - 1) for _ in range(config.batch)]
        drawn = [augment(pool[pick], config.objects, random) for pick in picks]
        images, masks = zip(*drawn, strict=True)
        yield Prompted(torch.stack(images)[:, None], torch.cat(masks))


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


def click_loss(network: nn.Module, batch: Prompted, config: TrainConfig, random: Random) -> Tensor:
    """Simulate a session on every object; learn from its first and its last click.

    Returns:
        (2,) the loss, and the mean IoU after the last click.
    """
    masks = batch.masks
    embedding = type(e := network.embed(batch.image))(
        *(part.repeat_interleave(config.objects, 0) for part in e)
    )
    previous = torch.zeros(len(masks), 1, GRID, GRID, GRID, device=masks.device)
    points, labels, losses = [], [], []
    count = config.clicks[random.integer(0, len(config.clicks) - 1)]
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
            losses.append(_session_loss(loss, iou, true_iou))
    return torch.stack([torch.stack(losses).mean(), true_iou[:, 0].mean()])


def _session_loss(loss: Tensor, iou: Tensor, true_iou: Tensor) -> Tensor:
    total = loss[:, 0].mean()
    if loss.shape[1] > 1:
        total = total + 0.3 * loss[:, 1:].amin(1).mean()
    return total + F.mse_loss(iou[:, : loss.shape[1]].float(), true_iou)


def learning_rate(config: TrainConfig, step: int, progress: float) -> float:
    """Warm up over steps, then follow a cosine over the time that is given."""
    return (
        config.learning_rate
        * min(1, (step + 1) / config.warm_up)
        * 0.5
        * (1 + math.cos(math.pi * min(progress, 1)))
    )


def train(network: nn.Module, pool: Pool, folder: Path, config: TrainConfig) -> None:
    """Train for `config.seconds` of computing; resumes from `folder` where there is a checkpoint."""
    fabric = Fabric(accelerator="auto", devices=1, precision=config.precision)
    network.to(memory_format=torch.channels_last_3d)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.average)
    )
    optimizer = torch.optim.AdamW(
        network.parameters(),
        config.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
    )
    model, optimizer = fabric.setup(network, optimizer)
    for name in ("embed", "answer_all"):
        model.mark_forward_method(name)
    state = {"model": model, "optimizer": optimizer, "average": average, "step": 0, "spent": 0.0}
    checkpoint = folder / "last.ckpt"
    if checkpoint.exists():
        fabric.load(checkpoint, state)
    folder.mkdir(parents=True, exist_ok=True)
    random = Random.seeded(config.seed + state["step"], str(fabric.device))
    started = time.monotonic() - state["spent"]
    with (folder / "log.csv").open("a", newline="") as file:
        log = csv.writer(file)
        for batch in batches(pool, config, random):
            spent = time.monotonic() - started
            if spent > config.seconds:
                break
            rate = learning_rate(config, state["step"], spent / config.seconds)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = click_loss(model, batch, config, random)
            fabric.backward(loss[0])
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
            optimizer.zero_grad()
            average.update_parameters(network)
            state.update(step=state["step"] + 1, spent=spent)
            log.writerow(
                [state["step"], f"{spent:.1f}", *(f"{x:.4f}" for x in loss.tolist()), rate]
            )
            if state["step"] % 25 == 0:
                file.flush()
                fabric.save(checkpoint, state)
    fabric.save(checkpoint, state)
