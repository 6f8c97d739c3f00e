"""Are discoveries among pairs real: how many are false on independent, autocorrelated and planted data?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lmi.estimators.pairwise.histogram_pairs import HistogramPairs, HistogramPairsTorch, g_test_columns
from lmi.estimators.pairwise.matrix import pairwise_measure, tiled
from lmi.estimators.significance.document_nulls import Null, chosen_scheme
from lmi.estimators.significance.effective import effective_samples
from lmi.estimators.significance.pair_significance import benjamini_hochberg, pairwise_significance
from lmi.report import pairwise_benchmarks as draw
from lmi.results import Result
from lmi.sources.planted.planted_columns import PlantedColumns
from lmi.types import Context

LEGEND = {
    "estimator": "what measured the pairs",
    "autocorrelation": "correlation of a token with the next",
    "null": "documents: each is paired with another; shift: each is turned by a random number of rows",
    "planted_pairs": "pairs that depend on each other",
    "false_discovery_ratio": "false discoveries over discoveries, mean over seeds",
    "standard_error": "of that mean",
    "found_ratio": "share of the planted pairs found",
    "p_below_0.05_ratio": "share of independent pairs with p <= .05",
    "p_below_0.001_ratio": "share of independent pairs with p <= .001",
    "row_shuffle_ratio": "false discoveries with a null of singly shuffled tokens",
    "g_test_ratio": "the same with the G-test at the effective sample size",
}


@dataclass(frozen=True)
class PairwiseCalibration:
    """False discoveries over seeds, with the null that respects documents and with rows shuffled singly.

    Args:
        estimators: which to calibrate.
        autocorrelations: correlation of neighbouring tokens.
        null: "documents", "shift" or "auto", as in ``Pairwise``.
        dims: columns.
        lengths: rows of each document; the default is what ``experiment=pairwise`` reads.
        bins: bins a column of the histogram.
        planted: dependent pairs in the runs that have any, half linear and half parabolas.
        draws: null draws.
        single_draws: draws of the null that shuffles tokens singly, for comparison.
        seeds: independent data sets.
        rate: nominal false-discovery rate.
    """

    estimators: tuple[Literal["ksg", "histogram", "gaussian"], ...] = ("ksg", "histogram")
    autocorrelations: tuple[float, ...] = (0.0, 0.5, 0.9)
    null: Null = "auto"
    dims: int = 128
    lengths: tuple[int, ...] = (149, 115, 130, 103, 123, 95)
    bins: int = 15
    planted: int = 8
    draws: int = 32
    single_draws: int = 8
    seeds: int = 20
    rate: float = 0.05

    def run(self, context: Context) -> Result:
        """One row for each estimator, autocorrelation and kind of data."""
        cases = [
            (estimator, correlation, planted)
            for estimator in self.estimators
            for correlation in self.autocorrelations
            for planted in (0, self.planted)
        ]
        rows, p_values = [], {}
        for case in cases:
            row, p = self._case(*case, context)
            rows.append(row)
            if case[2] == 0:
                p_values[f"{case[0]}, autocorrelation {case[1]:g}"] = p
        nothing = [row for row in rows if row["planted_pairs"] == 0]
        worst = max(row["false_discovery_ratio"] for row in rows)
        return Result(
            "pairwise_calibration",
            {
                "independent_false_discovery_ratio": float(np.mean([row["false_discovery_ratio"] for row in nothing])),
                "worst_false_discovery_ratio": max(row["false_discovery_ratio"] for row in rows),
                "seeds_count": self.seeds,
            },
            answer=f"At a rate of {self.rate:g}, {worst:.1%} of the discoveries are false in the worst case, on average over "
            f"{self.seeds} seeds.",
            arrays={f"p.{name}": values for name, values in p_values.items()},
            tables={"calibration": rows},
            legend=LEGEND,
            figures={"calibration": draw.calibration(p_values)},
            captions={
                "calibration": "p-values of pairs that share nothing, against the share of pairs at or below: on the "
                "line they are calibrated, below it they are cautious, above it they fake discoveries."
            },
            notes=(
                f"false_discovery_ratio is the mean over {self.seeds} seeds of false discoveries / discoveries at rate "
                f"{self.rate:g}; where nothing is planted it is the share of seeds with any discovery at all",
                "row_shuffle_ratio is the same with the null of singly shuffled tokens, g_test_ratio with the G-test at "
                "the effective sample size",
            ),
        )

    def _case(self, estimator: Any, correlation: float, planted: int, context: Context) -> tuple[Any, np.ndarray]:
        documents = torch.arange(len(self.lengths)).repeat_interleave(torch.tensor(self.lengths))
        position = torch.cat([torch.arange(length) for length in self.lengths])
        source = PlantedColumns(
            self.dims, 1, len(self.lengths), max(self.lengths), correlation, planted // 2, planted - planted // 2
        )
        scheme = chosen_scheme(documents, self.null)
        measure = pairwise_measure(estimator, bins=self.bins)
        upper = torch.ones(self.dims, self.dims).triu(1).bool()
        true = torch.zeros(self.dims, self.dims, dtype=torch.bool)
        for pair in range(planted):
            true[2 * pair, 2 * pair + 1] = True
        true = true[upper]
        ratios, naive, g_ratios, power, p_values = [], [], [], [], []
        label = f"{estimator}, autocorrelation {correlation:g}, {planted} planted"
        for seed in context.bar(range(self.seeds), label):
            # the same seed gives every estimator the same data
            data = context.child("data", seed, str(correlation), planted)
            _, equal, _ = next(source.layers(data))
            h = equal[documents * max(self.lengths) + position]
            nats = tiled(measure, h)
            generator = data.generator("null", estimator)
            significance = pairwise_significance(nats, h, measure, documents, generator, scheme, self.draws)
            if not planted:
                singly = torch.randperm(len(h), generator=generator)
                shuffled = pairwise_significance(nats, h, measure, singly, generator, "documents", self.single_draws)
                naive.append(false_share(shuffled.q[upper], true, self.rate))
            if isinstance(measure, HistogramPairs | HistogramPairsTorch):
                columns: Any = measure.prepare(h)
                g_test = g_test_columns(nats, measure.occupied(columns), effective_samples(h, documents))
                g_ratios.append(false_share(benjamini_hochberg(g_test[upper]), true, self.rate))
            ratios.append(false_share(significance.q[upper], true, self.rate))
            power.append(float((significance.q[upper][true] <= self.rate).double().mean()) if planted else float("nan"))
            p_values.append(significance.p[upper][~true].numpy())
        p = np.concatenate(p_values)
        error = float(np.std(ratios, ddof=1) / len(ratios) ** 0.5)
        row = {
            "estimator": estimator,
            "autocorrelation": correlation,
            "null": scheme,
            "planted_pairs": planted,
            "false_discovery_ratio": float(np.mean(ratios)),
            "standard_error": error,
            "found_ratio": float(np.mean(power)) if planted else None,
            "p_below_0.05_ratio": float((p <= 0.05).mean()),
            "p_below_0.001_ratio": float((p <= 0.001).mean()),
            "row_shuffle_ratio": float(np.mean(naive)) if naive else None,
            "g_test_ratio": float(np.mean(g_ratios)) if g_ratios else None,
        }
        return row, p


def false_share(q: Tensor, true: Tensor, rate: float) -> float:
    """False discoveries over discoveries at ``rate``, 0 where there are none."""
    discovered = q <= rate
    return float((discovered & ~true).sum()) / max(1, int(discovered.sum()))
