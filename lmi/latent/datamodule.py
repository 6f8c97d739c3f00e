"""Three disjoint parts of the samples (train, stop, estimate) and the batches that training sees.

The tensors stay whole: a batch is one index_select of each, on the device that trains. Scaling is learned on the training
part alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch import Tensor

from lmi.types import Context

Batch = tuple[Tensor, Tensor]
STEPS_A_CALL = 8


class Batches:
    """One epoch of batches of whole tensors, shared out over ranks: each sample at most once an epoch.

    They come in groups, as many a call of Lightning's loop: its own work around a call is a tenth of a small model's step.

    Args:
        tensors: of the same length.
        batch_size: samples a step.
        rank: of this process.
        world: processes in all.
        order: of the samples, for each epoch anew; ``None`` takes them as they are.
        seen: how many groups to leave out.
    """

    def __init__(
        self,
        tensors: tuple[Tensor, Tensor],
        batch_size: int,
        rank: int,
        world: int,
        order: Callable[[], Tensor] | None = None,
        seen: Callable[[], int] = lambda: 0,
    ) -> None:
        self.tensors, self.batch_size, self.rank, self.world = tensors, batch_size, rank, world
        self.order, self.seen = order, seen
        self.per_rank = tensors[0].shape[0] // world
        self.steps = -(-self.per_rank // batch_size)

    def __len__(self) -> int:
        return -(-self.steps // STEPS_A_CALL)

    def __iter__(self) -> Iterator[Iterator[Batch]]:
        order = torch.arange(self.tensors[0].shape[0]) if self.order is None else self.order()
        mine = order[self.rank :: self.world][: self.per_rank].to(self.tensors[0].device)
        for group in mine.split(self.batch_size * STEPS_A_CALL)[self.seen() :]:
            yield self._gathered(group)

    def _gathered(self, group: Tensor) -> Iterator[Batch]:
        x, y = self.tensors
        for indices in group.split(self.batch_size):
            yield x.index_select(0, indices), y.index_select(0, indices)


def groups_seen(trainer: Trainer) -> Callable[[], int]:
    """How many groups of this epoch were trained on before the checkpoint that the fit goes on from; 0 for a fresh one."""
    return lambda: int(trainer.fit_loop.epoch_loop.batch_progress.current.ready)


class PairsDataModule(LightningDataModule):
    """Scaled pairs for training and for stopping.

    Args:
        train: (x, y) scaled tensors to fit to.
        stop: (x, y) scaled tensors that decide when to stop.
        batch_size: samples a step and process.
        context: its streams ``epoch`` order each epoch, so that a resumed run sees the same batches.
    """

    def __init__(
        self, train: tuple[Tensor, Tensor], stop: tuple[Tensor, Tensor], batch_size: int, context: Context
    ) -> None:
        super().__init__()
        self.train, self.stop, self.batch_size, self.context = train, stop, batch_size, context

    def setup(self, stage: str) -> None:
        assert self.trainer is not None
        device, precision = self.trainer.strategy.root_device, self.trainer.precision_plugin
        self.train = precision.convert_input((self.train[0].to(device), self.train[1].to(device)))
        self.stop = precision.convert_input((self.stop[0].to(device), self.stop[1].to(device)))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # the whole tensors are there already, in the precision of training

    def train_dataloader(self) -> Batches:
        n = self.train[0].shape[0]

        def shuffled() -> Tensor:
            assert self.trainer is not None
            return torch.randperm(n, generator=self.context.generator("epoch", self.trainer.current_epoch))

        assert self.trainer is not None
        return self._batches(self.train, shuffled, groups_seen(self.trainer))

    def val_dataloader(self) -> Batches:
        return self._batches(self.stop)

    def _batches(
        self,
        tensors: tuple[Tensor, Tensor],
        order: Callable[[], Tensor] | None = None,
        seen: Callable[[], int] = lambda: 0,
    ) -> Batches:
        assert self.trainer is not None
        rank, world = self.trainer.global_rank, self.trainer.world_size
        # The last batch of an epoch may be ragged; a single sample left over would leave a critic without a negative.
        size = min(self.batch_size, tensors[0].shape[0] // world)
        if (tensors[0].shape[0] // world) % size == 1:
            size -= 1
        return Batches(tensors, size, rank, world, order, seen)
