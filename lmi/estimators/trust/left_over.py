"""What is left after a linear model: do residuals, their squares and products still depend on the other side?

A bound cannot tell how far it is from the truth. A test can tell that something is left, long before any estimator can say
how much: under the normal model the residuals of y given x are independent of x, so that in any other order they correlate
with x's components, their squares and products as much.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SMALLEST_DIRECTION = 0.12  # singular value of a component that is looked at, as a share of the largest
SMALLEST_RESIDUAL = 0.02  # the same, of residuals
MOST_COMPONENTS = 20
NAMED = 2  # pairs of features that are named
CORRELATED_RIDGE = 0.03  # of variance, added to that of directions of features
ORDERS = 60  # of rows, against which residuals are held


class LeftOver(NamedTuple):
    """What residuals still share with the other side.

    Args:
        deviations: the sum of squared correlations, in standard deviations above that of shuffled residuals (cube roots).
        share: twice the nats that are left, where few directions carry them: correlations of features that are made
            uncorrelated, in one half of the rows times in the other, summed. Squares would count the noise that a shared
            scale adds to all of them.
        words: the pairs of features that stand out most: which residual component (``ry1``) on which of x.
    """

    deviations: float
    share: float
    words: str


def left_over(x: Tensor, y: Tensor, orders: list[Tensor]) -> LeftOver:
    """Test whether the residuals of y given a line in x depend on x, and those of x on y; the clearer of both.

    T = sum_ij corr(f_i(x), g_j(e))^2 over components, squares and products f of x and g of the residuals e, against the
    same sum for residuals in a shuffled order.

    Args:
        x: (n, dx) columns of comparable scale, nearly normal each: normal scores, or components of them.
        y: (n, dy).
        orders: permutations of the rows that independence would not notice: random ones, or shifts of rows in time.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(800, 3, generator=g, dtype=torch.float64)
    >>> y = x[:, :1] + torch.randn(800, 1, generator=g, dtype=torch.float64)
    >>> orders = [torch.randperm(800, generator=g) for _ in range(60)]
    >>> left_over(x, y, orders).deviations < 4
    True
    >>> squared = left_over(x[:, :1], y + x[:, :1] ** 2, orders)
    >>> squared.deviations > 10, squared.words.split(", ")[0]
    (True, 'ry1 on x1 x1')
    """
    sides = components(x), components(y)
    both = one_way(sides[0], sides[1], orders, "x", "y"), one_way(sides[1], sides[0], orders, "y", "x")
    return max(both, key=lambda left: left.deviations)


def components(z: Tensor, most: int = MOST_COMPONENTS) -> Tensor:
    """(n, k) leading components of z (n, d), at most ``most``, each brought to unit variance."""
    left, values, _ = torch.linalg.svd(z - z.mean(0), full_matrices=False)
    kept = min(int((values > SMALLEST_DIRECTION * values[0]).sum()), most)
    return left[:, :kept] * z.shape[0] ** 0.5


def one_way(x: Tensor, y: Tensor, orders: list[Tensor], name_x: str, name_y: str) -> LeftOver:
    """``left_over`` of y's residuals.

    Args:
        x: (n, k) components of unit variance.
        y: (n, l).
        orders: each a permutation of n.
        name_x: what x is called.
        name_y: what y is called.
    """
    n = x.shape[0]
    rest = y - x @ torch.linalg.lstsq(x, y).solution
    left, values, _ = torch.linalg.svd(rest - rest.mean(0), full_matrices=False)
    residuals = left[:, values > SMALLEST_RESIDUAL * values[0]] * n**0.5
    f, names_f = with_products(x, name_x)
    g, names_g = with_products(residuals, f"r{name_y}")
    seen = moments(f, g)
    drawn = torch.stack([moments(f, g[order]) for order in orders])
    squares = seen.mean(0).square()
    total, null = squares.sum(), drawn.mean(1).square().sum((1, 2))
    # A sum of squares is skewed: by Wilson and Hilferty the cube root of a gamma variable is nearly normal.
    shape = float(null.mean().square() / null.var().clamp(min=1e-300))
    deviations = 3 * shape**0.5 * (float(total / null.mean()) ** (1 / 3) - 1 + 1 / (9 * shape))
    # The residuals are uncorrelated with x itself by construction; what stands out is named.
    places = squares.flatten().topk(min(NAMED, squares.numel()))
    pairs = [divmod(int(i), g.shape[1]) for s, i in zip(places.values, places.indices) if s > 0.5 * places.values[0]]
    words = ", ".join(f"{names_g[j]} on {names_f[i]}" for i, j in pairs)
    maps = uncorrelated(f.T @ f / n), uncorrelated(g.T @ g / n)
    share = in_both_halves(seen, *maps) - float(in_both_halves(drawn, *maps).mean())
    return LeftOver(deviations, max(float(share), 0.0), words)


def uncorrelated(covariance: Tensor) -> Tensor:
    """(k, k) map that makes features uncorrelated: squares of columns that share one scale count once, not a hundred times.

    >>> alike = torch.ones(3, 3) + 1e-3 * torch.eye(3)
    >>> round(float((uncorrelated(alike) @ alike @ uncorrelated(alike)).trace()))
    1
    """
    variances, directions = torch.linalg.eigh(covariance)
    return directions / (variances.clamp(min=0) + CORRELATED_RIDGE).sqrt() @ directions.T


def moments(f: Tensor, g: Tensor) -> Tensor:
    """(2, p, q) means of f_j g_k over either half of the rows of f (n, p) and g (n, q)."""
    return torch.stack([f[half::2].T @ g[half::2] / len(f[half::2]) for half in (0, 1)])


def in_both_halves(moments: Tensor, to_f: Tensor, to_g: Tensor) -> Tensor:
    """(...) squared moments (..., 2, p, q) of features made uncorrelated, summed, without what chance adds to a square."""
    one, other = (to_f @ moments @ to_g).unbind(-3)
    return (one * other).sum((-2, -1))


def with_products(z: Tensor, name: str) -> tuple[Tensor, list[str]]:
    """Columns of z (n, k) and their squares and products, standardised, and what each is called."""
    i, j = torch.triu_indices(z.shape[1], z.shape[1])
    z = torch.cat((z, z[:, i] * z[:, j]), 1)
    single = [f"{name}{k + 1}" for k in range(int(i.max()) + 1)]
    products = [f"{single[a]} {single[b]}" for a, b in zip(i.tolist(), j.tolist())]
    names = single + products
    return (z - z.mean(0)) / z.std(0).clamp(min=1e-300), names
