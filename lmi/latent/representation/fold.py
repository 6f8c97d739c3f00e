"""Encoders of one fold, their latents, and the objective that serves the samples best."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lightning.pytorch import Trainer
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.latent.representation.fit import encode_all, fit_members
from lmi.latent.representation.leading import Leading, leading_latents
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
    """Encoders of a fold; with ``objective=auto`` by the objective whose leading latents have the highest bound on fresh pairs.

    Args:
        settings: of the encoders and their fits.
        x: (n, *shape of X) float32.
        y: (n, *shape of Y) float32.
        fold: its train part is fitted to, its stop part ends fits and chooses.
        context: seeds, folder, loggers.
    """
    if settings.objective == "auto":
        fits = []
        for i, name in enumerate(COMPETE):
            # The same seed as where the objective is named, in a folder of its own.
            place = context.child("objective", name)
            place = replace(place, seed=context.seed, loggers=() if i else context.loggers)
            fits.append(fit_fold(replace(settings, objective=name), x, y, fold, place))
        return max(fits, key=lambda fit: fit.leading.bound)
    models, trainer = fit_members(settings, x, y, fold, context)
    latents = encode_all(models, x, y, fold)
    fresh = [model.fresh_objective(x[fold.stop], y[fold.stop]) for model in models]
    leading = leading_latents(*latents, fold)
    return Fitted(settings, tuple(models), latents, leading, sum(fresh) / len(fresh), trainer)
