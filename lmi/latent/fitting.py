"""What estimators in learned latents share: split, train paired encoders, keep the best weights, encode the held-out part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from pydantic import Field
from torch import Tensor

from lmi.estimators.folds import Split, split_folds, split_once
from lmi.latent.autoencoder import Architecture, PairedAutoencoder
from lmi.latent.checkpoints import BestWeights, Preempted, ResumePoint, load_model, require_checkpoint, save_model
from lmi.latent.datamodule import PairsDataModule
from lmi.latent.trainer import TrainerSettings, quiet_lightning
from lmi.threads import step_flop, threads_for
from lmi.types import Context, Estimate

SMALLEST_PART = 8


@dataclass(frozen=True, kw_only=True)
class EncoderFit(Architecture, ABC):
    """How the samples are shared out and the encoders fitted.

    Args:
        batch_size: samples a step and process.
        max_epochs: most passes over the training part.
        patience: epochs without a lower stopping loss before training ends.
        train_share: share of the samples that the encoders are fitted to.
        stop_share: share that decides when to stop; the rest is measured.
        folds: 0 for one split; 2 or more for cross-fitting, so that every sample is measured by encoders that never saw it.
        trainer: devices, processes, precision.
    """

    batch_size: Annotated[int, Field(ge=2)] = 256
    max_epochs: Annotated[int, Field(ge=1)] = 30
    patience: Annotated[int, Field(ge=1)] = 30
    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.4
    stop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    folds: Annotated[int, Field(ge=0)] = 0
    trainer: TrainerSettings = field(default_factory=TrainerSettings)

    def splits(self, n: int, context: Context) -> list[Split]:
        """The three-way split of n samples, or one for each fold."""
        if self.train_share + self.stop_share >= 1:
            raise ValueError(
                f"train_share + stop_share must leave samples to measure: got {self.train_share} + {self.stop_share}"
            )
        if self.folds == 1:
            raise ValueError("folds must be 0 (one split) or at least 2; got 1")
        generator = context.generator("split")
        splits = (
            split_folds(n, self.folds, self.train_share, self.stop_share, generator)
            if self.folds
            else [split_once(n, self.train_share, self.stop_share, generator)]
        )
        for split in splits:
            for name in ("train", "stop", "estimate"):
                size = getattr(split, name).numel()
                if size < SMALLEST_PART:
                    raise ValueError(
                        f"{n} samples are too few to be split: the {name} part would have {size}, "
                        f"expected at least {SMALLEST_PART}"
                    )
        return splits

    def fit(self, x: Tensor, y: Tensor, split: Split, context: Context) -> tuple[PairedAutoencoder, Trainer | None]:
        """Encoders fitted to the training part, with the weights of their best stopping loss.

        Under ``context.folder``: ``checkpoints/last.ckpt`` after every epoch, from which an interrupted fit goes on, and
        ``checkpoints/model.safetensors`` when it is done, which is taken as it is when it is there.
        """
        model = PairedAutoencoder(x.shape[1], y.shape[1], self, context)
        train_x, train_y = x[split.train], y[split.train]
        model.learn_scale(train_x, train_y)
        data = PairsDataModule(
            model.scaled(train_x, train_y), model.scaled(x[split.stop], y[split.stop]), self.batch_size, context
        )
        return model, self.train(model, data, context)

    def train(self, model: PairedAutoencoder, data: LightningDataModule, context: Context) -> Trainer | None:
        """Fit ``model``, whose scale is learned, to ``data``; ``None`` if ``context.folder`` held it already fitted."""
        folder = None if context.folder is None else context.folder / "checkpoints"
        if folder is not None and (folder / "model.safetensors").is_file():
            load_model(model, folder / "model.safetensors")
            return None
        callbacks: list[Callback] = [BestWeights(), EarlyStopping("stop_loss", patience=self.patience)]
        last = None
        if folder is not None:
            callbacks.append(ResumePoint(folder))
            last = folder / "last.ckpt"
        with quiet_lightning():
            trainer = self.trainer.build(context, self.max_epochs, callbacks)
            resume = None
            if last is not None and last.is_file():
                require_checkpoint(last, model)
                resume = str(last)
            try:
                with threads_of(model, self.batch_size, trainer):
                    trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
            except Preempted:
                raise
            except SystemExit:
                # Lightning turns Ctrl-C into an exit of its own; who called decides what an interruption means.
                if trainer.interrupted:
                    raise KeyboardInterrupt from None
                raise
        model.cpu()
        if folder is not None and trainer.is_global_zero:
            save_model(model, folder / "model.safetensors")
        return trainer

    @abstractmethod
    def read_split(self, latents: tuple[Tensor, Tensor], split: Split, context: Context) -> Estimate:
        """An estimate from the latents of all samples, with one pointwise term for each sample of the estimate part."""

    def fit_and_read(self, x: Tensor, y: Tensor, split: Split, context: Context) -> Estimate:
        """Fit on one split and measure its estimate part; the pointwise terms of all other samples are NaN."""
        model, trainer = self.fit(x, y, split, context)
        model.held_out = split.estimate
        latents = encode_shared(model, x, y, trainer)
        found = self.read_once(model, trainer, lambda: self.read_split(latents, split, context))
        assert found.pointwise is not None
        pointwise = torch.full((x.shape[0],), torch.nan, dtype=torch.float64)
        pointwise[split.estimate] = found.pointwise
        return replace(found, pointwise=pointwise, latents=latents)

    def fit_and_read_all(self, x: Tensor, y: Tensor, splits: list[Split], context: Context) -> list[Estimate]:
        """``fit_and_read`` on every split, each with seeds of its own; training curves are logged for the first."""
        x, y = x.to(torch.float32), y.to(torch.float32)
        if len(splits) == 1:
            return [self.fit_and_read(x, y, splits[0], context)]
        return [self.fit_and_read(x, y, split, _fold(context, i)) for i, split in enumerate(splits)]

    def read_once(self, model: PairedAutoencoder, trainer: Trainer | None, read: Callable[[], Estimate]) -> Estimate:
        """``read()`` in the first process, for all; with what training has to say about itself."""
        found = None
        if trainer is None or trainer.is_global_zero:
            found = read()
        if trainer is not None:
            found = trainer.strategy.broadcast(found)
        assert found is not None
        stop_losses = model.curves["stop_loss"]
        processes = 1 if trainer is None else trainer.world_size
        details = {
            **found.details,
            "epochs": float(len(stop_losses)),
            "best_stop_loss": min(stop_losses),
            "effective_batch_count": float(self.batch_size * processes),
            "peak_learning_rate": self.scaled_learning_rate(processes),
        }
        return replace(found, model=model, details=details)


@contextmanager
def threads_of(model: PairedAutoencoder, batch_size: int, trainer: Trainer) -> Iterator[None]:
    """The threads of a fit, among them one for the half of y where one process trains on the CPU."""
    flop = step_flop(sum(weight.numel() for weight in model.parameters()), batch_size)
    alone = trainer.world_size == 1 and trainer.strategy.root_device.type == "cpu"
    with threads_for(flop, halves=alone and model.architecture.regulariser == "cross") as side_by_side:
        if not side_by_side:
            yield
            return
        with ThreadPoolExecutor(1, "half-of-y") as model.second:
            try:
                yield
            finally:
                model.second = None


def encode_shared(model: PairedAutoencoder, x: Tensor, y: Tensor, trainer: Trainer | None) -> tuple[Tensor, Tensor]:
    """Latents of all samples, each process encoding its share and all of them getting the whole."""
    if trainer is None or trainer.world_size == 1:
        return model.encode(x, y)
    mine = slice(trainer.global_rank, None, trainer.world_size)
    parts = model.encode(x[mine], y[mine])
    wholes = []
    for part in parts:
        whole = torch.zeros(x.shape[0], part.shape[1], dtype=part.dtype, device=trainer.strategy.root_device)
        whole[mine] = part.to(whole.device)
        wholes.append(trainer.strategy.reduce(whole, reduce_op="sum").cpu())
    return wholes[0], wholes[1]


def gathered(fits: list[Estimate], splits: list[Split]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Pointwise terms and latents of all samples, each from the fold that held it out."""
    pointwise, latents = fits[0].pointwise, fits[0].latents
    assert pointwise is not None and latents is not None
    terms, zx, zy = pointwise.clone(), latents[0].clone(), latents[1].clone()
    for fit, split in zip(fits, splits, strict=True):
        assert fit.pointwise is not None and fit.latents is not None
        part = split.estimate
        terms[part], zx[part], zy[part] = fit.pointwise[part], fit.latents[0][part], fit.latents[1][part]
    return terms, (zx, zy)


def _fold(context: Context, index: int) -> Context:
    return replace(context.child("fold", index), loggers=context.loggers if index == 0 else ())
