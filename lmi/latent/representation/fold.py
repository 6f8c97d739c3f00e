"""Encoders of one fold, their latents, and the objective that serves the samples best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
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
from lmi.latent.representation.side_by_side import leading_of_several
from lmi.types import Context

# What ``objective=auto`` chooses from: the closed form where pairs are many, InfoNCE where encoders would know them by heart.
COMPETE: tuple[ObjectiveName, ...] = ("cca", "infonce")
SMALL_DROPOUT = 0.3  # of encoders of half the width that compete for sequences
BESIDE_BELOW = 5000  # samples, from where on a second fit beside the best one finds no more


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
        parts: the fits whose latents stand side by side, the best one first; none where it is a fit by itself.
    """

    settings: RepresentationSettings
    models: tuple[PairedEncoders, ...]
    latents: tuple[Tensor, Tensor]
    leading: Leading
    fresh_nats: float
    trainer: Trainer | None
    parts: tuple[Fitted, ...] = ()

    @property
    def ways(self) -> tuple[RepresentationSettings, ...]:
        """The settings of each of its fits."""
        return tuple(part.settings for part in self.parts) or (self.settings,)


def fit_ways(ways: Sequence[RepresentationSettings], x: Tensor, y: Tensor, fold: Fold, context: Context) -> Fitted:
    """Encoders of a fold by each of the ``ways``, side by side where there are several.

    Args:
        ways: settings of the fits.
        x: (n, *shape of X) float32.
        y: (n, *shape of Y) float32.
        fold: its train part is fitted to, its stop part ends fits and chooses.
        context: seeds, folder, loggers, which only the first writes to.
    """
    places = [context.child("beside", i) if i else context for i in range(len(ways))]
    fits = [fit_fold(way, x, y, fold, place) for way, place in zip(ways, places, strict=True)]
    return fits[0] if len(fits) == 1 else side_by_side(fits, fold)


def side_by_side(fits: Sequence[Fitted], fold: Fold) -> Fitted:
    """Several fits as one, of which the canonical directions of all together are measured.

    Args:
        fits: the best one first.
        fold: its train part fits the directions, its stop part chooses them.
    """
    leading = leading_of_several([fit.leading for fit in fits], [fit.latents for fit in fits], fold)
    zx, zy = (torch.cat(side, 1) for side in zip(*(fit.latents for fit in fits)))
    return Fitted(
        settings=fits[0].settings,
        models=tuple(model for fit in fits for model in fit.models),
        latents=(zx, zy),
        leading=leading,
        fresh_nats=sum(fit.fresh_nats for fit in fits) / len(fits),
        trainer=fits[0].trainer,
        parts=tuple(fits),
    )


def fit_fold(settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context) -> Fitted:
    """Encoders of a fold; with ``auto`` those whose leading latents have the highest bound on fresh pairs, by themselves or
    beside the next best.

    Args:
        settings: of the encoders and their fits.
        x: (n, *shape of X) float32.
        y: (n, *shape of Y) float32.
        fold: its train part is fitted to, its stop part ends fits and chooses.
        context: seeds, folder, loggers.
    """
    if "auto" in (settings.objective, settings.augmentation, settings.dropout):
        return _fit_and_choose(settings, x, y, fold, context)
    models, trainer = fit_members(settings, x, y, fold, context)
    latents = encode_all(models, x, y, fold)
    fresh = [model.fresh_objective(x[fold.stop], y[fold.stop]) for model in models]
    leading = leading_latents(*latents, fold)
    return Fitted(settings, tuple(models), latents, leading, sum(fresh) / len(fresh), trainer)


def pooled_instead(settings: RepresentationSettings, x: Tensor, y: Tensor) -> RepresentationSettings | None:
    """The settings with pooled encoders of each side of pictures or sequences; ``None`` where an encoder or the objective is
    named.

    Args:
        settings: of the encoders.
        x: (n, *shape of X).
        y: (n, *shape of Y).
    """
    names = (settings.encoder, settings.encoder_y or settings.encoder)
    if settings.objective != "auto" or names != ("auto", "auto") or max(x.ndim, y.ndim) == 2:
        return None
    chosen: list[EncoderName] = ["pooled" if z.ndim > 2 else "mlp" for z in (x, y)]
    return replace(settings, encoder=chosen[0], encoder_y=chosen[1])


def _fit_and_choose(settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context) -> Fitted:
    """The best of all augmentations by the first objective, of all objectives with that augmentation, of small and of pooled
    encoders.

    Encoders of sequences that are as wide as the default may know the training pairs by heart: with the last objective
    those of half the width compete, whose last layers see a share of their input in each step. Encoders that are blind to
    places compete with the objective that served the others best, those of sequences also with dropout and unmirrored, by
    which motifs are found. Below ``BESIDE_BELOW`` samples the two best fits side by side compete with the best one.
    """
    tries_dropout = settings.dropout == "auto"
    plain = replace(settings, dropout=0.0) if tries_dropout else settings

    def fit(
        base: RepresentationSettings, objective: ObjectiveName, augmentation: AugmentationName, name: str = ""
    ) -> Fitted:
        # The same seed as where all are named, in a folder of its own.
        place = context.child("fit", objective, augmentation, *((name,) if name else ()))
        place = replace(place, seed=context.seed, loggers=() if name or tried else context.loggers)
        tried.append(fit_fold(replace(base, objective=objective, augmentation=augmentation), x, y, fold, place))
        return tried[-1]

    tried: list[Fitted] = []
    objectives = COMPETE if settings.objective == "auto" else (settings.objective,)
    ways: tuple[AugmentationName, ...] = (settings.augmentation,)
    if settings.augmentation == "auto":
        ways = ("none", "mirror") if mirror_count(tuple(x.shape[1:]), tuple(y.shape[1:])) > 1 else ("none",)
    way = max((fit(plain, objectives[0], way) for way in ways), key=bound_of).settings.augmentation
    for objective in objectives[1:]:
        fit(plain, objective, way)
    names = (settings.encoder, settings.encoder_y or settings.encoder)
    if tries_dropout and all(encoder_for(name, z.shape[1:]) == "conv1d" for name, z in zip(names, (x, y))):
        small = replace(settings, width=max(2, settings.width // 2), dropout=SMALL_DROPOUT)
        fit(small, objectives[-1], way, "small")
    pooled = pooled_instead(plain, x, y)
    if pooled is not None:
        best = max(tried, key=bound_of).settings.objective
        assert best != "auto"
        fit(pooled, best, way, "pooled")
        if tries_dropout and x.ndim == y.ndim == 3:
            fit(replace(pooled, dropout=SMALL_DROPOUT), objectives[-1], ways[0], "pooled dropout")
    leader, *others = sorted(tried, key=bound_of, reverse=True)
    if not others or x.shape[0] >= BESIDE_BELOW:
        return leader
    return max((leader, side_by_side((leader, others[0]), fold)), key=bound_of)


def bound_of(fitted: Fitted) -> float:
    """The bound of its leading latents on the stopping part, nats."""
    return fitted.leading.bound
