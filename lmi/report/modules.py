"""Figures about modules of neurons: estimators against truth, noise curves, graphs of neurons sorted by module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from lmi.report.style import GREY, INK, PALETTE, SEQUENTIAL, dress, new_figure

LEGEND = {
    "estimator": "what measured it",
    "samples": "rows",
    "nats": "mutual information of the modules",
    "truth_inside": "whether the 90% interval holds the closed form",
    "pair": "of modules",
    "closed form_nats": "true mutual information of the pair",
    "Jacobian_nats": "from the layer's Jacobian",
    "Gaussian, debiased_nats": "closed form of the sample covariance, less its bias",
    "quantised_nats": "of k-means codes",
    "KSG_nats": "by nearest neighbours",
    "latent_nats": "in latents",
    "block": "of the model",
    "I (bits)": "what the modules of the block's output share at this noise",
    "layer": "of the network",
    "sizes": "neurons of each module",
    "training": "before or after it",
    "accuracy": "of the network on held-out rows",
    "random cut": "the same share for random modules",
    "error_nats": "estimate - truth",
    "low_nats": "lower end of the 90% interval",
    "high_nats": "upper end; inf where finer codes do not yet bring less",
    "bins": "codes a module",
    "truth inside": "whether the interval holds the closed form",
    "noise / output": "standard deviation of the noise over the root mean square of the block's output",
    "90% over tokens (bits)": "half of the interval of the mean over tokens",
    "random modules (bits)": "the same for random modules of the same sizes",
    "all neurons (bits)": "total correlation of all single neurons",
    "between modules (bits)": "total correlation between the modules",
    "modularity (bits)": "random modules less the modules found",
    "cut": "share of the total correlation that crosses modules",
    "p": "of random modules that share less",
    "Jacobian between (bits)": "local information between the modules from the layer's Jacobian",
    "shared directions": "slope of I(sigma) in log(1 / sigma)",
}


def estimators_figure(
    num_samples: Sequence[int],
    estimates: Mapping[str, np.ndarray],
    bins: Sequence[int],
    quantized: np.ndarray,
    truth: float,
) -> Figure:
    """Left: mean and range over repeats against sample size. Right: quantised MI and its upper end against bins.

    Args:
        num_samples: (s,) sizes.
        estimates: name -> (repeats, s) nats.
        bins: (b,) codes a module.
        quantized: (b, 3) low, estimate and high at the largest size, nats; an infinite high is drawn to the top.
        truth: nats.
    """
    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2, sharey=True)
    for color, (name, values) in zip(PALETTE, estimates.items()):
        left.plot(num_samples, values.mean(axis=0), color=color, marker="o", markersize=4, label=name)
        left.fill_between(num_samples, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2, linewidth=0)
    dress(left, "Estimators over sample size", "samples", "MI between the two modules (nats)")
    left.set_xscale("log")
    left.set_xticks(list(num_samples), [f"{size:,}" for size in num_samples])
    left.minorticks_off()
    top = 1.6 * truth
    low, middle, high = quantized.T
    places = np.arange(len(bins))
    shown = np.minimum(high, top)
    right.vlines(places, low, shown, color=PALETTE[1], linewidth=5, alpha=0.35, label="stated interval")
    right.plot(
        places[high > top], np.full((high > top).sum(), 0.99 * top), "^", color=PALETTE[1], label="goes on above"
    )
    right.plot(places, middle, "o", color=PALETTE[1], markersize=5, label="quantised")
    dress(right, f"Quantised MI over bins, {max(num_samples):,} samples", "codes a module")
    right.set_xticks(places, [str(count) for count in bins])
    for axes in (left, right):
        axes.axhline(truth, color=INK, linewidth=1, linestyle="--", label="closed form")
        axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
    left.set_ylim(0, top)
    return figure


def matrices_figure(matrices: Mapping[str, np.ndarray]) -> Figure:
    """Module by module matrices of MI in nats on one colour scale, one panel each; the diagonal is left out."""
    columns = min(3, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = new_figure(2.4 * columns + 0.8, 2.4 * rows + 0.2)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel in panels[len(matrices) :]:
        panel.set_axis_off()
    shown = {name: np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix) for name, matrix in matrices.items()}
    top = max(float(np.nanmax(matrix)) for matrix in shown.values())
    for panel, (name, matrix) in zip(panels, shown.items()):
        image = panel.imshow(matrix, cmap=SEQUENTIAL, vmin=0, vmax=top)
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                color = "white" if value < 0.6 * top else INK
                panel.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=color)
        dress(panel, name, "module", "module")
        panel.set_xticks(range(len(matrix)))
        panel.set_yticks(range(len(matrix)))
    bar = figure.colorbar(image, ax=list(panels), shrink=0.8)
    bar.set_label("MI (nats)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def noise_curves_figure(
    noise: np.ndarray, curves: Mapping[str, np.ndarray], slopes: Mapping[str, np.ndarray]
) -> Figure:
    """I(sigma) on the left, its slope in log(1 / sigma) on the right, a line each.

    Args:
        noise: (s,) standard deviations, in units of the outputs' root mean square.
        curves: name -> (s,) nats.
        slopes: name -> (s,) shared directions at that resolution.
    """
    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2)
    colors = [_shade(place, len(curves)) for place in range(len(curves))]
    for color, name in zip(colors, curves):
        left.plot(noise, curves[name], color=color, label=name)
        right.plot(noise, slopes[name], color=color)
    dress(left, "Information between modules", "output noise σ / RMS of output", "I(σ) (nats)")
    dress(right, "Directions shared at that resolution", "output noise σ / RMS of output", "-dI / d log σ (count)")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
    left.legend(fontsize=8, frameon=False)
    return figure


def _shade(place: int, count: int) -> tuple[float, ...]:
    return tuple(colormaps[SEQUENTIAL](0.85 * place / max(1, count - 1)))


def graphs_figure(graphs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Pairwise MI of neurons, sorted by module, module borders drawn; all panels on one colour scale.

    Args:
        graphs: title -> (d, d) MI in nats and (d,) module labels.
    """
    columns = len(graphs) if len(graphs) <= 3 else 2
    rows = -(-len(graphs) // columns)
    figure = new_figure(3.0 * columns + 0.6, 2.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False)
    flat = list(panels.flatten())
    # A few pairs of near copies would leave every other pair dark.
    top = max(float(np.quantile(matrix, 0.995)) for matrix, _ in graphs.values())
    for panel, (title, (matrix, labels)) in zip(flat, graphs.items()):
        order = np.argsort(labels, kind="stable")
        image = panel.imshow(matrix[np.ix_(order, order)], cmap=SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest")
        for border in np.flatnonzero(np.diff(labels[order])) + 0.5:
            panel.axhline(border, color="white", linewidth=0.6)
            panel.axvline(border, color="white", linewidth=0.6)
        dress(panel, title, "neuron, sorted by module", "neuron" if panel in panels[:, 0] else "")
    for panel in flat[len(graphs) :]:
        panel.set_axis_off()
    bar = figure.colorbar(image, ax=flat, shrink=0.7, extend="max")
    bar.set_label("pairwise MI (nats)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def modularity_figure(names: Sequence[str], found_bits: np.ndarray, random_bits: np.ndarray) -> Figure:
    """Information between modules, in bits, of the modules found against random partitions of the same sizes.

    Args:
        names: (c,) what each was measured on.
        found_bits: (c,) total correlation between the modules found.
        random_bits: (c, r) the same for random partitions.
    """
    figure = new_figure(6.0, 0.45 * len(names) + 1.4)
    axes = figure.subplots()
    places = np.arange(len(names))[::-1]
    for place, values in zip(places, random_bits):
        axes.plot(values, np.full(len(values), place), "|", color=GREY, markersize=9)
    axes.plot(found_bits, places, "o", color=PALETTE[0], markersize=7, label="modules found")
    axes.plot([], [], "|", color=GREY, markersize=9, label="random modules of the same sizes")
    axes.set_yticks(places, list(names))
    axes.set_xlim(left=0)
    axes.set_ylim(-0.6, len(names) - 0.4)
    dress(axes, "What modules share with each other", "total correlation between modules (bits)")
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=2)
    return figure


def coverage_figure(sides: Sequence[int], names: Sequence[str], intervals: np.ndarray, truths: np.ndarray) -> Figure:
    """Intervals relative to the truth, a panel for each size of module.

    Args:
        sides: (c,) neurons a module.
        names: (e,) kinds of interval.
        intervals: (c, e, seeds, 2) nats.
        truths: (c, seeds) nats.
    """
    figure = new_figure(3.1 * len(sides), 3.6)
    panels = figure.subplots(1, len(sides), squeeze=False)[0]
    seeds = truths.shape[1]
    for place, (panel, side) in enumerate(zip(panels, sides)):
        gaps = intervals[place] - truths[place][None, :, None]
        reach = 1.2 * max(0.01, float(np.abs(gaps[:, :, 0]).max()))
        for which, (name, color) in enumerate(zip(names, PALETTE)):
            rows = np.arange(seeds) + which * (seeds + 2)
            panel.hlines(rows, gaps[which, :, 0], np.minimum(gaps[which, :, 1], 2 * reach), color=color, label=name)
        panel.axvline(0, color=INK, linewidth=1)
        panel.set_xlim(-reach, reach)
        panel.set_yticks([])
        panel.spines["left"].set_visible(False)
        dress(panel, f"{side} + {side} neurons", "interval - truth (nats)")
        panel.locator_params(axis="x", nbins=4)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure
