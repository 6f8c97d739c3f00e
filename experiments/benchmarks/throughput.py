"""How many samples a second does latent training see: this project's loop, a plain PyTorch loop, latentmi's?"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from lightning.pytorch.loggers import CSVLogger
from pydantic import Field
from torch import Tensor

from lmi.experiments.benchmarks.peers import latentmi, seeded
from lmi.latent import LatentEstimator
from lmi.latent.autoencoder import PairedAutoencoder
from lmi.latent.datamodule import PairsDataModule
from lmi.latent.fitting import threads_of
from lmi.latent.training import train as fit
from lmi.report.throughput import rates
from lmi.results import Result, Scalar
from lmi.threads import step_flop, threads_for
from lmi.types import Context, Source

Half = tuple[Tensor, Tensor]
PEER = "latentmi"


LEGEND = {
    "loop": "what trains",
    "networks": "the encoders of lmi's defaults, or those of the published code",
    "samples a second": "training samples, stopping pass included, median over rounds",
    "of plain PyTorch": "the same over that of the plain loop with the same networks",
    "in processor time": "the same ratio by processor time in place of wall time",
    "times latentmi": "over latentmi's own loop",
    "times latentmi in processor time": "the same ratio by processor time",
}


@dataclass(frozen=True)
class ThroughputExperiment:
    """Training and stopping passes over the same tensors by several loops, in turns.

    Args:
        source: of the samples; only their shape matters.
        estimator: the networks, optimiser and batch size of the first comparison.
        reference: those of the published code, which the peer is compared at as well.
        num_samples: training samples; a quarter as many decide when to stop.
        epochs: of each measurement at our own networks; setting a Trainer up counts, as it does in a fit.
        reference_epochs: of each measurement at the published ones, which take ten times as long.
        repeats: measurements of each loop; the median counts.
        bfloat16: whether the loop is also measured in bfloat16.
        compiled: whether a plain loop with a compiled loss is measured too.
        peer: whether latentmi is measured (``pip install -e ".[peers]"``).
    """

    source: Source
    estimator: LatentEstimator
    reference: LatentEstimator
    num_samples: Annotated[int, Field(ge=64)] = 4096
    epochs: Annotated[int, Field(ge=1)] = 30
    reference_epochs: Annotated[int, Field(ge=1)] = 3
    repeats: Annotated[int, Field(ge=1)] = 5
    bfloat16: bool = True
    compiled: bool = False
    peer: bool = True

    def run(self, context: Context) -> Result:
        """Measure every loop ``repeats`` times, one after the other in each round."""
        stop = self.num_samples // 4
        pairs = self.source.sample(self.num_samples + stop, context.generator("samples"))
        x, y = pairs.x.float(), pairs.y.float()
        train, rest = (x[:-stop], y[:-stop]), (x[-stop:], y[-stop:])
        ours, theirs = self.estimator, self.reference
        loops: dict[str, Callable[[int], None]] = {
            "lmi": lambda epochs: lightning_loop(ours, train, rest, epochs),
            "lmi, into a run folder": lambda epochs: run_folder_loop(ours, train, rest, epochs),
            "plain PyTorch": lambda epochs: plain_loop(ours, train, rest, epochs),
            "plain PyTorch, all threads": lambda epochs: plain_loop(ours, train, rest, epochs, all_threads=True),
        }
        if self.bfloat16:
            half = replace(ours, trainer=replace(ours.trainer, precision="bf16-mixed"))
            loops["lmi, bfloat16"] = lambda epochs: lightning_loop(half, train, rest, epochs)
        if self.compiled:
            loops["plain PyTorch, compiled"] = lambda epochs: plain_loop(ours, train, rest, epochs, compiled=True)
        loops["lmi, published networks"] = lambda epochs: lightning_loop(theirs, train, rest, epochs)
        loops["plain PyTorch, published networks"] = lambda epochs: plain_loop(theirs, train, rest, epochs)
        if self.peer:
            peer = peer_loop(theirs, train, rest, context)
            loops[PEER] = peer
        for loop in loops.values():
            loop(1)
        seconds: dict[str, list[float]] = {name: [] for name in loops}
        processor: dict[str, list[float]] = {name: [] for name in loops}
        for _ in context.bar(range(self.repeats), "rounds"):
            for name, loop in loops.items():
                epochs = self.reference_epochs if is_published(name) else self.epochs
                started, busy = time.perf_counter(), time.process_time()
                loop(epochs)
                seconds[name].append((time.perf_counter() - started) / epochs)
                processor[name].append((time.process_time() - busy) / epochs)
        rate = {name: self.num_samples / statistics.median(times) for name, times in seconds.items()}
        rows: list[dict[str, Scalar]] = [
            {
                "loop": name,
                "networks": "published" if is_published(name) else "lmi's",
                "samples a second": round(value),
                "of plain PyTorch": round(ratio(seconds, name, plain_of(name)), 3),
                "in processor time": round(ratio(processor, name, plain_of(name)), 3),
                **({"times latentmi": round(ratio(seconds, name, PEER), 2)} if self.peer else {}),
                **({"times latentmi in processor time": round(ratio(processor, name, PEER), 2)} if self.peer else {}),
            }
            for name, value in rate.items()
        ]
        metrics: dict[str, Scalar] = {
            "lmi_of_plain_ratio": ratio(seconds, "lmi", "plain PyTorch"),
            "lmi_of_plain_processor_ratio": ratio(processor, "lmi", "plain PyTorch"),
            "published_of_plain_ratio": ratio(seconds, "lmi, published networks", "plain PyTorch, published networks"),
            **({"lmi_of_peer_ratio": ratio(seconds, "lmi", PEER)} if self.peer else {}),
            **({"published_of_peer_ratio": ratio(seconds, "lmi, published networks", PEER)} if self.peer else {}),
        }
        return Result(
            experiment="throughput",
            answer=f"Training in lmi sees {float(str(metrics['lmi_of_plain_ratio'])):.2f} times as many samples a second as "
            "a plain PyTorch loop.",
            metrics=metrics,
            arrays={f"epoch_seconds_{i}": np.asarray(times) for i, times in enumerate(seconds.values())},
            tables={"samples a second": rows},
            legend=LEGEND,
            figures={"rates": rates({name: [self.num_samples / t for t in times] for name, times in seconds.items()})},
            captions={
                "rates": "Training samples a second, stopping pass included; dots are rounds, bars their median. "
                "Higher is better; the axis is logarithmic."
            },
        )


def is_published(name: str) -> bool:
    """Whether a loop trains the published networks."""
    return name == PEER or "published" in name


def plain_of(name: str) -> str:
    """The plain loop with the same networks."""
    return "plain PyTorch, published networks" if is_published(name) else "plain PyTorch"


def ratio(seconds: dict[str, list[float]], name: str, other: str) -> float:
    """Speed of ``name`` over that of ``other``: the median over rounds, so that a slow moment strikes both."""
    return statistics.median(b / a for a, b in zip(seconds[name], seconds[other], strict=True))


def scaled_model(estimator: LatentEstimator, train: Half, stop: Half) -> tuple[PairedAutoencoder, Half, Half]:
    """A fresh model and both parts in its units."""
    model = PairedAutoencoder(train[0].shape[1], train[1].shape[1], estimator, Context())
    model.learn_scale(*train)
    return model, model.scaled(*train), model.scaled(*stop)


def lightning_loop(
    estimator: LatentEstimator, train: Half, stop: Half, epochs: int, context: Context | None = None
) -> None:
    """Training as ``lmi.estimate`` does it."""
    context = context or Context()
    model, train, stop = scaled_model(estimator, train, stop)
    estimator = replace(estimator, max_epochs=epochs, patience=epochs)
    fit(
        estimator,
        model,
        PairsDataModule(train, stop, estimator.batch_size, context),
        context,
        partial(threads_of, model),
    )


def run_folder_loop(estimator: LatentEstimator, train: Half, stop: Half, epochs: int) -> None:
    """Training as ``train.py`` does it: a checkpoint and a line of ``metrics.csv`` every epoch."""
    with tempfile.TemporaryDirectory() as folder:
        logger = CSVLogger(folder, name="csv", flush_logs_every_n_steps=1)
        lightning_loop(estimator, train, stop, epochs, Context(folder=Path(folder), loggers=(logger,)))


def plain_loop(
    estimator: LatentEstimator, train: Half, stop: Half, epochs: int, compiled: bool = False, all_threads: bool = False
) -> None:
    """The shortest loop that does the same arithmetic: same loss, optimiser, schedule, threads, batches, stopping pass."""
    model, train, stop = scaled_model(estimator, train, stop)
    parameters = sum(weight.numel() for weight in model.parameters())
    with threads_for(math.inf if all_threads else step_flop(parameters, estimator.batch_size)):
        plain_fit(model, estimator, train, stop, epochs, compiled)


def plain_fit(
    model: PairedAutoencoder, estimator: LatentEstimator, train: Half, stop: Half, epochs: int, compiled: bool
) -> None:
    """The loop itself."""
    (x, y), (stop_x, stop_y) = train, stop
    loss: Any = torch.compile(model.loss) if compiled else model.loss
    size = estimator.batch_size
    steps = epochs * -(-x.shape[0] // size)
    optimiser: torch.optim.Optimizer
    schedule = None
    if estimator.optimiser == "adam":
        optimiser = torch.optim.Adam(model.parameters(), lr=estimator.learning_rate, eps=1e-7, fused=True)
    else:
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=estimator.learning_rate, weight_decay=estimator.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=estimator.learning_rate, total_steps=steps)
    for _ in range(epochs):
        model.train()
        for indices in torch.randperm(x.shape[0]).split(size):
            optimiser.zero_grad()
            loss(x[indices], y[indices]).backward()
            optimiser.step()
            if schedule is not None:
                schedule.step()
        model.eval()
        with torch.no_grad():
            for first in range(0, stop_x.shape[0], size):
                loss(stop_x[first : first + size], stop_y[first : first + size]).item()


def peer_loop(estimator: LatentEstimator, train: Half, stop: Half, context: Context) -> Callable[[int], None]:
    """latentmi's own ``train`` on its own model.

    Raises:
        ValueError: if it is not installed.
    """
    module, models = latentmi("lmi"), latentmi("models")
    _, train, stop = scaled_model(estimator, train, stop)

    def loop(epochs: int) -> None:
        with seeded(context):
            model = models.AECross(train[0].shape[1], train[1].shape[1], estimator.latent_dim)
            module.train(
                model, *train, *stop, batch_size=estimator.batch_size, lr=estimator.learning_rate, epochs=epochs,
                patience=epochs + 1,
            )  # fmt: skip

    return loop
