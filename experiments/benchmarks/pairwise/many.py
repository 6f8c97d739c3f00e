"""Many columns on a small machine: edges of 20,000 columns, regulators against all, a million rows of sparse features."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import chi2_contingency

from lmi.estimators.network.all_pairs import pairwise
from lmi.estimators.network.cofiring import cofiring
from lmi.estimators.network.cofiring_counts import count_pairs, read_firing
from lmi.estimators.network.pairwise_edges import pairwise_edges
from lmi.estimators.pairwise.column_sorts import sort_columns
from lmi.experiments.benchmarks.pairwise.speed import activations
from lmi.experiments.measure import bar_row, bars_answer, bars_met, peak_memory_gib
from lmi.report.legend import BARS
from lmi.results import Result
from lmi.sources.planted.planted_network import PlantedNetwork
from lmi.types import Context

LEGEND = {
    **BARS,
    "wall_seconds": "wall time",
    "cpu_seconds": "processor time of all threads",
    "found": "pairs found",
    "pairs": "pairs measured",
    "difference": "largest relative difference of G from SciPy",
    "peak_gib": "most memory that the process has held so far",
}


@dataclass(frozen=True)
class PairwiseMany:
    """Wall time, processor time and peak memory of each task; a task of 0 rows is left out.

    Processor time over the cores is what the task takes of an otherwise idle machine; it is what the bars are held to,
    since wall time counts what others do on the machine.

    Args:
        columns: of the histogram network.
        rows: of it.
        targets: regulators of the KSG network.
        target_rows: its rows.
        features: of the sparse table.
        feature_rows: its rows.
        active: features that fire in a row.
        layer_rows: rows of one layer of 768 columns, histogram with null, scores and ties.
        checked: random pairs that are compared with SciPy.
        cores: that the time is spread over.
    """

    columns: int = 20_000
    rows: int = 1000
    targets: int = 1800
    target_rows: int = 200
    features: int = 16_384
    feature_rows: int = 1_000_000
    active: int = 30
    layer_rows: int = 100_000
    checked: int = 200
    cores: int = 2

    def run(self, context: Context) -> Result:
        """The largest memory last, since the peak of a process only grows."""
        pairwise_edges(activations(60, 6, context.generator("warm")), "ksg", most=1, null="none")
        rows: list[dict[str, Any]] = []
        bars: list[dict[str, Any]] = []
        ksg = f"KSG, {self.targets} targets x {self.columns}, {self.target_rows} rows"
        sparse = f"co-firing, {self.features} x {self.feature_rows}, {self.active} a row"
        tasks: list[tuple[int, str, Callable[[Context], dict[str, Any]], float, float]] = [
            (self.layer_rows, f"768 x {self.layer_rows}, histogram, null, scores, ties", self._layer, 10.0, 0.0),
            (self.target_rows, ksg, self._targets, 600.0, 4.0),
            (self.rows, f"histogram edges, {self.columns} x {self.rows}, FDR .05", self._edges, 300.0, 4.0),
            (self.feature_rows, sparse, self._sparse, 300.0, 8.0),
        ]
        for size, what, work, seconds, gib in tasks:
            if not size:
                continue
            row = work(context)
            rows.append({"what": what, **row, "peak_gib": peak_memory_gib()})
            bars.append(bar_row(what, row["cpu_seconds"] / self.cores, f"s of {self.cores} cores", "<=", seconds))
            if gib:
                bars.append(bar_row(what, peak_memory_gib(), "GiB of memory", "<=", gib))
            if "difference" in row:
                bars.append(bar_row(f"{what}, G against SciPy", row["difference"], "relative", "<=", 1e-6))
        return Result(
            "pairwise_many",
            dict(bars_met(bars)),
            answer=bars_answer(bars),
            tables={"bars": bars, "tasks": rows},
            legend=LEGEND,
            notes=(f"{torch.get_num_threads()} threads; cpu_seconds is processor time of all threads",),
        )

    def _layer(self, context: Context) -> dict[str, Any]:
        h = activations(self.layer_rows, 768, context.generator("layer"))
        documents = torch.arange(self.layer_rows) // 500
        pairwise(h[:2000, :4], "histogram", documents=documents[:2000])  # compiled before anything is timed
        sort_columns(h[:2000, :4], 3, with_scores=True)

        def work() -> dict[str, Any]:
            pairs = pairwise(h, "histogram", documents=documents)
            sort_columns(h, 3, with_scores=True)
            return {"found": int((np.asarray(pairs.q) <= 0.05).sum()) // 2, "pairs": 768 * 767 // 2}

        return timed(work)

    def _targets(self, context: Context) -> dict[str, Any]:
        h = activations(self.target_rows, self.columns, context.generator("targets"))
        return timed(lambda: _counted(pairwise_edges(h, "ksg", targets=range(self.targets))))

    def _edges(self, context: Context) -> dict[str, Any]:
        planted = PlantedNetwork(self.columns, self.columns // 25, 12, self.rows)
        _, h, _ = next(iter(planted.layers(context)))
        return timed(lambda: _counted(pairwise_edges(h.float(), "histogram", bins=10, binning="mass")))

    def _sparse(self, context: Context) -> dict[str, Any]:
        numbers = self._firing(context)
        cofiring(numbers[:100], features=self.features)  # compiled before anything is timed
        row = timed(lambda: _counted(cofiring(numbers, features=self.features)))
        rows = read_firing(numbers, self.features).tocsc()
        generator, n, worst = np.random.default_rng(context.derive("checked")), self.feature_rows, 0.0
        for a, b in generator.integers(0, self.features, (self.checked, 2)):
            pair = rows[:, [min(a, b), max(a, b)]]
            if a == b or pair.getnnz(0).min() == 0:
                continue
            both = int(pair[:, 0].multiply(pair[:, 1]).sum())
            i, j = pair.getnnz(0).tolist()
            theirs = chi2_contingency([[both, i - both], [j - both, n - i - j + both]], correction=False, lambda_=0)
            mine = 2 * n * count_pairs(pair.tocsr(), pair.tocsr(), np.ones(2), 1.0, 0).nats[0]
            worst = max(worst, float(abs(mine - theirs.statistic) / max(theirs.statistic, 1.0)))
        return {**row, "difference": worst}

    def _firing(self, context: Context) -> np.ndarray:
        """(rows, active) features by a law of powers; one in ten rows takes a block of 8 that fire together."""
        generator = np.random.default_rng(context.derive("firing"))
        weights = 1 / (np.arange(self.features) + self.features / 20) ** 0.7
        edges = np.cumsum(weights) / weights.sum()
        numbers = np.searchsorted(edges, generator.random((self.feature_rows, self.active))).astype(np.int32)
        numbers = numbers.clip(max=self.features - 1)
        rows = np.flatnonzero(generator.random(self.feature_rows) < 0.1)
        block = generator.integers(0, self.features // 8, len(rows))
        numbers[rows[:, None], np.arange(8)] = 8 * block[:, None] + np.arange(8)
        return numbers


def timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``work`` gives, with its wall seconds and the processor seconds of all threads."""
    wall, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    row = work()
    now = resource.getrusage(resource.RUSAGE_SELF)
    seconds = now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime
    return {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": seconds, **row}


def _counted(edges: Any) -> dict[str, Any]:
    return {"found": len(edges), "pairs": edges.tested}
