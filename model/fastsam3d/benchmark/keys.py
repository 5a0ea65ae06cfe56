"""What the official files call the weights that our networks name in transformers' way."""

import re

_RULES = (
    (r"^prompt_encoder\.shared_embedding\.positional_embedding$",
     "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (r"^prompt_encoder\.mask_embed\.conv1\.", "prompt_encoder.mask_downscaling.0."),
    (r"^prompt_encoder\.mask_embed\.layer_norm1\.", "prompt_encoder.mask_downscaling.1."),
    (r"^prompt_encoder\.mask_embed\.conv2\.", "prompt_encoder.mask_downscaling.3."),
    (r"^prompt_encoder\.mask_embed\.layer_norm2\.", "prompt_encoder.mask_downscaling.4."),
    (r"^prompt_encoder\.mask_embed\.conv3\.", "prompt_encoder.mask_downscaling.6."),
    (r"^mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
    (r"^mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
    (r"^mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
    (r"(mlps\.\d|iou_prediction_head)\.layers\.0\.", r"\1.layers.1."),
    (r"(mlps\.\d|iou_prediction_head)\.proj_in\.", r"\1.layers.0."),
    (r"(mlps\.\d|iou_prediction_head)\.proj_out\.", r"\1.layers.2."),
    (r"^image_encoder\.layers\.(\d+)\.(attn|mlp|layer_norm\d)\.", r"image_encoder.blocks.\1.\2."),
    (r"\.mlp\.adapter\.", ".Adapter."),
    (r"^image_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^image_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^image_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^image_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^image_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"\.layer_norm", ".norm"),
)  # fmt: skip

_UNUSED = re.compile(r"^(pixel_mean|pixel_std)$|^image_encoder\.(norm_head|head)\.")
"""What official files hold that no mask comes from: means of the input, a classifier's head."""


def official(key: str) -> str:
    """Return what the official files call one of our weights.

    One set of rules holds for SAM, MedSAM, MobileSAM, TinySAM and SAM-Med2D: what TinyViT names its
    stages, no rule for SAM's blocks touches.
    """
    for pattern, name in _RULES:
        key = re.sub(pattern, name, key)
    return key


def used(key: str) -> bool:
    """Tell whether a weight of an official file takes part in an answer."""
    return _UNUSED.search(key) is None
