"""B-spline MI between every two columns: a histogram whose samples are shared among neighbouring bins."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.pairwise.prepared import moved

BLOCK_VALUES = 2**24  # weights held at a time


@dataclass(frozen=True)
class SplinePairs:
    """B-spline MI between columns (Daub, Steuer, Selbig and Kloska, BMC Bioinformatics 5:118, 2004).

    Sample i belongs to bin b of a column by the weight w_b(x_i) of a B-spline of order ``order`` over the column's
    range; weights of a sample add up to 1. p_ab = (1 / n) sum_i w_a(x_i) w_b(y_i) is one product of matrices for all
    pairs, and the MI is that of the table p. Order 1 is the histogram of bins of equal width.

    Args:
        bins: bins a column.
        order: of the splines, from 1 to ``bins``: a sample is shared by so many bins.
        device: a torch device.
    """

    bins: int = 10
    order: int = 3
    device: str = "cpu"

    @property
    def value_bytes(self) -> int:
        """See ``Measure``: in float64, once as they came, moved and divided."""
        return 24

    def prepare(self, columns: Tensor) -> Tensor:
        """Columns (n, t) -> (t, n) places on their knots, from 0 to bins - order + 1."""
        values = columns.detach().to(self.device, torch.float64).T.contiguous()
        low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
        return (values - low) / (high - low) * (self.bins - self.order + 1)

    def take(self, columns: Tensor, which: Tensor, rows: Tensor | None = None) -> Tensor:
        """Columns ``which`` of prepared ones, row i holding what row ``rows[i]`` held."""
        return moved(columns, which, rows)

    def tile(self, x: Tensor, y: Tensor, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` sets what is on and below the diagonal to 0."""
        (tx, n), ty = x.shape, y.shape[0]
        joint = torch.zeros(tx * self.bins, ty * self.bins, dtype=torch.float64, device=x.device)
        rows = max(1, BLOCK_VALUES // (self.bins * max(tx, ty)))
        for start in range(0, n, rows):
            left, right = (self._weights(places[:, start : start + rows]) for places in (x, y))
            joint += left.flatten(0, 1) @ right.flatten(0, 1).T
        joint = (joint / n).view(tx, self.bins, ty, self.bins).transpose(1, 2).flatten(-2)
        entropies = [_entropy(self._weights(places).mean(-1)) for places in (x, y)]
        nats = entropies[0][:, None] + entropies[1] - _entropy(joint)
        return nats.triu(1) if upper else nats

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) each prepared column against itself."""
        return torch.cat([self.tile(column[None], column[None])[0] for column in columns])

    def _weights(self, places: Tensor) -> Tensor:
        """(t, n) places -> (t, bins, n) weights by de Boor's recursion on the clamped knots 0, 0, .., 1, 2, .., m, m."""
        last = self.bins - self.order + 1
        knots = (torch.arange(self.bins + self.order, device=places.device) - self.order + 1).clamp(0, last).tolist()
        inside = places.clamp(max=last * (1 - 1e-15)) if last else places  # the last bin holds its right end
        cell = inside.floor().long().clamp_(0, last - 1) + self.order - 1
        weights = torch.zeros(len(places), self.bins + self.order - 1, places.shape[1], dtype=torch.float64).to(places)
        weights.scatter_(1, cell[:, None], 1.0)
        for degree in range(1, self.order):
            count = self.bins + self.order - 1 - degree
            higher = torch.zeros(len(places), count, places.shape[1], dtype=torch.float64, device=places.device)
            for b in range(count):
                up, down = knots[b + degree] - knots[b], knots[b + degree + 1] - knots[b + 1]
                if up:
                    higher[:, b] += (inside - knots[b]) / up * weights[:, b]
                if down:
                    higher[:, b] += (knots[b + degree + 1] - inside) / down * weights[:, b + 1]
            weights = higher
        return weights


def _entropy(p: Tensor) -> Tensor:
    """-sum p log p over the last axis, nats."""
    return -torch.xlogy(p, p).sum(-1)
