"""Held-out lower bounds in learned latents: critics fitted with the encoders, chosen on the stopping part, judged on the rest.

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
from lmi.estimators.folds import Split
from lmi.estimators.gaussian.linear import fit_linear
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.second_opinion import linear_doubts
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import judged
from lmi.latent.fitting import EncoderFit, gathered
from lmi.neural.critic import CriticSettings, fit_critic
from lmi.types import Context, Estimate, Null

Kind = Literal["copula", "joint", "separable", "hybrid"]
FACTORS = (0.0, 0.15, 0.3, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1)
NULL_FACTORS = (0.0, 0.25, 0.5, 1.0)  # the best of these scales is granted to every shuffle
SMALLEST_PART = 20  # pairs on which a critic can still be turned up or down
KSG_NEIGHBOURS = 5


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


@dataclass(frozen=True, kw_only=True)
class LatentBoundsEstimator(EncoderFit):
    """Lower bounds on I(Zx; Zy) <= I(X; Y) that hold on pairs which trained neither encoders nor critics.

    The encoders and then the critics are fitted to the training part. The stopping part ends the fits, scales the scores
    of each critic (over-confident ones are turned down) and chooses among the critics. The estimate part is only measured.

    Args:
        bound: what is reported. ``dv``: Donsker-Varadhan; ``nwj``: Nguyen, Wainwright, Jordan; ``infonce``, which cannot
            exceed the log of its block but varies least; ``smile``, Donsker-Varadhan with clipped scores.
        critics: the candidates. ``copula`` is the normal model of the latents' normal scores; the others are networks that
            learn what to add to it.
        critic: the networks and their fit; ``critic.critic`` is set by each name in ``critics``.
        permutations: size of the permutation null, in which the critic's best scale is chosen for each shuffle; 0 leaves
            it out.
    """

    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.6
    stop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    bound: BoundName = "infonce"
    critics: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("copula", "joint", "separable", "hybrid")
    critic: CriticSettings = field(default_factory=lambda: CriticSettings(features=8, hidden=(64, 32)))
    permutations: Annotated[int, Field(ge=0)] = 20

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``. With ``folds`` the model is a tuple, one for each fold.

        Raises:
            ValueError: where a part of the split would have too few samples.
        """
        splits = self.splits(x.shape[0], context)
        smallest = min(split.stop.numel() for split in splits)
        if smallest < SMALLEST_PART:
            raise ValueError(
                f"{x.shape[0]} samples are too few to choose a critic: the stop part would have {smallest}, "
                f"expected at least {SMALLEST_PART}"
            )
        fits = self.fit_and_read_all(x, y, splits, context)
        found = fits[0] if len(fits) == 1 else pool(fits, splits, self.bound)
        error = found.details["standard_error_nats"]
        reasons = linear_doubts(x, y, found.nats, error, context.generator("second opinion"))
        return replace(found, verdict=judged(found, reasons))

    def read_split(self, latents: tuple[Tensor, Tensor], split: Split, context: Context) -> Estimate:
        """Choose a critic on the stopping part and bound the information of the estimate part."""
        # Normal scores by the ranks of the training part: whatever the critics do, outliers are no further out than theirs.
        u, v = (normal_scores_at(z[split.train])(z) for z in latents)
        chosen, candidates, dropped = self.choose(u, v, split, context)
        part, n = split.estimate, split.estimate.numel()
        pointwise, influence = torch.empty(n, dtype=torch.float64), torch.empty(n, dtype=torch.float64)
        generator = context.generator("null")
        shuffled = torch.zeros(len(NULL_FACTORS), self.permutations, dtype=torch.float64)
        largest = 0
        for indices, f in held_out_blocks(chosen.scores, u[part], v[part]):
            pointwise[indices], influence[indices] = bound_terms(f, self.bound), bound_influence(f, self.bound)
            largest = max(largest, indices.numel())
            orders = [torch.randperm(indices.numel(), generator=generator) for _ in range(self.permutations)]
            shuffled += shuffled_bounds(f, self.bound, NULL_FACTORS, orders) * indices.numel() / n
        nats = float(pointwise.mean())
        # Less than about one nat over all stopping pairs cannot be told from nothing.
        error = max(float(influence.std()) / n**0.5, 1 / split.stop.numel())
        seen = split.train[:n]
        optimism = mean_bound(chosen.scores, u[seen], v[seen], self.bound) - nats
        neighbours = ksg_pointwise(latents[0][part], latents[1][part], KSG_NEIGHBOURS)
        found = Estimate(
            nats=nats,
            estimator="latent_bounds",
            num_samples=n,
            pointwise=pointwise,
            null=Null(shuffled.amax(0), nats) if self.permutations else None,
            ceiling=math.log(largest) if self.bound == "infonce" else math.log(largest * (largest - 1)),
            warnings=dropped,
            details={
                "standard_error_nats": error,
                "optimism_nats": optimism,
                "ksg_nats": float(neighbours.mean()),
                "ksg_standard_error_nats": float(neighbours.std()) / n**0.5,
                **{f"{candidate.name}_stop_nats": candidate.nats for candidate in candidates},
            },
            choice=f"took the {chosen.name} critic: "
            + ", ".join(f"{candidate.name} {candidate.nats:.3f}" for candidate in candidates)
            + f" nats on the stopping part; {self.bound}, a lower bound",
        )
        return doubted(found, self.bound)

    def choose(
        self, u: Tensor, v: Tensor, split: Split, context: Context
    ) -> tuple[Chosen, list[Chosen], tuple[str, ...]]:
        """The critic with the highest InfoNCE on the stopping part, all of them, and those that failed, in words.

        Raises:
            ValueError: where every critic failed.
        """
        train, stop = ((u[part], v[part]) for part in (split.train, split.stop))
        base = scaled_scores(fit_linear(*train, max(u.shape[1], v.shape[1])).scores, *stop)
        found: list[Chosen] = []
        dropped: list[str] = []
        for kind in self.critics:
            scores: Scores = base
            if kind != "copula":
                try:
                    settings = replace(self.critic, critic=kind)
                    network, _ = fit_critic(train, stop, "infonce", settings, context.child("critic", kind), base)
                except ValueError as error:
                    dropped.append(f"the {kind} critic was dropped: {error}")
                    continue
                scores = scaled_scores(lambda a, b, f=network: f.scores(a, b) + base(a, b), *stop)  # type: ignore[misc]
            nats = mean_bound(scores, *stop, "infonce")
            if math.isfinite(nats):
                found.append(Chosen(kind, scores, nats))
            else:
                dropped.append(f"the {kind} critic was dropped: its bound on the stopping part is not finite")
        if not found:
            raise ValueError("every critic of the latents failed: " + "; ".join(dropped))
        return max(found, key=lambda candidate: candidate.nats), found, tuple(dropped)


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
    own = sum(float((factor * f).diagonal().sum()) for f in blocks)
    shift = (own - bound(factor)) / x.shape[0]
    foreign = 1 / (x.shape[0] + 2)
    floor, rest = torch.tensor(math.log(foreign), dtype=torch.float64), math.log1p(-foreign)
    return lambda a, b: torch.logaddexp(factor * scores(a, b) - shift + rest, floor)


def mean_bound(scores: Scores, x: Tensor, y: Tensor, bound: BoundName) -> float:
    """The bound of the scores on these pairs, nats."""
    return sum(float(bound_terms(f, bound).sum()) for _, f in held_out_blocks(scores, x, y)) / x.shape[0]


def doubted(found: Estimate, bound: BoundName) -> Estimate:
    """The estimate with its interval and its reasons for doubt in words."""
    reasons = []
    nats, error, optimism = found.nats, found.details["standard_error_nats"], found.details["optimism_nats"]
    found = replace(found, interval=(nats - Z_90 * error, nats + Z_90 * error + 0.5 * max(optimism, 0.0)))
    if nats > 0.8 * found.ceiling:
        reasons.append(
            f"the bound ({nats:.2f} nats) is near the most that blocks of {BLOCK} pairs can show ({found.ceiling:.2f} nats)"
        )
    if optimism > max(0.2 * abs(nats), 4 * error, 0.05):
        reasons.append(
            f"the critic is overfit: its training pairs say {optimism:.2f} nats more than fresh ones, and the truth "
            f"probably lies between"
        )
    neighbours, own = found.details["ksg_nats"], found.details["ksg_standard_error_nats"]
    if neighbours - nats > max(2 * Z_90 * math.hypot(error, own), 0.05):
        reasons.append(f"nearest neighbours find {neighbours:.2f} nats in the same latents, more than the bound")
    if error > max(0.25 * abs(nats), 0.05):
        reasons.append(f"its standard error is {error:.2f} nats")
    if bound in ("smile", "nwj") and nats > 5:
        reasons.append(
            f"{bound} is not to be trusted above 5 nats: clipped it is no lower bound, or it varies too much"
        )
    return found.warn(*reasons)


def pool(fits: list[Estimate], splits: list[Split], bound: BoundName) -> Estimate:
    """One estimate from those of the folds, each sample bounded by encoders and critics that never saw it."""
    pointwise, latents = gathered(fits, splits)
    n, nats = pointwise.numel(), float(pointwise.mean())
    shares = torch.tensor([split.estimate.numel() / n for split in splits], dtype=torch.float64)

    def shared(name: str) -> Tensor:
        return shares * torch.tensor([fit.details[name] for fit in fits], dtype=shares.dtype)

    # The folds' critics differ: where their bounds differ by more than their errors, that is what the number is worth.
    between = torch.tensor([fit.nats for fit in fits], dtype=shares.dtype)
    error = max(float(shared("standard_error_nats").norm()), float((between.var() / len(fits)).sqrt()))
    optimism = float(shared("optimism_nats").sum())
    null = None
    if all(fit.null is not None for fit in fits):
        values = torch.stack([share * fit.null.nats for share, fit in zip(shares, fits, strict=True) if fit.null])
        null = Null(values.sum(0), nats)
    found = Estimate(
        nats=nats,
        estimator="latent_bounds",
        num_samples=n,
        pointwise=pointwise,
        null=null,
        ceiling=min(fit.ceiling for fit in fits),
        latents=latents,
        model=tuple(fit.model for fit in fits),
        details={
            "standard_error_nats": error,
            "optimism_nats": optimism,
            "ksg_nats": float(shared("ksg_nats").sum()),
            "ksg_standard_error_nats": float(shared("ksg_standard_error_nats").norm()),
            "epochs": sum(fit.details["epochs"] for fit in fits),
        },
        choice="; ".join(f"fold {i + 1} {fit.choice}" for i, fit in enumerate(fits)),
    )
    return doubted(found, bound)
