"""Which entries are missing, shared by both sides: latent classes of rows, each with its own chance for every column.

A cell that was read deeply shows more of its columns on either side, so that patterns alone share something. Lazarsfeld and
Henry, Latent structure analysis (1968).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

STEPS = 30  # of expectation maximisation
CLASSES = (2, 4)
PRIOR = 1.0  # rows of either kind that every class is given beforehand


@dataclass(frozen=True, eq=False)
class Patterns:
    """Classes c of weight pi_c, in which column j is there with probability p_cj.

    Args:
        log_weights: (c,) log pi.
        chances_x: (c, dx).
        chances_y: (c, dy).
    """

    log_weights: Tensor
    chances_x: Tensor
    chances_y: Tensor

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every pattern x (n, dx) with every y (m, dy) of ones and zeros, nats."""
        given_x, given_y = self._given(x, y)
        return ((given_x - self.log_weights).exp() @ given_y.exp().T).clamp(min=1e-300).log()

    def ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) the same of the pairs themselves."""
        given_x, given_y = self._given(x, y)
        return torch.logsumexp(given_x + given_y - self.log_weights, 1)

    def _given(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """(n, c), (m, c) log probabilities of the classes given either side."""
        of_x, of_y = bernoulli(x, self.chances_x), bernoulli(y, self.chances_y)
        return torch.log_softmax(self.log_weights + of_x, 1), torch.log_softmax(self.log_weights + of_y, 1)


def fit_patterns(x: Tensor, y: Tensor, count: int, seed: int) -> Patterns:
    """Expectation maximisation from classes by how much a row shows.

    Args:
        x: (n, dx) ones where an entry is there, zeros elsewhere.
        y: (n, dy).
        count: classes; 1 is independence.
        seed: of the start.

    >>> g = torch.Generator().manual_seed(0)
    >>> deep = torch.rand(2000, 1, generator=g) < 0.5
    >>> x, y = ((torch.rand(2000, 5, generator=g) < torch.where(deep, 0.9, 0.3)).double() for _ in range(2))
    >>> 0.3 < float(fit_patterns(x, y, 2, 0).ratio(x, y).mean()) < 0.5, float(fit_patterns(x, y, 1, 0).ratio(x, y).mean())
    (True, 0.0)
    """
    both = torch.cat((x, y), 1).double()
    n = both.shape[0]
    generator = torch.Generator().manual_seed(seed)
    shown = both.sum(1) + 0.1 * torch.rand(n, generator=generator, dtype=torch.float64)
    codes = shown.argsort().argsort() * count // n
    share = 0.9 * torch.nn.functional.one_hot(codes, count).double() + 0.1 / count
    average = both.mean(0)
    for _ in range(STEPS):
        mass = share.sum(0)
        chances = (share.T @ both + PRIOR * average) / (mass[:, None] + PRIOR)
        log_weights = (mass / n).log()
        share = torch.softmax(log_weights + bernoulli(both, chances), 1)
    return Patterns(log_weights, chances[:, : x.shape[1]], chances[:, x.shape[1] :])


def bernoulli(z: Tensor, chances: Tensor) -> Tensor:
    """(n, c) log probability of ones and zeros z (n, d) under chances (c, d)."""
    chances = chances.clamp(1e-9, 1 - 1e-9)
    return z @ chances.log().T + (1 - z) @ (-chances).log1p().T
