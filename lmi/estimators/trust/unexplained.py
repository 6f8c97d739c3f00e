"""What fresh pairs still share once a model has had its say, whatever the model: the conditional permutation test.

Scores f(x, y) that are log density ratios say how likely each matching p of b fresh partners to b rows is, given both sets:
proportional to exp sum_i f(x_i, y_p(i)). Where the scores are right, the matching that was observed is one more draw from
this law. Where features of both sides correlate more in it than in draws, something is left.
Berrett, Wang, Barber, Samworth, The conditional permutation test, J. R. Stat. Soc. B 82 (2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lmi.estimators.trust.left_over import LeftOver, components, with_products
from lmi.estimators.trust.matchings import drawn_matchings
from lmi.estimators.trust.thresholds import UNEXPLAINED, UNEXPLAINED_LEAST, UNEXPLAINED_SHARE

FEATURES = 20  # components of each side, whose squares and products are looked at
DRAWS = 30  # of matchings
LEAST_REST = 0.03  # share of a feature that scores leave to chance, below which it says little
NAMED = 2  # pairs of features that are named

Block = tuple[Tensor, Tensor]  # rows (b,) of fresh pairs and their scores (b, b)


def unexplained(x: Tensor, y: Tensor, blocks: Sequence[Block], generator: torch.Generator) -> LeftOver:
    """Test whether features of both sides correlate as the scores say.

    With c_jk the mean of g_j(x_i) h_k(y_p(i)) over components, squares and products, T = sum_jk (c_jk - m_jk)^2, m_jk the mean
    over draws of the matching; T of the observed matching is held against T of the draws.

    Args:
        x: (n, dx) columns of comparable scale.
        y: (n, dy).
        blocks: fresh pairs and their scores.
        generator: draws the matchings.

    Returns:
        The clearer of two tests, with and without squares and products; ``share`` is the excess of T over its mean, in units
        of what the scores leave of h: twice the nats that are left, where few uncorrelated features carry them.

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
    (g, names_g), (h, names_h) = (with_products(components(z, FEATURES), name) for z, name in ((x, "x"), (y, "y")))
    total = sum(row.numel() for row, _ in blocks)
    seen = torch.zeros(g.shape[1], h.shape[1], dtype=torch.float64)
    drawn, rest = torch.zeros(DRAWS, *seen.shape, dtype=torch.float64), torch.zeros(h.shape[1], dtype=torch.float64)
    for row, f in blocks:
        f = f.double()
        block, others = g[row], h[row]
        seen += block.T @ others / total
        for moments, matching in zip(drawn, drawn_matchings(f, generator, DRAWS), strict=True):
            moments += block.T @ others[matching] / total
        rest += (others - f.softmax(1) @ others).square().sum(0) / total
    scale = rest.sqrt().clamp(min=LEAST_REST)
    line_g, line_h = (sum(" " not in name for name in names) for names in (names_g, names_h))
    tests = [
        _held_against((seen / scale)[:a, :b], (drawn / scale)[:, :a, :b], names_g[:a], names_h[:b])
        for a, b in ((len(names_g), len(names_h)), (line_g, line_h))
    ]
    return max(tests, key=lambda left: left.deviations)


def unexplained_doubt(left: LeftOver, nats: float, error: float) -> str:
    """What is left of an estimate of ``nats`` with its standard error, in words; empty where fitting alone leaves as much."""
    missing = 0.5 * left.share
    if left.deviations <= UNEXPLAINED or missing <= max(UNEXPLAINED_SHARE * nats, UNEXPLAINED_LEAST, error):
        return ""
    return (
        f"on fresh pairs it leaves about {missing:.2f} nats unexplained "
        f"({left.deviations:.0f} standard deviations): {left.words}"
    )


def _held_against(seen: Tensor, drawn: Tensor, names_g: Sequence[str], names_h: Sequence[str]) -> LeftOver:
    """Observed moments (p, q) against those of draws (r, p, q), each held against the mean of the others."""
    every = torch.cat((seen[None], drawn))
    count = every.shape[0]
    squares = (every - (every.sum(0) - every) / (count - 1)).square()
    totals = squares.flatten(1).sum(1)
    chance = totals[1:]
    # A sum of squares is skewed: by Wilson and Hilferty the cube root of a gamma variable is nearly normal.
    shape = float(chance.mean().square() / chance.var().clamp(min=1e-300))
    deviations = 3 * shape**0.5 * (float(totals[0] / chance.mean()) ** (1 / 3) - 1 + 1 / (9 * shape))
    places = squares[0].flatten().topk(min(NAMED, seen.numel()))
    pairs = [divmod(int(i), seen.shape[1]) for s, i in zip(places.values, places.indices) if s > places.values[0] / 2]
    words = ", ".join(f"{names_h[k]} with {names_g[j]}" for j, k in pairs)
    return LeftOver(deviations, float(totals[0] - chance.mean()), words)
