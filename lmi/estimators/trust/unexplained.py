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

from lmi.estimators.trust.left_over import (
    LeftOver,
    components,
    in_both_halves,
    moments,
    uncorrelated,
    with_products,
)
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
        The clearer of two tests, with and without squares and products; ``share`` is twice the nats that are left of
        features g and of what the scores leave of h.

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
    seen = torch.zeros(2, g.shape[1], h.shape[1], dtype=torch.float64)
    drawn = torch.zeros(DRAWS, *seen.shape, dtype=torch.float64)
    of_g, rest = (torch.zeros(z.shape[1], z.shape[1], dtype=torch.float64) for z in (g, h))
    for row, f in blocks:
        f = f.double()
        block, others = g[row], h[row]
        share = row.numel() / total
        seen += share * moments(block, others)
        for of_draw, matching in zip(drawn, drawn_matchings(f, generator, DRAWS), strict=True):
            of_draw += share * moments(block, others[matching])
        left = others - f.softmax(1) @ others
        of_g += block.T @ block / total
        rest += left.T @ left / total
    scale = rest.diagonal().sqrt().clamp(min=LEAST_REST)
    seen, drawn, rest = seen / scale, drawn / scale, rest / scale / scale[:, None]
    line_g, line_h = (sum(" " not in name for name in names) for names in (names_g, names_h))
    tests = [
        _held_against(seen[:, :a, :b], drawn[..., :a, :b], of_g[:a, :a], rest[:b, :b], (names_g[:a], names_h[:b]))
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


def _held_against(
    seen: Tensor, drawn: Tensor, of_g: Tensor, of_h: Tensor, names: tuple[Sequence[str], Sequence[str]]
) -> LeftOver:
    """Observed moments (2, p, q) against those of draws (r, 2, p, q), each held against the mean of the others.

    Args:
        seen: of the observed matching.
        drawn: of draws.
        of_g: (p, p) covariance of the features g.
        of_h: (q, q) of what the scores leave of the features h.
        names: of both.
    """
    every = torch.cat((seen[None], drawn))
    count = every.shape[0]
    apart = every - (every.sum(0) - every) / (count - 1)
    squares = apart.mean(1).square()
    totals = squares.flatten(1).sum(1)
    chance = totals[1:]
    # A sum of squares is skewed: by Wilson and Hilferty the cube root of a gamma variable is nearly normal.
    shape = float(chance.mean().square() / chance.var().clamp(min=1e-300))
    deviations = 3 * shape**0.5 * (float(totals[0] / chance.mean()) ** (1 / 3) - 1 + 1 / (9 * shape))
    places = squares[0].flatten().topk(min(NAMED, squares[0].numel()))
    pairs = [divmod(int(i), seen.shape[-1]) for s, i in zip(places.values, places.indices) if s > places.values[0] / 2]
    words = ", ".join(f"{names[1][k]} with {names[0][j]}" for j, k in pairs)
    share = in_both_halves(apart[0], uncorrelated(of_g), uncorrelated(of_h))
    return LeftOver(deviations, max(float(share), 0.0), words)
