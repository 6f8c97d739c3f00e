"""Figures of sparse features that fire together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lmi.report.style import BLUE, GREY, INK, ORANGE, SEQUENTIAL, dress, log_ticks, new_figure

CROWD = 300  # pairs; fewer are drawn one by one

LEGEND = {
    "layer": "that the dictionary is of",
    "explained_ratio": "share of the variance of held-out activations that the features explain",
    "features_count": "features of the dictionary",
    "silent_features_count": "those that never fire",
    "tokens_count": "tokens read, a tenth of them held out",
    "seconds": "wall time",
    "a": "a feature",
    "b": "another",
    "mi_bits": "mutual information of whether one fires and whether the other does",
    "together": "rows (tokens of a text) where both fire",
    "expected": "rows where both would fire by chance",
    "lift": "the one over the other",
    "pmi_bits": "logarithm of the lift",
    "q_value": "share of false discoveries among all pairs up to this one",
    "cluster": "a group of features that fire together",
    "size": "how many they are",
    "features": "which (twelve at most)",
    "rows": "the rows, counted from 0, in which the cluster's features fire most",
    "tokens": "the tokens in [brackets] for which the cluster's features fire most",
}


def firing_rates(rates: np.ndarray) -> Figure:
    """Share of rows in which each feature fires, sorted, on a logarithmic axis."""
    figure = new_figure(6.0, 3.6)
    axes = figure.add_subplot()
    ordered = np.sort(rates)[::-1]
    shown = ordered > 0
    axes.plot(np.flatnonzero(shown) + 1, ordered[shown], color=BLUE, linewidth=1.5)
    axes.set_yscale("log")
    silent = int((~shown).sum())
    dress(axes, f"{silent} of {len(rates)} features never fire", "feature, by frequency", "share of rows")
    log_ticks(axes.yaxis)
    return figure


def together_against_chance(expected: np.ndarray, together: np.ndarray, every: int) -> Figure:
    """Rows where both features of a pair fire against those expected, both axes logarithmic.

    Args:
        expected: (m,) of the pairs found.
        together: (m,) of the pairs found.
        every: pairs tested.
    """
    figure = new_figure(5.2, 4.2)
    axes = figure.add_subplot()
    x, y = np.maximum(expected, 1e-3), np.maximum(together, 0.5)
    if len(x) > CROWD:
        image = axes.hexbin(
            x, y, gridsize=45, bins="log", mincnt=1, xscale="log", yscale="log", cmap=SEQUENTIAL, linewidths=0.1
        )
        figure.colorbar(image, ax=axes, label="pairs").ax.tick_params(labelsize=7)
    else:
        axes.loglog(x, y, "o", color=BLUE, markersize=4, alpha=0.7)
    ends = [max(1e-3, float(expected.min())), float(together.max())]
    axes.plot(ends, ends, color=INK, linewidth=0.8, linestyle="--")
    dress(axes, f"{len(expected):,} of {every:,} pairs", "rows expected together", "rows together")
    log_ticks(axes.xaxis)
    log_ticks(axes.yaxis)
    return figure


def clusters(lift: np.ndarray, sizes: Sequence[int]) -> Figure:
    """Lift between the features of the clusters, in their order, with the clusters framed.

    Args:
        lift: (f, f), 1 where a pair is no discovery.
        sizes: features of each cluster, in the same order.
    """
    figure = new_figure(5.4, 4.6)
    axes = figure.add_subplot()
    shown = np.log2(np.maximum(lift, 1.0))
    np.fill_diagonal(shown, np.nan)
    image = axes.imshow(shown, cmap=SEQUENTIAL, interpolation="nearest")
    start = -0.5
    for size in sizes:
        axes.plot(
            start + size * np.array([0, 1, 1, 0, 0]),
            start + size * np.array([0, 0, 1, 1, 0]),
            color=ORANGE,
            linewidth=1.3,
        )
        start += size
    axes.set_xticks([])
    axes.set_yticks([])
    dress(axes, f"{len(sizes)} clusters of features", "feature", "feature")
    axes.spines[:].set_color(GREY)
    figure.colorbar(image, ax=axes, label="PMI (bits)").ax.tick_params(labelsize=7)
    return figure
