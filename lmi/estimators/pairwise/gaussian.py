"""Gaussian MI between every two columns, from their correlations or from those of their ranks, on any device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from lmi.estimators.columns import mean_ranks
from lmi.estimators.pairwise.column_sorts import sort_columns
from lmi.estimators.pairwise.prepared import moved


@dataclass(frozen=True)
class GaussianPairs:
    """-1/2 log(1 - r^2) between columns, r their correlation."""

    device: str = "cpu"

    @property
    def value_bytes(self) -> int:
        """See ``Measure``: in float64, once as they came, centred and divided."""
        return 24

    def prepare(self, columns: Tensor) -> Tensor:
        """Columns (n, t) -> (t, n) with mean 0 and norm 1."""
        columns = columns.detach().to(self.device, torch.float64)
        centred = columns - columns.mean(0)
        return (centred / torch.linalg.vector_norm(centred, dim=0)).T.contiguous()

    def tile(self, x: Tensor, y: Tensor, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` sets what is on and below the diagonal to 0."""
        nats = -0.5 * torch.log1p(-(x @ y.T).square().clamp(max=1.0))
        return nats.triu(1) if upper else nats

    def take(self, columns: Tensor, which: Tensor, rows: Tensor | None = None) -> Tensor:
        """Columns ``which`` of prepared ones, row i holding what row ``rows[i]`` held."""
        return moved(columns, which, rows)

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) infinities: a continuous variable tells everything about itself."""
        return torch.full((len(columns),), math.inf, dtype=torch.float64, device=columns.device)


def rank_normal(x: Tensor) -> Tensor:
    """Columns (n, d) mapped to normal scores by rank: Phi^-1((rank - 1/2) / n), ties sharing their mean rank.

    The quantiles come from SciPy on any device: equal gaps between ranks are many, and a last bit would reorder them.

    >>> rank_normal(torch.tensor([[1.0], [10.0], [100.0]])).flatten()
    tensor([-0.9674,  0.0000,  0.9674], dtype=torch.float64)
    """
    if x.device.type == "cpu":
        return torch.from_numpy(sort_columns(x, with_scores=True).scores).T
    halves = np.arange(2, 2 * len(x) + 1) / 2  # every mean rank there can be
    quantiles = torch.from_numpy(ndtri((halves - 0.5) / len(x))).to(x.device)
    return quantiles[(2 * mean_ranks(x.detach()) - 2).long().T.contiguous()].T
