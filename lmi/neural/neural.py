"""One plain neural estimate: a critic on the raw variables, stopped on one part of the samples, measured on another."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.columns import normal_scores
from lmi.estimators.folds import split_once
from lmi.estimators.trust.lower_bounds import lower_bound_verdict
from lmi.estimators.trust.plain_thresholds import CRITIC_RISING, RISE_AHEAD
from lmi.estimators.trust.thresholds import RISING_LEAST
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.unexplained import unexplained, unexplained_doubt
from lmi.neural.critic import BOUNDS, Bound, CriticSettings, fit_critic
from lmi.types import Context, Estimate

BLOCK = 1000  # held-out pairs scored against one another
SMALLEST_PART = 8


@dataclass(frozen=True, kw_only=True)
class NeuralSettings(CriticSettings):
    """A critic's settings and how the samples are shared out.

    Args:
        train_share: share of the samples that the critic is fitted to.
        stop_share: share that ends the fit; the rest is measured.
    """

    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    stop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1


def neural_estimate(bound: Bound, settings: NeuralSettings, x: Tensor, y: Tensor, context: Context) -> Estimate:
    """The bound on held-out pairs, in blocks of at most 1000 that are averaged.

    Args:
        bound: that is maximised and reported.
        settings: of critic and fit.
        x: (n, dx).
        y: (n, dy).
        context: seeds.

    Raises:
        ValueError: where a part would have fewer than 8 samples, or the fit diverged.
    """
    n = x.shape[0]
    fold = split_once(n, settings.train_share, settings.stop_share, context.generator("split"))
    smallest = min(part.numel() for part in (fold.train, fold.stop, fold.test))
    if smallest < SMALLEST_PART:
        raise ValueError(
            f"{n} samples are too few to be split in three: a part would have {smallest}, expected 8 or more"
        )
    tests = fold.test.tensor_split(-(-fold.test.numel() // BLOCK))
    raw, (x, y) = (x, y), (_scaled(z, fold.train) for z in (x, y))

    def fitted(train: Tensor, fit_context: Context) -> tuple[float, list[Tensor], list[float]]:
        critic, curves = fit_critic((x[train], y[train]), (x[fold.stop], y[fold.stop]), bound, settings, fit_context)
        blocks = [critic.scores(x[rows], y[rows]) for rows in tests]
        return float(torch.stack([BOUNDS[bound](scores) for scores in blocks]).mean()), blocks, curves["stop_loss"]

    nats, blocks, losses = fitted(fold.train, context)
    joint = torch.cat([scores.diagonal() for scores in blocks])
    error = float(joint.std()) / joint.numel() ** 0.5
    size = max(scores.shape[0] for scores in blocks)
    ceiling = math.log(size) if bound == "infonce" else math.log(size * (size - 1))
    warnings: tuple[str, ...] = ()
    if nats > 0.8 * ceiling:
        warnings = (f"the estimate ({nats:.2f} nats) is near the {ceiling:.2f} that {size} held-out pairs can show",)
    if len(losses) == settings.max_epochs and min(losses) < min(losses[:-3], default=float("inf")):
        warnings += (f"the bound still rose when the fit ended after {len(losses)} epochs: raise max_epochs",)
    estimate = Estimate(
        nats=nats,
        estimator=bound,
        num_samples=fold.test.numel(),
        interval=(nats - Z_90 * error, nats + Z_90 * error),
        ceiling=ceiling,
        warnings=warnings,
        details={"standard_error_nats": error, "epochs": float(len(losses))},
    )
    reasons: tuple[str, ...] = ()
    rise = 0.0
    try:
        rise = max(nats - fitted(fold.train[: fold.train.numel() // 2], context.child("half"))[0], 0.0)
        if rise > max(CRITIC_RISING * nats, 2 * error, RISING_LEAST):
            reasons = (f"half of the training samples find {rise:.2f} nats less, so more would find more",)
    except ValueError as diverged:
        reasons = (f"with half of the training samples {diverged}",)
    pairs = list(zip(tests, blocks, strict=True))
    left = unexplained(normal_scores(raw[0]), normal_scores(raw[1]), pairs, context.generator("unexplained"))
    words = unexplained_doubt(left, nats, error)
    details = {**estimate.details, "still_rising_nats": rise, "unexplained_nats": 0.5 * left.share}
    missing = max(RISE_AHEAD * rise, 0.5 * left.share if words else 0.0)
    reasons += (words,) if words else ()
    estimate = replace(estimate, details=details)
    return lower_bound_verdict(estimate, *raw, context.generator("second opinion"), missing, reasons)


def _scaled(z: Tensor, train: Tensor) -> Tensor:
    scale = z[train].std(0, correction=0)
    z = (z - z[train].mean(0)) / torch.where(scale > 0, scale, torch.full_like(scale, torch.inf))
    return z.clamp(-10, 10).float()
