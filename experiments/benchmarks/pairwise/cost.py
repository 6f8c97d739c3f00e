"""What does all-to-all MI cost in dimensions, tokens and layers, and what would a 1600 x 49-layer model take?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.estimators.pairwise.prepared import KEPT_BYTES
from lmi.experiments.benchmarks.pairwise.speed import activations
from lmi.report import pairwise_benchmarks as draw
from lmi.results import Result
from lmi.types import Context

LEGEND = {
    "estimator": "what measures the pairs",
    "axis": "what grows",
    "dims": "columns",
    "tokens": "rows",
    "layers": "matrices",
    "seconds": "wall time",
    "dims_exponent": "of the power law through the times along it",
    "tokens_exponent": "the same along tokens",
    "layers_exponent": "the same along layers",
    "this_machine_hours": "extrapolated",
    "one_gpu_hours": "if one is as many times faster as is assumed",
    "eight_gpus_hours": "an eighth of it",
    "input_gib_a_layer": "a layer as float32",
    "working_gib": "what is held beside it",
}
AXES = ("dims", "tokens", "layers")


@dataclass(frozen=True)
class PairwiseCost:
    """Times on three sizes along each axis, the power law through them, and its word on a large model.

    Args:
        estimators: which to time.
        dims: numbers of columns, at the smallest number of tokens.
        tokens: numbers of rows, at the smallest number of columns.
        layers: numbers of layers, at the smallest of both.
        repeats: times each is run; the fastest counts.
        device: where they run.
        large: (dims, layers, tokens) to extrapolate to.
        gpu_speedup: how many times faster one GPU is assumed to be than this machine; an assumption, not a measurement.
    """

    estimators: tuple[Literal["ksg", "histogram", "gaussian"], ...] = ("ksg", "histogram")
    dims: tuple[int, int, int] = (128, 256, 512)
    tokens: tuple[int, int, int] = (128, 512, 2048)
    layers: tuple[int, int, int] = (1, 2, 4)
    repeats: int = 3
    device: str = "cpu"
    large: tuple[int, int, int] = (1600, 49, 1_000_000)
    gpu_speedup: float = 50.0

    def run(self, context: Context) -> Result:
        """Time every size, then fit and extrapolate."""
        rows: list[dict[str, Any]] = []
        exponents: list[dict[str, Any]] = []
        paper: list[dict[str, Any]] = []
        for estimator in context.bar(self.estimators, "cost"):
            self._seconds(estimator, 20, 20, 1, context)  # compiled before anything is timed
            axes = {
                "dims": [(dims, self.tokens[0], self.layers[0]) for dims in self.dims],
                "tokens": [(self.dims[0], tokens, self.layers[0]) for tokens in self.tokens],
                "layers": [(self.dims[0], self.tokens[0], layers) for layers in self.layers],
            }
            fitted: dict[str, Any] = {"estimator": estimator}
            for axis, sizes in axes.items():
                taken = [self._seconds(estimator, *size, context) for size in sizes]
                along = [size[AXES.index(axis)] for size in sizes]
                fitted[f"{axis}_exponent"] = float(np.polyfit(np.log(along), np.log(taken), 1)[0])
                rows += [
                    {"estimator": estimator, "axis": axis, "dims": d, "tokens": n, "layers": m, "seconds": s}
                    for (d, n, m), s in zip(sizes, taken)
                ]
                if axis == "tokens":
                    longest = taken[-1]
            exponents.append(fitted)
            paper.append(self._extrapolated(estimator, longest, fitted))
        drawn: dict[str, dict[str, tuple[list[float], list[float]]]] = {axis: {} for axis in AXES}
        for row in rows:
            along_axis, times = drawn[row["axis"]].setdefault(row["estimator"], ([], []))
            along_axis.append(row[row["axis"]])
            times.append(row["seconds"])
        metrics = {
            f"{row['estimator']}_{axis}_exponent_ratio": row[f"{axis}_exponent"] for row in exponents for axis in AXES
        }
        dims, layers, tokens = self.large
        return Result(
            "pairwise_cost",
            metrics,
            answer=f"Extrapolated to {dims} dimensions, {layers} layers and {tokens} tokens; see the first table.",
            tables={"large": paper, "exponents": exponents, "times": rows},
            legend=LEGEND,
            figures={"cost": draw.cost(drawn)},
            captions={"cost": "Seconds against dimensions, tokens and layers, both axes logarithmic."},
            notes=(
                f"extrapolated to {dims} dimensions x {layers} layers at {tokens} tokens: pairs counted exactly, "
                f"tokens by the fitted exponent from {self.tokens[-1]} tokens up",
                f"GPU columns assume one GPU to be {self.gpu_speedup:g} times this machine and even tiles: paper",
            ),
        )

    def _seconds(self, estimator: Any, dims: int, tokens: int, layers: int, context: Context) -> float:
        h = [activations(tokens, dims, context.generator("cost", dims, tokens, layer)) for layer in range(layers)]
        taken = []
        for _ in range(self.repeats):
            started = time.perf_counter()
            for layer in h:
                pairwise_mi(layer, None, estimator, device=self.device)
            taken.append(time.perf_counter() - started)
        return min(taken)

    def _extrapolated(self, estimator: str, longest: float, fitted: dict[str, Any]) -> dict[str, Any]:
        dims, layers, tokens = self.large
        pairs = dims * (dims - 1) / (self.dims[0] * (self.dims[0] - 1))
        hours = longest * pairs * layers * (tokens / self.tokens[-1]) ** fitted["tokens_exponent"] / 3600
        return {
            "estimator": estimator,
            "this_machine_hours": hours,
            "one_gpu_hours": hours / self.gpu_speedup,
            "eight_gpus_hours": hours / self.gpu_speedup / 8,
            "input_gib_a_layer": dims * tokens * 4 / 2**30,
            "working_gib": (KEPT_BYTES + 8 * dims * dims) / 2**30,
        }
