"""Batches of training pairs, and the stopping pairs whole: a held-out bound is one number of all of them."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from lmi.latent.datamodule import Batch, Batches, groups_seen
from lmi.types import Context


class WholeStopModule(LightningDataModule):
    """Scaled pairs: training batches are shared out over processes, every process judges all stopping pairs.

    Args:
        train: (x, y) to fit to.
        stop: (x, y) that decide when to stop.
        batch_size: samples a step and process.
        context: its streams ``epoch`` order each epoch.
    """

    def __init__(self, train: Batch, stop: Batch, batch_size: int, context: Context) -> None:
        super().__init__()
        self.train, self.stop, self.batch_size, self.context = train, stop, batch_size, context

    def setup(self, stage: str) -> None:
        assert self.trainer is not None
        device, precision = self.trainer.strategy.root_device, self.trainer.precision_plugin
        self.train = precision.convert_input((self.train[0].to(device), self.train[1].to(device)))
        self.stop = precision.convert_input((self.stop[0].to(device), self.stop[1].to(device)))
        model: Any = self.trainer.lightning_module
        model.seen = tuple(z[: self.stop[0].shape[0]] for z in self.train)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # the whole tensors are there already

    def train_dataloader(self) -> Batches:
        assert self.trainer is not None
        trainer, world = self.trainer, self.trainer.world_size
        # Batches of one size: a ragged one would be a worse covariance. What is left over is less than a row a batch.
        each = self.train[0].shape[0] // world
        count = max(1, round(each / self.batch_size))
        size = each // count
        kept = (self.train[0][: size * count * world], self.train[1][: size * count * world])

        def shuffled() -> Tensor:
            generator = self.context.generator("epoch", trainer.current_epoch)
            return torch.randperm(size * count * world, generator=generator)

        return Batches(kept, size, trainer.global_rank, world, shuffled, groups_seen(trainer))

    def val_dataloader(self) -> Batches:
        return Batches(self.stop, self.stop[0].shape[0], 0, 1)
