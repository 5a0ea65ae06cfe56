"""What this computer computes with."""

import platform
from pathlib import Path

import torch


def processor() -> str:
    """Read the processor's name where Linux keeps it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def keep_freed_memory() -> None:
    """Let the C library keep what layers and patches free, to be used by the next ones.

    GNU's gives memory back that was freed at its end, until it has seen larger blocks come and go,
    and then takes it anew, page by page: 1 ms for 4 MB. It learns from blocks up to 32 MiB.
    """
    torch.empty((32 << 20) - 8192, dtype=torch.uint8)


def device_name(device: torch.device) -> str:
    """Name a device: the processor, or the GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor() if device.type == "cpu" else device.type
