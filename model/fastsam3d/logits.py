"""Logit-level distillation: a student answers clicks, and is held to teacher and truth."""

from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from .augmentation import Shown, Variety, draw_masks, varied
from .errors import InputError
from .examples import Example
from .lesson import Turn, answer_loss, mask_loss, on_grid, repeated, session
from .model import FastSAM3D
from .synthetic import Random
from .task import Moment, Task
from .teacher import Teacher, all_answers, seen_by, suited


@dataclass(frozen=True)
class LogitConfig:
    """What a student is asked, and what counts.

    objects: of each patch.
    clicks: of which a step simulates one of these numbers; the first and the last are learnt from.
    truth: weight of the ground truth; teacher: weight of the agreement with the teacher.
    variety: of the patches shown, as `teacher.suited` to both networks.
    """

    objects: int = 3
    clicks: tuple[int, ...] = (1, 2, 3, 5)
    truth: float = 1.0
    teacher: float = 1.0
    variety: Variety = "all"

    def __post_init__(self) -> None:
        if min(self.truth, self.teacher) < 0 or not self.truth + self.teacher:
            raise InputError(
                f"Got weights {self.truth:g} for the truth and {self.teacher:g} for the teacher; "
                "give none below 0, and one above it."
            )


class LogitTask(Task):
    """A student learns to answer clicks as its teacher does, through all its parts.

    Clicks go where the student errs. The teacher gets the same clicks, and goes on from its own
    previous mask. Published networks answer with one mask of 32³, which is interpolated to the
    truth's 64³; our own answer with four.

    Args:
        student: what learns.
        teacher: whom it is to agree with.
        config: what is asked.
    """

    def __init__(
        self, student: FastSAM3D, teacher: Teacher, config: LogitConfig | None = None
    ) -> None:
        super().__init__()
        self.student = student
        config = config or LogitConfig()
        variety = suited(config.variety, student, teacher.network)
        self.config = replace(config, variety=variety)
        self._teacher = teacher

    def bring(self, device: torch.device) -> None:
        """Bring the teacher to a device."""
        self._teacher.bring(device)

    def forward(
        self, examples: list[Example], randoms: list[Random], moment: Moment
    ) -> dict[str, Tensor]:
        """Return "loss"; "truth" and "teacher", its parts; "iou" and "teacher_iou" at the end."""
        config, student = self.config, self.student
        images, masks = self._shown(examples, randoms)
        embedding = repeated(student.embed(seen_by(student, images)), config.objects)
        teaching = _Teaching(self._teacher, images, masks)
        count = config.clicks[Random.seeded(moment.lot).integer(0, len(config.clicks) - 1)]
        truths, agreements = [], []
        answer = partial(all_answers, student, embedding)
        for turn in session(answer, masks, count, randoms, student.mask_size):
            logits, iou = teaching.answer(turn)
            if not turn.learnt:
                continue
            several = turn.points.shape[1] == 1
            mine = on_grid(turn.logits if several else turn.logits[:, :1])
            loss, true_iou = mask_loss(mine, masks)
            truths.append(answer_loss(loss, turn.iou, true_iou))
            agreements.append(agreement(mine, logits) + iou_error(turn.iou, iou))
        truth, teacher = torch.stack(truths).mean(), torch.stack(agreements).mean()
        return {
            "loss": config.truth * truth + config.teacher * teacher,
            "truth": truth.detach(),
            "teacher": teacher.detach(),
            "iou": true_iou[:, 0].mean(),
            "teacher_iou": mask_loss(logits[:, :1], masks)[1].mean(),
        }

    def _shown(self, examples: list[Example], randoms: list[Random]) -> tuple[list[Shown], Tensor]:
        """Vary examples; return images and (B · objects, 64, 64, 64) masks."""
        images, masks = [], []
        for example, random in zip(examples, randoms, strict=True):
            image, labels = varied(example, random, self.config.variety)
            images.append(image)
            masks.append(draw_masks(example, labels, self.config.objects, random))
        return images, torch.cat(masks)


class _Teaching:
    """A teacher's own session on some objects: it goes on from its own previous mask."""

    def __init__(self, teacher: Teacher, images: list[Shown], masks: Tensor) -> None:
        self._teacher = teacher
        self._embedding = repeated(teacher.embedding(images), len(masks) // len(images))
        cells = teacher.network.mask_size
        self._previous = torch.zeros(len(masks), 1, *(cells,) * 3, device=masks.device)

    def answer(self, turn: Turn) -> tuple[Tensor, Tensor]:
        """Answer a turn's clicks: (B, masks, 64, 64, 64) logits and (B, masks) predicted IoU."""
        logits, iou = self._teacher.answer(
            self._embedding, turn.points, turn.labels, self._previous
        )
        self._previous = logits[:, :1].float()
        return on_grid(logits), iou


def agreement(student: Tensor, teacher: Tensor) -> Tensor:
    """Return how far a student's probabilities are from a teacher's: 0 where they agree.

    The binary cross-entropy against the teacher's sigmoid, less the teacher's own entropy, so that
    a teacher's doubt is taught too and the log shows what is left to learn.

    Args:
        student: (B, n, g, g, g) logits.
        teacher: (B, m, g, g, g) logits; the first masks that both have are compared.
    """
    shared = min(student.shape[1], teacher.shape[1])
    mine, theirs = student[:, :shared].float(), teacher[:, :shared].float()
    wanted = theirs.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(theirs, wanted)
    return F.binary_cross_entropy_with_logits(mine, wanted) - entropy


def iou_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the squared difference of the predicted IoUs that both have."""
    shared = min(student.shape[1], teacher.shape[1])
    return F.mse_loss(student[:, :shared].float(), teacher[:, :shared].float())
