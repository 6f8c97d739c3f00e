"""Fit paired encoders on one fold: restarts, early stopping by the held-out bound, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.latent.representation.objectives import BATCHES
from lmi.latent.representation.paired_encoders import PairedEncoders
from lmi.latent.representation.pairs_whole import WholeStopModule
from lmi.latent.representation.settings import RepresentationSettings
from lmi.latent.training import train
from lmi.types import Context

# Passes over the training part: mirrored pairs are known by heart later.
EPOCHS = {"none": 25, "mirror": 50}


def fit_pair(
    settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context
) -> tuple[PairedEncoders, Trainer | None]:
    """Encoders fitted to the training part of a fold; of several restarts those with the highest bound on the stopping part.

    Args:
        settings: of the encoders and their fit.
        x: (n, *shape of X) float32.
        y: (n, *shape of Y) float32.
        fold: its train part is fitted to, its stop part ends the fit.
        context: seeds, folder, loggers.
    """
    best = None
    for restart in range(1 + settings.restarts):
        restart_context = replace(context.child("restart", restart), loggers=context.loggers) if restart else context
        fitted = _fit(settings, x, y, fold, restart_context)
        if best is None or min(fitted[0].curves["stop_loss"]) < min(best[0].curves["stop_loss"]):
            best = fitted
    assert best is not None
    best[0].held_out = fold.test
    return best


def _fit(
    settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context
) -> tuple[PairedEncoders, Trainer | None]:
    """One fit, or what ``context.folder`` holds of it."""
    shapes = (tuple(x.shape[1:]), tuple(y.shape[1:]))
    model = PairedEncoders(shapes, settings, context)
    pairs = x[fold.train], y[fold.train]
    model.learn_scale(*pairs)
    stop = model.scaled(x[fold.stop], y[fold.stop])
    batch_size = settings.batch_size or BATCHES[model.objective_name]
    data = WholeStopModule(model.scaled(*pairs), stop, batch_size, context)
    passes = settings.max_epochs or EPOCHS[settings.augmentation]
    trainer = train(replace(settings, max_epochs=passes), model, data, context)
    model.seen = None
    return model, trainer


def fit_members(
    settings: RepresentationSettings, x: Tensor, y: Tensor, fold: Fold, context: Context
) -> tuple[list[PairedEncoders], Trainer | None]:
    """``members`` pairs of encoders, each from first weights and batches of its own; the last Trainer.

    Args:
        settings: of the encoders and their fits.
        x: (n, *shape of X) float32.
        y: (n, *shape of Y) float32.
        fold: its train part is fitted to, its stop part ends each fit.
        context: seeds, folder, loggers, which only the first writes to.
    """
    models, trainer = [], None
    for i in range(settings.members):
        member = replace(context.child("member", i), loggers=()) if i else context
        model, trainer = fit_pair(settings, x, y, fold, member)
        models.append(model)
    return models, trainer


def encode_all(models: Sequence[PairedEncoders], x: Tensor, y: Tensor, fold: Fold) -> tuple[Tensor, Tensor]:
    """(n, members * latent_dim) latents of each side, scaled to deviation 1 over the training part.

    Args:
        models: members of one fold.
        x: (n, *shape of X).
        y: (n, *shape of Y).
        fold: its train part sets the scale.
    """
    sides = zip(*(model.encode(x, y) for model in models))
    zx, zy = (torch.cat(side, 1) for side in sides)
    return zx / scale_of(zx[fold.train]), zy / scale_of(zy[fold.train])


def scale_of(z: Tensor) -> Tensor:
    """(l,) deviation of each latent z (n, l); 1 for a constant one."""
    deviation = z.std(0, correction=0)
    return torch.where(deviation > 0, deviation, 1.0)
