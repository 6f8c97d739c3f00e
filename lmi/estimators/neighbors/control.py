"""KSG with a control variate: what it says of the samples minus what it says of draws from a model of known information.

KSG is biased where dimensions are many or the dependence is strong, and much alike for samples and for draws from a
density like theirs; the difference keeps what the model misses. Both are taken on normal scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.gaussian.canonical import canonical_fit
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import default_verdict
from lmi.types import Context, Estimate

MOST_RANK = 8


@dataclass(frozen=True)
class Controlled:
    """A KSG estimate held against a model.

    Args:
        nats: the model's mean log ratio at the samples plus ``correction``.
        correction: what neighbours find beyond the model, nats.
        noise: standard error of ``correction``, nats.
        error: standard error of ``nats``.
    """

    nats: float
    correction: float
    noise: float
    error: float


def controlled_ksg(
    x: Tensor, y: Tensor, model: Mixture | None, k: int, generator: torch.Generator, draws: int = 2
) -> Controlled:
    """mean[f] + (mean[KSG - f] at the samples - mean[KSG - f] at draws from the model), f the model's log ratio.

    Taking f off term by term removes most of the noise that KSG and f share.

    Args:
        x: (n, dx).
        y: (n, dy).
        model: a density of (x, y); ``None`` is independence, whose draws are shuffled pairs.
        k: neighbours.
        generator: draws.
        draws: samples of size n from the model.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(1000, 3, generator=g, dtype=torch.float64)
    >>> y = 0.9 * x + (1 - 0.81) ** 0.5 * torch.randn(1000, 3, generator=g, dtype=torch.float64)
    >>> estimate = controlled_ksg(x, y, fit_mixture(x, y, 1, g, heavy=False), 5, g)
    >>> abs(estimate.nats + 1.5 * math.log(1 - 0.81)) < 0.15
    True
    """
    n = x.shape[0]
    expected = []
    for _ in range(draws):
        if model is None:
            a, b = x, y[torch.randperm(n, generator=generator)]
        else:
            a, b = model.sample(n, generator)
        expected.append(_terms(a, b, model, k)[1])
    terms, beyond = _terms(x, y, model, k)
    return held_against(terms, terms - beyond, torch.cat(expected))


def held_against(terms: Tensor, f: Tensor, elsewhere: Tensor) -> Controlled:
    """KSG of the samples held against what it says where the model is right.

    Args:
        terms: (n,) KSG terms of the samples, nats.
        f: (n,) the model's log ratios of the samples.
        elsewhere: (m,) KSG terms less log ratios of draws from the model.
    """
    n, beyond = terms.shape[0], terms - f
    correction = float(beyond.mean() - elsewhere.mean())
    noise = math.sqrt(float(beyond.var()) / n + float(elsewhere.var()) / elsewhere.numel())
    return Controlled(float(f.mean()) + correction, correction, noise, math.hypot(float(terms.std()) / n**0.5, noise))


def _terms(x: Tensor, y: Tensor, model: Mixture | None, k: int) -> tuple[Tensor, Tensor]:
    terms = ksg_pointwise(normal_scores(x), normal_scores(y), k)
    return terms, terms if model is None else terms - model.ratio(x, y)


def effective_variates(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The canonical variates (n, r) whose correlation independence would not reach.

    Under independence squared sample correlations end at (sqrt(p (1 - q)) + sqrt(q (1 - p)))^2 with p = dx / n, q = dy / n
    (Wachter 1980). At least one pair of variates is kept and at most 8.
    """
    fit = canonical_fit(x, y)
    n = x.shape[0]
    p, q = fit.rank_x / n, fit.rank_y / n
    edge = math.sqrt(p * (1 - q)) + math.sqrt(q * (1 - p)) + n ** (-2 / 3)
    rank = min(max(int((fit.correlations > edge).sum()), 1), MOST_RANK)
    return fit.x[:, :rank], fit.y[:, :rank]


def control_variate_estimate(x: Tensor, y: Tensor, k: int, context: Context) -> Estimate:
    """KSG on the effective canonical variates, held against the normal with their covariance.

    Args:
        x: (n, dx).
        y: (n, dy).
        k: neighbours.
        context: draws.

    Raises:
        ValueError: where the samples are fewer than the dimensions.
    """
    u, v = effective_variates(x, y)
    generator = context.generator("control")
    held = controlled_ksg(u, v, fit_mixture(u, v, 1, generator, heavy=False), k, generator)
    rank, n = u.shape[1], u.shape[0]
    reasons: tuple[str, ...] = ()
    if abs(held.correction) > max(0.05, 0.25 * abs(held.nats)):
        reasons = (f"it is {abs(held.correction):.2f} nats away from the normal model that it is held against",)
    estimate = Estimate(
        nats=held.nats,
        estimator="ksg1 with control variate",
        num_samples=n,
        interval=(held.nats - Z_90 * held.error, held.nats + Z_90 * held.error),
        details={"correction_nats": held.correction, "standard_error_nats": held.error, "effective_rank": float(rank)},
    )
    return replace(estimate, verdict=default_verdict(estimate, reasons))
