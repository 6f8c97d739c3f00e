"""Truths that have no closed form: entropies of a line by quadrature, and mean log ratios over fresh draws."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

PRECISION = 2e-3  # standard error of a truth by fresh draws, nats
MOST_DRAWS = 4_000_000
LOG_2PI = math.log(2 * math.pi)


def normal_log_density(z: Tensor, variance: Tensor | float) -> Tensor:
    """log N(z; 0, variance), elementwise."""
    variance = torch.as_tensor(variance, dtype=torch.float64)
    return -0.5 * (z.square() / variance + variance.log() + LOG_2PI)


def normal_nodes(reach: float = 8.0, count: int = 1601) -> tuple[Tensor, Tensor]:
    """(k,) nodes and weights that sum to 1: the trapezium rule for the mean over a standard normal variable.

    >>> nodes, weights = normal_nodes()
    >>> round(float((nodes**4 * weights).sum()), 6)
    3.0
    """
    nodes = torch.linspace(-reach, reach, count, dtype=torch.float64)
    weights = torch.exp(-0.5 * nodes.square())
    return nodes, weights / weights.sum()


def line_entropy(density: Callable[[Tensor], Tensor], low: float, high: float, count: int = 20_001) -> float:
    """-int p log p over [low, high] by the trapezium rule, nats.

    Args:
        density: (k,) places -> (k,) values.
        low: where it begins to be more than nothing.
        high: where it ends.
        count: of places.

    >>> round(line_entropy(lambda z: normal_log_density(z, 1.0).exp(), -9, 9) - 0.5 * (1 + LOG_2PI), 9)
    0.0
    """
    places = torch.linspace(low, high, count, dtype=torch.float64)
    p = density(places)
    return -float(torch.trapezoid(torch.xlogy(p, p), places))


def mean_of_draws(
    draw: Callable[[int, torch.Generator], Tensor], seed: int, chunk: int = 20_000, precision: float = PRECISION
) -> float:
    """The mean of terms over as many fresh draws as bring its standard error below ``precision``, nats.

    Args:
        draw: (count, generator) -> (count,) log density ratios.
        seed: of the draws, so that a truth is one number.
        chunk: draws at a time.
        precision: standard error, nats.

    Raises:
        ValueError: where four million draws are not enough.
    """
    generator, n, total, squares = torch.Generator().manual_seed(seed), 0, 0.0, 0.0
    while n < MOST_DRAWS:
        terms = draw(chunk, generator)
        n, total, squares = n + chunk, total + float(terms.sum()), squares + float(terms.square().sum())
        if math.sqrt(max(squares / n - (total / n) ** 2, 0.0) / n) < precision:
            return total / n
    raise ValueError(f"{n} draws do not bring the standard error of the truth below {precision} nats")
