"""Do the stated intervals of quantised MI and KSG hold the closed form, two small modules at a time?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from lmi.estimators.modules.quantized import quantized_mi
from lmi.estimators.neighbors.ksg import KSGEstimator
from lmi.report.modules import coverage_figure
from lmi.results import Result, Scalar
from lmi.sources.normal.linear import LinearModules
from lmi.types import Context

LEGEND = {
    "neurons a module": "of each of the two",
    "interval": "of which estimator",
    "truth inside": "layers whose interval holds the closed form",
    "mean truth (nats)": "mutual information in closed form, mean over layers",
    "median width (nats)": "of the intervals",
    "without an upper end": "intervals that are open upwards",
}


@dataclass(frozen=True)
class ModulesCoverage:
    """Coverage of 90% intervals over seeds; every seed draws new weights and new samples.

    Args:
        sides: neurons of each of the two modules, one case each.
        num_inputs: inputs of the random layer.
        num_samples: samples of each estimate.
        bins: codes a module.
        seeds: layers for each case.
        ksg: settings of KSG.
    """

    sides: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4)
    num_inputs: Annotated[int, Field(ge=1)] = 15
    num_samples: Annotated[int, Field(ge=1000)] = 100_000
    bins: Annotated[int, Field(ge=8)] = 128
    seeds: Annotated[int, Field(ge=1)] = 10
    ksg: KSGEstimator = field(default_factory=lambda: KSGEstimator(permutations=0))

    def run(self, context: Context) -> Result:
        """A row for each case and estimator, and all intervals."""
        names = ("quantised", "KSG, sampling error only", "KSG")
        intervals = np.empty((len(self.sides), len(names), self.seeds, 2))
        truths = np.empty((len(self.sides), self.seeds))
        cases = [(place, side, seed) for place, side in enumerate(self.sides) for seed in range(self.seeds)]
        for place, side, seed in context.bar(cases, "layers"):
            here = context.child(side, seed)
            source = LinearModules(self.num_inputs, (side, side), weight_seed=here.derive("weights"))
            pairs = source.sample(self.num_samples, here.generator("samples"))
            assert pairs.truth is not None
            truths[place, seed] = pairs.truth
            codes = quantized_mi(
                torch.cat([pairs.x, pairs.y], dim=1),
                torch.arange(2).repeat_interleave(side),
                self.bins,
                generator=here.generator("quantized"),
            )
            ksg = self.ksg.estimate(pairs.x, pairs.y, here)
            assert ksg.interval is not None
            intervals[place, 0, seed] = codes.pair(0, 1).interval
            half = ksg.details["sampling_error_nats"]
            intervals[place, 1, seed] = ksg.nats - half, ksg.nats + half
            intervals[place, 2, seed] = ksg.interval
        inside = (intervals[..., 0] <= truths[:, None]) & (truths[:, None] <= intervals[..., 1])
        width = intervals[..., 1] - intervals[..., 0]
        rows: list[dict[str, Scalar]] = [
            {
                "neurons a module": side,
                "interval": name,
                "truth inside": f"{int(inside[place, which].sum())} of {self.seeds}",
                "mean truth (nats)": float(truths[place].mean()),
                "median width (nats)": float(np.median(width[place, which])),
                "without an upper end": int(np.isinf(width[place, which]).sum()),
            }
            for place, side in enumerate(self.sides)
            for which, name in enumerate(names)
        ]
        return Result(
            "modules_coverage",
            answer="The truth lies inside the stated interval in "
            + ", ".join(
                f"{float(inside[:, which].mean()):.0%} of the cases by {name}" for which, name in enumerate(names)
            )
            + ".",
            metrics={
                f"{name.replace(', ', '_').replace(' ', '_')}_inside_ratio": float(inside[:, which].mean())
                for which, name in enumerate(names)
            },
            arrays={"intervals_nats": intervals, "truths_nats": truths},
            tables={"coverage": rows},
            legend=LEGEND,
            figures={"intervals": coverage_figure(self.sides, names, intervals, truths)},
            captions={
                "intervals": "Stated intervals minus the closed form, one line a seed; lines that cross zero hold the "
                "truth. Intervals without an upper end run off the panel."
            },
        )
