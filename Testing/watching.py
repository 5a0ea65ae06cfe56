"""What a piece of torch code asks of a device, watched call by call."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SYNCHRONISING = {"_local_scalar_dense", "nonzero", "equal", "masked_select", "unique", "item"}
NO_KERNEL = {"empty", "new_empty", "lift_fresh", "detach", "_unsafe_view"}


class Watched(TorchDispatchMode):
    """Fails on float64, on what makes the host wait, and on host and device in one call.

    kernels: names of the calls that compute; uploads: sizes of what went to the device.
    """

    def __init__(self, device="cpu"):
        super().__init__()
        self.device = torch.device(device)
        self.kernels, self.uploads = [], []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        with self:  # where nothing is differentiated, torch hands over calls that stand for others
            made = func.decompose(*args, **(kwargs or {}))
        if made is not NotImplemented:
            return made
        name = func.overloadpacket.__name__
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        made = func(*args, **(kwargs or {}))
        results = [each for each in tree_leaves(made) if isinstance(each, torch.Tensor)]
        there = [each for each in results + given if each.device == self.device]
        assert name not in SYNCHRONISING, f"{name} makes the host wait"
        assert not [each for each in there if each.dtype == torch.float64], f"{name} in float64"
        if {each.device for each in given} - {each.device for each in results}:
            assert name == "_to_copy", f"{name} brings the host in"
            self.uploads.append(results[0].numel())
        elif there and not func.is_view and name not in NO_KERNEL:
            self.kernels.append(name)
        return made
