"""What a density of two columns misses, measured where it is easiest to measure: on its own residuals.

With u = F(y | x) and w = F(y) under any density q of (x, y),

    I(X; Y) = E[log q(y | x) / q(y)] + I(u; X) + D(u) - D(w),

D the distance of a variable on [0, 1] from the uniform law, nats: minus its entropy. Where q is right, u is uniform and
independent of x, and all three are 0. Neighbours see no edge that is sharper than their reach; among residuals an edge of the
noise lies at the ends of [0, 1], where the entropy of one column finds it, and what they still share is little, where
neighbours have next to no bias. The residuals are those of Rosenblatt, Ann. Math. Stat. 23, 470 (1952).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from scipy.special import ndtr, stdtr
from torch import Tensor

from lmi.estimators.densities.mixture import DEGREES, Mixture
from lmi.estimators.neighbors.control import Controlled
from lmi.estimators.neighbors.terms import ksg_pointwise, psi


class _Way(NamedTuple):
    """What residuals of one column given the other show: KSG terms (n,) of I(u; X), D(u) and D(w)."""

    terms: Tensor
    inside: float
    alone: float

    @property
    def correction(self) -> float:
        """I(u; X) + D(u) - D(w), nats."""
        return float(self.terms.mean()) + self.inside - self.alone


def residual_ksg(x: Tensor, y: Tensor, model: Mixture, k: int, by_ranks: bool = False) -> Controlled:
    """mean[f] + I(u; X) + D(u) - D(w), f the model's log ratio, I by neighbours and D by spacings.

    Residuals of y given x and of x given y are two ways to one number. What neighbours miss of I makes either too low, so that
    the larger is taken; half of what they differ by is in the noise.

    Args:
        x: (n, 1).
        y: (n, 1).
        model: a density of (x, y).
        k: neighbours.
        by_ranks: whether each column holds evenly spaced quantiles of a law, and not draws.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(1000, 1, generator=g, dtype=torch.float64)
    >>> y = x + 0.5 * torch.rand(1000, 1, generator=g, dtype=torch.float64)  # normal noise would be worth .176 less
    >>> from lmi.estimators.densities.mixture import fit_mixture
    >>> estimate = residual_ksg(x, y, fit_mixture(x, y, 1, g, heavy=False), 10)
    >>> abs(estimate.correction - 0.176) < 0.03, estimate.noise < 0.03
    (True, True)
    """
    ways = [_one_way(x, y, model, k, by_ranks), _one_way(y, x, _turned(model), k, by_ranks)]
    other, one = sorted(ways, key=lambda way: way.correction)
    n, f = x.shape[0], model.ratio(x, y)
    noise = math.hypot(float(one.terms.std()) / n**0.5, 0.5 * (one.correction - other.correction))
    nats = float(f.mean()) + one.correction
    return Controlled(nats, one.correction, noise, math.hypot(float(f.std()) / n**0.5, noise))


def _one_way(x: Tensor, y: Tensor, model: Mixture, k: int, by_ranks: bool) -> _Way:
    z = torch.cat((x, y), 1)
    u, v, w = conditional_ranks(model, z, 1, 0), conditional_ranks(model, z, 0), conditional_ranks(model, z, 1)
    return _Way(ksg_pointwise(u, v, k), from_uniform(u), from_uniform(w, by_ranks))


def _turned(model: Mixture) -> Mixture:
    order = [1, 0]
    return Mixture(model.weights, model.centres[:, order], model.scales[:, order][:, :, order], model.degrees, 1)


def conditional_ranks(model: Mixture, z: Tensor, column: int, given: int | None = None) -> Tensor:
    """(n,) F(column) under the model, or F(column | given): uniform where the model is right.

    Given a value, a t density of two columns is one of the other, with a degree of freedom more and a wider scale far out.

    Args:
        model: a density of z.
        z: (n, d) rows.
        column: which is asked.
        given: the column that is known.

    >>> z = torch.tensor([[0.0, 0.0], [1.0, 0.6]], dtype=torch.float64)
    >>> one, scales = torch.ones(1, dtype=torch.float64), torch.tensor([[[1.0, 0.6], [0.6, 1.0]]], dtype=torch.float64)
    >>> conditional_ranks(Mixture(one, torch.zeros(1, 2, dtype=torch.float64), scales, 1e3, 1), z, 1, 0).tolist()
    [0.5, 0.5]
    """
    normal, degrees = model.degrees >= DEGREES[1], model.degrees
    centres, variances = model.centres[:, column, None], model.scales[:, column, column, None]
    weights = model.weights[:, None]
    if given is not None:
        shared, known = model.scales[:, column, given, None], model.scales[:, given, given, None]
        apart = z[None, :, given] - model.centres[:, given, None]
        squares = apart.square() / known
        far = torch.ones_like(squares) if normal else (degrees + squares) / (degrees + 1)
        tails = -0.5 * squares if normal else -0.5 * (degrees + 1) * torch.log1p(squares / degrees)
        weights = torch.softmax(weights.log() + tails - 0.5 * known.log(), 0)
        centres = centres + shared / known * apart
        variances = (variances - shared.square() / known) * far
        degrees += 1
    scores = ((z[None, :, column] - centres) / variances.sqrt()).numpy()
    return (weights * torch.from_numpy(ndtr(scores) if normal else stdtr(degrees, scores))).sum(0)


def from_uniform(u: Tensor, by_ranks: bool = False) -> float:
    """The distance of u (n,) from the uniform law on [0, 1], nats, by spacings over sqrt(n) / 2 values.

    Of uniform draws the mean is 0 exactly: a spacing over m of n + 1 is then Beta(m, n + 1 - m). Vasicek, J. R. Stat. Soc. B
    38, 54 (1976), with the ends of the interval added, which are known.

    Args:
        u: (n,) in [0, 1].
        by_ranks: whether they are images of evenly spaced values, whose spacings do not vary by chance.

    >>> u = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> abs(from_uniform(u)) < 0.01, abs(from_uniform(0.5 * u) - math.log(2)) < 0.01
    (True, True)
    """
    n = u.shape[0]
    m = max(3, round(n**0.5 / 2))
    ends = torch.tensor([0.0, 1.0], dtype=u.dtype)
    ordered = torch.cat((ends[:1], u.sort().values, ends[1:]))
    spacings = (ordered[m:] - ordered[:-m]).clamp(min=1e-300)
    expected = math.log(m / (n + 1)) if by_ranks else float(psi(m) - psi(n + 1))
    return expected - float(spacings.log().mean())
