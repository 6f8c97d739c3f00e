"""Encoders of one fold, their latents, and the objective that serves the samples best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.latent.representation.encoders import EncoderName, encoder_for
from lmi.latent.representation.fit import encode_all, fit_members
from lmi.latent.representation.leading import Leading, leading_latents
from lmi.latent.representation.mirrors import AugmentationName, mirror_count
from lmi.latent.representation.objectives import ObjectiveName
from lmi.latent.representation.paired_encoders import PairedEncoders
from lmi.latent.representation.settings import RepresentationSettings
from lmi.types import Context

# What ``objective=auto`` chooses from: the closed form where pairs are many, InfoNCE where encoders would know them by heart.
COMPETE: tuple[ObjectiveName, ...] = ("cca", "infonce")
SMALL_DROPOUT = 0.3  # of encoders of half the width that compete for sequences


@dataclass(frozen=True, eq=False)
class Fitted:
    """Encoders of a fold and what they make of the samples.

    Args:
        settings: with the objective that they were fitted by.
        models: the encoders, member after member.
        latents: (n, members * l) of each side.
        leading: directions that are measured.
        fresh_nats: the objective of the stopping part's latents, mean over members.
        trainer: of the last fit; ``None`` where a folder held it.
    """

    settings: RepresentationSettings
    models: tuple[PairedEncoders, ...]
    latents: tuple[Tensor, Tensor]
    leading: Leading
    fresh_nats: float
    trainer: Trainer | None


def fit_fold(settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context) -> Fitted:
    """Encoders of a fold; with ``auto`` those whose leading latents have the highest bound on fresh pairs.

    Args:
        settings: of the encoders and their fits.
        x: (n, *shape of X) float32.
        y: (n, *shape of Y) float32.
        fold: its train part is fitted to, its stop part ends fits and chooses.
        context: seeds, folder, loggers.
    """
    if "auto" in (settings.objective, settings.augmentation, settings.dropout) or pooled_names(settings, x, y):
        return _fit_and_choose(settings, x, y, fold, context)
    models, trainer = fit_members(settings, x, y, fold, context)
    latents = encode_all(models, x, y, fold)
    fresh = [model.fresh_objective(x[fold.stop], y[fold.stop]) for model in models]
    leading = leading_latents(*latents, fold)
    return Fitted(settings, tuple(models), latents, leading, sum(fresh) / len(fresh), trainer)


def pooled_names(settings: RepresentationSettings, x: Tensor, y: Tensor) -> dict[str, EncoderName]:
    """The settings by which pooled encoders compete, of each side of pictures or sequences; none where an encoder or the
    objective is named.

    Args:
        settings: of the encoders.
        x: (n, *shape of X).
        y: (n, *shape of Y).
    """
    names = (settings.encoder, settings.encoder_y or settings.encoder)
    if settings.objective != "auto" or names != ("auto", "auto") or max(x.ndim, y.ndim) == 2:
        return {}
    chosen: list[EncoderName] = ["pooled" if z.ndim > 2 else "mlp" for z in (x, y)]
    return {"encoder": chosen[0], "encoder_y": chosen[1]}


def _fit_and_choose(settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context) -> Fitted:
    """The best of all augmentations by the first objective, of all objectives with that augmentation, of small and of pooled
    encoders.

    Encoders of sequences that are as wide as the default may know the training pairs by heart: with the last objective
    those of half the width compete, whose last layers see a share of their input in each step. Encoders that are blind to
    places compete with the objective that served the others best, those of sequences also with dropout and unmirrored, by
    which motifs are found.
    """
    dropout = 0.0 if settings.dropout == "auto" else settings.dropout
    pooled = pooled_names(settings, x, y)
    named = replace(settings, dropout=dropout)
    if pooled:
        named = replace(named, **{side: encoder_for("auto", z.shape[1:]) for side, z in zip(pooled, (x, y))})

    def fit(way: str, first: bool = False, **changes: Any) -> Fitted:
        # The same seed as where all are named, in a folder of its own.
        chosen = replace(named, **changes)
        place = context.child("fit", chosen.objective, chosen.augmentation, *((way,) if way else ()))
        return fit_fold(chosen, x, y, fold, replace(place, seed=context.seed, loggers=context.loggers if first else ()))

    objectives = COMPETE if settings.objective == "auto" else (settings.objective,)
    ways: tuple[AugmentationName, ...] = (settings.augmentation,)
    if settings.augmentation == "auto":
        ways = ("none", "mirror") if mirror_count(tuple(x.shape[1:]), tuple(y.shape[1:])) > 1 else ("none",)
    fits = [fit("", first=i == 0, objective=objectives[0], augmentation=way) for i, way in enumerate(ways)]
    best = max(fits, key=bound_of)
    named = replace(named, augmentation=best.settings.augmentation)
    fits = [best, *(fit("", objective=name) for name in objectives[1:])]
    names = (settings.encoder, settings.encoder_y or settings.encoder)
    if settings.dropout == "auto" and all(encoder_for(name, z.shape[1:]) == "conv1d" for name, z in zip(names, (x, y))):
        small = {"width": max(2, settings.width // 2), "dropout": SMALL_DROPOUT}
        fits.append(fit("small", objective=objectives[-1], **small))
    if pooled:
        objective = max(fits, key=bound_of).settings.objective
        fits.append(fit("pooled", objective=objective, **pooled))
        if settings.dropout == "auto" and x.ndim == y.ndim == 3:
            fits.append(fit("dropout", objective=objectives[-1], augmentation=ways[0], dropout=SMALL_DROPOUT, **pooled))
    return max(fits, key=bound_of)


def bound_of(fitted: Fitted) -> float:
    """The bound of its leading latents on the stopping part, nats."""
    return fitted.leading.bound
