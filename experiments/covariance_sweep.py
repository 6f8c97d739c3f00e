"""The sweep of the covariance experiment: every estimator against the analytic value over a range of correlations."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lmi.estimators.pairwise import rowwise
from lmi.report import covariance as figures
from lmi.results import Result
from lmi.types import Context

if TYPE_CHECKING:
    from lmi.experiments.covariance import Covariance


@dataclass(frozen=True, eq=False)
class Sweep:
    """Every estimator along the sweep, (m,) each: population correlation, sample covariance, analytic MI, estimates."""

    r: Any
    covariance: Any
    truth: Any
    batches: dict[str, rowwise.Batch]
    seconds: float


def measure_sweep(settings: Covariance, context: Context) -> Sweep:
    """Draw the Gaussian pairs and measure all of them in one batch."""
    top, m, n = settings.largest_correlation, settings.sweep_points, settings.sweep_samples
    r = np.linspace(-top, top, m)
    x, z = torch.randn(2, m, n, generator=context.generator("sweep"), dtype=torch.float64).numpy()
    y = r[:, None] * x + np.sqrt(1 - r[:, None] ** 2) * z
    start = time.perf_counter()
    covariance = ((x - x.mean(axis=1, keepdims=True)) * y).sum(axis=1) / (n - 1)
    batches = {
        "ksg": rowwise.ksg(x, y, settings.k, context.generator("subsamples")),
        "histogram": rowwise.histogram(x, y, settings.bins),
        "gaussian": rowwise.gaussian(x, y),
    }
    return Sweep(r, covariance, -0.5 * np.log1p(-(r**2)), batches, time.perf_counter() - start)


def sweep(settings: Covariance, context: Context) -> Result:
    """Gaussian pairs over a range of correlations: every estimator against the analytic value."""
    top, m, n = settings.largest_correlation, settings.sweep_points, settings.sweep_samples
    measured = measure_sweep(settings, context)
    r, covariance, truth, batches = measured.r, measured.covariance, measured.truth, measured.batches
    rows: list[dict[str, Any]] = []
    for name, batch in batches.items():
        for kind, nats in (("as defined", batch.nats), ("corrected", batch.corrected)):
            error = nats - truth
            rows.append(
                {
                    "estimator": name,
                    "kind": kind,
                    "bias_nats": float(error.mean()),
                    "rmse_nats": float(np.sqrt((error**2).mean())),
                    "coverage_ratio": float((np.abs(error) <= batch.half_width).mean()),
                    "correlation_with_squared_covariance": float(np.corrcoef(nats, covariance**2)[0, 1]),
                    "correlation_with_truth": float(np.corrcoef(nats, truth)[0, 1]),
                }
            )
    ksg, histogram = batches["ksg"], batches["histogram"]
    return Result(
        experiment="sweep",
        metrics={
            "sweep_seconds": measured.seconds,
            **{f"{name}_coverage_ratio": float(batch.covers(truth).mean()) for name, batch in batches.items()},
            "correlation_ksg_covariance": float(np.corrcoef(ksg.nats, covariance)[0, 1]),
            "correlation_ksg_squared_covariance": float(np.corrcoef(ksg.nats, covariance**2)[0, 1]),
            "correlation_ksg_histogram": float(np.corrcoef(ksg.nats, histogram.nats)[0, 1]),
        },
        arrays={
            "sweep_correlation": r,
            "sweep_covariance": covariance,
            "sweep_truth_nats": truth,
            **{
                f"sweep_{name}_{field}": getattr(batch, field)
                for name, batch in batches.items()
                for field in ("nats", "corrected", "half_width")
            },
        },
        tables={"sweep": rows},
        legend=figures.LEGEND,
        figures={
            "sweep": figures.sweep(
                r,
                covariance,
                truth,
                {
                    "KSG, with 90% intervals": ksg.nats,
                    f"histogram, {settings.bins} bins": histogram.nats,
                    "histogram, Miller-Madow": histogram.corrected,
                },
                ksg.half_width,
            ),
            "against": figures.against(covariance, truth, ksg.nats, histogram.nats),
            "bias": figures.bias(
                r,
                {name: batch.nats - truth for name, batch in batches.items()},
                {name: batch.corrected - truth for name, batch in batches.items()},
            ),
        },
        captions={
            "sweep": f"{m} Gaussian pairs of {n} samples, correlations from {-top:g} to {top:g}. Covariance has a "
            "sign and is linear in r, MI neither: two pairs of opposite covariance share the same information.",
            "against": "Left: squared covariance against MI follows 1 - exp(-2 I), so it saturates where MI goes on "
            "growing. Right: the histogram against KSG; it lies above the line of equality at low MI, where its "
            "bias is all that it reports.",
            "bias": "Estimate minus the analytic value, each dot one pair, lines running means. Corrections: KSG "
            "extrapolated in 1/n from its halves, histogram by Miller and Madow, correlation by its exact bias.",
        },
        notes=(
            f"the histogram's intervals contain the truth in {np.mean(histogram.covers(truth)):.0%} of points: "
            "intervals are for sampling error and its bias is larger",
        )
        if np.mean(histogram.covers(truth)) < 0.8
        else (),
    )
