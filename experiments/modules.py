"""How much do groups of neurons share? Closed form, Jacobian, quantised, KSG and latent MI side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from lmi.estimators.modules.closed_form import gaussian_mi, gaussian_mi_matrix, gaussian_mi_samples
from lmi.estimators.modules.jacobian import jacobian_mi
from lmi.estimators.modules.quantized import quantized_mi
from lmi.estimators.neighbors.ksg import KSGEstimator
from lmi.latent import LatentEstimator
from lmi.report.modules import LEGEND, estimators_figure, matrices_figure
from lmi.results import Result, Scalar
from lmi.sources.normal.linear import LinearModules, NormalLinear
from lmi.types import Context, Estimate


@dataclass(frozen=True)
class Modules:
    """Every estimator of MI between modules against the closed form.

    Args:
        reference: a layer in two modules, small enough for every estimator.
        wide: a layer in more modules, measured two by two.
        num_samples: sample sizes on the reference; the largest is used for the wide layer and over bins.
        bins: codes a module, for the quantised estimator.
        repeats: independent samples at each size.
        ksg: settings of KSG.
        latent: settings of latent MI.
    """

    reference: LinearModules = field(default_factory=lambda: LinearModules(15, (3, 4)))
    wide: LinearModules = field(default_factory=lambda: LinearModules(200, (15, 15, 15, 15), coupling=0.5))
    num_samples: tuple[Annotated[int, Field(ge=200)], ...] = (1000, 3000, 10_000)
    bins: tuple[Annotated[int, Field(ge=8)], ...] = (8, 16, 32, 64)
    repeats: Annotated[int, Field(ge=1)] = 3
    ksg: KSGEstimator = field(default_factory=lambda: KSGEstimator(permutations=0))
    latent: LatentEstimator = field(default_factory=lambda: LatentEstimator(permutations=0))

    def run(self, context: Context) -> Result:
        """The reference over sample sizes and bins, then the wide layer module by module."""
        layer, labels = self.reference.build()
        truth = gaussian_mi(layer.cov, labels)
        rows: list[dict[str, Scalar]] = [
            _row("closed form", None, None, truth, None, truth),
            _row("Jacobian", None, None, _jacobian(layer, labels, context), None, truth),
        ]
        largest = max(self.num_samples)
        names = ("Gaussian, debiased", "quantised", "KSG", "latent")
        estimates = {name: np.empty((self.repeats, len(self.num_samples))) for name in names}
        brackets = np.empty((len(self.bins), 3))
        cases = [(place, size, repeat) for place, size in enumerate(self.num_samples) for repeat in range(self.repeats)]
        for place, size, repeat in context.bar(cases, "sample sizes"):
            here = context.child("reference", size, repeat)
            y = layer(layer.inputs(size, here.generator("samples")))
            for count in self.bins if size == largest and repeat == 0 else (self._bins(size),):
                pair = quantized_mi(y, labels, count, generator=here.generator("quantized")).pair(0, 1)
                if size == largest and repeat == 0:
                    assert pair.interval is not None
                    brackets[self.bins.index(count)] = pair.interval[0], pair.nats, pair.interval[1]
                if count == self._bins(size):
                    estimates["quantised"][repeat, place] = pair.nats
                if repeat == 0:
                    rows.append(_row("quantised", size, count, pair.nats, pair, truth))
            a, b = y[:, labels == 0], y[:, labels == 1]
            pair_estimates = {"KSG": self.ksg.estimate(a, b, here), "latent": self.latent.estimate(a, b, here)}
            estimates["Gaussian, debiased"][repeat, place] = gaussian_mi_samples(y, labels)
            for name, estimate in pair_estimates.items():
                estimates[name][repeat, place] = estimate.nats
                if repeat == 0:
                    rows.append(_row(name, size, None, estimate.nats, estimate, truth))
            if repeat == 0:
                rows.append(
                    _row("Gaussian, debiased", size, None, estimates["Gaussian, debiased"][0, place], None, truth)
                )
        pairs, matrices, total = self._wide(largest, context)
        return Result(
            "modules",
            answer=f"Two modules of a linear layer share {truth:.4f} nats in closed form; on {largest} samples "
            + ", ".join(f"{name} says {values[0, -1]:.4f}" for name, values in estimates.items())
            + ".",
            legend=LEGEND,
            metrics={"truth_nats": truth, "jacobian_nats": rows[1]["nats"], **total},
            arrays={
                "num_samples": np.array(self.num_samples),
                "bins": np.array(self.bins),
                "quantised_low_estimate_high_nats": brackets,
                **{f"{name}_nats": values for name, values in estimates.items()},
                **{f"wide {name}_nats": values for name, values in matrices.items()},
            },
            tables={"two modules": rows, "wide layer, pairs of modules": pairs},
            figures={
                "estimators": estimators_figure(self.num_samples, estimates, self.bins, brackets, truth),
                "matrices": matrices_figure(matrices),
            },
            captions={
                "estimators": "Mean (lines) and range (bands) over repeats on the reference layer; the dashed line is "
                "the closed form. Codes share less than the modules do: quantised MI starts low and its stated "
                "interval ends at the extrapolation to infinitely many codes.",
                "matrices": "MI between every two modules of the wide layer, on one colour scale. Each module has many "
                "neurons, where codes and nearest neighbours see little of what is there.",
            },
        )

    def _bins(self, size: int) -> int:
        """The most of ``bins`` that leave five samples a cell of the joint table; at least the fewest."""
        return max([count for count in self.bins if 5 * count**2 <= size], default=min(self.bins))

    def _wide(
        self, size: int, context: Context
    ) -> tuple[list[dict[str, Scalar]], dict[str, np.ndarray], dict[str, Scalar]]:
        layer, labels = self.wide.build()
        here = context.child("wide")
        y = layer(layer.inputs(size, here.generator("samples")))
        count = int(labels.max()) + 1
        truth = gaussian_mi_matrix(layer.cov, labels).numpy()
        codes = quantized_mi(y, labels, self._bins(size), generator=here.generator("quantized"))
        matrices = {"closed form": truth, "quantised": codes.nats.numpy()}
        for name in ("Jacobian", "Gaussian, debiased", "KSG", "latent"):
            matrices[name] = np.full((count, count), np.nan)
        rows: list[dict[str, Scalar]] = []
        pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
        for a, b in context.bar(pairs, "pairs of modules"):
            two = torch.cat([(labels == a).nonzero(), (labels == b).nonzero()]).flatten()
            part = NormalLinear(layer.weight[two])
            measured = {
                "Jacobian": _jacobian(part, labels[two], here),
                "Gaussian, debiased": gaussian_mi_samples(y[:, two], labels[two]),
                "KSG": self.ksg.estimate(y[:, labels == a], y[:, labels == b], here).nats,
                "latent": self.latent.estimate(y[:, labels == a], y[:, labels == b], here.child(a, b)).nats,
            }
            for name, nats in measured.items():
                matrices[name][a, b] = matrices[name][b, a] = nats
            rows.append({"pair": f"{a}-{b}", **{f"{name}_nats": float(m[a, b]) for name, m in matrices.items()}})
        total: dict[str, Scalar] = {
            "wide_total_correlation_nats": gaussian_mi(layer.cov, labels),
            "wide_total_correlation_jacobian_nats": _jacobian(layer, labels, here),
            "wide_total_correlation_samples_nats": gaussian_mi_samples(y, labels),
        }
        order = ("closed form", "Jacobian", "Gaussian, debiased", "quantised", "KSG", "latent")
        return rows, {name: matrices[name] for name in order}, total


def _jacobian(layer: NormalLinear, labels: Tensor, context: Context) -> float:
    return jacobian_mi(layer, layer.inputs(4, context.generator("jacobian")), labels).nats


def _row(
    name: str, size: int | None, bins: int | None, nats: float, estimate: Estimate | None, truth: float
) -> dict[str, Scalar]:
    low, high = (None, None) if estimate is None or estimate.interval is None else estimate.interval
    inside = None if low is None or high is None else low <= truth <= high
    return {
        "estimator": name,
        "samples": size,
        "bins": bins,
        "nats": float(nats),
        "error_nats": float(nats) - truth,
        "low_nats": low,
        "high_nats": high,
        "truth_inside": inside,
    }
