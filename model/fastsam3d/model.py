"""The networks as one thing to use: encode a patch once, decode clicks on it often."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .checkpoints import check_state, load_state
from .compact import ClickEncoder, CompactDecoder, CompactEmbedding, CompactEncoder
from .config import PRESETS, CompactConfig, ModelConfig
from .decoder import MASKS, MaskDecoder
from .encoder import ImageEncoder
from .errors import InputError
from .inputs import check_clicks, check_cubes, has_fast_bfloat16, pick_device
from .intensity import normalise
from .prompts import PromptEncoder


class FastSAM3D(nn.Module):
    """A promptable network; `build` and `load_model` make one.

    A subclass says how it embeds a patch and how it answers clicks; this checks what comes in and
    speaks NumPy to a session.
    """

    def __init__(self, config: ModelConfig | CompactConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_size = config.patch_size
        self.mask_size = config.mask_size
        self.normalisation = config.normalisation
        self.ct_clamp = False
        """Whether `embed_patch` clamps to -1000 to 1000 HU, as SAM-Med3D was trained on CT."""
        self.in_bfloat16 = False
        """Whether `embed_patch` and `predict` compute in bfloat16."""

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        return next(self.parameters()).device

    def encode(self, image: Tensor) -> Any:
        """Embed patches: slow, once a patch.

        Args:
            image: (B, 1, 128, 128, 128) float32, normalised, in canonical R, A, S axes.

        Returns:
            What `decode` reads: (B, 384, 8, 8, 8) for the published presets, a tuple of tensors for
            the default.

        Raises:
            InputError: if the image has another shape.
        """
        check_cubes(image, self.patch_size, "image")
        return self.embed(image)

    def decode(
        self,
        embedding: Any,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None = None,
        *,
        multimask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Turn an embedding and the clicks on it into masks: fast, every click.

        Args:
            embedding: of B patches or, for B sets of clicks on one patch, of one.
            points: (B, N, 3) patch voxels, in the order of the image's axes.
            labels: (B, N), 1 for inside and 0 for outside.
            mask_logits: (B, 1, m, m, m), the previous answer; None if there is none.
            multimask: whether to answer with three masks that differ instead of one.

        Returns:
            (B, 1 or 3, m, m, m) logits, positive inside, and (B, 1 or 3) predicted IoU.

        Raises:
            InputError: if a shape or a label is not as above.
        """
        check_clicks(points, labels)
        if mask_logits is not None:
            check_cubes(mask_logits, self.mask_size, "mask_logits")
        return self.answer(embedding, points, labels.long(), mask_logits, multimask=multimask)

    @torch.inference_mode()
    def embed_patch(self, patch: NDArray[np.float32]) -> Any:
        """Normalise and embed one (128, 128, 128) patch of raw intensities."""
        image = torch.from_numpy(normalise(patch, self.normalisation, ct_clamp=self.ct_clamp))
        with self._precision():
            return self.encode(image[None, None].to(self.device))

    @torch.inference_mode()
    def predict(
        self,
        embedding: Any,
        points: ArrayLike,
        labels: ArrayLike,
        mask_logits: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], float]:
        """Decode one patch's clicks with arrays.

        Args:
            embedding: from `embed_patch`.
            points: (N, 3) patch voxels, in the order of the patch's axes.
            labels: (N,), 1 for inside and 0 for outside.
            mask_logits: (m, m, m), the previous answer; None, if there is none, counts as zeros,
                as in the published evaluation, and not as `no_mask_embed`.

        Returns:
            (m, m, m) logits, positive inside, and the predicted IoU.
        """
        if mask_logits is None:
            mask_logits = np.zeros((self.mask_size,) * 3, np.float32)
        previous = self._tensor(mask_logits)[None, None]
        with self._precision():
            logits, iou = self.decode(
                embedding, self._tensor(points)[None], self._tensor(labels)[None], previous
            )
        return logits[0, 0].float().cpu().numpy(), float(iou[0, 0])

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bfloat16)

    def _tensor(self, values: ArrayLike) -> Tensor:
        return torch.from_numpy(np.array(values, np.float32)).to(self.device)

    def embed(self, image: Tensor) -> Any:
        """Embed checked patches."""
        raise NotImplementedError

    def answer(
        self,
        embedding: Any,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Decode checked clicks."""
        raise NotImplementedError


class PublishedNetwork(FastSAM3D):
    """SAM-Med3D and FastSAM3D, with the keys of their checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.image_encoder = ImageEncoder(config)
        self.prompt_encoder = PromptEncoder(config.embedding, config.grid, config.patch_size)
        self.mask_decoder = MaskDecoder(config.embedding)

    def embed(self, image: Tensor) -> Tensor:
        """Return (B, 384, 8, 8, 8)."""
        out: Tensor = self.image_encoder(image)
        return out

    def answer(
        self,
        embedding: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer with masks of 32³."""
        clicks = self.prompt_encoder.clicks(points, labels)
        image = embedding + self.prompt_encoder.mask(mask_logits)
        image = image.expand(len(clicks), -1, -1, -1, -1)
        masks, iou = self.mask_decoder(
            image, self.prompt_encoder.positions(), clicks, multimask=multimask
        )
        return masks, iou


class CompactNetwork(FastSAM3D):
    """The project's own network."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__(config)
        self.image_encoder = CompactEncoder(config)
        self.prompt_encoder = ClickEncoder(config)
        self.mask_decoder = CompactDecoder(config)

    def embed(self, image: Tensor) -> CompactEmbedding:
        """Return features at strides 16, 8 and 4."""
        out: CompactEmbedding = self.image_encoder(image)
        return out

    def answer(
        self,
        embedding: CompactEmbedding,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer with masks of 64³."""
        masks, iou = self.answer_all(embedding, points, labels, mask_logits)
        wanted = slice(1, MASKS) if multimask else slice(0, 1)
        return masks[:, wanted], iou[:, wanted]

    def answer_all(
        self,
        embedding: CompactEmbedding,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Answer with the single mask and the three that differ, in that order."""
        B = len(points)
        if mask_logits is None:
            mask_logits = points.new_zeros(1, 1, *(2 * embedding.fine.shape[-1],) * 3)
        mask_logits = mask_logits.expand(B, -1, -1, -1, -1)
        embedding = CompactEmbedding(*(each.expand(B, -1, -1, -1, -1) for each in embedding))
        tokens, maps = self.prompt_encoder(points, labels, embedding)
        positions = self.prompt_encoder.grid_position(embedding.tokens.shape[-1])
        out: tuple[Tensor, Tensor] = self.mask_decoder(
            embedding, tokens, maps, positions, mask_logits
        )
        return out


class _Undrawn(TorchFunctionMode):
    """Draws no weights: on the meta device, normal numbers would load torch's compiler (1.4 s)."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return (kwargs or {})["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **(kwargs or {}))


def build(config: ModelConfig | CompactConfig) -> FastSAM3D:
    """Make the network of a configuration, its weights not loaded."""
    if isinstance(config, ModelConfig):
        return PublishedNetwork(config)
    return CompactNetwork(config)


def outline(config: ModelConfig | CompactConfig) -> FastSAM3D:
    """Make the network of a configuration without memory for its weights: to be given some."""
    with torch.device("meta"), _Undrawn():
        return build(config)


def load_model(
    preset: str = "fastsam3d-default",
    *,
    checkpoint: Path | str | None = None,
    state_dict: dict[str, Tensor] | None = None,
    device: str = "auto",
) -> FastSAM3D:
    """Make a preset's network, load its weights and bring it to a device.

    Args:
        preset: a name in `config.PRESETS`.
        checkpoint: a weights file instead of the registry's.
        state_dict: weights under the checkpoint's own keys, instead of a file.
        device: "cpu", "cuda", "mps" and so on; "auto" takes the first there is of cuda, mps, cpu.

    Returns:
        The network in evaluation mode, its weights frozen.

    Raises:
        InputError: if there is no such preset or device, or the weights are missing or do not fit.
    """
    if preset not in PRESETS:
        raise InputError(f"Got preset {preset!r}; expected one of {', '.join(PRESETS)}.")
    where = pick_device(device)
    if state_dict is None:
        state_dict = load_state(preset, None if checkpoint is None else Path(checkpoint))
    model = outline(PRESETS[preset])
    check_state(state_dict, {key: tuple(own.shape) for key, own in model.state_dict().items()})
    weights = {key: value.detach().float() for key, value in state_dict.items()}
    model.load_state_dict(weights, assign=True)
    model = model.to(where).requires_grad_(requires_grad=False).eval()
    model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    if isinstance(model, CompactNetwork):
        model.in_bfloat16 = has_fast_bfloat16(where)
    return model
