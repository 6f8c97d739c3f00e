"""What speaks against an estimate in learned latents: each doubt with its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from lmi.estimators.trust.thresholds import (
    LATENT_FOLDS_APART,
    LATENT_FOLDS_APART_ERRORS,
    LATENT_FOLDS_APART_LEAST,
    LATENT_OPTIMISM,
    LATENT_OPTIMISM_LEAST,
    LATENT_RISING,
    LATENTS_TOO_FEW,
)
from lmi.latent.leading import Leading
from lmi.latent.learning_curve import LearningCurve
from lmi.latent.paired_encoders import PairedEncoders
from lmi.types import Estimate


@dataclass(frozen=True, eq=False)
class Fitted:
    """Encoders of a fold and what they make of the samples.

    Args:
        model: the encoders.
        latents: (n, l) of each side.
        leading: directions that are measured.
        fresh_nats: the objective of the stopping part's latents.
    """

    model: PairedEncoders
    latents: tuple[Tensor, Tensor]
    leading: Leading
    fresh_nats: float


def learned_doubts(
    fits: Sequence[Fitted], estimates: Sequence[Estimate], whole: Estimate, curve: LearningCurve | None
) -> tuple[str, ...]:
    """Reasons in words: more data finds more, folds disagree, the fit knows its samples by heart, too few latents.

    Args:
        fits: by fold.
        estimates: of the folds.
        whole: the pooled one.
        curve: what halves of the training data find; ``None`` where it was not asked.
    """
    nats, error = whole.nats, whole.details["standard_error_nats"]
    reasons = []
    if curve is not None and curve.missing > LATENT_RISING and curve.missing * nats > 2 * error:
        a, b, c = curve.nats
        reasons.append(
            f"more data would find more: encoders of {curve.samples[0]}, {curve.samples[1]} and {curve.samples[2]} samples "
            f"find {a:.2f}, {b:.2f} and {c:.2f} nats (KSG), which leaves about {curve.missing * nats:.2f} nats to be found"
        )
    each = [estimate.nats for estimate in estimates]
    if len(each) > 1:
        worst = max(estimate.details.get("standard_error_nats", 0.0) for estimate in estimates)
        allowed = max(LATENT_FOLDS_APART_ERRORS * worst, LATENT_FOLDS_APART * nats, LATENT_FOLDS_APART_LEAST)
        if max(each) - min(each) > allowed:
            reasons.append(f"its folds disagree: {min(each):.2f} to {max(each):.2f} nats")
    best = [min(range(len(c)), key=c.__getitem__) for c in (fit.model.curves["stop_loss"] for fit in fits)]
    train = sum(-fit.model.curves["train_loss"][i] for fit, i in zip(fits, best)) / len(fits)
    stop = sum(fit.fresh_nats for fit in fits) / len(fits)
    if train - stop > max(LATENT_OPTIMISM * train, LATENT_OPTIMISM_LEAST):
        reasons.append(
            f"the objective is {train:.2f} nats on the training part and {stop:.2f} on fresh pairs: the encoders know their "
            f"samples by heart"
        )
    last = [fit.leading for fit in fits if fit.leading.count == fit.leading.nats.numel()]
    if len(last) == len(fits) and all(float(a.nats[-1]) > LATENTS_TOO_FEW * max(nats, 0.0) for a in last):
        reasons.append(
            f"all {last[0].count} latents are measured and the last still adds about {float(last[0].nats[-1]):.2f} nats: a "
            f"larger latent_dim may find more"
        )
    return tuple(reasons)
