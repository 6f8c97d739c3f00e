"""What fresh pairs still share once a model has had its say, whatever the model: conditional moments that it gets wrong.

Scores f(x, y) that are log density ratios say which of b fresh partners belongs to x_i: partner j with probability
w_ij = exp f(x_i, y_j) / sum_k exp f(x_i, y_k). Where they are right, h(y_i) - sum_j w_ij h(y_j) has mean zero given x_i
and the set of partners, exactly, for any h. Where these residuals still correlate with x, something is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lmi.estimators.trust.left_over import LeftOver, components, with_products

FEATURES = 12  # components of each side, whose squares and products are looked at
SIGNS = 40  # random ones of the residuals, against which their correlations are held
NAMED = 2  # pairs of features that are named

Block = tuple[Tensor, Tensor]  # rows (b,) of fresh pairs and their scores (b, b)


def unexplained(x: Tensor, y: Tensor, blocks: Sequence[Block], generator: torch.Generator) -> LeftOver:
    """Test whether residuals of features of y given x, by the scores, still depend on features of x; and the other way round.

    T = sum_ij corr(g_i(x), r_j)^2 over components, squares and products; under the null the sign of a row's residuals is
    as good as random (wild bootstrap; Wu, Ann. Stat. 14, 1986), if not their size.

    Args:
        x: (n, dx) columns of comparable scale.
        y: (n, dy).
        blocks: fresh pairs and their scores.
        generator: draws the signs.

    Returns:
        The clearest of both ways, with and without squares and products; ``share`` is twice the nats that are left,
        where few uncorrelated features carry them.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, e = torch.randn(2, 1000, 1, generator=g, dtype=torch.float64)
    >>> y = 0.6 * x + 0.8 * e
    >>> right = -((y.T - 0.6 * x) ** 2) / (2 * 0.64) + y.T**2 / 2
    >>> rows = torch.arange(1000)
    >>> unexplained(x, y, [(rows, right)], g).deviations < 3.5
    True
    >>> unexplained(x, y, [(rows, 0 * right)], g).deviations > 10
    True
    """
    sides = components(x, FEATURES), components(y, FEATURES)
    (fx, names_x), (fy, names_y) = with_products(sides[0], "x"), with_products(sides[1], "y")
    rows = torch.cat([row for row, _ in blocks])
    of_y = torch.cat([fy[row] - f.double().softmax(1) @ fy[row] for row, f in blocks])
    of_x = torch.cat([fx[row] - f.double().softmax(0).T @ fx[row] for row, f in blocks])
    tests = []
    for g, r, names_g, names_r in ((fx, of_y, names_x, names_y), (fy, of_x, names_y, names_x)):
        residual_names = [f"r{name}" for name in names_r]
        tests.append(one_way(g[rows], r, names_g, residual_names, generator))
        line, lines = sum(" " not in name for name in names_g), sum(" " not in name for name in names_r)
        tests.append(one_way(g[rows, :line], r[:, :lines], names_g[:line], residual_names[:lines], generator))
    return max(tests, key=lambda left: left.deviations)


def one_way(
    g: Tensor, residuals: Tensor, names_g: Sequence[str], names_r: Sequence[str], generator: torch.Generator
) -> LeftOver:
    """The test of one side's residuals.

    Args:
        g: (m, p) features of the other side.
        residuals: (m, q) of mean zero given the other side, under the null.
        names_g: what the features are called.
        names_r: what the residuals are called.
        generator: draws the signs.
    """
    m = g.shape[0]
    g = (g - g.mean(0)) / g.std(0).clamp(min=1e-300)
    residuals = residuals / residuals.square().mean(0).sqrt().clamp(min=1e-300)
    squares = (g.T @ residuals / m).square()
    null = []
    for _ in range(SIGNS):
        signs = 2.0 * torch.randint(2, (m, 1), generator=generator) - 1
        null.append((g.T @ (residuals * signs) / m).square().sum())
    chance = torch.stack(null)
    # A sum of squares is skewed: by Wilson and Hilferty the cube root of a gamma variable is nearly normal.
    shape = float(chance.mean().square() / chance.var().clamp(min=1e-300))
    deviations = 3 * shape**0.5 * (float(squares.sum() / chance.mean()) ** (1 / 3) - 1 + 1 / (9 * shape))
    places = squares.flatten().topk(min(NAMED, squares.numel()))
    pairs = [
        divmod(int(i), squares.shape[1]) for s, i in zip(places.values, places.indices) if s > places.values[0] / 2
    ]
    words = ", ".join(f"{names_r[j]} on {names_g[i]}" for i, j in pairs)
    return LeftOver(deviations, float(squares.sum() - chance.mean()), words)
