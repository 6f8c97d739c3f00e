"""Are discoveries among pairs real: how many are false on independent, autocorrelated and planted data?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lmi.estimators.pairwise import pairwise_measure, tiled
from lmi.estimators.significance import pairwise_significance
from lmi.report import pairwise as draw
from lmi.results import Result
from lmi.sources.planted import PlantedColumns
from lmi.types import Context


@dataclass(frozen=True)
class PairwiseCalibration:
    """False discoveries over seeds, with the null that respects documents and with rows shuffled singly.

    Args:
        estimators: which to calibrate.
        autocorrelations: correlation of neighbouring tokens.
        null: "shift" or "documents".
        dims: columns.
        documents: documents.
        tokens: rows of a document.
        planted: dependent pairs in the runs that have any, half linear and half parabolas.
        draws: null draws.
        seeds: independent data sets.
        rate: nominal false-discovery rate.
    """

    estimators: tuple[Literal["ksg", "histogram", "gaussian"], ...] = ("ksg", "histogram")
    autocorrelations: tuple[float, ...] = (0.0, 0.5, 0.9)
    null: Literal["shift", "documents"] = "documents"
    dims: int = 32
    documents: int = 8
    tokens: int = 40
    planted: int = 8
    draws: int = 16
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
        for case in context.bar(cases, "calibration"):
            row, p = self._case(*case, context)
            rows.append(row)
            if case[2] == 0:
                p_values[f"{case[0]}, autocorrelation {case[1]:g}"] = p
        nothing = [row for row in rows if row["planted_pairs"] == 0]
        return Result(
            "pairwise_calibration",
            {
                "independent_false_discovery_ratio": float(np.mean([row["false_discovery_ratio"] for row in nothing])),
                "worst_false_discovery_ratio": max(row["false_discovery_ratio"] for row in rows),
                "seeds_count": self.seeds,
            },
            arrays={f"p.{name}": values for name, values in p_values.items()},
            tables={"calibration": rows},
            figures={"calibration": draw.calibration(p_values)},
            captions={
                "calibration": "p-values of pairs that share nothing, against the share of pairs at or below: on the "
                "line they are calibrated, below it they are cautious, above it they fake discoveries."
            },
            notes=(
                f"false_discovery_ratio is the mean over {self.seeds} seeds of false discoveries / discoveries at rate "
                f"{self.rate:g}; where nothing is planted it is the share of seeds with any discovery at all",
                "row_shuffle_ratio is the same with the null of singly shuffled tokens",
            ),
        )

    def _case(self, estimator: Any, correlation: float, planted: int, context: Context) -> tuple[Any, np.ndarray]:
        source = PlantedColumns(
            self.dims, 1, self.documents, self.tokens, correlation, planted // 2, planted - planted // 2
        )
        measure = pairwise_measure(estimator, bins=6)
        upper = torch.ones(self.dims, self.dims).triu(1).bool()
        true = torch.zeros(self.dims, self.dims, dtype=torch.bool)
        for pair in range(planted):
            true[2 * pair, 2 * pair + 1] = True
        true = true[upper]
        ratios, naive, power, p_values = [], [], [], []
        for seed in range(self.seeds):
            # the same seed gives every estimator the same data
            data = context.child("data", seed, str(correlation), planted)
            _, h, documents = next(source.layers(data))
            nats = tiled(measure, h)
            generator = data.generator("null", estimator)
            found = pairwise_significance(nats, h, measure, documents, generator, self.null, self.draws)
            if not planted:
                singly = torch.randperm(len(h), generator=generator)
                shuffled = pairwise_significance(nats, h, measure, singly, generator, "documents", self.draws)
                naive.append(false_share(shuffled.q[upper], true, self.rate))
            ratios.append(false_share(found.q[upper], true, self.rate))
            power.append(float((found.q[upper][true] <= self.rate).double().mean()) if planted else float("nan"))
            p_values.append(found.p[upper][~true].numpy())
        p = np.concatenate(p_values)
        error = float(np.std(ratios, ddof=1) / len(ratios) ** 0.5)
        row = {
            "estimator": estimator,
            "autocorrelation": correlation,
            "planted_pairs": planted,
            "false_discovery_ratio": float(np.mean(ratios)),
            "standard_error": error,
            "found_ratio": float(np.mean(power)) if planted else None,
            "p_below_0.05_ratio": float((p <= 0.05).mean()),
            "p_below_0.001_ratio": float((p <= 0.001).mean()),
            "row_shuffle_ratio": float(np.mean(naive)) if naive else None,
        }
        return row, p


def false_share(q: Tensor, true: Tensor, rate: float) -> float:
    """False discoveries over discoveries at ``rate``, 0 where there are none."""
    found = q <= rate
    return float((found & ~true).sum()) / max(1, int(found.sum()))
