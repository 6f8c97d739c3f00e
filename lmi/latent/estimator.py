"""The latent estimator: split, train, keep the best weights, encode the held-out part, measure it by KSG."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from pydantic import Field
from torch import Tensor

from lmi.estimators.ksg import Variant, read_ksg, repeats, require_neighbours
from lmi.estimators.uncertainty import SUBSAMPLE_PARTS, Spread, doubts
from lmi.latent.autoencoder import Architecture, PairedAutoencoder
from lmi.latent.checkpoints import BestWeights, Preempted, ResumePoint, load_model, require_checkpoint, save_model
from lmi.latent.datamodule import PairsDataModule, Split, split_folds, split_once
from lmi.latent.trainer import TrainerSettings, quiet_lightning
from lmi.types import Context, Estimate, Null

SMALLEST_PART = 8


@dataclass(frozen=True, kw_only=True)
class LatentEstimator(Architecture):
    """Latent MI: KSG in a learned representation of each side.

    Args:
        batch_size: samples a step and process.
        max_epochs: most passes over the training part.
        patience: epochs without a lower stopping loss before training ends.
        train_share: share of the samples that the encoders are fitted to.
        stop_share: share that decides when to stop; the rest is measured.
        folds: 0 for one split; 2 or more for cross-fitting, so that every sample is measured by encoders that never saw it.
        k: neighbours of KSG on the held-out latents.
        permutations: size of the permutation null on the held-out latents; 0 leaves it out.
        null_samples: most samples that the null is measured on.
        trainer: devices, processes, precision.
    """

    batch_size: Annotated[int, Field(ge=2)] = 256
    max_epochs: Annotated[int, Field(ge=1)] = 30
    patience: Annotated[int, Field(ge=1)] = 30
    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.4
    stop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    folds: Annotated[int, Field(ge=0)] = 0
    k: Annotated[int, Field(ge=1)] = 5
    permutations: Annotated[int, Field(ge=0)] = 20
    null_samples: Annotated[int, Field(ge=2)] = 5000
    trainer: TrainerSettings = field(default_factory=TrainerSettings)

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``. With ``folds`` the model is a tuple, one for each fold.

        Raises:
            ValueError: where a part of the split would have too few samples.
        """
        n = x.shape[0]
        splits = self.splits(n, context)
        x32, y32 = x.to(torch.float32), y.to(torch.float32)
        fits = [
            self.fit_and_read(x32, y32, split, context if len(splits) == 1 else _fold(context, i))
            for i, split in enumerate(splits)
        ]
        return fits[0] if len(fits) == 1 else pool(fits, splits, n)

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
            require_neighbours(split.estimate.numel(), self.k)
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

    def fit_and_read(self, x: Tensor, y: Tensor, split: Split, context: Context) -> Estimate:
        """Fit on one split and measure its estimate part; under several processes the first measures for all."""
        model, trainer = self.fit(x, y, split, context)
        model.held_out = split.estimate
        latents = encode_shared(model, x, y, trainer)
        read = self.measure(model, trainer, latents[0][split.estimate], latents[1][split.estimate], context)
        assert read.pointwise is not None
        pointwise = torch.full((x.shape[0],), torch.nan, dtype=torch.float64)
        pointwise[split.estimate] = read.pointwise
        return replace(read, pointwise=pointwise, latents=latents)

    def measure(
        self, model: PairedAutoencoder, trainer: Trainer | None, zx: Tensor, zy: Tensor, context: Context
    ) -> Estimate:
        """Read held-out latents once, in the first process, for all; with what training has to say about itself."""
        read = None
        if trainer is None or trainer.is_global_zero:
            read = self.read(zx, zy, context)
        if trainer is not None:
            read = trainer.strategy.broadcast(read)
        assert read is not None
        stop_losses = model.curves["stop_loss"]
        processes = 1 if trainer is None else trainer.world_size
        details = {
            **read.details,
            "epochs": float(len(stop_losses)),
            "best_stop_loss": min(stop_losses),
            "effective_batch_count": float(self.batch_size * processes),
            "peak_learning_rate": self.scaled_learning_rate(processes),
        }
        return replace(read, estimator="latent", latents=(zx, zy), model=model, details=details)

    def read(self, zx: Tensor, zy: Tensor, context: Context) -> Estimate:
        """KSG on held-out latents."""
        variant: Variant = "mixture" if repeats(zx) or repeats(zy) else "ksg1"
        dims = effective_dimension(zx) + effective_dimension(zy)
        found = read_ksg(zx, zy, self.k, variant, self.permutations, self.null_samples, context, dims)
        return replace(found, details={**found.details, "latent_dims_count": dims})


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


def pool(fits: list[Estimate], splits: list[Split], n: int) -> Estimate:
    """One estimate from those of the folds: the mean over all samples, each measured by encoders that never saw it."""
    pointwise = torch.empty(n, dtype=torch.float64)
    assert fits[0].latents is not None
    latents = (
        torch.empty(n, fits[0].latents[0].shape[1]).double(),
        torch.empty(n, fits[0].latents[1].shape[1]).double(),
    )
    for fit, split in zip(fits, splits, strict=True):
        assert fit.pointwise is not None and fit.latents is not None
        part = split.estimate
        pointwise[part] = fit.pointwise[part]
        for side in (0, 1):
            latents[side][part] = fit.latents[side][part]
    nats = float(pointwise.mean())
    shares = torch.tensor([split.estimate.numel() / n for split in splits], dtype=torch.float64)
    details: dict[str, float] = {"epochs": sum(fit.details["epochs"] for fit in fits)}

    def across(name: str) -> Tensor:
        return torch.tensor([fit.details[name] for fit in fits], dtype=shares.dtype)

    spread = None
    if all(fit.interval is not None for fit in fits):
        spread = Spread(
            standard_error=float((shares * across("standard_error_nats")).norm()),
            drift=float((shares * across("drift_nats")).sum()),
            drift_error=float((shares * across("drift_error_nats")).norm()),
            parts=SUBSAMPLE_PARTS[0],
        )
        details |= {"standard_error_nats": spread.standard_error, "drift_nats": spread.drift}
    ceiling = min(fit.ceiling for fit in fits)
    each = min(split.estimate.numel() for split in splits)
    null = None
    if all(fit.null is not None for fit in fits):
        values = torch.stack([share * fit.null.nats for share, fit in zip(shares, fits, strict=True) if fit.null])
        null = Null(values.sum(0), nats)
    return Estimate(
        nats=nats,
        estimator="latent",
        num_samples=n,
        pointwise=pointwise,
        interval=None if spread is None else spread.opened(nats, float(across("latent_dims_count").mean())),
        null=null,
        ceiling=ceiling,
        warnings=doubts(nats, spread, ceiling, each, float(across("latent_dims_count").mean())),
        latents=latents,
        model=tuple(fit.model for fit in fits),
        details=details,
    )


def effective_dimension(z: Tensor) -> float:
    """Participation ratio (sum l)^2 / sum l^2 of the covariance's eigenvalues: how many directions z (n, d) spreads over.

    >>> round(effective_dimension(torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))))
    3
    """
    spread = torch.linalg.svdvals(z.double() - z.double().mean(0)) ** 2
    return float(spread.sum() ** 2 / (spread**2).sum()) if bool(spread.any()) else 0.0


def _fold(context: Context, index: int) -> Context:
    return replace(context.child("fold", index), loggers=context.loggers if index == 0 else ())
