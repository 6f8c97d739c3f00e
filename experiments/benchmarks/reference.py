"""Is the estimator right on the examples it is known by, seed after seed?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from lmi.api import estimate
from lmi.estimators.neighbors.ksg import KSGEstimator
from lmi.experiments.measure import measured_once
from lmi.report.style import BLUE, INK, ORANGE, dress, new_figure
from lmi.results import Result, Scalar
from lmi.types import NATS_PER_BIT, Context, Estimator, Source

Row = dict[str, float]


LEGEND = {
    "case": "a source of known truth",
    "truth (bits)": "true mutual information, mean over seeds",
    "mean estimate": "bits",
    "mean error": "estimate less truth, bits",
    "largest error": "of any seed, bits",
    "s.d.": "of the error over seeds, bits",
    "KSG oracle, mean error": "of KSG on the true low-dimensional variables, bits",
    "90% intervals with truth": "seeds whose interval holds the truth",
    "seconds each": "wall time of an estimate",
}


@dataclass(frozen=True)
class ReferenceExperiment:
    """The same estimator on fresh samples of each source, once a seed; a killed run goes on where it stopped.

    Args:
        sources: case name -> source with a known truth.
        estimator: what is judged.
        num_samples: samples a seed.
        seeds: how many.
    """

    sources: dict[str, Source]
    estimator: Estimator
    num_samples: Annotated[int, Field(ge=2)] = 10_000
    seeds: Annotated[int, Field(ge=2)] = 10

    def run(self, context: Context) -> Result:
        """Estimate every case and seed; hold each against its truth and against KSG on the true variables."""
        jobs = [(name, seed) for name in self.sources for seed in range(self.seeds)]
        rows: dict[str, list[Row]] = {name: [] for name in self.sources}
        for name, seed in context.bar(jobs, "cases"):
            rows[name].append(self._one(name, seed, context))
        metrics: dict[str, Scalar] = {}
        table: list[dict[str, Scalar]] = []
        for name, case in rows.items():
            column = {key: np.array([row[key] for row in case]) for key in case[0]}
            error = column["estimate"] - column["truth"]
            covered = (column["low"] <= column["truth"]) & (column["truth"] <= column["high"])
            table.append(
                {
                    "case": name,
                    "truth (bits)": float(column["truth"].mean()),
                    "mean estimate": float(column["estimate"].mean()),
                    "mean error": float(error.mean()),
                    "largest error": float(np.abs(error).max()),
                    "s.d.": float(error.std(ddof=1)),
                    "KSG oracle, mean error": float((column["oracle"] - column["truth"]).mean()),
                    "90% intervals with truth": f"{int(covered.sum())} of {covered.size}",
                    "seconds each": float(column["seconds"].mean()),
                }
            )
            metrics |= {
                f"{name}_mean_error_bits": float(error.mean()),
                f"{name}_largest_error_bits": float(np.abs(error).max()),
                f"{name}_covered_count": int(covered.sum()),
            }
        return Result(
            experiment="reference",
            answer="; ".join(f"{row['case']}: mean error {float(str(row['mean error'])):+.3f} bits" for row in table)
            + ".",
            metrics=metrics,
            arrays={
                f"{name}_{key}": np.array([row[key] for row in case]) for name, case in rows.items() for key in case[0]
            },
            tables={"reference": table},
            legend=LEGEND,
            figures={"seeds": draw(rows)},
            captions={
                "seeds": "Each dot is one seed's estimate with its 90% interval; the dashed line is the analytic truth of "
                "that seed's source."
            },
        )

    def _one(self, name: str, seed: int, context: Context) -> Row:
        path = None if context.folder is None else context.folder / "cases" / f"{name}-{seed}.json"
        child = Context(seed=context.derive(name, seed))
        key = f"seed {child.seed}, {self.num_samples} samples of {self.sources[name]} by {self.estimator}"
        return measured_once(path, key, lambda: self._measure(name, child))

    def _measure(self, name: str, context: Context) -> Row:
        pairs = self.sources[name].sample(self.num_samples, context.generator("samples"))
        if pairs.truth is None or pairs.core is None:
            raise ValueError(f"sources.{name} has no known truth; nothing to hold the estimate against")
        started = time.perf_counter()
        measured = estimate(pairs.x, pairs.y, self.estimator, context=context)
        seconds = time.perf_counter() - started
        oracle = estimate(*pairs.core, KSGEstimator(permutations=0), context=context)
        low, high = measured.interval or (float("nan"), float("nan"))
        bits = {"estimate": measured.nats, "truth": pairs.truth, "low": low, "high": high, "oracle": oracle.nats}
        return {key: value / NATS_PER_BIT for key, value in bits.items()} | {"seconds": seconds}


def draw(rows: dict[str, list[Row]]) -> Figure:
    """One column of dots a case, seeds side by side, with the truth."""
    figure = new_figure(1.5 + 1.9 * len(rows), 3.6)
    axes = dress(figure.add_subplot(), y="mutual information (bits)")
    for place, case in enumerate(rows.values()):
        offsets = place + np.linspace(-0.3, 0.3, len(case))
        for offset, row in zip(offsets, case):
            axes.plot([offset, offset], [row["low"], row["high"]], color=BLUE, alpha=0.35, linewidth=3)
            axes.plot(offset, row["estimate"], "o", color=BLUE, markersize=4)
            axes.plot(offset, row["oracle"], "_", color=ORANGE, markersize=7)
        truth = case[0]["truth"]
        axes.plot([place - 0.4, place + 0.4], [truth, truth], color=INK, linewidth=1, linestyle=(0, (4, 2)))
    axes.plot([], [], "o", color=BLUE, label="estimate, 90% interval")
    axes.plot([], [], "_", color=ORANGE, label="KSG on the true variables")
    axes.plot([], [], color=INK, linestyle=(0, (4, 2)), label="truth")
    axes.legend(fontsize=8, frameon=False)
    axes.set_xticks(range(len(rows)), [name.replace("_", " ") for name in rows], fontsize=9)
    return figure
