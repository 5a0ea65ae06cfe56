"""Recipes of distillation: how long, how fast and on what each of its two stages learns."""

from dataclasses import dataclass, field, replace

from .errors import InputError
from .growth import PARTS
from .logits import LogitConfig
from .loop_config import LoopConfig

_OF_A_STAGE = 0.1
"""The share that warming up and the running average of weights may last where it is shortened."""

FEATURES = ("progressive", "all", "none")
"""How the feature stage follows the teacher's layers: one more at a time, all, or not at all."""


@dataclass(frozen=True)
class Recipe:
    """The two stages.

    feature, logits: their loops.
    question: of the logit stage; its `variety` is that of the feature stage, too.
    inherited: parts that start as copies of the teacher's, of `growth.PARTS`.
    features: of `FEATURES`.
    """

    feature: LoopConfig
    logits: LoopConfig
    question: LogitConfig = field(default_factory=LogitConfig)
    inherited: tuple[str, ...] = PARTS
    features: str = "progressive"

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise InputError(
                f"Got features {self.features!r}; expected one of {', '.join(FEATURES)}."
            )


_AS_STATED = LoopConfig(
    epochs=36,
    batch=16,
    optimizer="adam",
    betas=(0.9, 0.999),
    learning_rate=5e-3,
    weight_decay=0.0,
    warm_up=0,
    schedule="constant",
    average=0.0,
    clip=None,
)

PAPER = Recipe(
    feature=replace(_AS_STATED, count_epochs=True),
    logits=_AS_STATED,
    question=LogitConfig(variety="flips"),
    inherited=("prompt_encoder.", "mask_decoder."),
)
"""As the paper states it: Adam, 5e-3, batch 16, 36 iterations.

The paper does not say what an iteration is, how long the logit stage is, nor what else is done to a
patch. Here iterations are epochs, both stages are as long, patches are flipped, as SAM-Med3D's
were, though half of them were cut at an angle (`cube.LARGEST_TURN`), which SAM-Med3D's were not,
and the encoder starts from nothing beside the teacher's prompt encoder and mask decoder, with which
the published encoder is used.
"""

_OURS = LoopConfig(steps=4000, batch=16, learning_rate=5e-4)

OURS = Recipe(feature=_OURS, logits=replace(_OURS, steps=16000))
"""What works best: the student starts as every other layer of its teacher, where shapes agree."""

RECIPES = {"ours": OURS, "paper": PAPER}


def recipe_of(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises:
        InputError: there is none.
    """
    if name not in RECIPES:
        raise InputError(f"Got recipe {name!r}; expected {' or '.join(RECIPES)}.")
    return RECIPES[name]


@dataclass(frozen=True)
class Setting:
    """What a user may decide about a recipe; None keeps what it says.

    steps or epochs: of each stage that there is.
    batch, micro, device, devices, nodes, precision, seed: as in `LoopConfig`.
    truth, teacher: weights of the logit stage.
    """

    steps: int | None = None
    epochs: int | None = None
    batch: int | None = None
    micro: int | None = None
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"
    seed: int = 0
    features: str = "progressive"
    truth: float = 1.0
    teacher: float = 1.0


def adapted(recipe: Recipe, setting: Setting) -> Recipe:
    """Apply what a user decided; a recipe's logit stage without a feature stage is as long as both.

    Raises:
        InputError: a value that a loop does not take.
    """
    feature, logits = (_adapted(config, setting) for config in (recipe.feature, recipe.logits))
    if setting.features == "none" and setting.steps is None and setting.epochs is None:
        logits = replace(
            logits,
            steps=_sum(feature.steps, logits.steps),
            epochs=_sum(feature.epochs, logits.epochs),
        )
    question = replace(recipe.question, truth=setting.truth, teacher=setting.teacher)
    return replace(
        recipe, feature=feature, logits=logits, question=question, features=setting.features
    )


def _adapted(config: LoopConfig, setting: Setting) -> LoopConfig:
    if setting.steps is not None or setting.epochs is not None:
        counts = config.count_epochs and setting.epochs is not None
        config = replace(
            config, steps=setting.steps, epochs=setting.epochs, seconds=None, count_epochs=counts
        )
        if setting.steps is not None:
            config = shortened(config, setting.steps)
    return replace(
        config,
        batch=config.batch if setting.batch is None else setting.batch,
        micro=config.micro if setting.micro is None else setting.micro,
        device=setting.device,
        devices=setting.devices,
        nodes=setting.nodes,
        precision=setting.precision,
        seed=setting.seed,
    )


def shortened(config: LoopConfig, steps: int) -> LoopConfig:
    """Return a loop whose warming up and running average fit so many steps."""
    average = min(config.average, max(0.0, 1 - 1 / (_OF_A_STAGE * steps)))
    return replace(config, warm_up=min(config.warm_up, int(_OF_A_STAGE * steps)), average=average)


def fitted(config: LoopConfig, examples: int) -> LoopConfig:
    """Return a loop as `shortened` to the steps that it takes of so many examples."""
    last = config.last_step(examples)
    return config if last is None else shortened(config, last)


def shown(recipe: Recipe, examples: int) -> int:
    """Return how many of so many examples the longer stage can show; all where seconds decide."""
    stages = [recipe.logits] if recipe.features == "none" else [recipe.feature, recipe.logits]
    return max(stage.shown(examples) for stage in stages)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
