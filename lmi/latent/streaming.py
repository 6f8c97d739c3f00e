"""Training on rows that stay on disk: one pass for the scale and the held-out parts, then epochs of shuffled blocks.

Blocks of neighbouring rows are visited in a new order every epoch; a buffer of several blocks is shuffled as a whole, and
batches are cut from it. Ranks and workers take disjoint runs of that order, so that each row comes once an epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import torch
from lightning.pytorch import LightningDataModule, Trainer
from pydantic import Field
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lmi.latent.autoencoder import PairedAutoencoder
from lmi.latent.datamodule import Batch, Batches, groups_seen
from lmi.latent.estimator import LatentEstimator
from lmi.latent.fitting import read_once, threads_of
from lmi.latent.readings import latent_ksg
from lmi.latent.survey import Survey, survey
from lmi.latent.training import train
from lmi.sources.files.shards import StreamedPairs
from lmi.types import Context, Estimate


@dataclass(frozen=True)
class Stream:
    """How rows are read.

    Args:
        stop_samples: rows held in memory that decide when to stop.
        estimate_samples: rows held in memory that the MI is measured on; all others are trained on.
        workers: processes that read, a rank; 0 reads in the process that trains.
        block_rows: neighbouring rows that are read together.
        buffer_blocks: blocks that are shuffled together; memory holds so many a worker, twice for a moment.
    """

    stop_samples: Annotated[int, Field(ge=8)] = 10_000
    estimate_samples: Annotated[int, Field(ge=8)] = 10_000
    workers: Annotated[int, Field(ge=0)] = 1
    block_rows: Annotated[int, Field(ge=1)] = 4096
    buffer_blocks: Annotated[int, Field(ge=1)] = 8


class BlockStream(IterableDataset[tuple[Tensor, Tensor]]):
    """One epoch's batches of one rank, whole batches at a time; ``epoch`` says which.

    Args:
        pairs: the rows.
        held_out: (n,) rows to leave out.
        stream: blocks and buffers.
        batch_size: rows a batch.
        context: orders blocks and buffers.
        rank: of this process.
        world: processes in all.
    """

    def __init__(
        self,
        pairs: StreamedPairs,
        held_out: Tensor,
        stream: Stream,
        batch_size: int,
        context: Context,
        rank: int,
        world: int,
    ) -> None:
        super().__init__()
        self.pairs, self.held_out, self.stream, self.context = pairs, held_out, stream, context
        self.rank, self.world, self.epoch = rank, world, 0
        n = held_out.numel()
        self.starts = torch.arange(0, n, stream.block_rows)
        self.counts = torch.stack([(~block).sum() for block in held_out.split(stream.block_rows)])
        self.per_rank = int(self.counts.sum()) // world
        # A single row left over would leave a critic without a negative.
        self.batch_size = min(batch_size, self.per_rank)
        if self.per_rank % self.batch_size == 1:
            self.batch_size -= 1

    def __len__(self) -> int:
        return -(-self.per_rank // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        index, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        each = -(-len(self) // workers) * self.batch_size
        low = min(index * each, self.per_rank)
        high = min(low + each, self.per_rank)
        offset = self.rank * self.per_rank
        rest: tuple[Tensor, Tensor] | None = None
        for number, (rows, x, y) in enumerate(self._buffers(offset + low, offset + high)):
            names = (self.rank, index, number) if (self.rank, index, number) != (0, 0, 0) else ()
            # Rows are put in order first: the shuffled buffer depends on what is in it, not on how it was read.
            order = rows.argsort()
            order = order[torch.randperm(rows.numel(), generator=self.context.generator("epoch", self.epoch, *names))]
            if rest is not None:
                x, y = torch.cat((rest[0], x)), torch.cat((rest[1], y))
                order = torch.cat((torch.arange(rest[0].shape[0]), order + rest[0].shape[0]))
            whole = order.numel() // self.batch_size * self.batch_size
            for chosen in order[:whole].split(self.batch_size) if whole else ():
                yield x[chosen], y[chosen]
            rest = (x[order[whole:]], y[order[whole:]])
        if rest is not None and rest[0].shape[0]:
            yield rest

    def _buffers(self, low: int, high: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Row numbers, x and y of several blocks at a time, for places ``low`` to ``high`` in this epoch's order."""
        blocks = torch.randperm(self.starts.numel(), generator=self.context.generator("blocks", self.epoch))
        ends = self.counts[blocks].cumsum(0)
        n, pieces = self.held_out.numel(), []
        for block, end in zip(blocks.tolist(), ends.tolist(), strict=True):
            start = end - int(self.counts[block])
            if end <= low or start >= high:
                continue
            first = int(self.starts[block])
            last = min(first + self.stream.block_rows, n)
            kept = (~self.held_out[first:last]).nonzero()[:, 0][max(low - start, 0) : min(high, end) - start]
            x, y = (torch.from_numpy(side.read(first, last))[kept] for side in (self.pairs.x, self.pairs.y))
            pieces.append((kept + first, x, y))
            if len(pieces) == self.stream.buffer_blocks:
                yield _joined(pieces)
                pieces = []
        if pieces:
            yield _joined(pieces)


def _joined(pieces: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    rows, x, y = zip(*pieces, strict=True)
    return torch.cat(rows), torch.cat(x), torch.cat(y)


class StreamBatches:
    """Epochs of a ``BlockStream``, read by workers; each of its batches is a group of its own."""

    def __init__(self, blocks: BlockStream, workers: int, trainer: Trainer) -> None:
        self.blocks, self.workers, self.trainer = blocks, workers, trainer
        self.steps = len(blocks)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Batch]]:
        self.blocks.epoch = self.trainer.current_epoch
        skipped = groups_seen(self.trainer)()
        loader: Any = DataLoader(self.blocks, batch_size=None, num_workers=self.workers)
        for number, batch in enumerate(loader):
            if number >= skipped:
                yield [batch]


class StreamDataModule(LightningDataModule):
    """Unscaled pairs from disk for training, from memory for stopping; each batch is scaled on the training device."""

    def __init__(self, pairs: StreamedPairs, parts: Survey, stream: Stream, batch_size: int, context: Context) -> None:
        super().__init__()
        self.pairs, self.parts, self.stream = pairs, parts, stream
        self.batch_size, self.context = batch_size, context

    def train_dataloader(self) -> StreamBatches:
        assert self.trainer is not None
        rank, world = self.trainer.global_rank, self.trainer.world_size
        blocks = BlockStream(self.pairs, self.parts.held_out, self.stream, self.batch_size, self.context, rank, world)
        return StreamBatches(blocks, self.stream.workers, self.trainer)

    def val_dataloader(self) -> Batches:
        assert self.trainer is not None
        world = self.trainer.world_size
        size = min(self.batch_size, self.parts.stop[0].shape[0] // world)
        return Batches(self.parts.stop, size, self.trainer.global_rank, world)

    def transfer_batch_to_device(
        self, batch: Iterable[Batch], device: torch.device, dataloader_idx: int
    ) -> Iterator[Batch]:
        assert self.trainer is not None
        model = self.trainer.lightning_module
        assert isinstance(model, PairedAutoencoder)
        return (model.scaled(*pair) for pair in batch)  # which takes them to the device of its scale


def estimate_stream(estimator: LatentEstimator, pairs: StreamedPairs, stream: Stream, context: Context) -> Estimate:
    """Train on all rows but the held-out ones, and measure ``stream.estimate_samples`` that were never trained on.

    Args:
        estimator: encoders and KSG.
        pairs: rows on disk.
        stream: held-out samples, workers, blocks.
        context: seeds, folder, loggers.

    Raises:
        ValueError: where the rows cannot spare the held-out parts, or hold NaN.
    """
    parts = survey(pairs, stream.stop_samples, stream.estimate_samples, stream.block_rows, context)
    model = PairedAutoencoder(pairs.x.shape[1], pairs.y.shape[1], estimator, context)
    for side, mean, deviation in zip(("x", "y"), parts.mean, parts.deviation, strict=True):
        model.set_scale(side, mean, deviation)
    data = StreamDataModule(pairs, parts, stream, estimator.batch_size, context)
    trainer = train(estimator, model, data, context, partial(threads_of, model))
    zx, zy = model.encode(*parts.estimate)
    return replace(read_once(model, trainer, lambda: latent_ksg(estimator, zx, zy, context)), latents=(zx, zy))
