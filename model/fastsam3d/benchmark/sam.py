"""SAM with its ViT-B encoder, and MedSAM, on the parts that `transformers` has."""

from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..extras import how_to_get
from .planar import IMAGENET_MEAN, IMAGENET_STD, Channels, PlanarNetwork, grid_centres

SIZE = 1024
BETWEEN_0_AND_1: tuple[Channels, Channels] = ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
"""Mean and standard deviation that bring 0 to 255 to 0 to 1."""


class SamNetwork(PlanarNetwork):
    """A network with SAM's prompt encoder and mask decoder.

    The parts have the names of the official files; `keys` knows what differs inside them.
    """

    def __init__(
        self,
        parts: Any,
        size: int,
        mean: Channels = IMAGENET_MEAN,
        std: Channels = IMAGENET_STD,
    ) -> None:
        super().__init__(size, mean, std)
        self.image_encoder: nn.Module = parts.vision_encoder
        self.prompt_encoder: nn.Module = parts.prompt_encoder
        self.mask_decoder: nn.Module = parts.mask_decoder

    def embed(self, images: Tensor) -> Tensor:
        """Return (B, 256, S / 16, S / 16)."""
        out: Tensor = self.image_encoder(images).last_hidden_state
        return out

    def answer(
        self,
        embedding: Tensor,
        points_xy: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        boxes: Tensor | None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer with masks of S / 4 cells along a side."""
        B, N = labels.shape
        # transformers counts sets of prompts on one image apart from images: one set each
        sparse, dense = self.prompt_encoder(
            points_xy[:, None] if N else None,
            labels[:, None] if N else None,
            None if boxes is None else boxes[:, None],
            mask_logits,
        )
        masks, iou = self.mask_decoder(
            image_embeddings=embedding.expand(B, -1, -1, -1),
            image_positional_embeddings=self.positions(embedding).expand(B, -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
        )[:2]
        return masks[:, 0], iou[:, 0]

    def positions(self, embedding: Tensor) -> Tensor:
        """Return (1, 256, S / 16, S / 16), where the cells of an embedding are."""
        encode = self.prompt_encoder.shared_embedding
        centres = grid_centres(embedding.shape[-1], embedding)
        out: Tensor = encode(centres)  # type: ignore[operator]
        return out.permute(2, 0, 1)[None]


def make_parts(size: int, *, layers: int = 12, width: int = 768) -> Any:
    """Make a `transformers.SamModel`, its weights random.

    Args:
        size: pixels along a side.
        layers: blocks of the image encoder; 0 leaves its neck.
        width: channels of a token.

    Raises:
        InputError: transformers is missing or does not start.
    """
    transformers = _transformers()
    config = transformers.SamConfig(
        vision_config=transformers.SamVisionConfig(
            image_size=size,
            hidden_size=width,
            num_hidden_layers=layers,
            initializer_range=0.02,  # 1e-10 by default: the network would not see its image
        ),
        prompt_encoder_config=transformers.SamPromptEncoderConfig(image_size=size),
        mask_decoder_config=transformers.SamMaskDecoderConfig(layer_norm_eps=1e-5),  # as official
    )
    return transformers.SamModel(config)


def build_sam() -> SamNetwork:
    """Make SAM's network with random weights."""
    return SamNetwork(make_parts(SIZE), SIZE)


def build_medsam() -> SamNetwork:
    """Make MedSAM's network with random weights.

    It is SAM's; its weights were trained on boxes, on images of 0 to 1 and with the single mask.
    """
    mean, std = BETWEEN_0_AND_1
    return SamNetwork(make_parts(SIZE), SIZE, mean, std)


def _transformers() -> Any:
    try:
        import transformers

        _ = transformers.SamModel  # loaded only when it is asked for
    except ImportError as error:
        raise InputError(
            "The 2D systems need transformers, which is not installed; "
            f"run: {how_to_get('benchmark')}."
        ) from error
    except RuntimeError as error:
        raise InputError(
            f"transformers does not start ({str(error).strip().splitlines()[-1]}); the usual cause "
            "is a torchvision that was built for another torch: run: pip uninstall torchvision."
        ) from error
    return transformers
