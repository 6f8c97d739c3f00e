"""Figures where covariance and mutual information part ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lmi.report.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SEQUENTIAL, dress, grid, new_figure

ESTIMATOR_COLORS = {"ksg": BLUE, "histogram": ORANGE, "gaussian": GREEN}
ESTIMATOR_LABELS = {"ksg": "KSG", "histogram": "histogram", "gaussian": "from the correlation"}
MEASURE_TITLES = ("|covariance|", "|Spearman|", "distance correlation", "MI as a correlation")


LEGEND = {
    "relation": "how Y is made from X",
    "covariance": "of X and Y, each of standard deviation 1",
    "ksg_nats": "mutual information by KSG",
    "kind": "linear or quadratic relation",
    "estimator": "what measured it",
    "shape": "of the cloud of points",
    "spearman": "rank correlation",
    "p_spearman": "of the rank correlation",
    "p_distance": "of the distance correlation",
    "p_mi": "of the mutual information",
    "bias_nats": "mean of estimate - truth over the sweep",
    "rmse_nats": "root mean square of estimate - truth",
    "coverage_ratio": "share of 90% intervals that hold the truth",
    "correlation_with_squared_covariance": "over the sweep",
    "correlation_with_truth": "over the sweep",
    "noise": "standard deviation added to the standardised shape",
    "distance": "distance correlation",
    "mi_nats": "KSG",
    "p_covariance": "against shuffled pairs, as the other p",
}


def relations(titles: Sequence[str], x: Any, y: Any, covariance: Any, nats: Any) -> Figure:
    """Scatter of each relation, (r, n) each, with its covariance and MI above it.

    Args:
        titles: one a relation.
        x: (r, n).
        y: (r, n).
        covariance: (r,).
        nats: (r,) MI.
    """

    def draw(axes: Axes, index: int) -> None:
        axes.scatter(x[index], y[index], s=11, color=BLUE, alpha=0.75, linewidths=0)
        dress(axes, f"{titles[index]}\ncovariance {covariance[index]:+.2f}, MI {nats[index]:.2f} nats", "x", "y")

    return grid(len(titles), draw, columns=2, size=3.2)


def sweep(r: Any, covariance: Any, truth: Any, estimates: Mapping[str, Any], half_width: Any) -> Figure:
    """MI against covariance: the analytic curve, KSG with its intervals, the histogram and the corrected histogram.

    Args:
        r: (m,) population correlations.
        covariance: (m,) sample covariances.
        truth: (m,) -1/2 log(1 - r^2), nats.
        estimates: label -> (m,) nats; the first is drawn with its intervals.
        half_width: (m,) of the first's 90% intervals.
    """
    figure = new_figure(6.4, 4.2)
    axes = dress(figure.add_subplot(), "", "sample covariance", "mutual information (nats)")
    for (label, nats), color in zip(estimates.items(), (BLUE, ORANGE, PURPLE)):
        if color == BLUE:
            axes.errorbar(covariance, nats, half_width, fmt="none", ecolor=color, alpha=0.3, linewidth=0.9)
        axes.scatter(covariance, nats, s=12, color=color, linewidths=0, label=label, zorder=3)
    axes.plot(r, truth, color=INK, linewidth=1.6, label="analytic, $-\\frac{1}{2}\\log(1-r^2)$", zorder=4)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.legend(fontsize=8, frameon=False, loc="upper center")
    return figure


def against(covariance: Any, truth: Any, ksg: Any, histogram: Any) -> Figure:
    """Squared covariance against MI, and histogram against KSG with the unity line, (m,) each.

    Args:
        covariance: (m,).
        truth: (m,) MI, nats.
        ksg: (m,) nats.
        histogram: (m,) nats.
    """
    figure = new_figure(8.4, 3.8)
    left, right = figure.subplots(1, 2)
    squared = np.asarray(covariance) ** 2
    r_ksg, r_histogram = np.corrcoef(squared, ksg)[0, 1], np.corrcoef(squared, histogram)[0, 1]
    left.scatter(ksg, squared, s=12, color=BLUE, linewidths=0, label=f"KSG, correlation {r_ksg:.3f}")
    left.scatter(
        histogram, squared, s=12, color=ORANGE, linewidths=0, label=f"histogram, correlation {r_histogram:.3f}"
    )
    line = np.linspace(0, max(truth), 200)
    left.plot(line, 1 - np.exp(-2 * line), color=INK, linewidth=1.4, label="analytic, $1-e^{-2I}$")
    dress(left, "covariance squared is not MI", "mutual information (nats)", "sample covariance squared")
    left.legend(fontsize=8, frameon=False)
    shades = right.scatter(ksg, histogram, s=14, c=truth, cmap=SEQUENTIAL, linewidths=0)
    ends = [min(0.0, *ksg, *histogram), max(*ksg, *histogram)]
    right.plot(ends, ends, color=INK, linewidth=1, linestyle="--", label="equal")
    dress(
        right,
        f"two estimators, correlation {np.corrcoef(ksg, histogram)[0, 1]:.3f}",
        "KSG (nats)",
        "histogram (nats)",
    )
    right.legend(fontsize=8, frameon=False, loc="lower right")
    bar = figure.colorbar(shades, ax=right)
    bar.set_label("analytic MI (nats)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def bias(r: Any, raw: Mapping[str, Any], corrected: Mapping[str, Any], window: int = 9) -> Figure:
    """Error of each estimator against the analytic value, as defined and corrected, with its running mean.

    Args:
        r: (m,) population correlations, in order.
        raw: estimator -> (m,) estimate minus truth, nats.
        corrected: the same after correction.
        window: how many neighbouring points the line averages over.
    """
    figure = new_figure(8.4, 3.6)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, errors, title in zip(panels, (raw, corrected), ("as defined", "corrected")):
        axes.axhline(0, color=INK, linewidth=0.9)
        for name, error in errors.items():
            axes.scatter(r, error, s=7, color=ESTIMATOR_COLORS[name], alpha=0.4, linewidths=0)
            mean = np.convolve(error, np.full(window, 1 / window), mode="valid")
            label = f"{ESTIMATOR_LABELS[name]}, mean {np.mean(error):+.3f}"
            middle = np.asarray(r)[window // 2 : len(r) - window // 2]
            axes.plot(middle, mean, color=ESTIMATOR_COLORS[name], linewidth=1.8, label=label)
        dress(axes, title, "population correlation", "estimate minus truth (nats)" if axes is panels[0] else "")
        axes.legend(fontsize=8, frameon=False)
    return figure


def gallery_shapes(names: Sequence[str], x: Any, y: Any, noise: float) -> Figure:
    """One small scatter for each shape, (s, n) points.

    Args:
        names: one a shape.
        x: (s, n) points.
        y: (s, n).
        noise: standard deviation that was added.
    """

    def draw(axes: Axes, index: int) -> None:
        axes.scatter(x[index], y[index], s=3, color=BLUE, alpha=0.6, linewidths=0)
        dress(axes, names[index])
        axes.set_xticks([])
        axes.set_yticks([])

    figure = grid(len(names), draw, columns=6, size=1.5)
    figure.suptitle(f"the shapes, at noise {noise:g}", fontsize=10, color=INK, x=0.01, ha="left")
    return figure


def gallery(names: Sequence[str], noises: Sequence[float], values: Any, seen: Any) -> Figure:
    """Heat map of shape x noise under each measure on one scale, 0 to 1; crossed out where it is not seen.

    Args:
        names: s shapes.
        noises: t noise levels.
        values: (s, t, 4) covariance, Spearman, distance correlation, MI in nats, in this order.
        seen: (s, t, 4) whether the measure tells the pair from shuffled ones.
    """
    figure = new_figure(11.0, 0.36 * len(names) + 1.3)
    panels = figure.subplots(1, 4, sharey=True)
    for index, axes in enumerate(panels):
        value = values[..., index]
        strength = np.abs(value) if index < 3 else np.sqrt(-np.expm1(-2 * value.clip(min=0)))
        image = axes.imshow(strength, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
        for row, column in np.ndindex(*value.shape):
            color = "white" if strength[row, column] < 0.6 else INK
            text = f"{value[row, column]:.2f}" if index == 3 else f"{strength[row, column]:.2f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
            if not seen[row, column, index]:
                ends = [column - 0.46, column + 0.46]
                axes.plot(ends, [row - 0.44, row + 0.44], color="#ff8c7a", linewidth=1.1)
        dress(axes, MEASURE_TITLES[index], "noise")
        axes.set_xticks(range(len(noises)), [f"{noise:g}" for noise in noises])
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    bar = figure.colorbar(image, ax=panels, pad=0.01)
    bar.ax.tick_params(labelsize=8)
    bar.set_label("strength, 0 to 1", fontsize=8)
    return figure
