"""The networks as one thing to use: encode a patch once, decode clicks on it often."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from .compact import CompactDecoder, CompactEmbedding, CompactEncoder
from .compact_clicks import ClickEncoder
from .config import CompactConfig, ModelConfig
from .decoder import MASKS, MaskDecoder, hidden
from .encoder import ImageEncoder
from .inputs import check_clicks, check_cubes
from .intensity import normalise
from .precision import Precision
from .prompts import PromptEncoder
from .replayed import Replayed

if TYPE_CHECKING:
    from .scan import Scan, ScanOnHost


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
        self.precision: Precision = "float32"
        """Of what `load_model` made it compute in."""
        self._replayed: Replayed | None = None
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

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
    def embed_patch(self, patch: NDArray[np.float32] | Tensor) -> Any:
        """Normalise and embed one (128, 128, 128) patch of raw intensities."""
        if self.device.type == "cuda":
            values = torch.as_tensor(patch).float()
            check_cubes(values[None, None], self.patch_size, "patch")
            return self._on_gpu().embed(values)
        patch = np.asarray(patch)
        image = torch.from_numpy(normalise(patch, self.normalisation, ct_clamp=self.ct_clamp))
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
        given = _tensor(points)[None], _tensor(labels)[None], _tensor(mask_logits)[None, None]
        check_clicks(*given[:2])
        check_cubes(given[2], self.mask_size, "mask_logits")
        if self.device.type == "cuda":
            return self._on_gpu().predict(embedding, points, labels, mask_logits)
        logits, iou = self.decode(embedding, *(each.to(self.device) for each in given))
        return logits[0, 0].float().cpu().numpy(), float(iou[0, 0])

    def scan(self, host: "ScanOnHost") -> "Scan":
        """Bring a volume to where this network is: on a CUDA GPU it is sampled there."""
        if self.device.type != "cuda":
            return host
        from .ondevice import ScanOnDevice

        return ScanOnDevice(host, self.device)

    def _on_gpu(self) -> Replayed:
        self._replayed = self._replayed or Replayed(self)
        return self._replayed

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "FastSAM3D":
        self._replayed = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __getstate__(self) -> dict[str, Any]:
        # What is recorded belongs to this network's own weights.
        return {**self.__dict__, "_replayed": None}

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
        padded: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Decode checked clicks; `padded` says that some, of labels below 0, are none."""
        raise NotImplementedError

    def parts_of(self, embedding: Any) -> tuple[Tensor, ...]:
        """Return the tensors of an embedding."""
        raise NotImplementedError

    def embedding_of(self, parts: tuple[Tensor, ...]) -> Any:
        """Put an embedding together again."""
        raise NotImplementedError


def _forget(network: FastSAM3D, keys: Any) -> None:
    """Let go of recordings that read weights which others may have taken the place of."""
    network._replayed = None


def _tensor(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


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
        padded: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Answer with masks of 32³."""
        clicks = self.prompt_encoder.clicks(points, labels)
        bias = F.pad(hidden(labels, clicks), (0, 1)) if padded else None
        image = embedding + self.prompt_encoder.mask(mask_logits)
        image = image.expand(len(clicks), -1, -1, -1, -1)
        masks, iou = self.mask_decoder(
            image, self.prompt_encoder.positions(), clicks, bias, multimask=multimask
        )
        return masks, iou

    def parts_of(self, embedding: Tensor) -> tuple[Tensor, ...]:
        """Return the embedding alone."""
        return (embedding,)

    def embedding_of(self, parts: tuple[Tensor, ...]) -> Tensor:
        """Return it again."""
        return parts[0]


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
        padded: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Answer with masks of 64³."""
        masks, iou = self.answer_all(embedding, points, labels, mask_logits, padded=padded)
        wanted = slice(1, MASKS) if multimask else slice(0, 1)
        return masks[:, wanted], iou[:, wanted]

    def parts_of(self, embedding: CompactEmbedding) -> tuple[Tensor, ...]:
        """Return the features at each stride."""
        return tuple(embedding)

    def embedding_of(self, parts: tuple[Tensor, ...]) -> CompactEmbedding:
        """Put the features together again."""
        return CompactEmbedding(*parts)

    def answer_all(
        self,
        embedding: CompactEmbedding,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        *,
        padded: bool = False,
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
            embedding,
            tokens,
            maps,
            positions,
            mask_logits,
            hidden(labels, tokens) if padded else None,
        )
        return out
