"""Dropout whose masks are those of a step of the training: a fit that goes on draws the masks that it would have drawn."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StepDropout(nn.Module):
    """Leaves out a share of what comes in while training, and scales up the rest (Srivastava et al., JMLR 2014).

    >>> layer = StepDropout()
    >>> layer.share, layer.generator = 0.5, torch.Generator().manual_seed(0)
    >>> sorted(set(layer(torch.ones(4, 5)).flatten().tolist())), layer.eval()(torch.ones(1, 2)).tolist()
    ([0.0, 2.0], [[1.0, 1.0]])
    """

    def __init__(self) -> None:
        super().__init__()
        self.share = 0.0
        self.generator: torch.Generator | None = None  # of the step, on the CPU
        self.rank, self.world = 0, 1  # of the processes that share the step's samples out in turn

    def forward(self, z: Tensor) -> Tensor:
        """z (b, features) with a mask for each sample, the one that it would have in a single process."""
        if not self.training or self.share == 0:
            return z
        shape = (self.world * z.shape[0], *z.shape[1:])
        kept = torch.rand(shape, generator=self.generator)[self.rank :: self.world].to(z.device) >= self.share
        return z * kept / (1 - self.share)
