"""Do the probe and the sweep keep their promises? Speed against saga, coverage of the truth, planted neurons found."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from lmi.estimators.probes.bits import bits_curve, path_strengths, scale
from lmi.estimators.probes.l1 import l1_path
from lmi.estimators.probes.probe import folds
from lmi.estimators.probes.stability import stability_selection
from lmi.experiments.covariance import Covariance
from lmi.experiments.covariance_sweep import measure_sweep
from lmi.experiments.measure import bar_row, bars_answer
from lmi.experiments.probes import Probe
from lmi.report.legend import BARS
from lmi.results import Result
from lmi.sources.planted.labelled import PlantedNeurons, ShiftedClasses
from lmi.types import Context

LEGEND = {
    **BARS,
    "C": "inverse strength of the L1 penalty",
    "path_objective": "of this project's path: what is minimised",
    "path_gap": "its duality gap, over the objective",
    "saga_objective": "the same of scikit-learn's saga",
    "path_kept_count": "neurons with a weight",
    "saga_kept_count": "the same of saga",
    "path_seconds": "wall time of the path, spread over its strengths",
    "saga_seconds": "wall time of saga",
    "repeat": "a fresh data set each",
    "ksg_coverage_ratio": "share of 90% intervals that hold the truth",
    "histogram_coverage_ratio": "the same of the histogram",
    "gaussian_coverage_ratio": "the same of the Gaussian estimate",
    "seconds": "wall time of the sweep",
    "truth_bits": "what the planted neurons say about the label",
    "sparse_bits": "held-out information of the sparse probe",
    "sparse_error_bits": "its standard error",
    "sparse_minus_truth_bits": "the difference",
    "saturated_count": "neurons that say as much as more do, mean over folds",
    "planted_stable_count": "planted neurons that the stable set has",
    "false_stable_count": "others that it has",
}


@dataclass(frozen=True)
class TeachingBars:
    """The measured promises of ``experiment=covariance`` and ``experiment=probe``, side by side with what they beat.

    Args:
        repeats: fresh data sets for the sweep and for the planted neurons.
        saga_iterations: saga's ``max_iter``; 100 is scikit-learn's default.
        probe: the settings of the planted case.
        planted: the planted case.
        sweep: the settings of the sweep.
    """

    repeats: int = 5
    saga_iterations: int = 100
    probe: Probe = field(default_factory=Probe)
    planted: PlantedNeurons = field(default_factory=PlantedNeurons)
    sweep: Covariance = field(default_factory=Covariance)

    def run(self, context: Context) -> Result:
        """Three tables and a line for each bar."""
        path, sweep, planted = self.path(context), self.sweeps(context), self.planted_neurons(context)
        ours, saga = (sum(row[f"{name}_seconds"] for row in path) for name in ("path", "saga"))
        error = np.array([row["sparse_minus_truth_bits"] for row in planted])
        metrics: dict[str, Any] = {
            "saga_over_path_ratio": saga / ours,
            "largest_excess_over_saga": max(row["path_objective"] - row["saga_objective"] for row in path),
            "largest_gap": max(row["path_gap"] for row in path),
            "sweep_ksg_coverage_ratio": float(np.mean([row["ksg_coverage_ratio"] for row in sweep])),
            "sweep_smallest_ksg_coverage_ratio": min(row["ksg_coverage_ratio"] for row in sweep),
            "sweep_seconds": max(row["seconds"] for row in sweep),
            "planted_largest_error_bits": float(np.abs(error).max()),
            "planted_mean_error_bits": float(error.mean()),
            "planted_fewest_stable_count": min(row["planted_stable_count"] for row in planted),
        }
        bars: list[dict[str, Any]] = [
            bar_row("path against saga, times faster", metrics["saga_over_path_ratio"], "times faster", ">=", 50),
            bar_row("path's objective less saga's, largest", metrics["largest_excess_over_saga"], "", "<=", 0),
            bar_row(
                "truth inside KSG's 90% intervals, mean over repeats",
                metrics["sweep_ksg_coverage_ratio"],
                "share",
                ">=",
                0.9,
            ),
            bar_row("sweep, seconds, slowest", metrics["sweep_seconds"], "s", "<=", 5),
            bar_row("planted, bits from the truth, largest", metrics["planted_largest_error_bits"], "bits", "<=", 0.05),
            bar_row("planted, stable of 10, fewest", metrics["planted_fewest_stable_count"], "", ">=", 8),
        ]
        tables = {"bars": bars, "path": path, "sweep": sweep, "planted": planted}
        return Result(
            experiment="teaching_bars", metrics=metrics, tables=tables, legend=LEGEND, answer=bars_answer(bars)
        )

    def path(self, context: Context) -> list[dict[str, Any]]:
        """17 strengths on 200 x 3000: this project's path in one call, saga in a loop; seconds spread over the rows."""
        data = ShiftedClasses().labelled(context)
        label = data.labels == data.labels[-1]
        strengths = np.linspace(self.probe.weakest, self.probe.strongest, self.probe.num_strengths)
        l1_path(data.h[::10, :20], label[::10], strengths[:2])  # compiles
        start = time.perf_counter()
        path = l1_path(data.h, label, strengths)
        seconds = (time.perf_counter() - start) / strengths.size
        rows: list[dict[str, Any]] = []
        for index, strength in context.bar(list(enumerate(strengths)), "saga"):
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the objective tells how far it came
                model = LogisticRegression(
                    C=strength, l1_ratio=1, solver="saga", max_iter=self.saga_iterations, random_state=0
                ).fit(data.h, label)
            saga_seconds = time.perf_counter() - start
            logits = data.h @ model.coef_[0] + model.intercept_[0]
            loss = np.logaddexp(0, np.where(label, -logits, logits)).sum()
            rows.append(
                {
                    "C": float(strength),
                    "path_objective": float(path.objectives[index]),
                    "path_gap": float(path.gaps[index]),
                    "saga_objective": float(np.abs(model.coef_).sum() + strength * loss),
                    "path_kept_count": int(path.kept[index].sum()),
                    "saga_kept_count": int((model.coef_ != 0).sum()),
                    "path_seconds": seconds,
                    "saga_seconds": saga_seconds,
                }
            )
        return rows

    def sweeps(self, context: Context) -> list[dict[str, Any]]:
        """Share of the sweep's points whose 90% interval holds the analytic value, on fresh data each time."""
        rows: list[dict[str, Any]] = []
        for repeat in context.bar(list(range(self.repeats)), "sweep"):
            measured = measure_sweep(self.sweep, context.child("sweep", repeat))
            coverage = {
                f"{name}_coverage_ratio": float(batch.covers(measured.truth).mean())
                for name, batch in measured.batches.items()
            }
            rows.append({"repeat": repeat, **coverage, "seconds": measured.seconds})
        return rows

    def planted_neurons(self, context: Context) -> list[dict[str, Any]]:
        """Plateau against the known information, and how many planted neurons are stable, on fresh data each time."""
        rows: list[dict[str, Any]] = []
        for repeat in context.bar(list(range(self.repeats)), "planted"):
            part, settings = context.child("planted", repeat), self.probe
            data = self.planted.labelled(part)
            label = data.labels == data.labels[-1]
            h = scale(data.h, data.h)
            splits = folds(label, data.documents, settings.num_folds, part.derive("folds"))
            strengths = path_strengths(h, label, settings.path_points, settings.path_ratio)
            curve = bits_curve(data.h, label, data.documents, strengths, splits, settings.most_kept, part.bar)
            stability = stability_selection(
                h, label, data.documents, settings.stability_pairs, settings.threshold, settings.false_bound,
                part.derive("halves") % 2**31, part.bar,
            )  # fmt: skip
            truth, planted = data.truth_bits, data.informative
            assert truth is not None  # the planted case knows both
            assert planted is not None
            selected = int(np.isin(planted, stability.stable).sum())
            rows.append(
                {
                    "repeat": repeat,
                    "truth_bits": truth,
                    "sparse_bits": curve.known_bits,
                    "sparse_error_bits": curve.known_error,
                    "sparse_minus_truth_bits": curve.known_bits - truth,
                    "saturated_count": float(curve.kept[curve.saturated]),
                    "planted_stable_count": selected,
                    "false_stable_count": int(stability.stable.size) - selected,
                }
            )
        return rows
