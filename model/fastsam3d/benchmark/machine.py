"""Which machine and versions figures belong to."""

import torch

from ..cost import machine as own
from ..doctor import memory_gib, version_of


def machine() -> str:
    """Name processor, memory, GPUs, system and versions, those of the 2D systems among them."""
    memory = memory_gib()
    parts = [
        own(),
        f"{memory:.0f} GiB of memory" if memory is not None else "",
        f"CUDA {torch.version.cuda}" if torch.cuda.is_available() else "",
        f"transformers {version}" if (version := version_of("transformers")) else "",
    ]
    return "; ".join(filter(None, parts))
