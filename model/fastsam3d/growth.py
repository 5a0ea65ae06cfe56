"""Deeper networks from shallower ones and back: a teacher to start with, and a student of it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from .augmentation import draw_masks, varied
from .checkpoints import read_state
from .compact import ConvBlock
from .config import PRESETS, CompactConfig, ModelConfig
from .errors import InputError
from .examples import Example
from .lesson import next_clicks
from .loading import build
from .model import CompactNetwork, FastSAM3D
from .progressive import whole_ratio
from .synthetic import Random
from .taps import depth, encoder_of
from .teacher import preset_of, seen_by

PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")

SILENT = 0.05
"""A convolution whose outputs are above 0 more rarely than this has fallen silent."""

_LAYER = re.compile(r"image_encoder\.blocks\.(\d+)\.(.*)")
_ENDS_OF_A_LAYER = ("attn.proj.", "mlp.lin2.")
"""What a layer adds to its input comes out of these: with zeros there, it adds nothing."""

_MAY_GROW = ("depth", "plain_layers", "attention", "slope")


def fresh(config: ModelConfig | CompactConfig, seed: int) -> FastSAM3D:
    """Make a network whose first weights a seed decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(config)


def started_from(path: Path, config: CompactConfig, seed: int) -> CompactNetwork:
    """Make a network that goes on from a file of weights: its own, or a shallower one's to grow.

    Raises:
        InputError: the file is damaged, or of a network that cannot grow into this one.
    """
    state = read_state(path)
    old = fresh(PRESETS[preset_of(state, path.name)], seed)
    if not isinstance(old, CompactNetwork):
        raise InputError(f"{path.name} holds a published network; start from one of our own.")
    old.load_state_dict(state)
    return old if old.config == config else grown(old, config)


def grown(network: CompactNetwork, config: CompactConfig) -> CompactNetwork:
    """Make a deeper network that answers at first exactly as a trained, shallower one.

    Layers r, 2r, ... are the old ones, r the ratio of the depths; the others add nothing as yet, no
    more than attention does where the old layer had none. With another kind of attention or
    another slope than the old network's, the answers are near the old ones at best.

    Raises:
        InputError: the new depth is no multiple of the old, or another size differs.
    """
    old = network.config
    assert isinstance(old, CompactConfig)
    ratio = whole_ratio(config.depth, old.depth)
    if replace(old, **{name: getattr(config, name) for name in _MAY_GROW}) != config:
        raise InputError(
            "The weights to grow from are of a network of other sizes; choose one that differs in "
            f"{', '.join(_MAY_GROW)} alone."
        )
    deep, state = CompactNetwork(config), network.state_dict()
    inherited = {k: _inherited(k, value, state, ratio) for k, value in deep.state_dict().items()}
    deep.load_state_dict(inherited)
    return deep


def _inherited(key: str, value: Tensor, old: dict[str, Tensor], ratio: int) -> Tensor:
    layer = _LAYER.fullmatch(key)
    if layer is None:
        return old[key]
    number, rest = int(layer[1]) + 1, layer[2]
    source = f"image_encoder.blocks.{number // ratio - 1}.{rest}"
    if number % ratio == 0 and source in old:
        return old[source]
    return torch.zeros_like(value) if rest.startswith(_ENDS_OF_A_LAYER) else value


def seed_from(
    student: FastSAM3D, teacher: FastSAM3D, parts: tuple[str, ...] = PARTS
) -> dict[str, str]:
    """Start a student from its teacher as `shared` says; what they do not share stays as it is.

    Args:
        student: changed.
        teacher: whose weights are copied.
        parts: of `PARTS`, which to copy.

    Returns:
        What was copied, as `shared` names it.
    """
    keys = shared(student, teacher, parts)
    theirs = teacher.state_dict()
    copied = {mine: theirs[source] for mine, source in keys.items()}
    student.load_state_dict(student.state_dict() | copied)
    return keys


def shared(
    student: FastSAM3D, teacher: FastSAM3D, parts: tuple[str, ...] = PARTS
) -> dict[str, str]:
    """Name the tensors that a student can take over: layer i from the teacher's layer ri.

    Args:
        student: whose tensors they are.
        teacher: r times as deep; without a whole r, no layer is taken over.
        parts: of `PARTS`.

    Returns:
        The teacher's key for each of the student's that has the same shape there.
    """
    deep, shallow = depth(encoder_of(teacher)), depth(encoder_of(student))
    theirs = teacher.state_dict()
    found = dict[str, str]()
    for key, value in student.state_dict().items():
        source = _followed(key, deep, shallow)
        there = key.startswith(parts) and source in theirs
        if there and theirs[source].shape == value.shape:
            found[key] = source
    return found


def inheritance(student: FastSAM3D, teacher: FastSAM3D, parts: tuple[str, ...]) -> str:
    """Say how much of each part a student takes over from its teacher, for a report."""
    keys, own = shared(student, teacher, parts), student.state_dict()
    if not keys:
        return "Nothing of the teacher's: the student starts from random weights."
    counts = [
        f"{sum(key.startswith(part) for key in keys)} of {sum(key.startswith(part) for key in own)}"
        f" tensors of its {part.rstrip('.').replace('_', ' ')}"
        for part in PARTS
    ]
    return f"The student starts with {', '.join(counts)} from the teacher."


def _followed(key: str, deep: int, shallow: int) -> str:
    layer = _LAYER.fullmatch(key)
    if layer is None:
        return key
    if deep % shallow:
        return ""
    ratio = deep // shallow
    return f"image_encoder.blocks.{ratio * (int(layer[1]) + 1) - 1}.{layer[2]}"


def revive(network: CompactNetwork, examples: Sequence[Example]) -> list[str]:
    """Give convolutions that have fallen silent fresh weights, which add nothing as yet.

    A ReLU that never opens passes no gradient, so its convolution would stay silent for good.

    Args:
        network: changed.
        examples: a few, on which it is measured how often each `ConvBlock` is active.

    Returns:
        The names of the blocks that were revived.
    """
    silent = [name for name, share in activity(network, examples).items() if share < SILENT]
    for name in silent:
        block = network.get_submodule(name)
        assert isinstance(block, ConvBlock)
        block.conv.reset_parameters()
        nn.init.zeros_(block.mix.weight)
    return silent


@torch.no_grad()
def activity(network: CompactNetwork, examples: Sequence[Example]) -> dict[str, float]:
    """Measure in what share of places each `ConvBlock`'s convolution is above 0, after a click."""
    shares: dict[str, list[float]] = defaultdict(list)
    blocks = [(n, m) for n, m in network.named_modules() if isinstance(m, ConvBlock)]
    hooks = [
        block.conv.register_forward_hook(
            lambda conv, inputs, output, name=name: shares[name].append(
                float((output > 0).float().mean())
            )
        )
        for name, block in blocks
    ]
    try:
        for number, example in enumerate(examples):
            _click_once(network, example, Random.seeded(number, device=network.device))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: sum(values) / len(values) for name, values in shares.items()}


def _click_once(network: CompactNetwork, example: Example, random: Random) -> None:
    image, labels = varied(example, random, "none")
    masks = draw_masks(example, labels, 1, random)
    point, label = next_clicks(masks, torch.zeros_like(masks), random)
    embedding = network.embed(seen_by(network, [image]))
    network.answer_all(embedding, point[:, None], label[:, None], None)
