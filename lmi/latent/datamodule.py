"""Three disjoint parts of the samples (train, stop, estimate) and the batches that training sees.

The tensors stay whole: a batch is one index_select of each, on the device that trains. Scaling is learned on the training
part alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch import Tensor

from lmi.types import Context


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the three parts.

    Args:
        train: what the encoders are fitted to.
        stop: what decides when training ends.
        estimate: what the MI is measured on; nothing was chosen by it.
    """

    train: Tensor
    stop: Tensor
    estimate: Tensor


def split_once(n: int, train: float, stop: float, generator: torch.Generator) -> Split:
    """A random three-way split with shares ``train``, ``stop`` and the rest."""
    order = torch.randperm(n, generator=generator)
    first, second = round(n * train), round(n * (train + stop))
    return Split(order[:first], order[first:second], order[second:])


def split_folds(n: int, folds: int, train: float, stop: float, generator: torch.Generator) -> list[Split]:
    """Splits whose estimate parts together are all samples; the rest is shared out as ``train`` to ``stop``."""
    order = torch.randperm(n, generator=generator)
    parts = order.tensor_split(folds)
    splits = []
    for held_out, part in enumerate(parts):
        rest = torch.cat([other for i, other in enumerate(parts) if i != held_out])
        rest = rest[torch.randperm(rest.numel(), generator=generator)]
        first = round(rest.numel() * train / (train + stop))
        splits.append(Split(rest[:first], rest[first:], part))
    return splits


class Batches:
    """One epoch of batches of indices into whole tensors, shared out over ranks: each sample at most once an epoch."""

    def __init__(
        self,
        tensors: tuple[Tensor, ...],
        batch_size: int,
        order: Callable[[], Tensor],
        rank: int,
        world: int,
        seen: Callable[[], int] = lambda: 0,
    ) -> None:
        self.tensors, self.batch_size, self.order, self.rank, self.world = tensors, batch_size, order, rank, world
        self.seen = seen
        self.per_rank = tensors[0].shape[0] // world

    def __len__(self) -> int:
        return -(-self.per_rank // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        order = self.order()[self.rank :: self.world][: self.per_rank]
        for indices in order.split(self.batch_size)[self.seen() :]:
            yield tuple(tensor.index_select(0, indices) for tensor in self.tensors)


def batches_seen(trainer: Trainer) -> Callable[[], int]:
    """How many batches of this epoch were trained on before the checkpoint that the fit goes on from; 0 for a fresh one."""
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
        device = self.trainer.strategy.root_device
        self.train = (self.train[0].to(device), self.train[1].to(device))
        self.stop = (self.stop[0].to(device), self.stop[1].to(device))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # the whole tensors are there already

    def train_dataloader(self) -> Batches:
        n = self.train[0].shape[0]

        def shuffled() -> Tensor:
            assert self.trainer is not None
            generator = self.context.generator("epoch", self.trainer.current_epoch)
            return torch.randperm(n, generator=generator).to(self.train[0].device)

        assert self.trainer is not None
        return self._batches(self.train, shuffled, batches_seen(self.trainer))

    def val_dataloader(self) -> Batches:
        n = self.stop[0].shape[0]
        return self._batches(self.stop, lambda: torch.arange(n, device=self.stop[0].device))

    def _batches(
        self, tensors: tuple[Tensor, Tensor], order: Callable[[], Tensor], seen: Callable[[], int] = lambda: 0
    ) -> Batches:
        assert self.trainer is not None
        rank, world = self.trainer.global_rank, self.trainer.world_size
        # The last batch of an epoch may be ragged; a single sample left over would leave a critic without a negative.
        size = min(self.batch_size, tensors[0].shape[0] // world)
        if (tensors[0].shape[0] // world) % size == 1:
            size -= 1
        return Batches(tensors, size, order, rank, world, seen)
