"""What speaks against an estimate in learned latents: each doubt with its number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lmi.estimators.columns import principal_components
from lmi.estimators.neighbors.ksg import repeats
from lmi.estimators.neighbors.terms import ksg_pointwise
from lmi.estimators.trust.second_opinion import TOLERANCE, confirmed, linear_doubts
from lmi.estimators.trust.thresholds import (
    LATENT_FOLDS_APART,
    LATENT_FOLDS_APART_ERRORS,
    LATENT_FOLDS_APART_LEAST,
    LATENT_NOTHING,
    LATENT_OPTIMISM,
    LATENT_OPTIMISM_LEAST,
    LATENT_RISING,
    LATENTS_TOO_FEW,
)
from lmi.estimators.trust.uncertainty import Z_90
from lmi.latent.representation.fold import Fitted
from lmi.latent.representation.leading import NEIGHBOURS
from lmi.latent.representation.learning_curve import LearningCurve
from lmi.latent.representation.settings import RepresentationSettings
from lmi.types import Estimate

RAW_SAMPLES, RAW_COMPONENTS = 2000, 8
FOLDS = 3  # that a normal model of pixels is judged on


def learned_doubts(
    settings: RepresentationSettings,
    fits: Sequence[Fitted],
    estimates: Sequence[Estimate],
    whole: Estimate,
    curve: LearningCurve | None,
    raw: tuple[float, float],
) -> tuple[str, ...]:
    """Reasons in words: more data finds more, folds disagree, the fit knows its samples by heart, too few latents.

    Args:
        settings: of the fits.
        fits: by fold.
        estimates: the folds' estimates.
        whole: the pooled one.
        curve: what halves of the training data find; ``None`` where it was not asked.
        raw: what neighbours find in the samples as they come, and its error, nats.
    """
    nats, error = whole.nats, whole.details["standard_error_nats"]
    reasons = []
    if nats <= max(2 * error, LATENT_NOTHING):
        reasons.append("encoders that find nothing say little about what is there: the number is a lower bound")
    elif curve is None:
        reasons.append(
            "how much the encoders miss was not asked (learning_curve=false, or too few samples): the interval is of what "
            "their latents share"
        )
    elif curve.missing > LATENT_RISING and curve.missing * nats > 2 * error:
        a, b, c = curve.nats
        reasons.append(
            f"more data would find more: encoders of {curve.samples[0]}, {curve.samples[1]} and {curve.samples[2]} samples "
            f"find {a:.2f}, {b:.2f} and {c:.2f} nats, and {curve.together:.2f} with all that are measured together"
            + still_to_be_found(curve, nats)
        )
    fold_error = estimates[0].details.get("standard_error_nats", error)
    if curve is not None and curve.surplus > max(2 * fold_error, LATENT_RISING * nats, LATENT_NOTHING):
        a, b, c = curve.nats
        reasons.append(
            f"encoders of fewer samples find more in the same pairs ({a:.2f} of {curve.samples[0]}, {b:.2f} of "
            f"{curve.samples[1]}, {c:.2f} of all {curve.samples[2]}): those of all miss it, or neighbours overstate it"
        )
    if raw[0] - nats > max(2 * Z_90 * (raw[1] ** 2 + error**2) ** 0.5, LATENT_FOLDS_APART * nats):
        reasons.append(
            f"nearest neighbours find {raw[0]:.2f} nats in the samples as they come, more than in the latents"
        )
    each = [estimate.nats for estimate in estimates]
    if len(each) > 1:
        worst = max(estimate.details.get("standard_error_nats", 0.0) for estimate in estimates)
        allowed = max(LATENT_FOLDS_APART_ERRORS * worst, LATENT_FOLDS_APART * nats, LATENT_FOLDS_APART_LEAST)
        if max(each) - min(each) > allowed:
            reasons.append(f"its folds disagree: {min(each):.2f} to {max(each):.2f} nats")
    models = [model for fit in fits for model in fit.models]
    best = [min(range(len(c)), key=c.__getitem__) for c in (model.curves["stop_loss"] for model in models)]
    train = sum(-model.curves["train_loss"][i] for model, i in zip(models, best)) / len(models)
    stop = sum(fit.fresh_nats for fit in fits) / len(fits)
    if train - stop > max(LATENT_OPTIMISM * train, LATENT_OPTIMISM_LEAST):
        reasons.append(
            f"the objective is {train:.2f} nats on the training part and {stop:.2f} on fresh pairs: the encoders know their "
            f"samples by heart"
        )
    last = [float(fit.leading.nats[fit.leading.kept[-1]]) for fit in fits if fit.leading.count >= settings.latent_dim]
    if len(last) == len(fits) and min(last) > LATENTS_TOO_FEW * max(nats, 0.0):
        reasons.append(
            f"{fits[0].leading.count} latents are measured and the last still adds about {last[0]:.2f} nats: a larger "
            f"latent_dim may find more"
        )
    return tuple(reasons)


def still_to_be_found(curve: LearningCurve, nats: float) -> str:
    """What the curve leaves of an estimate of ``nats``, in words, with the powers of n between which it lies."""
    if curve.missing_range is None:
        return "; it does not bend yet, so that no limit can be read from it"
    least, most = (share * nats for share in curve.missing_range)
    return f", which leaves about {curve.missing * nats:.2f} nats to be found, {least:.2f} to {most:.2f}"


def normal_doubts(x: Tensor, y: Tensor, whole: Estimate, generator: torch.Generator) -> tuple[str, ...]:
    """A reason where a normal model of the values as they come finds clearly more than the encoders.

    Of columns and sequences its closed form; of pictures, whose pixels are far from normal, what it finds in fresh pairs.

    Args:
        x: (n, *shape).
        y: (n, *shape).
        whole: the pooled estimate.
        generator: deals the folds.
    """
    nats, error = whole.nats, whole.details["standard_error_nats"]
    if x.ndim < 4 and y.ndim < 4:
        return linear_doubts(x.flatten(1), y.flatten(1), nats, error, generator)
    bound, bound_error = confirmed(x.flatten(1), y.flatten(1), FOLDS, generator)
    if bound - nats <= max(4 * bound_error, 4 * error, TOLERANCE * bound, LATENT_NOTHING):
        return ()
    return (f"a normal model of the pixels finds {bound:.2f} nats in fresh pairs, more than is in the latents",)


def raw_neighbours(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[float, float]:
    """KSG of the leading principal components of at most 2,000 samples x (n, *shape), y (n, *shape); its error, nats.

    Columns have deviation 1, pictures and sequences as a whole. By itself it is too low, so that a number above what
    encoders find is one that they missed. Not of pixels themselves: where they saturate, distances tie, and ties make
    neighbours count too few.
    """
    rows = torch.randperm(x.shape[0], generator=generator)[:RAW_SAMPLES]
    sides = []
    for z in (x[rows].double(), y[rows].double()):
        deviation = z.std(0, correction=0) if z.ndim == 2 else z.std()
        components = principal_components((z / torch.where(deviation > 0, deviation, 1.0)).flatten(1), RAW_COMPONENTS)
        sides.append(components / components.std().clamp(min=math.ulp(0.0)))
    u, v = sides
    terms = ksg_pointwise(u, v, NEIGHBOURS, "mixture" if repeats(u) or repeats(v) else "ksg1")
    return float(terms.mean()), float(terms.std()) / rows.numel() ** 0.5
