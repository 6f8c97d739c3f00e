"""How much do X and Y share, when neither fits into memory?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch

from lmi.estimators.folds import Fold
from lmi.experiments.estimate import arrays_of, draw, estimate_metrics, judgement, summary, unsaid
from lmi.experiments.measure import peak_memory_gib
from lmi.latent import LatentEstimator
from lmi.latent.estimator import read_fold
from lmi.latent.fitting import fit_and_read
from lmi.latent.streaming import Stream, estimate_stream
from lmi.report.legend import COMMON
from lmi.results import Result, Scalar
from lmi.sources.files.shards import StreamedPairs, read_pairs
from lmi.types import Context, Pairs


@runtime_checkable
class StreamSource(Protocol):
    """Anything that opens paired rows on disk."""

    def open(self) -> StreamedPairs:
        """The rows, none of them read yet."""
        ...


LEGEND = {
    "peak memory (GiB)": "of the process, workers included",
    "data (GiB)": "what all rows take as float32",
}


@dataclass(frozen=True)
class StreamExperiment:
    """Latent MI of rows that stay on disk, and how much memory it took.

    Args:
        source: the rows.
        estimator: the latent estimator; its shares and folds are not used, ``stream`` says what is held out.
        stream: held-out samples, workers, blocks.
        compare_in_memory: whether to do the same once more with all rows in memory, on the same held-out samples.
    """

    source: StreamSource
    estimator: LatentEstimator
    stream: Stream
    compare_in_memory: bool = False

    def run(self, context: Context) -> Result:
        """Survey, train, measure; then, if asked, the same in memory."""
        pairs = self.source.open()
        started = time.perf_counter()
        estimate = estimate_stream(self.estimator, pairs, self.stream, context)
        seconds = time.perf_counter() - started
        peak = peak_memory_gib(self.stream.workers)
        metrics = estimate_metrics(estimate, pairs.truth)
        rows = pairs.x.shape[0]
        trained = rows - self.stream.stop_samples - self.stream.estimate_samples
        metrics |= {
            "num_samples_count": rows,
            "estimate_seconds": seconds,
            "peak_memory_gib": peak,
            "data_gib": data_gib(pairs),
            "samples_per_second": trained * estimate.details["epochs"] / seconds,
        }
        memory: list[dict[str, Scalar]] = [
            {
                "": "from disk",
                "samples": rows,
                "bits": round(estimate.bits, 4),
                "peak memory (GiB)": round(peak, 2),
                "data (GiB)": round(data_gib(pairs), 2),
                "seconds": round(seconds, 1),
            }
        ]
        if self.compare_in_memory:
            whole, seconds = self._in_memory(pairs, context.child("in memory"))
            metrics |= {"in_memory_nats": whole, "difference_nats": estimate.nats - whole}
            memory.append(
                {
                    "": "in memory",
                    "samples": rows,
                    "bits": round(whole / torch.log(torch.tensor(2.0)).item(), 4),
                    "peak memory (GiB)": round(peak_memory_gib(0), 2),
                    "data (GiB)": round(data_gib(pairs), 2),
                    "seconds": round(seconds, 1),
                }
            )
        figures, captions = draw(estimate, None, Pairs(torch.empty(0), torch.empty(0), pairs.truth))
        return Result(
            experiment="stream",
            metrics=metrics,
            arrays=arrays_of(estimate),
            tables={"estimate": summary(estimate, None, pairs.truth), "memory": memory},
            legend={**COMMON, **LEGEND},
            figures=figures,
            captions=captions,
            notes=unsaid(estimate),
            **judgement(estimate, pairs.truth),
        )

    def _in_memory(self, pairs: StreamedPairs, context: Context) -> tuple[float, float]:
        whole = read_pairs(pairs, None, context.generator("rows"))
        order = torch.randperm(whole.x.shape[0], generator=context.generator("split"))
        stop, held = self.stream.stop_samples, self.stream.stop_samples + self.stream.estimate_samples
        fold = Fold(order[held:], order[:stop], order[stop:held])
        started = time.perf_counter()
        estimate = fit_and_read(self.estimator, whole.x, whole.y, fold, partial(read_fold, self.estimator), context)
        return estimate.nats, time.perf_counter() - started


def data_gib(pairs: StreamedPairs) -> float:
    """What the rows would take in memory, as float32."""
    (n, dx), (_, dy) = pairs.x.shape, pairs.y.shape
    return n * (dx + dy) * 4 / 1024**3
