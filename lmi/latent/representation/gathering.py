"""Latents of all processes in every process, so that each sample has the partners of the others as negatives."""

from __future__ import annotations

import torch
from torch import Tensor


def gathered(z: Tensor, world: int) -> Tensor:
    """(world * b, l) latents of all processes, in their order; gradients flow to this process's (b, l), times ``world``.

    Every process computes the same objective of the same latents. What its samples contribute to the gradient is multiplied
    by the number of processes, because gradients are averaged over processes: the average is then the sum of all
    contributions for the encoders, and stays what it is for a critic, whose gradient is whole in every process.

    Args:
        z: (b, l) of this process, as many in each.
        world: processes.
    """
    if world == 1:
        return z
    parts = [torch.empty_like(z) for _ in range(world)]
    torch.distributed.all_gather(parts, z.detach().contiguous())
    parts[torch.distributed.get_rank()] = world * z - (world - 1) * z.detach()
    return torch.cat(parts)
