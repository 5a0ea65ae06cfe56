"""Layer-wise progressive distillation (FastSAM3D, eq. 1 and 2): layers follow, one by one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .augmentation import Shown, Variety, varied
from .config import ModelConfig
from .errors import InputError
from .examples import Example
from .featurecache import Featured
from .model import FastSAM3D
from .synthetic import Random
from .taps import depth, encoder_of, grid, layer_outputs, width
from .task import Moment, Task
from .teacher import Teacher, seen_by, suited


def layers_at(moment: Moment, layers: int = 6) -> int:
    """Return k, the layers that are followed at a moment (eq. 2): ⌈layers · iteration / total⌉.

    The paper counts 36 iterations in all, of batches of 16: far fewer than would learn anything, so
    they are read as epochs; iterations count from 1.
    """
    return -(-layers * moment.iteration // moment.total)


def layer_distances(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> list[Tensor]:
    """Return, for each layer i of the student, the mean over the batch of ‖f_T^(ri) - f_S^(i)‖₂.

    The norm is that of a sample's flattened feature, and is not squared; r is the ratio of the
    depths, 2 in the paper.

    Args:
        student: (B, ...) features of each layer.
        teacher: the same of each of its layers, r times as many.

    Raises:
        InputError: r is no whole number.
    """
    ratio = whole_ratio(len(teacher), len(student))
    pairs = zip(student, teacher[ratio - 1 :: ratio], strict=True)
    return [
        torch.linalg.vector_norm((theirs.float() - mine.float()).flatten(1), dim=1).mean()
        for mine, theirs in pairs
    ]


def feature_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], k: int) -> Tensor:
    """Average `layer_distances` over the student's first k layers (eq. 1)."""
    return torch.stack(layer_distances(student, teacher)[:k]).mean()


def whole_ratio(deep: int, shallow: int) -> int:
    """Return how many layers of a deep network there are to one of a shallow one.

    Raises:
        InputError: that is no whole number.
    """
    if deep % shallow:
        raise InputError(
            f"Got networks of {deep} and of {shallow} layers, where the first were to be a "
            "multiple of the second; choose others."
        )
    return deep // shallow


class FeatureTask(Task):
    """A student's encoder learns to put out what a teacher's does, layer by layer.

    Where the two differ in width, a learned linear map per layer brings the student's tokens to the
    teacher's; the maps are not kept afterwards.

    Args:
        student: what learns.
        teacher: asked on the fly about each example, unless the example brings its features along.
        all_layers: follow every layer from the start, for comparison.
        variety: of the patches shown, as `teacher.suited` to both networks; those that bring
            features along are shown as they are.
        seed: of the maps' first weights.

    Raises:
        InputError: the two networks do not fit together.
    """

    def __init__(
        self,
        student: FastSAM3D,
        teacher: Teacher,
        *,
        all_layers: bool = False,
        variety: Variety = "all",
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_pair(student, teacher)
        self.student = student
        self.all_layers, self.variety = all_layers, suited(variety, student, teacher.network)
        self._teacher = teacher
        encoder = encoder_of(student)
        mine, theirs = width(encoder), width(encoder_of(teacher.network))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.maps = nn.ModuleList(
                nn.Identity() if mine == theirs else nn.Linear(mine, theirs)
                for _ in range(depth(encoder))
            )

    def bring(self, device: torch.device) -> None:
        """Bring the teacher to a device."""
        self._teacher.bring(device)

    def forward(
        self, examples: list[Example], randoms: list[Random], moment: Moment
    ) -> dict[str, Tensor]:
        """Return "loss", the distance of each layer ("layer1", ...) and "k"."""
        images = [
            varied(example, random, "none" if isinstance(example, Featured) else self.variety)[0]
            for example, random in zip(examples, randoms, strict=True)
        ]
        outputs, _ = layer_outputs(encoder_of(self.student), seen_by(self.student, images))
        mapped = [layer_map(output) for layer_map, output in zip(self.maps, outputs, strict=True)]
        distances = layer_distances(mapped, self._targets(examples, images))
        k = len(distances) if self.all_layers else layers_at(moment, len(distances))
        losses = {f"layer{i}": each.detach() for i, each in enumerate(distances, 1)}
        # Layers beyond k are left out, not multiplied by 0: they are to have no gradient at all.
        loss = torch.stack(distances[:k]).mean()
        return {"loss": loss, **losses, "k": loss.new_tensor(float(k))}

    def _targets(self, examples: list[Example], images: list[Shown]) -> list[Tensor]:
        kept = [example.features for example in examples if isinstance(example, Featured)]
        if len(kept) < len(examples):
            return self._teacher.outputs(images)
        device = images[0].image.device
        return [torch.stack(layer).to(device) for layer in zip(*kept, strict=True)]


def check_pair(student: FastSAM3D, teacher: Teacher) -> None:
    """Check that a student can follow a teacher's layers.

    Raises:
        InputError: their depths or grids do not fit, or a published student's width is another.
    """
    mine, theirs = encoder_of(student), encoder_of(teacher.network)
    whole_ratio(depth(theirs), depth(mine))
    if grid(mine) != grid(theirs):
        raise InputError(
            f"The teacher has {grid(theirs)} tokens along a side and the student {grid(mine)}; "
            "choose networks with as many."
        )
    if width(mine) != width(theirs) and isinstance(student.config, ModelConfig):
        raise InputError(
            f"The teacher is {width(theirs)} channels wide and the published student "
            f"{width(mine)}, which fixes its layers; choose the teacher sam-med3d, or a student of "
            "our own."
        )
