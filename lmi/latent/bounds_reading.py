"""Held-out lower bounds of latents: critics chosen on the stopping part, judged on pairs that trained nothing.

Poole, Ozair, van den Oord, Alemi, Tucker, ICML (2019), for the bounds; a bound on fresh pairs is never above the truth but
by chance, so the critic with the highest one on pairs that trained nothing is the best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.bounds.heldout import (
    BLOCK,
    BoundName,
    Scores,
    bound_influence,
    bound_terms,
    held_out_blocks,
    shuffled_bounds,
)
from lmi.estimators.columns import normal_scores_at
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.linear import fit_linear
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.unexplained import unexplained, unexplained_doubt
from lmi.evidence import Null, Permutations
from lmi.neural.critic import CriticSettings, fit_critic
from lmi.types import Context, Estimate

Kind = Literal["copula", "joint", "separable", "hybrid"]
FACTORS = (0.0, 0.15, 0.3, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1)
NULL_FACTORS = (0.0, 0.25, 0.5, 1.0)  # the best of these scales is granted to every shuffle
KSG_NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class BoundsSettings:
    """Which critics of the latents compete, and which bound is reported.

    Args:
        bound: ``dv``: Donsker-Varadhan; ``nwj``: Nguyen, Wainwright, Jordan; ``infonce``, which cannot exceed the log of
            its block but varies least; ``smile``, Donsker-Varadhan with clipped scores.
        critics: the candidates. ``copula`` is the normal model of the latents' normal scores; the others are networks that
            learn what to add to it.
        critic: the networks and their fit; ``critic.critic`` is set by each name in ``critics``.
        permutations: size of the permutation null, in which the critic's best scale is chosen for each shuffle; 0 leaves
            it out.
    """

    bound: BoundName = "infonce"
    critics: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("copula", "joint", "separable", "hybrid")
    critic: CriticSettings = field(default_factory=lambda: CriticSettings(features=8, hidden=(64, 32)))
    permutations: Permutations = 20


@dataclass(frozen=True, eq=False)
class Chosen:
    """A critic of latents, ready for fresh pairs.

    Args:
        name: what it is.
        scores: (b, lx), (b, ly) -> (b, b): the fitted scores, turned down where they were too sure of themselves.
        nats: its bound on the stopping part.
    """

    name: Kind
    scores: Scores
    nats: float


def read_bounds(
    settings: BoundsSettings,
    latents: tuple[Tensor, Tensor],
    fold: Fold,
    context: Context,
    raw: tuple[Tensor, Tensor] | None = None,
) -> Estimate:
    """Choose a critic on the stopping part and bound the information of the test part.

    Args:
        settings: which critics and which bound.
        latents: (n, lx), (n, ly) of all samples.
        fold: what the encoders were fitted on, what ended their fit, what is measured.
        context: seeds.
        raw: (n, dx), (n, dy) normal scores of the columns, in which the critic's scores are asked what they leave of fresh
            pairs; ``None`` does not ask.
    """
    # Normal scores by the ranks of the training part: whatever the critics do, outliers are no further out than theirs.
    u, v = (normal_scores_at(z[fold.train])(z) for z in latents)
    chosen, candidates, dropped = choose_critic(settings, u, v, fold, context)
    test, n = fold.test, fold.test.numel()
    pointwise, influence = torch.empty(n, dtype=torch.float64), torch.empty(n, dtype=torch.float64)
    generator = context.generator("null")
    shuffled = torch.zeros(len(NULL_FACTORS), settings.permutations, dtype=torch.float64)
    largest, blocks = 0, []
    for indices, f in held_out_blocks(chosen.scores, u[test], v[test]):
        pointwise[indices], influence[indices] = bound_terms(f, settings.bound), bound_influence(f, settings.bound)
        largest = max(largest, indices.numel())
        blocks.append((test[indices], f))
        orders = [torch.randperm(indices.numel(), generator=generator) for _ in range(settings.permutations)]
        shuffled += shuffled_bounds(f, settings.bound, NULL_FACTORS, orders) * indices.numel() / n
    nats = float(pointwise.mean())
    # Less than about one nat over all stopping pairs cannot be told from nothing.
    error = max(float(influence.std()) / n**0.5, 1 / fold.stop.numel())
    left = None if raw is None else unexplained(*raw, blocks, context.generator("unexplained"))
    words = "" if left is None else unexplained_doubt(left, nats, error)
    seen = fold.train[:n]
    optimism = mean_bound(chosen.scores, u[seen], v[seen], settings.bound) - nats
    neighbours = ksg_pointwise(latents[0][test], latents[1][test], KSG_NEIGHBOURS)
    estimate = Estimate(
        nats=nats,
        estimator="latent_bounds",
        num_samples=n,
        pointwise=pointwise,
        null=Null(shuffled.amax(0), nats) if settings.permutations else None,
        ceiling=math.log(largest) if settings.bound == "infonce" else math.log(largest * (largest - 1)),
        warnings=(*dropped, words) if words else dropped,
        details={
            "standard_error_nats": error,
            "unexplained_nats": 0.5 * left.share if left is not None and words else 0.0,
            "optimism_nats": optimism,
            "ksg_nats": float(neighbours.mean()),
            "ksg_standard_error_nats": float(neighbours.std()) / n**0.5,
            **{f"{candidate.name}_stop_nats": candidate.nats for candidate in candidates},
        },
        choice=f"took the {chosen.name} critic: "
        + ", ".join(f"{candidate.name} {candidate.nats:.3f}" for candidate in candidates)
        + f" nats on the stopping part; {settings.bound}, a lower bound",
    )
    return doubted(estimate, settings.bound)


def choose_critic(
    settings: BoundsSettings, u: Tensor, v: Tensor, fold: Fold, context: Context
) -> tuple[Chosen, list[Chosen], tuple[str, ...]]:
    """The critic with the highest InfoNCE on the stopping part, all of them, and those that failed, in words.

    Args:
        settings: which critics, and how they are fitted.
        u: (n, lx) normal scores of the latents of X.
        v: (n, ly) of Y.
        fold: its train part fits, its stop part chooses.
        context: seeds.

    Raises:
        ValueError: where every critic failed.
    """
    train, stop = ((u[part], v[part]) for part in (fold.train, fold.stop))
    base = scaled_scores(fit_linear(*train, max(u.shape[1], v.shape[1])).scores, *stop)
    candidates: list[Chosen] = []
    dropped: list[str] = []
    for kind in settings.critics:
        scores: Scores = base
        if kind != "copula":
            try:
                critic = replace(settings.critic, critic=kind)
                network, _ = fit_critic(train, stop, "infonce", critic, context.child("critic", kind), base)
            except ValueError as error:
                dropped.append(f"the {kind} critic was dropped: {error}")
                continue
            scores = scaled_scores(lambda a, b, f=network: f.scores(a, b) + base(a, b), *stop)  # type: ignore[misc]
        nats = mean_bound(scores, *stop, "infonce")
        if math.isfinite(nats):
            candidates.append(Chosen(kind, scores, nats))
        else:
            dropped.append(f"the {kind} critic was dropped: its bound on the stopping part is not finite")
    if not candidates:
        raise ValueError("every critic of the latents failed: " + "; ".join(dropped))
    return max(candidates, key=lambda candidate: candidate.nats), candidates, tuple(dropped)


def scaled_scores(scores: Scores, x: Tensor, y: Tensor) -> Scores:
    """The scores times the factor that makes their Donsker-Varadhan bound on these pairs largest, shifted so that
    their exponentials average 1 over pairs that do not belong together: log density ratios, as NWJ needs them.

    One pair in as many as decide here may be foreign to the critic (Laplace's rule), so that share is given to
    independence: it keeps the average, costs next to nothing, and no pair costs the bound more than its logarithm.
    """
    blocks = [f for _, f in held_out_blocks(scores, x, y)]

    def bound(factor: float) -> float:
        return sum(float(bound_terms(factor * f, "dv").sum()) for f in blocks)

    factor = max(FACTORS, key=bound)
    joint_total = sum(float((factor * f).diagonal().sum()) for f in blocks)
    shift = (joint_total - bound(factor)) / x.shape[0]
    foreign = 1 / (x.shape[0] + 2)
    floor, rest = torch.tensor(math.log(foreign), dtype=torch.float64), math.log1p(-foreign)
    return lambda a, b: torch.logaddexp(factor * scores(a, b) - shift + rest, floor)


def mean_bound(scores: Scores, x: Tensor, y: Tensor, bound: BoundName) -> float:
    """The bound of the scores on these pairs, nats.

    Args:
        scores: of a critic.
        x: (n, dx).
        y: (n, dy).
        bound: which.
    """
    return sum(float(bound_terms(f, bound).sum()) for _, f in held_out_blocks(scores, x, y)) / x.shape[0]


def doubted(estimate: Estimate, bound: BoundName) -> Estimate:
    """The estimate with its interval and its reasons for doubt in words."""
    reasons = []
    nats, error, optimism = estimate.nats, estimate.details["standard_error_nats"], estimate.details["optimism_nats"]
    estimate = replace(estimate, interval=(nats - Z_90 * error, nats + Z_90 * error + 0.5 * max(optimism, 0.0)))
    if nats > 0.8 * estimate.ceiling:
        reasons.append(
            f"the bound ({nats:.2f} nats) is near the most that blocks of {BLOCK} pairs can show ({estimate.ceiling:.2f} nats)"
        )
    if optimism > max(0.2 * abs(nats), 4 * error, 0.05):
        reasons.append(
            f"the critic is overfit: its training pairs say {optimism:.2f} nats more than fresh ones, and the truth "
            f"probably lies between"
        )
    neighbours, ksg_error = estimate.details["ksg_nats"], estimate.details["ksg_standard_error_nats"]
    if neighbours - nats > max(2 * Z_90 * math.hypot(error, ksg_error), 0.05):
        reasons.append(f"nearest neighbours find {neighbours:.2f} nats in the same latents, more than the bound")
    if error > max(0.25 * abs(nats), 0.05):
        reasons.append(f"its standard error is {error:.2f} nats")
    if bound in ("smile", "nwj") and nats > 5:
        reasons.append(
            f"{bound} is not to be trusted above 5 nats: clipped it is no lower bound, or it varies too much"
        )
    return estimate.warn(*reasons)
