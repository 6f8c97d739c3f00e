"""Sources side by side: several dependences of different kinds in one sample, as people's columns have them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from lmi.types import Pairs, Source


@dataclass(frozen=True)
class Beside:
    """The columns of several sources, each independent of the others: I(X; Y) is the sum of theirs.

    Args:
        sources: at least one, each with a known truth.
        swapped: numbers of sources whose x and y change sides.
        shuffled: whether the columns of either side come in a random order.

    >>> from lmi.sources.normal.gaussian import LowRankGaussian
    >>> normal = LowRankGaussian(rank=1, bits=1.0, x_dim=1, y_dim=2)
    >>> pairs = Beside((normal, normal), swapped=(1,)).sample(5, torch.Generator().manual_seed(0))
    >>> pairs.x.shape, pairs.y.shape, round(pairs.truth / 0.6931, 3)
    (torch.Size([5, 3]), torch.Size([5, 3]), 2.0)
    """

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    swapped: tuple[int, ...] = ()
    shuffled: bool = True

    def sample(self, num_samples: int | None, generator: torch.Generator) -> Pairs:
        """``num_samples`` pairs of every source.

        Raises:
            ValueError: where a source does not know its truth.
        """
        pairs = [source.sample(num_samples, generator) for source in self.sources]
        truths = [pair.truth for pair in pairs if pair.truth is not None]
        if len(truths) < len(pairs):
            raise ValueError("a source beside others has no truth; expected sources whose mutual information is known")
        sides = [(pair.y, pair.x) if i in self.swapped else (pair.x, pair.y) for i, pair in enumerate(pairs)]
        x, y = (torch.cat([side.double() for side in sided], 1) for sided in zip(*sides, strict=True))
        if self.shuffled:
            x, y = (z[:, torch.randperm(z.shape[1], generator=generator)] for z in (x, y))
        return Pairs(x, y, math.fsum(truths))
