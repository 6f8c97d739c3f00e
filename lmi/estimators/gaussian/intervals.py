"""A normal copula of columns that repeat values: each value that repeats is an interval of a hidden normal score.

ReLU and clipped activations, counts, items of a questionnaire and rounded values are all of this kind: a value v of a column
with distribution function F says that the hidden score lies between Phi^-1(F(v-)) and Phi^-1(F(v)), and one that occurs
once says what it is. Hoff, Extending the rank likelihood for semiparametric copula estimation, Ann. Appl. Stat. 1 (2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.columns import mean_ranks
from lmi.estimators.gaussian.linear import LinearCritic, fit_correlations
from lmi.estimators.trust.normality import mardia

SWEEPS = 40  # over the columns, of which the second half is averaged
DRAWS = 16  # of each side alone given its own intervals
DRAW_SWEEPS = 12
ROWS = 4000  # that a covariance is fitted to
TILE = 1 << 20  # scores of so many draws are worked out at once, so that they stay in the cache
MOST_LOST = 1.0  # nats, from where on the first order of what few draws lose says little
EDGE = 1e-12  # probability nearest to 0 and 1 that is drawn


def intervals(z: Tensor) -> Tensor:
    """(n, 2 d) the lower and the upper end of each entry's hidden normal score; a value that occurs once has both alike.

    Args:
        z: (n, d).

    >>> ends = intervals(torch.tensor([[0.0], [0.0], [2.0], [1.0]]))
    >>> [[round(float(a), 2) for a in row] for row in ends]
    [[-inf, 0.0], [-inf, 0.0], [1.15, 1.15], [0.32, 0.32]]
    """
    z = z.detach().cpu().double()
    n = z.shape[0]
    columns = z.T.contiguous()
    ordered = columns.sort(dim=1).values
    below, up_to = (torch.searchsorted(ordered, columns, right=right).T.double() for right in (False, True))
    single = up_to - below == 1
    middle = mean_ranks(z) - 0.5
    low, high = (torch.special.ndtri(torch.where(single, middle, ends) / n) for ends in (below, up_to))
    return torch.cat((low, high), 1)


@dataclass(frozen=True, eq=False)
class IntervalNormal:
    """A normal copula fitted to intervals.

    The log ratio of a pair is log E exp s(z, w) over hidden scores z given x alone and w given y alone, s the log ratio of
    the hidden normal: an average over draws of each side, so that every x can be held against every y.

    Args:
        correlations: (dx + dy, dx + dy) of all hidden scores.
        correlations_x: (dx, dx) of x's hidden scores.
        correlations_y: (dy, dy).
        linear: the normal model between both.
        seed: of the draws.
    """

    correlations: Tensor
    correlations_x: Tensor
    correlations_y: Tensor
    linear: LinearCritic
    seed: int

    def variates(self, x: Tensor, y: Tensor, draws: int) -> tuple[Tensor, Tensor]:
        """(n, draws, r) canonical variates of hidden scores of each side, from ends x (n, 2 dx), y (m, 2 dy)."""
        generator = torch.Generator().manual_seed(self.seed)
        sides = []
        for ends, correlations in ((x, self.correlations_x), (y, self.correlations_y)):
            low, high = ends.repeat_interleave(draws, 0).chunk(2, 1)
            sides.append(_hidden(low, high, correlations, generator))
        u, v = self.linear.variates(sides[0], sides[1])
        return u.reshape(x.shape[0], draws, -1), v.reshape(y.shape[0], draws, -1)

    def not_normal(self, x: Tensor, y: Tensor) -> float:
        """The largest of Mardia's scores of hidden scores of pairs with ends x (n, 2 dx), y (n, 2 dy), and of either side.

        Drawn given all intervals, they are jointly normal if the copula is. Counts of a shared rate are not: where the rate
        is low, their noise is larger.
        """
        (low_x, high_x), (low_y, high_y) = x[:ROWS].chunk(2, 1), y[:ROWS].chunk(2, 1)
        low, high = torch.cat((low_x, low_y), 1), torch.cat((high_x, high_y), 1)
        z = _hidden(low, high, self.correlations, torch.Generator().manual_seed(self.seed))
        sides = z, z[:, : low_x.shape[1]], z[:, low_x.shape[1] :]
        return max(abs(score) for each in sides for score in mardia(each))

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every x with every y, nats."""
        u, v = (side.float() for side in self.variates(x, y, DRAWS))
        r = self.linear.correlations.float()
        rest = 1 - r**2
        weight = 0.5 * r**2 / rest
        # exp(s) of all draws is one product a tile: what a draw has alone is taken into it once, not for every pair.
        flat_u, flat_v = u.flatten(0, 1), v.flatten(0, 1)
        left = torch.cat((flat_u * (r / rest), -(flat_u**2 @ weight)[:, None], torch.ones(flat_u.shape[0], 1)), 1)
        right = torch.cat((flat_v, torch.ones(flat_v.shape[0], 1), -(flat_v**2 @ weight)[:, None]), 1).T.contiguous()
        out = torch.empty(x.shape[0], y.shape[0])
        height = max(1, TILE // (DRAWS**2 * y.shape[0]))
        for first in range(0, x.shape[0], height):
            rows = left[first * DRAWS : (first + height) * DRAWS]
            s = (rows @ right).reshape(-1, DRAWS, y.shape[0], DRAWS)
            out[first : first + height] = _log_mean_exp(s, 1, 3)
        return out - 0.5 * float(rest.log().sum())

    def ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) log density ratio of the pairs themselves, nats, without the first order of what few draws lose."""
        u, v = self.variates(x, y, DRAWS)
        r = self.linear.correlations
        rest = 1 - r**2
        weight = 0.5 * r**2 / rest
        s = torch.bmm(u * (r / rest), v.transpose(1, 2)) - 0.5 * rest.log().sum()
        s -= (u**2 @ weight)[:, :, None] + (v**2 @ weight)[:, None, :]

        return _log_mean_exp(s, 1, 2)


def fit_intervals(x: Tensor, y: Tensor, seed: int) -> IntervalNormal:
    """Stochastic expectation maximisation: draw hidden scores given the others, correlate them, average over sweeps.

    Args:
        x: (n, 2 dx) ends as ``intervals`` gives them.
        y: (n, 2 dy).
        seed: of the draws.

    Raises:
        ValueError: for fewer than five samples a column.

    >>> g = torch.Generator().manual_seed(0)
    >>> z = torch.randn(1500, 1, generator=g)
    >>> w = 0.8 * z + 0.6 * torch.randn(1500, 1, generator=g)
    >>> ends = [intervals(side.clamp(min=0)) for side in (z, w)]
    >>> fitted = fit_intervals(*ends, 0)
    >>> abs(float(fitted.linear.correlations[0]) - 0.8) < 0.05, abs(float(fitted.ratio(*ends).mean()) - 0.346) < 0.06
    (True, True)
    """
    generator = torch.Generator().manual_seed(seed)
    (low_x, high_x), (low_y, high_y) = x[:ROWS].chunk(2, 1), y[:ROWS].chunk(2, 1)
    low, high = torch.cat((low_x, low_y), 1), torch.cat((high_x, high_y), 1)
    n, d = low.shape
    if n < 5 * d:
        raise ValueError(f"{n} samples are too few for the correlations of {d} columns; expected at least {5 * d}")
    z = _start(low, high, generator)
    total = torch.zeros(d, d, dtype=torch.float64)
    correlations = torch.corrcoef(z.T).reshape(d, d)
    for step in range(SWEEPS):
        _sweep(z, low, high, correlations, generator)
        correlations = torch.corrcoef(z.T).reshape(d, d) + 1e-6 * torch.eye(d, dtype=torch.float64)
        if step >= SWEEPS // 2:
            total += correlations
    dx = low_x.shape[1]
    scaled = total / total.diagonal().mean()
    return IntervalNormal(scaled, scaled[:dx, :dx], scaled[dx:, dx:], fit_correlations(scaled, dx), seed)


def _log_mean_exp(s: Tensor, one: int, other: int) -> Tensor:
    """(...) log mean exp over two axes of length DRAWS, draws of either side, less what few draws lose.

    The logarithm of a mean of few is low by about their variance over twice their number: what halves say is low by twice.

    Args:
        s: scores.
        one: an axis.
        other: a later one.
    """
    top = s.amax(other, keepdim=True).amax(one, keepdim=True)
    half, floor = DRAWS // 2, torch.finfo(s.dtype).tiny
    e = (s - top).exp_()
    whole = e.sum(other, keepdim=True).sum(one, keepdim=True).div_(DRAWS**2).log()
    corners = [
        e.narrow(one, first, half).narrow(other, first, half).mean((one, other), keepdim=True) for first in (0, half)
    ]
    halves = 0.5 * (corners[0].clamp(min=floor).log() + corners[1].clamp(min=floor).log())
    # Where one half has next to nothing, the first order is none.
    return (top + whole + (whole - halves).clamp(max=MOST_LOST)).squeeze(other).squeeze(one)


def _hidden(low: Tensor, high: Tensor, correlations: Tensor, generator: torch.Generator) -> Tensor:
    """(n, d) hidden scores between the ends ``low`` and ``high`` (n, d), drawn given their correlations (d, d)."""
    z = _start(low, high, generator)
    for _ in range(DRAW_SWEEPS):
        _sweep(z, low, high, correlations, generator)
    return z


def _start(low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    """(n, d) independent draws between the ends."""
    return _between(low, high, torch.zeros_like(low), 1.0, generator)


def _sweep(z: Tensor, low: Tensor, high: Tensor, correlations: Tensor, generator: torch.Generator) -> None:
    """Draw each column of z (n, d) anew given the others, in place, where its ends differ.

    Args:
        z: (n, d) hidden scores.
        low: (n, d) their lower ends.
        high: (n, d).
        correlations: (d, d).
        generator: draws.
    """
    precision = torch.linalg.inv(correlations)
    for j in range(z.shape[1]):
        rows = (low[:, j] < high[:, j]).nonzero()[:, 0]
        if not rows.numel():
            continue
        precision_j = precision[j, j]
        taken = z if rows.numel() == z.shape[0] else z[rows]
        mean = taken[:, j] - (taken @ precision[j]) / precision_j
        z[rows, j] = _between(low[rows, j], high[rows, j], mean, float(precision_j) ** -0.5, generator)


def _between(low: Tensor, high: Tensor, mean: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Normal draws of this ``mean`` (n, ...) and spread between ``low`` and ``high``, by their distribution function."""
    # Beyond the mean the function is mirrored, so that it never rounds to 1.
    above = low > mean
    a, b = torch.where(above, mean - high, low - mean) / spread, torch.where(above, mean - low, high - mean) / spread
    below, up_to = torch.special.ndtr(a), torch.special.ndtr(b)
    chance = torch.rand(low.shape, generator=generator, dtype=torch.float64)
    drawn = torch.special.ndtri((below + chance * (up_to - below)).clamp(EDGE, 1 - EDGE)) * spread
    return torch.maximum(torch.minimum(torch.where(above, mean - drawn, mean + drawn), high), low)
