"""Figures of a sparse probe at fixed strengths: what it sees, what it keeps, what it drops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lmi.report.style import BLUE, DIVERGING, GREY, INK, ORANGE, dress, new_figure

LEGEND = {
    "class": "what is told from the rest",
    "told_from": "the rest",
    "rows_count": "rows of the class",
    "label_bits": "entropy of the label: the most that can be known",
    "sparse_bits": "held-out information of the sparse probe about the label",
    "sparse_error_bits": "its standard error over rows",
    "saturated_count": "neurons that say as much as more do, mean over folds",
    "neuron": "its number",
    "shared_within_classes_bits": "the same with the mean of each class taken off: what they share beyond the label",
    "solver": "whose L1 path",
    "accuracy_ratio": "share of rows told right, on the rows it was fitted to",
    "negative_count": "weights below zero",
    "intercept": "of the fitted line",
    "iterations_count": "of the solver",
    "objective": "what is minimised: the L1 norm and C times the loss",
    "seconds": "wall time",
    "C": "inverse strength of the L1 penalty",
    "kept_count": "neurons with a weight, mean over folds",
    "l1_bits": "held-out information of the penalised weights",
    "refitted_bits": "the same after fitting the kept neurons anew without penalty",
    "error_bits": "standard error over rows",
    "selected_ratio": "share of half samples that select the neuron",
    "effect_size": "Cohen's d: difference of the means over the mean of the two standard deviations",
    "own_bits": "what the neuron says alone",
    "lost_without_bits": "what the stable set loses without it",
    "stand_in": "the neuron most like it outside the set",
    "shared_bits": "MI of the neuron and its stand-in",
    "lost_by_swap_bits": "what the set loses with the stand-in in its place",
    "zero_ratio": "share of weights that are zero",
    "gap": "duality gap: how far the objective is from its optimum at most",
    "share_ratio": "share of the rows",
}


def activations(h: Any, label: Any, names: Sequence[str], title: str, most: int = 400) -> Figure:
    """Image of the activations (n, d), rows sorted by class, and the distribution of all values in each class.

    Args:
        h: (n, d).
        label: (n,) class numbers.
        names: of the classes.
        title: of the figure.
        most: rows and columns that are drawn.
    """
    figure = new_figure(8.4, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    order = np.argsort(label, kind="stable")
    rows = order[np.linspace(0, order.size - 1, min(most, order.size)).astype(int)]
    columns = np.linspace(0, h.shape[1] - 1, min(most, h.shape[1])).astype(int)
    limit = float(np.quantile(np.abs(h[rows][:, columns]), 0.99)) or 1.0
    image = left.imshow(
        h[np.ix_(rows, columns)], cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest",
        extent=(0, h.shape[1], h.shape[0], 0),
    )  # fmt: skip
    left.axhline(float((~label).sum()), color=INK, linewidth=1)
    dress(left, title, "neuron", f"row: {names[0]} above, {names[1]} below")
    bar = figure.colorbar(image, ax=left)
    bar.set_label("activation", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    thin = h[:, columns]
    low, high = np.quantile(thin, [0.001, 0.999])
    edges = np.linspace(low, high, 80)
    for side, name, color in ((False, names[0], BLUE), (True, names[1], ORANGE)):
        right.hist(thin[label == side].ravel(), edges, density=True, color=color, alpha=0.6, label=name)
    dress(right, "all activations by class", "activation", "density")
    right.legend(fontsize=8, frameon=False)
    return figure


def strengths(c: Any, zero: Any, accuracy: Any, shown: float) -> Figure:
    """Share of zero coefficients and accuracy over C, (p,) each.

    Args:
        c: (p,) values of C.
        zero: (p,) share of zero coefficients.
        accuracy: (p,).
        shown: C of the figures beside it.
    """
    figure = new_figure(6.4, 3.6)
    left = dress(figure.add_subplot(), "", "C, inverse strength of the penalty", "share of neurons with zero weight")
    left.plot(c, zero, "o-", color=BLUE, markersize=4, label="zero weights")
    left.axvline(shown, color=GREY, linewidth=0.8, linestyle=":")
    left.ticklabel_format(useOffset=False)
    right = left.twinx()
    right.plot(c, accuracy, "s-", color=ORANGE, markersize=3, label="accuracy")
    right.set_ylim(min(0.5, *accuracy) - 0.02, 1.02)
    right.set_ylabel("accuracy on the fitted rows", fontsize=9, color=INK)
    right.tick_params(labelsize=8, colors=INK)
    right.spines["top"].set_visible(False)
    handles = [*left.get_lines()[:1], *right.get_lines()]
    left.legend(handles, ["zero weights", "accuracy (right axis)"], fontsize=8, frameon=False, loc="center right")
    return figure


def effects(effect: Any, weights: Any) -> Figure:
    """Cohen's d of each neuron against its coefficient, kept and dropped apart, (d,) each, with their distributions."""
    kept = weights != 0
    figure = new_figure(8.4, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    left.axhline(0, color=GREY, linewidth=0.6)
    left.scatter(
        effect[~kept], weights[~kept], s=7, color=GREY, alpha=0.4, linewidths=0, label=f"dropped, {(~kept).sum()}"
    )
    left.scatter(effect[kept], weights[kept], s=14, color=ORANGE, linewidths=0, label=f"kept, {kept.sum()}")
    dress(left, "large effects, zero weight", "Cohen's d between the classes", "coefficient")
    left.legend(fontsize=8, frameon=False)
    edges = np.linspace(effect.min(), effect.max() + 1e-9, 40)
    for which, color, name in ((~kept, GREY, "dropped"), (kept, ORANGE, "kept")):
        if which.any():
            right.hist(effect[which], edges, density=True, color=color, alpha=0.65, label=name)
    dress(right, "effect sizes", "Cohen's d between the classes", "density")
    right.legend(fontsize=8, frameon=False)
    return figure


def extremes(
    pair: Any, label: Any, names: Sequence[str], neurons: Sequence[int], weights: Any, refit: Any, intercept: float
) -> Figure:
    """Histograms by class of the two neurons with the extreme coefficients, and their plane with a two-neuron refit.

    Args:
        pair: (n, 2) activations.
        label: (n,) the class.
        names: of the negative and the positive class.
        neurons: their two places.
        weights: (2,) their coefficients in the sparse probe.
        refit: (2,) coefficients of the probe of these two.
        intercept: its intercept.
    """
    figure = new_figure(10.2, 3.3)
    panels = figure.subplots(1, 3)
    for index in range(2):
        edges = np.linspace(pair[:, index].min(), pair[:, index].max(), 36)
        for side, name, color in ((False, names[0], BLUE), (True, names[1], ORANGE)):
            panels[index].hist(pair[label == side, index], edges, density=True, color=color, alpha=0.6, label=name)
        kind = ("lowest", "highest")[index]
        title = f"{kind} weight: neuron {neurons[index]} ({weights[index]:+.3f})"
        dress(panels[index], title, "activation", "density" if index == 0 else "")
    panels[0].legend(fontsize=8, frameon=False)
    plane = panels[2]
    for side, color in ((False, BLUE), (True, ORANGE)):
        plane.scatter(*pair[label == side].T, s=7, color=color, alpha=0.6, linewidths=0)
    box = [*plane.get_xlim(), *plane.get_ylim()]
    if abs(refit[1]) > 1e-12:
        x = np.linspace(box[0], box[1], 2)
        plane.plot(x, -(intercept + refit[0] * x) / refit[1], color=INK, linewidth=1.2)
        plane.set_xlim(box[0], box[1])
        plane.set_ylim(box[2], box[3])
    dress(plane, "refit on these two", f"neuron {neurons[0]}", f"neuron {neurons[1]}")
    return figure


def kept_dropped(variances: Mapping[str, Any], correlations: Mapping[str, Any]) -> Figure:
    """Densities of variances, and of correlations between pairs, among kept and among dropped neurons."""
    figure = new_figure(8.4, 3.3)
    left, right = figure.subplots(1, 2)
    for axes, values, title, x in (
        (left, variances, "variance", "variance of a neuron"),
        (right, correlations, "correlation between neurons", "correlation of a pair"),
    ):
        everything = np.concatenate([np.asarray(v) for v in values.values()])
        low, high = everything.min(), everything.max()
        edges = np.linspace(low - 1e-3, high + 1e-3, 50) if high > low + 1e-6 else np.linspace(low - 0.5, low + 0.5, 50)
        for (name, value), color in zip(values.items(), (ORANGE, GREY)):
            if np.size(value):
                label = f"{name}, mean {np.mean(value):.3f}"
                axes.hist(value, edges, density=True, color=color, alpha=0.65, label=label)
        dress(axes, title, x, "density")
        axes.legend(fontsize=8, frameon=False)
    return figure
