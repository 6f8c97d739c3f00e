"""What a density of few columns misses, measured where it is easiest to measure: on its own residuals.

With u = F(y | x) and w = F(y) under any density q of (x, y), y one column,

    I(X; Y) = E[log q(y | x) / q(y)] + I(u; X) + D(u) - D(w),

D the distance of a variable on [0, 1] from the uniform law, nats: minus its entropy. Where q is right, u is uniform and
independent of x, and all three are 0. Of several columns each is taken given x and the columns before it, and its w given
these. Neighbours see no edge that is sharper than their reach; among residuals an edge of the noise lies at the ends of
[0, 1], where the entropy of one column finds it, and what they still share is little, where neighbours have next to no bias.
The residuals are those of Rosenblatt, Ann. Math. Stat. 23, 470 (1952).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from scipy.special import ndtr, stdtr
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.mixture import DEGREES, Mixture
from lmi.estimators.neighbors.control import Controlled
from lmi.estimators.neighbors.terms import ksg_pointwise, psi


@dataclass(frozen=True)
class Residuals(Controlled):
    """A number that residuals corrected."""


class _Way(NamedTuple):
    """What residuals of one side given the other show: KSG terms (n,), and the sum of D(u) - D(w), nats."""

    terms: Tensor
    edges: float

    @property
    def correction(self) -> float:
        """I(u; X) + D(u) - D(w), nats."""
        return float(self.terms.mean()) + self.edges


def residual_ksg(x: Tensor, y: Tensor, model: Mixture, k: int) -> Residuals:
    """mean[f] + I(u; X) + D(u) - D(w), f the model's log ratio, I by neighbours and D by spacings.

    Residuals of y given x and of x given y are two ways to one number. What neighbours miss of I makes either too low, so that
    the larger is taken. On a line each half of what they differ by is in the noise; of more columns one way may be far too
    low for the sides' own shape.

    Args:
        x: (n, dx), the columns as people gave them where an edge may be along one.
        y: (n, dy).
        model: a density of (x, y).
        k: neighbours.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(1000, 1, generator=g, dtype=torch.float64)
    >>> y = x + 0.5 * torch.rand(1000, 1, generator=g, dtype=torch.float64)  # normal noise would be worth .176 less
    >>> from lmi.estimators.densities.mixture import fit_mixture
    >>> estimate = residual_ksg(x, y, fit_mixture(x, y, 1, g, heavy=False), 10)
    >>> abs(estimate.correction - 0.176) < 0.03, estimate.noise < 0.03
    (True, True)
    """
    z, n, f = torch.cat((x, y), 1), x.shape[0], model.ratio(x, y)
    sides = list(range(x.shape[1])), list(range(x.shape[1], z.shape[1]))
    other, one = sorted((_one_way(z, *order, model, k) for order in (sides, sides[::-1])), key=lambda w: w.correction)
    apart = one.correction - other.correction if z.shape[1] == 2 else 0.0
    noise = math.hypot(float(one.terms.std()) / n**0.5, 0.5 * apart)
    nats = float(f.mean()) + one.correction
    return Residuals(nats, one.correction, noise, math.hypot(float(f.std()) / n**0.5, noise))


def _one_way(z: Tensor, given: list[int], side: list[int], model: Mixture, k: int) -> _Way:
    """Residuals of the columns ``side`` of z (n, d), each given the columns ``given`` and those of its side before it."""
    terms, edges = torch.zeros(z.shape[0], dtype=torch.float64), 0.0
    for i, column in enumerate(side):
        before = side[:i]
        for sign, known in ((1, given + before), (-1, before)):
            u = conditional_ranks(model, z, column, known)
            edges += sign * from_uniform(u)
            if known:
                terms += sign * ksg_pointwise(normal_scores(u[:, None]), normal_scores(z[:, known]), k)
    return _Way(terms, edges)


def conditional_ranks(model: Mixture, z: Tensor, column: int, given: list[int]) -> Tensor:
    """(n,) F(column | given) under the model: uniform where the model is right.

    Given g values, a t density is one of the others, with g degrees of freedom more and a wider scale far out.

    Args:
        model: a density of z.
        z: (n, d) rows.
        column: which is asked.
        given: the columns that are known.

    >>> z = torch.tensor([[0.0, 0.0], [1.0, 0.6]], dtype=torch.float64)
    >>> one, scales = torch.ones(1, dtype=torch.float64), torch.tensor([[[1.0, 0.6], [0.6, 1.0]]], dtype=torch.float64)
    >>> conditional_ranks(Mixture(one, torch.zeros(1, 2, dtype=torch.float64), scales, 1e3, 1), z, 1, [0]).tolist()
    [0.5, 0.5]
    """
    normal, degrees, g = model.degrees >= DEGREES[1], model.degrees, len(given)
    centres, variances, weights = (
        model.centres[:, column, None],
        model.scales[:, column, column, None],
        model.weights[:, None],
    )
    if given:
        roots = torch.linalg.cholesky(model.scales[:, given][:, :, given])
        apart = (z[:, given] - model.centres[:, None, given]).transpose(1, 2)  # (m, g, n)
        slopes = torch.cholesky_solve(model.scales[:, given, column, None], roots)  # (m, g, 1)
        squares = torch.linalg.solve_triangular(roots, apart, upper=False).square().sum(1)
        volumes = roots.diagonal(dim1=1, dim2=2).log().sum(1)[:, None]
        tails = -0.5 * squares if normal else -0.5 * (degrees + g) * torch.log1p(squares / degrees)
        weights = torch.softmax(weights.log() + tails - volumes, 0)
        centres = centres + (slopes * apart).sum(1)
        variances = variances - (slopes[:, :, 0] * model.scales[:, given, column]).sum(1)[:, None]
        if not normal:
            variances = variances * (degrees + squares) / (degrees + g)
        degrees += g
    scores = ((z[None, :, column] - centres) / variances.sqrt()).numpy()
    return (weights * torch.from_numpy(ndtr(scores) if normal else stdtr(degrees, scores))).sum(0)


def in_axes(model: Mixture, z: Tensor, axes: Tensor) -> Mixture:
    """The model of rows z (n, d), in the coordinates axes (n, d), which are an affine map of z."""
    affine = torch.linalg.lstsq(torch.cat((z, torch.ones_like(z[:, :1])), 1), axes).solution
    turn, shift = affine[:-1], affine[-1]
    return replace(model, centres=model.centres @ turn + shift, scales=turn.T @ model.scales @ turn)


def redrawn(z: Tensor, generator: torch.Generator) -> Tensor:
    """Columns of evenly spaced quantiles z (n, d) as draws of their laws: the same order, spacings as chance has them.

    Spacings of uniform draws are exponential ones over their sum. Each row brings its own to all its columns (the Bayesian
    bootstrap), so that columns that nearly determine each other still do: apart they would move by 1 / sqrt(n) each.

    >>> z = normal_scores(torch.arange(1000.0)[:, None]).expand(-1, 2)
    >>> x, y = redrawn(z, torch.Generator().manual_seed(0)).T
    >>> bool((x == y).all()), bool((x - z[:, 0]).abs().max() > 0.01)
    (True, True)
    """
    n = z.shape[0]
    spacings = torch.empty(n + 1, 1, dtype=torch.float64).exponential_(generator=generator)
    order = z.argsort(0)
    at = spacings[:-1].expand_as(z).gather(0, order).cumsum(0) / spacings.sum() * (n - 1)
    low, ordered = at.long().clamp(max=n - 2), z.gather(0, order)
    values = torch.lerp(ordered.gather(0, low), ordered.gather(0, low + 1), at - low)
    return values.gather(0, order.argsort(0))


def from_uniform(u: Tensor) -> float:
    """The distance of u (n,) from the uniform law on [0, 1], nats, by spacings over sqrt(n) / 2 values.

    Of uniform draws the mean is 0 exactly: a spacing over m of n + 1 is then Beta(m, n + 1 - m). Vasicek, J. R. Stat. Soc. B
    38, 54 (1976), with the ends of the interval added, which are known.

    Args:
        u: (n,) in [0, 1].

    >>> u = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> abs(from_uniform(u)) < 0.01, abs(from_uniform(0.5 * u) - math.log(2)) < 0.01
    (True, True)
    """
    n = u.shape[0]
    m = max(3, round(n**0.5 / 2))
    ends = torch.tensor([0.0, 1.0], dtype=u.dtype)
    ordered = torch.cat((ends[:1], u.sort().values, ends[1:]))
    spacings = (ordered[m:] - ordered[:-m]).clamp(min=1e-300)
    return float(psi(m) - psi(n + 1)) - float(spacings.log().mean())
