"""Latents of all processes in every process, so that each sample has the partners of the others as negatives."""

from __future__ import annotations

import torch
from torch import Tensor


def gathered(z: Tensor, world: int) -> Tensor:
    """(world * b, l) latents of all processes, in their order; gradients flow to this process's own (b, l).

    Every process computes the same objective of the same latents, so that its gradient in the weights is the sum over
    processes of what each one's own samples contribute.

    Args:
        z: (b, l) of this process, as many in each.
        world: processes.
    """
    if world == 1:
        return z
    parts = [torch.empty_like(z) for _ in range(world)]
    torch.distributed.all_gather(parts, z.detach().contiguous())
    parts[torch.distributed.get_rank()] = z
    return torch.cat(parts)
