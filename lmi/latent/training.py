"""One training run: folds of three parts, best weights kept, an interrupted run continued, a finished one taken as it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from lmi.estimators.folds import Fold, split_folds, split_once
from lmi.latent.checkpoints import (
    BestWeights,
    CurvedModule,
    Preempted,
    ResumePoint,
    load_model,
    require_checkpoint,
    save_model,
)
from lmi.latent.trainer import TrainerSettings, quiet_lightning
from lmi.types import Context


class SplitSettings(Protocol):
    """Settings of a split: the shares of the training and the stopping part, and the number of folds (0: one split)."""

    @property
    def train_share(self) -> float: ...

    @property
    def stop_share(self) -> float: ...

    @property
    def folds(self) -> int: ...


class FitSettings(Protocol):
    """Settings of a fit: where it runs, its most epochs, and how many without improvement end it."""

    @property
    def trainer(self) -> TrainerSettings: ...

    @property
    def max_epochs(self) -> int: ...

    @property
    def patience(self) -> int: ...


def three_way_folds(settings: SplitSettings, n: int, smallest: int, context: Context) -> list[Fold]:
    """The three-way split of n samples, or one for each fold.

    Args:
        settings: shares and number of folds.
        n: samples.
        smallest: number of samples that a part must have.
        context: seeds.

    Raises:
        ValueError: where nothing is left to measure, or a part would have fewer than ``smallest`` samples.
    """
    train, stop = settings.train_share, settings.stop_share
    if train + stop >= 1:
        raise ValueError(f"train_share + stop_share must leave samples to measure: got {train} + {stop}")
    if settings.folds == 1:
        raise ValueError("folds must be 0 (one split) or at least 2; got 1")
    generator = context.generator("split")
    folds = (
        split_folds(n, settings.folds, train, stop, generator)
        if settings.folds
        else [split_once(n, train, stop, generator)]
    )
    for fold in folds:
        for name, rows in (("train", fold.train), ("stop", fold.stop), ("estimate", fold.test)):
            if rows.numel() < smallest:
                raise ValueError(
                    f"{n} samples are too few to be split: the {name} part would have {rows.numel()}, "
                    f"expected at least {smallest}"
                )
    return folds


def train(
    settings: FitSettings,
    model: CurvedModule,
    data: LightningDataModule,
    context: Context,
    threads: Callable[[Trainer], AbstractContextManager[Any]] = nullcontext,
) -> Trainer | None:
    """Fit ``model``, whose scale is learned, to ``data``; ``None`` if ``context.folder`` held it already fitted.

    Under ``context.folder``: ``checkpoints/last.ckpt`` after every epoch, from which an interrupted fit goes on, and
    ``checkpoints/model.safetensors`` when it is done, which is taken as it is when it is there.

    Args:
        settings: of the fit.
        model: to fit; its ``stop_loss`` ends the fit.
        data: batches of the training and the stopping part.
        context: folder, loggers, progress.
        threads: what the fit runs in, given its Trainer.
    """
    folder = None if context.folder is None else context.folder / "checkpoints"
    if folder is not None and (folder / "model.safetensors").is_file():
        load_model(model, folder / "model.safetensors")
        return None
    callbacks: list[Callback] = [BestWeights(), EarlyStopping("stop_loss", patience=settings.patience)]
    last = None
    if folder is not None:
        callbacks.append(ResumePoint(folder))
        last = folder / "last.ckpt"
    with quiet_lightning():
        trainer = settings.trainer.build(context, settings.max_epochs, callbacks)
        resume = None
        if last is not None and last.is_file():
            require_checkpoint(last, model)
            resume = str(last)
        try:
            with threads(trainer):
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
