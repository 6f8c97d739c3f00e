"""A fit from top to bottom: train paired encoders on a fold, encode, read the held-out part, gather the folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from lmi.estimators.folds import Fold
from lmi.latent.autoencoder import PairedAutoencoder
from lmi.latent.datamodule import PairsDataModule
from lmi.latent.settings import EncoderSettings, scaled_learning_rate
from lmi.latent.training import train
from lmi.threads import step_flop, threads_for
from lmi.types import Context, Estimate

SMALLEST_PART = 8  # samples

Reading = Callable[[tuple[Tensor, Tensor], Fold, Context], Estimate]
"""Latents of all samples and a fold -> an estimate with one pointwise term for each sample of its test part."""


def fit_and_read_all(
    settings: EncoderSettings, x: Tensor, y: Tensor, folds: list[Fold], reading: Reading, context: Context
) -> list[Estimate]:
    """``fit_and_read`` on every fold, each with seeds of its own; training curves are logged for the first.

    Args:
        settings: of the encoders and their fit.
        x: (n, dx) samples in their own units.
        y: (n, dy).
        folds: as ``three_way_folds`` gives them.
        reading: what measures the held-out latents.
        context: seeds, folder, loggers.
    """
    x, y = x.to(torch.float32), y.to(torch.float32)
    if len(folds) == 1:
        return [fit_and_read(settings, x, y, folds[0], reading, context)]
    children = [replace(context.child("fold", i), loggers=() if i else context.loggers) for i in range(len(folds))]
    return [fit_and_read(settings, x, y, fold, reading, child) for fold, child in zip(folds, children, strict=True)]


def fit_and_read(
    settings: EncoderSettings, x: Tensor, y: Tensor, fold: Fold, reading: Reading, context: Context
) -> Estimate:
    """Fit on one fold and measure its test part; the pointwise terms of all other samples are NaN.

    Args:
        settings: of the encoders and their fit.
        x: (n, dx), float32.
        y: (n, dy).
        fold: what is fitted on, what ends the fit, what is measured.
        reading: what measures the held-out latents.
        context: seeds, folder, loggers.
    """
    model, trainer = fit_encoders(settings, x, y, fold, context)
    model.held_out = fold.test
    latents = encode_shared(model, x, y, trainer)
    estimate = read_once(model, trainer, lambda: reading(latents, fold, context))
    assert estimate.pointwise is not None
    pointwise = torch.full((x.shape[0],), torch.nan, dtype=torch.float64)
    pointwise[fold.test] = estimate.pointwise
    return replace(estimate, pointwise=pointwise, latents=latents)


def fit_encoders(
    settings: EncoderSettings, x: Tensor, y: Tensor, fold: Fold, context: Context
) -> tuple[PairedAutoencoder, Trainer | None]:
    """Encoders fitted to the training part, with the weights of their best stopping loss.

    Args:
        settings: of the encoders and their fit.
        x: (n, dx), float32.
        y: (n, dy).
        fold: its train part is fitted to, its stop part ends the fit.
        context: seeds, folder, loggers.
    """
    model = PairedAutoencoder(x.shape[1], y.shape[1], settings, context)
    train_x, train_y = x[fold.train], y[fold.train]
    model.learn_scale(train_x, train_y)
    stop = model.scaled(x[fold.stop], y[fold.stop])
    data = PairsDataModule(model.scaled(train_x, train_y), stop, settings.batch_size, context)
    return model, train(settings, model, data, context, partial(threads_of, model))


@contextmanager
def threads_of(model: PairedAutoencoder, trainer: Trainer) -> Iterator[None]:
    """The threads of a fit, among them one for the half of y where one process trains on the CPU."""
    flop = step_flop(sum(weight.numel() for weight in model.parameters()), model.settings.batch_size)
    alone = trainer.world_size == 1 and trainer.strategy.root_device.type == "cpu"
    with threads_for(flop, halves=alone and model.settings.regulariser == "cross") as side_by_side:
        if not side_by_side:
            yield
            return
        with ThreadPoolExecutor(1, "half-of-y") as model.second:
            try:
                yield
            finally:
                model.second = None


def encode_shared(model: PairedAutoencoder, x: Tensor, y: Tensor, trainer: Trainer | None) -> tuple[Tensor, Tensor]:
    """(n, latent_dim) latents of each side, each process encoding its share and all of them getting the whole.

    Args:
        model: fitted.
        x: (n, dx).
        y: (n, dy).
        trainer: of the fit; ``None`` where there was none.
    """
    if trainer is None or trainer.world_size == 1:
        return model.encode(x, y)
    share = slice(trainer.global_rank, None, trainer.world_size)
    wholes = []
    for latents in model.encode(x[share], y[share]):
        whole = torch.zeros(x.shape[0], latents.shape[1], dtype=latents.dtype, device=trainer.strategy.root_device)
        whole[share] = latents.to(whole.device)
        wholes.append(trainer.strategy.reduce(whole, reduce_op="sum").cpu())
    return wholes[0], wholes[1]


def read_once(model: PairedAutoencoder, trainer: Trainer | None, read: Callable[[], Estimate]) -> Estimate:
    """``read()`` in the first process, for all; with what training has to say about itself."""
    estimate = None
    if trainer is None or trainer.is_global_zero:
        estimate = read()
    if trainer is not None:
        estimate = trainer.strategy.broadcast(estimate)
    assert estimate is not None
    stop_losses = model.curves["stop_loss"]
    processes = 1 if trainer is None else trainer.world_size
    details = {
        **estimate.details,
        "epochs": float(len(stop_losses)),
        "best_stop_loss": min(stop_losses),
        "effective_batch_count": float(model.settings.batch_size * processes),
        "peak_learning_rate": scaled_learning_rate(model.settings, processes),
    }
    return replace(estimate, model=model, details=details)


def gathered(fits: list[Estimate], folds: list[Fold]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """(n,) pointwise terms and (n, latent_dim) latents of all samples, each from the fold that held it out."""
    pointwise, latents = fits[0].pointwise, fits[0].latents
    assert pointwise is not None and latents is not None
    terms, zx, zy = pointwise.clone(), latents[0].clone(), latents[1].clone()
    for fit, fold in zip(fits, folds, strict=True):
        assert fit.pointwise is not None and fit.latents is not None
        rows = fold.test
        terms[rows], zx[rows], zy[rows] = fit.pointwise[rows], fit.latents[0][rows], fit.latents[1][rows]
    return terms, (zx, zy)
