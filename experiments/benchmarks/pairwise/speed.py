"""How much faster is all-to-all MI than scikit-learn and a numpy.histogram2d loop, at the same values?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.feature_selection import mutual_info_regression
from sklearn.feature_selection._mutual_info import _compute_mi_cc
from sklearn.preprocessing import scale
from torch import Tensor

from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.experiments.measure import bar_row, peak_memory_gib
from lmi.report import pairwise_benchmarks as draw
from lmi.report.legend import BARS
from lmi.results import Result
from lmi.types import Context

Peer = Callable[[Tensor], tuple[np.ndarray, np.ndarray, np.ndarray]]  # left, right, values in nats


LEGEND = {
    **BARS,
    "ours_seconds": "wall time of lmi",
    "peer": "the other code",
    "peer_seconds": "wall time of the peer, scaled to all pairs",
    "ratio": "the one over the other",
    "difference_nats": "largest difference of values, for KSG with scikit-learn's noise off",
    "difference_to_noisy_nats": "the same with its noise on",
}


@dataclass(frozen=True)
class PairwiseSpeed:
    """Time, peak memory and largest difference, side by side; peers are timed on some targets and scaled by pairs.

    Args:
        dims: columns, as GPT-2's hidden states.
        layers: hidden states.
        tokens: rows of the short text.
        long_tokens: rows of the long text.
        memory_tokens: rows at which peak memory is measured; 0 leaves that out.
        targets: target columns that scikit-learn is timed on.
        loop_pairs: pairs that the ``numpy.histogram2d`` loop is timed on.
        repeats: times each is run, the long text at most twice; the fastest counts.
        device: where ours runs.
    """

    dims: int = 768
    layers: int = 13
    tokens: int = 103
    long_tokens: int = 2048
    memory_tokens: int = 10_000
    targets: int = 4
    loop_pairs: int = 1000
    repeats: int = 3
    device: str = "cpu"

    def run(self, context: Context) -> Result:
        """Memory first, while the process is small; then each comparison."""
        metrics: dict[str, Any] = {}
        if self.memory_tokens:
            metrics |= self._memory(context)
        warm = activations(20, 4, context.generator("warm"))
        estimators: tuple[Literal["ksg", "histogram"], ...] = ("ksg", "histogram")
        for estimator in estimators:
            pairwise_mi(warm, None, estimator, device=self.device)  # compiled before anything is timed
        short = activations(self.tokens, self.dims, context.generator("short"))
        long = activations(self.long_tokens, self.dims, context.generator("long"))
        rows = [
            self._against(f"KSG, {self.tokens} tokens", "scikit-learn", short, "ksg", self._scikit_learn, 500.0),
            self._against(f"histogram, {self.tokens} tokens", "numpy loop", short, "histogram", self._loop, 150.0),
            self._against(f"KSG, {self.long_tokens} tokens", "scikit-learn", long, "ksg", self._scikit_learn, 50.0),
        ]
        for estimator in estimators:  # each layer is drawn before its clock starts
            seconds = 0.0
            for layer in context.bar(range(self.layers), f"{estimator}, layers"):
                h = activations(self.tokens, self.dims, context.generator(layer))
                started = time.perf_counter()
                pairwise_mi(h, None, estimator, device=self.device)
                seconds += time.perf_counter() - started
            metrics[f"{estimator}_all_layers_seconds"] = seconds
        for row in rows:
            name = str(row["what"]).lower().replace(", ", "_").replace(" ", "_")
            metrics |= {f"{name}_ratio": row["ratio"], f"{name}_difference_nats": row["difference_nats"]}
        return Result(
            "pairwise_speed",
            metrics,
            answer="; ".join(f"{row['what']}: {float(str(row['ratio'])):.3g} times as fast as the peer" for row in rows)
            + ".",
            tables={"bars": self._bars(rows, metrics), "speed": rows},
            legend=LEGEND,
            figures={"speed": draw.speed(*([row[key] for row in rows] for key in ("what", "ratio", "bar")))},
            captions={"speed": "How many times faster than the peer in the same run, and the bar that was set (line)."},
            notes=(
                f"{self.dims} columns; peers timed on {self.targets} targets and {self.loop_pairs} pairs, counted once, scaled",
                "scikit-learn's usual call for every target measures each pair twice",
                f"{torch.get_num_threads()} threads; fastest of {self.repeats} runs, of 2 at {self.long_tokens} tokens",
                "peak memory is that of the whole process with torch and scikit-learn loaded: histogram of all layers, KSG "
                "of one strip of tiles",
            ),
        )

    def _bars(self, rows: list[dict[str, Any]], metrics: dict[str, Any]) -> list[dict[str, Any]]:
        """What was asked for beside what was measured, one row a bar."""
        bars = []
        for row in rows:
            bars.append(
                bar_row(f"{row['what']}, against {row['peer']}", row["ratio"], "times faster", ">=", row["bar"])
            )
            if row["what"] != rows[-1]["what"]:
                bars.append(bar_row(f"{row['what']}, largest difference", row["difference_nats"], "nats", "<=", 1e-9))
        bars.append(bar_row(f"KSG, all {self.layers} layers", metrics["ksg_all_layers_seconds"], "s", "<=", 20.0))
        if self.memory_tokens:
            what = f"memory, {self.dims} x {self.layers} layers x {self.memory_tokens} tokens"
            bars.append(bar_row(what, metrics["peak_memory_gib"], "GiB", "<=", 2.0))
        return bars

    def _against(self, what: str, peer: str, h: Tensor, estimator: Any, theirs: Peer, bar: float) -> dict[str, Any]:
        ours_seconds, theirs_seconds = [], []
        for _ in range(min(self.repeats, 2) if len(h) > self.tokens else self.repeats):
            started = time.perf_counter()
            nats = pairwise_mi(h, None, estimator, device=self.device)
            ours_seconds.append(time.perf_counter() - started)
            started = time.perf_counter()
            left, right, values = theirs(h)
            theirs_seconds.append(time.perf_counter() - started)
        mine = nats[left, right].numpy()
        if estimator == "ksg":
            mine = np.maximum(mine, 0.0)  # scikit-learn clips
        difference = float(np.abs(mine - values).max())
        row: dict[str, Any] = {"difference_nats": difference}
        if (
            estimator == "ksg"
        ):  # scikit-learn's own noise moves its counts now and then: compare with it switched off too
            quiet = scale(h.double().numpy(), with_mean=False)
            chosen = np.linspace(0, len(left) - 1, min(60, len(left))).astype(int)
            theirs_quiet = [_compute_mi_cc(quiet[:, left[i]], quiet[:, right[i]], 3) for i in chosen]
            row = {
                "difference_nats": float(np.abs(mine[chosen] - theirs_quiet).max()),
                "difference_to_noisy_nats": difference,
            }
        pairs = self.dims * (self.dims - 1) // 2
        scaled = min(theirs_seconds) / len(values) * pairs
        return {
            "what": what,
            "ours_seconds": min(ours_seconds),
            "peer": peer,
            "peer_seconds": scaled,
            "ratio": scaled / min(ours_seconds),
            "bar": bar,
            **row,
        }

    def _scikit_learn(self, h: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = h.double().numpy()
        rest = np.arange(self.targets, self.dims)
        by_target = []
        for target in range(self.targets):
            values = mutual_info_regression(columns[:, rest], columns[:, target], n_neighbors=3, random_state=0)
            by_target.append((np.full(len(rest), target), rest, values))
        left, right, values = (np.concatenate(part) for part in zip(*by_target))
        return left, right, values

    def _loop(self, h: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = h.double().numpy()
        left, right = (index[: self.loop_pairs] for index in np.triu_indices(self.dims, 1))
        values = np.empty(len(left))
        for place, (a, b) in enumerate(zip(left, right)):
            joint = np.histogram2d(columns[:, a], columns[:, b], bins=15)[0] / len(columns)
            rows, cols = joint.sum(1), joint.sum(0)
            cells = joint > 0
            values[place] = (joint[cells] * np.log(joint[cells] / np.outer(rows, cols)[cells])).sum()
        return left, right, values

    def _memory(self, context: Context) -> dict[str, float]:
        """Peak resident memory of the process: all layers by histogram, and one strip of KSG tiles over all columns."""
        for layer in context.bar(range(self.layers), "memory"):
            h = activations(self.memory_tokens, self.dims, context.generator("memory", layer))
            pairwise_mi(h, None, "histogram", device=self.device)
        pairwise_mi(h, h[:, :4] + h[:, 4:8], "ksg", device=self.device)
        return {"peak_memory_gib": peak_memory_gib()}


def activations(tokens: int, dims: int, generator: torch.Generator) -> Tensor:
    """(tokens, dims) float64 columns that share eight factors, every seventh with heavy tails."""
    factors = torch.randn(tokens, 8, generator=generator, dtype=torch.float64)
    h = torch.randn(tokens, dims, generator=generator, dtype=torch.float64)
    h = h + factors @ torch.randn(8, dims, generator=generator, dtype=torch.float64) * 0.3
    h[:, ::7] = h[:, ::7] ** 3
    return h
