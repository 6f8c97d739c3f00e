"""Whether an estimate is to be trusted: how it moves with the number of samples and with k, and what it warns of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.trust.uncertainty import SMALLEST_SUBSAMPLE, Z_90, Statistic
from lmi.evidence import Level, Verdict
from lmi.types import Estimate

PARTS = (1, 2, 3, 4, 6)
CHANCE = 0.02  # nats by which the interval of one estimate in twenty of independent variables may end below zero
LEVELS: tuple[Level, ...] = ("reliable", "doubtful", "abstain")


@dataclass(frozen=True, eq=False)
class Drift:
    """How an estimate moves with the number of samples.

    Args:
        sizes: (m,) samples, largest first.
        nats: (m,) mean estimate over the disjoint subsamples of each size.
        limit: the line through them in 1 / size, at 0: what infinitely many samples might say, nats.
        error: standard error of ``limit``, nats.
    """

    sizes: Tensor
    nats: Tensor
    limit: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """90% interval of the limit, nats."""
        return self.limit - Z_90 * self.error, self.limit + Z_90 * self.error


def drift(statistic: Statistic, n: int, generator: torch.Generator) -> Drift | None:
    """The estimate on all samples, on halves, thirds, ... and its extrapolation, linear in 1 / N.

    The mean over m disjoint subsamples uses all N samples whatever m, so each point has the variance s_m^2 / m, and the
    line is fitted with one pooled variance. Strong, Koberle, de Ruyter van Steveninck, Bialek, PRL 80 (1998); Holmes and
    Nemenman, Phys. Rev. E 100 (2019).

    Args:
        statistic: indices -> estimate on those samples, nats.
        n: number of samples.
        generator: deals them.

    Returns:
        ``None`` where a third of the samples would be fewer than 40.

    >>> biased = lambda part: 1.0 - 20.0 / part.numel()
    >>> estimate = drift(biased, 600, torch.Generator().manual_seed(0))
    >>> round(estimate.limit, 6)
    1.0
    """
    parts = [m for m in PARTS if n // m >= SMALLEST_SUBSAMPLE]
    if len(parts) < 3:
        return None
    means, variances = [], []
    for m in parts:
        order = torch.randperm(n, generator=generator)
        values = torch.tensor([statistic(rows) for rows in order.tensor_split(m)], dtype=torch.float64)
        means.append(float(values.mean()))
        if m > 1:
            variances.append(float(values.var()) / m)
    inverse = torch.tensor([m / n for m in parts], dtype=torch.float64)
    design = torch.stack((torch.ones_like(inverse), inverse), 1)
    nats = torch.tensor(means, dtype=torch.float64)
    limit = float(torch.linalg.lstsq(design, nats[:, None]).solution[0, 0])
    spread = sum(variances) / len(variances)
    error = (spread * float(torch.linalg.inv(design.T @ design)[0, 0])) ** 0.5
    return Drift(torch.tensor([n // m for m in parts]), nats, limit, error)


def neighbour_doubts(nats: float, twice_k: float, half_width: float, moved: Drift | None) -> tuple[str, ...]:
    """Reasons not to trust a nearest-neighbour estimate: it moves with k or with the number of samples.

    Args:
        nats: the estimate.
        twice_k: the same with twice as many neighbours, nats.
        half_width: of the 90% interval, nats.
        moved: see ``drift``.
    """
    reasons = []
    tolerance = max(half_width, 0.02)
    if abs(nats - twice_k) > tolerance:
        reasons.append(f"twice as many neighbours say {twice_k:.3f} nats instead of {nats:.3f}: it is biased")
    if moved is not None:
        low, high = moved.interval
        if not low - tolerance <= nats <= high + tolerance:
            reasons.append(
                f"it moves with the number of samples: extrapolated to infinitely many it is {low:.3f} to {high:.3f} nats"
            )
    return tuple(reasons)


def default_verdict(estimate: Estimate, reasons: tuple[str, ...] = ()) -> Verdict:
    """The verdict of an estimator that gives none of its own.

    Abstain at the ceiling, where the whole interval is below zero by more than chance, or where nothing says how large the
    error is; doubtful for any reason or warning.

    >>> default_verdict(Estimate(0.5, "ksg1", 100, interval=(0.4, 0.6), ceiling=3.0)).level
    'reliable'
    >>> default_verdict(Estimate(2.95, "ksg1", 100, interval=(2.9, 3.0), ceiling=3.0)).level
    'abstain'
    >>> default_verdict(Estimate(-0.3, "mine", 100, interval=(-0.4, -0.2))).level
    'abstain'
    >>> default_verdict(Estimate(-0.018, "ksg1", 5000, interval=(-0.034, -0.002))).level
    'reliable'
    """
    every = tuple(dict.fromkeys((*reasons, *estimate.warnings)))
    if estimate.nats > 0.95 * estimate.ceiling:
        return Verdict("abstain", (f"it has reached its ceiling of {estimate.ceiling:.2f} nats", *every))
    if estimate.interval is None:
        return Verdict("abstain", ("there is no interval: too few samples", *every))
    if estimate.interval[1] < -CHANCE:
        return Verdict("abstain", ("it is below zero, where no mutual information is: the estimator failed", *every))
    return Verdict("doubtful" if every else "reliable", every)


def worst(*verdicts: Verdict) -> Verdict:
    """The lowest level of several, with all of their reasons."""
    level = max((verdict.level for verdict in verdicts), key=LEVELS.index)
    return Verdict(level, tuple(dict.fromkeys(reason for verdict in verdicts for reason in verdict.reasons)))
