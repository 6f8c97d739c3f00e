"""The verdict of ``auto``: what speaks against its number, each reason with its weight."""

from __future__ import annotations

import math

from lmi.auto.judging import NEURAL, Candidate, Part
from lmi.estimators.gaussian.gaussian import gaussian_bias
from lmi.types import Level

NEAR_LIMIT = 0.75  # share of ``sample_limit`` from which an estimate is in doubt


def sample_limit(n: int) -> float:
    """About the most that n samples can show, nats."""
    return math.log(n / 4)


def doubts(
    nats: float,
    error: float,
    taken: Candidate,
    rivals: list[Candidate],
    corrected: float,
    n: int,
    fitted: int,
    dims: int,
    dropped: list[str],
    rising: float,
    copies: int,
) -> list[tuple[str, float]]:
    """Reasons not to trust the estimate, each with how much it weighs: 1 is enough for doubt, 3 for abstaining."""
    reasons: list[tuple[str, float]] = []
    limit = sample_limit(n)
    if nats > NEAR_LIMIT * limit:
        weight = 3.0 if nats > limit and not taken.rank else 1.0
        reasons.append((f"the estimate is near what {n} samples can show ({limit:.1f} nats)", weight))
    # On a line each neighbours are exact enough to be believed; in more dimensions they see only a part of what is missing.
    tolerance = 0.15 if dims <= 2 else 0.03
    if abs(corrected) > tolerance:
        reasons.append((f"nearest neighbours and the fitted density disagree by {abs(corrected):.2f} nats", 1.0))
    # What a covariance of so many numbers costs on fresh pairs is known, and nothing to worry about.
    apart = nats - taken.bound - (gaussian_bias(fitted, taken.rank, taken.rank) if taken.rank else 0.0)
    if taken.complexity and apart > max(0.2 * nats, 4 * error, 0.06) and nats < limit - 2:
        reasons.append(
            (f"fresh pairs confirm only {taken.bound:.2f} of {nats:.2f} nats", 3.0 if apart > 0.7 * nats else 1.0)
        )
    if taken.complexity >= NEURAL:
        others = [c.bound for c in rivals if c.complexity < NEURAL]
        if not others or taken.bound - max(others) > max(0.1 * nats, 0.04):
            reasons.append(("only a neural critic finds this much, and its value is a lower bound", 1.0))
    if rising > max(0.05 * nats, error, 0.02) + (max(apart, 0.0) if taken.fresh else 0.0):
        reasons.append((f"half of the training samples find {rising:.2f} nats less, so more would find more", 1.0))
    if n < 20 * dims and not taken.complexity:
        reasons.append((f"{n} samples in {dims} dimensions could hide a dependence that is not linear", 1.0))
    if error > max(0.25 * abs(nats), 0.05):
        reasons.append((f"its standard error is {error:.2f} nats", 1.0))
    if copies > 0.01 * n:
        reasons.append((f"{copies} pairs are copies of others, so fresh pairs are not all fresh", 1.0))
    reasons += [(words, 0.5) for words in dropped]
    return reasons


def level_of(reasons: list[tuple[str, float]]) -> Level:
    """Reliable, doubtful or abstain."""
    weight = sum(own for _, own in reasons)
    return "reliable" if weight < 1 else "doubtful" if weight < 3 else "abstain"


def fold_doubts(taken: Candidate, parts: list[Part]) -> tuple[str, ...]:
    """Whether the candidate depends on the seed: its folds had other samples, starts and landmarks, and should agree."""
    if not taken.complexity:
        return ()
    terms = [own[~own.isnan()] for own in (taken.terms[part.test] for part in parts)]
    bounds = [float(own.mean()) for own in terms]
    error = max(float(own.std()) / own.numel() ** 0.5 for own in terms)
    apart = max(bounds) - min(bounds)
    if apart > max(4 * error, 0.1 * max(bounds), 0.05):
        return (f"its folds disagree: fresh pairs confirm {min(bounds):.2f} to {max(bounds):.2f} nats",)
    return ()
