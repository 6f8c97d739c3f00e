"""The first half of the probe: a path over fixed strengths on all rows, the extreme neurons, kept against dropped ones."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from lmi.estimators.probes.bits import refit, scale
from lmi.estimators.probes.l1 import l1_path
from lmi.estimators.probes.probe import effect_size, folds
from lmi.report import probes as figures
from lmi.results import Result
from lmi.sources.planted.labelled import Labelled
from lmi.types import Context

if TYPE_CHECKING:
    from lmi.experiments.probes import Probe


def run(settings: Probe, data: Labelled, label: Any, positive: str, context: Context) -> Result:
    """The path over a range of C on all rows: sparsity, the extreme neurons, kept against dropped."""
    h = scale(data.h, data.h) if settings.standardise else data.h
    strengths = np.unique(np.append(np.linspace(settings.weakest, settings.strongest, settings.num_strengths),
                                    settings.shown_strength))  # fmt: skip
    start = time.perf_counter()
    path = l1_path(h, label, strengths)
    seconds = time.perf_counter() - start
    at = int(np.searchsorted(strengths, settings.shown_strength))
    accuracies = ((path.logits(h) > 0) == label).mean(axis=1)
    rows: list[dict[str, Any]] = [
        {
            "C": float(c),
            "zero_ratio": float(1 - kept.mean()),
            "kept_count": int(kept.sum()),
            "accuracy_ratio": float(a),
            "objective": float(o),
            "gap": float(g),
            "iterations_count": int(i),
            "intercept": float(b),
        }
        for c, kept, a, o, g, i, b in zip(
            strengths, path.kept, accuracies, path.objectives, path.gaps, path.iterations, path.intercepts
        )
    ]
    weights, kept = path.coefficients[at], path.kept[at]
    if not kept.any():
        raise ValueError(f"no neuron is kept at C = {settings.shown_strength:g}: raise shown_strength")
    effects = effect_size(h, label)
    low, high = extremes(weights)
    pair = h[:, [low, high]]
    pair_weights, pair_intercept = refit(pair, label, precision=1e-2)
    pair_accuracy = float(((pair @ pair_weights + pair_intercept > 0) == label).mean())
    pair_correlation = float(np.asarray(np.corrcoef(pair.T))[0, 1])
    correlations = {name: correlation_sample(h, which) for name, which in (("kept", kept), ("dropped", ~kept))}
    variances = {"kept": data.h[:, kept].var(axis=0), "dropped": data.h[:, ~kept].var(axis=0)}
    notes = []
    if accuracies[-1] == 1:
        notes.append(
            "a plane separates the classes perfectly on these rows: without the penalty the weights would grow without "
            "end, so their sizes and even which neurons are kept say little"
        )
    if weights.min() >= 0 or weights.max() <= 0:
        sign = "negative" if weights.min() >= 0 else "positive"
        notes.append(
            f"no coefficient is {sign} at C = {settings.shown_strength:g}; shown as the most {sign} is the kept neuron "
            f"with the smallest coefficient (a solver stopped early shows {sign} ones that the optimum does not have)"
        )
    idle = float(np.abs(effects[~kept]).max()) if not kept.all() else 0.0
    metrics: dict[str, Any] = {
        "shown_kept_count": int(kept.sum()),
        "shown_zero_ratio": float(1 - kept.mean()),
        "shown_accuracy_ratio": float(accuracies[at]),
        "shown_held_out_accuracy_ratio": held_out_accuracy(settings, data, label, context),
        "shown_iterations_count": int(path.iterations[at]),
        "shown_intercept": float(path.intercepts[at]),
        "path_seconds": seconds,
        "largest_dropped_effect": idle,
        "pair_accuracy_ratio": pair_accuracy,
        "pair_correlation": pair_correlation,
    }
    tables: dict[str, list[dict[str, Any]]] = {"strengths": rows}
    if settings.saga_iterations:
        tables["solvers"] = solvers(settings, h, label)
    names = (f"not {positive}", positive)
    return Result(
        experiment="fixed",
        metrics=metrics,
        arrays={
            "strengths": strengths,
            "coefficients": path.coefficients,
            "effect_sizes": effects,
            "extreme_neurons": np.array([low, high]),
        },
        tables=tables,
        legend=figures.LEGEND,
        figures={
            "activations": figures.activations(h, label, names, data.name),
            "strengths": figures.strengths(strengths, 1 - path.kept.mean(axis=1), accuracies, settings.shown_strength),
            "effects": figures.effects(effects, weights),
            "extremes": figures.extremes(
                pair, label, names, (low, high), weights[[low, high]], pair_weights, pair_intercept
            ),
            "kept_dropped": figures.kept_dropped(variances, correlations),
        },
        captions={
            "activations": f"Left: {h.shape[0]} rows by {h.shape[1]} neurons (both thinned to what can be seen), rows "
            "sorted by class. Right: the distribution of all activations in each class.",
            "strengths": "Share of neurons with zero weight and accuracy on the fitted rows along C (a larger C is a "
            "weaker penalty), each solution within a millionth of its optimum.",
            "effects": f"Each neuron's effect size against its coefficient at C = {settings.shown_strength:g}. Dropped "
            f"neurons lie on the line at zero, with effects of up to {idle:.1f}: zero weight is not zero information.",
            "extremes": "The neurons with the most negative and the most positive coefficient: their distributions by "
            f"class, and a probe of these two (accuracy {pair_accuracy:.3f}; correlation {pair_correlation:+.2f}).",
            "kept_dropped": "Variances of kept and dropped neurons as they came, and correlations among kept and among "
            "dropped ones.",
        },
        notes=tuple(notes),
    )


def extremes(weights: Any) -> tuple[int, int]:
    """The neurons with the most negative and the most positive coefficient, among the kept ones, two in any case."""
    order = np.argsort(weights, kind="stable")
    order = order[weights[order] != 0]
    if order.size > 1:
        return int(order[0]), int(order[-1])
    spare = next(j for j in range(weights.size) if j != order[0]) if weights.size > 1 else order[0]
    return int(spare), int(order[0])


def correlation_sample(h: Any, which: Any, most: int = 300) -> Any:
    """Correlations between all pairs of at most ``most`` of the chosen neurons, evenly picked."""
    places = np.flatnonzero(which)
    if places.size < 2:
        return np.zeros(0)
    places = places[np.linspace(0, places.size - 1, min(most, places.size)).astype(int)]
    return np.corrcoef(h[:, places].T)[np.triu_indices(places.size, 1)]


def held_out_accuracy(settings: Probe, data: Labelled, label: Any, context: Context) -> float:
    """Accuracy at the shown C on rows of documents that the fit has not seen."""
    hits = np.empty(label.size, dtype=bool)
    for rest, fold in folds(label, data.documents, settings.num_folds, context.derive("folds")):
        fitted, held_out = data.h[rest], data.h[fold]
        if settings.standardise:
            fitted, held_out = scale(fitted, data.h[rest]), scale(held_out, data.h[rest])
        path = l1_path(fitted, label[rest], [settings.shown_strength])
        hits[fold] = (path.logits(held_out)[0] > 0) == label[fold]
    return float(hits.mean())


def solvers(settings: Probe, h: Any, label: Any) -> list[dict[str, Any]]:
    """The same problem at the shown C by this path's solver, from scratch, and by scikit-learn's saga."""
    strength = settings.shown_strength
    start = time.perf_counter()
    alone = l1_path(h, label, [strength])
    rows: list[dict[str, Any]] = [
        solver_row(
            "working set", alone.coefficients[0], alone.intercepts[0], alone.iterations[0], start, h, label, strength
        )
    ]
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the row tells how far it came
        model = LogisticRegression(
            C=strength, l1_ratio=1, solver="saga", max_iter=settings.saga_iterations, random_state=0
        ).fit(h, label)
    rows.append(solver_row("saga", model.coef_[0], model.intercept_[0], model.n_iter_[0], start, h, label, strength))
    return rows


def solver_row(
    name: str, weights: Any, intercept: Any, iterations: Any, start: float, h: Any, label: Any, strength: float
) -> dict[str, Any]:
    """One solver's outcome, its objective computed in one place for all."""
    logits = h @ weights + intercept
    loss = np.logaddexp(0, np.where(label, -logits, logits)).sum()
    return {
        "solver": name,
        "seconds": time.perf_counter() - start,
        "objective": float(np.abs(weights).sum() + strength * loss),
        "iterations_count": int(iterations),
        "kept_count": int((weights != 0).sum()),
        "negative_count": int((weights < 0).sum()),
    }
