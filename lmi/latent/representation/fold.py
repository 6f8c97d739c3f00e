"""Encoders of one fold, their latents, and the objective that serves the samples best."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lightning.pytorch import Trainer
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.latent.representation.fit import encode_all, fit_members
from lmi.latent.representation.leading import Leading, leading_latents
from lmi.latent.representation.mirrors import AugmentationName, mirror_count
from lmi.latent.representation.objectives import ObjectiveName
from lmi.latent.representation.paired_encoders import PairedEncoders
from lmi.latent.representation.settings import RepresentationSettings
from lmi.types import Context

# What ``objective=auto`` chooses from: the closed form where pairs are many, InfoNCE where encoders would know them by heart.
COMPETE: tuple[ObjectiveName, ...] = ("cca", "infonce")


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
    if "auto" in (settings.objective, settings.augmentation):
        return _fit_and_choose(settings, x, y, fold, context)
    models, trainer = fit_members(settings, x, y, fold, context)
    latents = encode_all(models, x, y, fold)
    fresh = [model.fresh_objective(x[fold.stop], y[fold.stop]) for model in models]
    leading = leading_latents(*latents, fold)
    return Fitted(settings, tuple(models), latents, leading, sum(fresh) / len(fresh), trainer)


def _fit_and_choose(settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context) -> Fitted:
    """The best of all augmentations by the first objective, and of all objectives with that augmentation."""

    def fit(objective: ObjectiveName, augmentation: AugmentationName, first: bool = False) -> Fitted:
        # The same seed as where both are named, in a folder of its own.
        place = context.child("fit", objective, augmentation)
        place = replace(place, seed=context.seed, loggers=context.loggers if first else ())
        return fit_fold(replace(settings, objective=objective, augmentation=augmentation), x, y, fold, place)

    objectives = COMPETE if settings.objective == "auto" else (settings.objective,)
    ways: tuple[AugmentationName, ...] = (settings.augmentation,)
    if settings.augmentation == "auto":
        ways = ("none", "mirror") if mirror_count(tuple(x.shape[1:]), tuple(y.shape[1:])) > 1 else ("none",)
    fits = [fit(objectives[0], way, first=i == 0) for i, way in enumerate(ways)]
    best = max(fits, key=lambda each: each.leading.bound)
    return max(
        (best, *(fit(name, best.settings.augmentation) for name in objectives[1:])), key=lambda each: each.leading.bound
    )
