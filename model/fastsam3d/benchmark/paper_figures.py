"""The figures that the paper prints (arXiv 2403.09827, CC BY 4.0), and what does not add up."""

import re
from typing import NamedTuple

SOURCE = "FastSAM3D, arXiv 2403.09827 (CC BY 4.0)"
GPU = "NVIDIA A100, 40 GB"
"""What Tables 3 and 4 were measured on."""

TIMES = "\N{MULTIPLICATION SIGN}"

CLICKS = (1, 3, 5, 10)
DATASETS = ("AMOS", "TotalSegmentator", "BraTS 2021")
NAMES = ("amos", "totalsegmentator", "brats")
"""What the datasets may be called to be known, in their order."""

_SIGNS = ("amos", r"totalseg|(?<![a-z0-9])ts(?![a-z0-9])", "brats")

Dice = tuple[float, float, float, float]
"""After 1, 3, 5 and 10 points."""


class Note(NamedTuple):
    """What to know when comparing; row: the measured row without which it says nothing."""

    text: str
    row: str = ""


class Part(NamedTuple):
    """Table 3: the encoder or the decoder. Of 2D systems the time is of all slices of a volume."""

    ms: float
    gflops: float
    gb: float


class Efficiency(NamedTuple):
    """A row of Table 3; None where a dash is printed."""

    encoder: Part
    decoder: Part
    to_2d: float
    to_3d: float | None


class Ablation(NamedTuple):
    """A row of Table 4: of the encoder, and Dice by dataset."""

    ms: float
    gflops: float
    gb: float
    dice: dict[str, Dice]


TRAITS = {
    "sam": (False, False, False, False, False),
    "mobilesam": (False, False, True, False, False),
    "tinysam": (False, False, True, True, True),
    "medsam": (True, False, False, False, False),
    "sam-med2d": (True, False, False, False, False),
    "sam-med3d": (True, True, False, False, False),
    "fastsam3d": (True, True, True, True, True),
}
"""Table 1: medical, volumetric, efficient image encoder, prompt encoder and mask decoder."""

DICE: dict[str, dict[str, Dice]] = {
    "AMOS": {
        "sam": (0.049, 0.093, 0.114, 0.145),
        "mobilesam": (0.041, 0.056, 0.063, 0.070),
        "tinysam": (0.049, 0.077, 0.089, 0.101),
        "medsam": (0.004, 0.051, 0.060, 0.074),
        "sam-med2d": (0.097, 0.127, 0.129, 0.132),
        "sam-med3d": (0.289, 0.386, 0.418, 0.448),
        "fastsam3d": (0.273, 0.368, 0.402, 0.437),
    },
    "TotalSegmentator": {
        "sam": (0.202, 0.279, 0.311, 0.348),
        "mobilesam": (0.149, 0.170, 0.182, 0.212),
        "tinysam": (0.171, 0.225, 0.243, 0.262),
        "medsam": (0.006, 0.069, 0.090, 0.111),
        "sam-med2d": (0.008, 0.081, 0.100, 0.128),
        "sam-med3d": (0.252, 0.400, 0.463, 0.522),
        "fastsam3d": (0.250, 0.378, 0.445, 0.519),
    },
    "BraTS 2021": {
        "sam": (0.108, 0.192, 0.217, 0.237),
        "mobilesam": (0.079, 0.132, 0.156, 0.186),
        "tinysam": (0.103, 0.165, 0.187, 0.211),
        "medsam": (0.008, 0.059, 0.064, 0.071),
        "sam-med2d": (0.013, 0.076, 0.082, 0.084),
        "sam-med3d": (0.328, 0.395, 0.418, 0.446),
        "fastsam3d": (0.333, 0.401, 0.421, 0.445),
    },
}
"""Table 2, by dataset and system."""

EFFICIENCY = {
    "sam": Efficiency(Part(3980, 369.0, 7.87), Part(239, 3.0, 5.57), 1.00, None),
    "mobilesam": Efficiency(Part(584, 36.7, 5.48), Part(233, 3.0, 5.27), 5.16, None),
    "tinysam": Efficiency(Part(609, 36.7, 5.48), Part(246, 3.0, 5.27), 4.93, None),
    "medsam": Efficiency(Part(3983, 369.0, 7.87), Part(241, 2.9, 5.57), 1.00, None),
    "sam-med2d": Efficiency(Part(1063, 32.0, 6.32), Part(216, 0.21, 5.55), 3.30, None),
    "sam-med3d": Efficiency(Part(70, 89.5, 6.58), Part(20, 2.8, 5.53), 60.27, 1.00),
    "fastsam3d": Efficiency(Part(3, 21.9, 0.78), Part(5, 2.8, 0.71), 527.38, 8.75),
}
"""Table 3, by system."""


def known_as(name: str) -> str:
    """Return what the paper calls a dataset of this name, such as "amos22" or "ts"; "" if none."""
    found = zip(DATASETS, _SIGNS, strict=True)
    return next((own for own, sign in found if re.search(sign, name.lower())), "")


def _by_dataset(*dice: Dice) -> dict[str, Dice]:
    return dict(zip(DATASETS, dice, strict=True))


ABLATION = {
    "plain": Ablation(
        10, 23.1, 1.16,
        _by_dataset(
            (0.282, 0.375, 0.403, 0.436), (0.243, 0.371, 0.442, 0.516), (0.335, 0.404, 0.422, 0.444)
        ),
    ),
    "flash": Ablation(
        6, 21.9, 1.15,
        _by_dataset(
            (0.276, 0.366, 0.398, 0.432), (0.247, 0.374, 0.438, 0.516), (0.331, 0.402, 0.421, 0.445)
        ),
    ),
    "sparse": Ablation(
        9, 23.1, 0.79,
        _by_dataset(
            (0.277, 0.370, 0.402, 0.433), (0.255, 0.381, 0.450, 0.520), (0.328, 0.403, 0.422, 0.445)
        ),
    ),
    "sparse+flash": Ablation(
        3, 21.9, 0.78,
        _by_dataset(
            (0.273, 0.368, 0.402, 0.437), (0.250, 0.378, 0.445, 0.519), (0.333, 0.401, 0.421, 0.445)
        ),
    ),
}  # fmt: skip
"""Table 4, by form; the marks of the rows flash and sparse follow the paper's text."""

_NOTES: dict[int, tuple[str | Note, ...]] = {
    2: (
        "Table 2 does not say whether k points means the k-th click or the best Dice so far, which "
        "the published scripts keep: both are given here.",
        "The paper's text speaks of 0.306 for the best 2D system on AMOS at 10 points; its table "
        "has no such figure.",
    ),
    3: (
        "The paper's GFLOPs are multiply-accumulates of modules, of one slice or patch: transposed "
        "convolutions count 8 times too much, and products of activations, such as the two of "
        f"attention, do not count. They are counted here in the same way, and as 2 {TIMES} MAC "
        "with attention. The print rounds some of them and cuts others (2.983 is 3.0 for SAM and "
        "2.9 for MedSAM), so that it is met within 0.1.",
        "SAM-Med2D's 32.0 GFLOPs are without its adapters, and so are both counts here; with them "
        f"its encoder has 65.2 as the paper counts, and 91.7 as 2 {TIMES} MAC. Time, memory and "
        "parameters here are with them.",
        "The paper's row of FastSAM3D is the last form of its Table 4, sparse and flash attention "
        "without relative positions; the published weights have dense attention with relative "
        "positions. Both count 21.9 GFLOPs as the paper does, without the projection after "
        "attention; with it they have 23.1.",
        Note("The row FastSAM3D here is of the form of the published weights.", "FastSAM3D"),
        Note(
            "The row FastSAM3D (sparse, flash) here is of the form of the paper's row.",
            "FastSAM3D (sparse, flash)",
        ),
        "Times here are in float32, for which flash attention on CUDA is the memory-efficient "
        "kernel; on CUDA Table 4 has bfloat16, too.",
        f"8.75{TIMES} is 70 / 8, SAM-Med3D's encoder alone against encoder and decoder of "
        f"FastSAM3D. The table's own sums give 90 / 8 = 11.25{TIMES}, and 46.88{TIMES} instead of "
        f"60.27{TIMES} for SAM-Med3D against SAM.",
        "The paper's times were taken without waiting for the GPU; here they are.",
        "The paper's memory is all that the process held: the scripts of all systems but FastSAM3D "
        "kept the graph of another network alive, some 3.8 GB. Here it is of the system alone.",
    ),
    4: (
        "23.1 → 21.9 GFLOPs is the projection after attention (4 · 512 · 768²), which the "
        "code behind these rows leaves out. By the paper's count neither sparse nor flash "
        "attention saves any.",
        "The paper's text says 1.06 GB where the table prints 1.16.",
        "The published checkpoint was distilled with plain attention and relative positions, not "
        "with sparse flash attention.",
        "Here the published geometry stands without relative positions, which sparse forms cannot "
        "use; on the CPU flash is torch's fused kernel. Our weights learnt sparse attention, so "
        "their Dice in dense forms shows the change of form, not training with it.",
        "The paper gives neither the segment length w nor the dilation r; the published code's "
        "defaults are w = 64, r = 4.",
    ),
}  # fmt: skip
NOTES = {
    table: tuple(note if isinstance(note, Note) else Note(note) for note in notes)
    for table, notes in _NOTES.items()
}
"""By table: what to know when comparing."""
