"""Figures of all-to-all MI: one pair, a matrix a layer, distributions, significance, the atlas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.special import ndtri
from scipy.stats import rankdata

from lmi.report.style import BLUE, INK, ORANGE, SEQUENTIAL, dress, grid, new_figure


def pair_in_full(x: np.ndarray, y: np.ndarray, x_name: str, y_name: str, bits: float, estimator: str) -> Figure:
    """Scatter of the tokens and their 2-D histogram side by side, on the same axes, with the MI in the title.

    Args:
        x: (n,) values of one column.
        y: (n,) of the other.
        x_name: of the first.
        y_name: of the second.
        bits: their MI.
        estimator: that measured it.
    """
    figure = new_figure(8.0, 3.6)
    scatter, counts = figure.subplots(1, 2, sharex=True, sharey=True)
    scatter.scatter(x, y, s=14 if len(x) < 500 else 5, color=BLUE, alpha=0.7, linewidths=0)
    dress(scatter, f"I = {bits:.2f} bits ({estimator})", x_name, y_name)
    table, x_edges, y_edges = np.histogram2d(x, y, bins=15)
    image = counts.pcolormesh(x_edges, y_edges, np.where(table > 0, table, np.nan).T, cmap=SEQUENTIAL, norm=LogNorm())
    dress(counts, f"{len(x)} tokens in 15 x 15 bins", x_name)
    for axes in (scatter, counts):
        axes.use_sticky_edges = False  # or the outermost tokens would be cut in half
        axes.margins(0.03)
    bar = _bar(figure, image, counts, "tokens")
    ticks = [step * 10**power for power in range(8) for step in (1, 2, 5) if step * 10**power <= table.max()]
    bar.set_ticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    bar.minorticks_off()
    return figure


def clustered_order(matrix: np.ndarray) -> np.ndarray:
    """An order of the d dimensions in which those that share information stand together (average linkage)."""
    distance = matrix.max() - np.minimum(matrix, matrix.T)
    np.fill_diagonal(distance, 0.0)
    if len(matrix) < 3:
        return np.arange(len(matrix))
    return leaves_list(linkage(squareform(distance, checks=False), "average"))


def matrices(bits: Mapping[str, np.ndarray]) -> Figure:
    """One (d, d) panel a layer in clustered order, all on one colour scale in bits; diagonals left blank."""
    blank = {name: np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix) for name, matrix in bits.items()}
    names = list(blank)
    off = np.concatenate([matrix[~np.isnan(matrix)] for matrix in blank.values()])
    norm = Normalize(0.0, max(float(np.quantile(off, 0.995)), 1e-3))
    if len({matrix.shape for matrix in blank.values()}) == 1:
        shared = clustered_order(np.nan_to_num(np.mean(list(blank.values()), 0)))
        orders = dict.fromkeys(names, shared)
    else:
        orders = {name: clustered_order(np.nan_to_num(matrix)) for name, matrix in blank.items()}

    def panel(axes: Axes, index: int) -> None:
        order = orders[names[index]]
        axes.imshow(blank[names[index]][np.ix_(order, order)], cmap=SEQUENTIAL, norm=norm, interpolation="nearest")
        dress(axes, names[index], "dimension, clustered", "dimension, clustered")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)

    figure = grid(len(names), panel, columns=_across(len(names)), size=2.7)
    _bar(figure, ScalarMappable(norm, SEQUENTIAL), figure.axes, "mutual information (bits)", extend="max")
    return figure


def distributions(bits: Mapping[str, np.ndarray], null_bits: Mapping[str, np.ndarray]) -> Figure:
    """A histogram of all pairs' MI a layer, the null's as a line; the same bins and axes everywhere."""
    names = list(bits)
    edges = _edges(bits, null_bits)

    def panel(axes: Axes, index: int) -> None:
        name = names[index]
        axes.hist(bits[name], list(edges), density=True, color=BLUE, alpha=0.75, label="pairs")
        if name in null_bits:
            axes.hist(
                null_bits[name], list(edges), density=True, histtype="step", color=ORANGE, linewidth=1.4, label="null"
            )
        axes.set_yscale("log")
        dress(axes, name, "mutual information (bits)", "density")
        if index == 0:
            axes.legend(fontsize=8, frameon=False)

    figure = grid(len(names), panel, columns=_across(len(names)), size=2.7)
    _share_limits(figure.axes)
    return figure


def overlaid(bits: Mapping[str, np.ndarray]) -> Figure:
    """All layers' distributions over one another, coloured by depth."""
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    edges = _edges(bits)
    norm = Normalize(0, max(1, len(bits) - 1))
    colours = mpl.colormaps["plasma"]
    for depth, values in enumerate(bits.values()):
        colour = colours(0.9 * norm(depth))
        density, _ = np.histogram(values, edges, density=True)
        axes.stairs(np.where(density > 0, density, np.nan), edges, color=colour, linewidth=1.5)
    axes.set_yscale("log")
    dress(axes, "MI of all pairs, by depth", "mutual information (bits)", "density")
    shown = mpl.colors.ListedColormap(colours(np.linspace(0, 0.9, 256)))
    bar = _bar(figure, ScalarMappable(norm, shown), [axes], "layer")
    bar.set_ticks(range(0, len(bits), max(1, len(bits) // 6)))
    return figure


def significance(
    q: Mapping[str, np.ndarray], z: Mapping[str, np.ndarray], null_z: Mapping[str, np.ndarray], rate: float
) -> Figure:
    """Share of survivors by layer, and the standardised values of all pairs against the pooled null.

    Args:
        q: layer -> (pairs,) adjusted p-values.
        z: layer -> (pairs,) standardised values.
        null_z: layer -> the same of the null.
        rate: of false discoveries.
    """
    figure = new_figure(8.4, 3.6)
    left, right = figure.subplots(1, 2)
    names = list(q)
    shares = [100 * float((q[name] <= rate).mean()) for name in names]
    left.bar(range(len(names)), shares, color=BLUE, width=0.75)
    for place, (name, share) in enumerate(zip(names, shares)):
        count = int((q[name] <= rate).sum())
        left.annotate(f"{count:,}", (place, share), ha="center", va="bottom", fontsize=6.5 if len(names) > 8 else 8)
    left.set_xticks(
        range(len(names)), names, rotation=60 if len(names) > 4 else 0, ha="right" if len(names) > 4 else "center"
    )
    dress(left, f"pairs that survive (FDR {rate:g})", "", "share of pairs (%)")
    observed, null = (np.concatenate(list(values.values())) for values in (z, null_z))
    high = float(np.quantile(observed, 0.9995))
    edges = np.linspace(min(observed.min(), null.min()), max(high, null.max()), 80)
    right.hist(np.clip(observed, None, edges[-1]), edges, density=True, color=BLUE, alpha=0.75, label="all pairs")
    right.hist(null, edges, density=True, histtype="step", color=ORANGE, linewidth=1.5, label="null")
    right.set_yscale("log")
    right.legend(fontsize=8, frameon=False)
    dress(right, "against the null", "MI (standard deviations of the null)", "density")
    return figure


def atlas(
    gaussian_bits: np.ndarray,
    ksg_bits: np.ndarray,
    values: np.ndarray,
    labels: Sequence[tuple[int, int]],
    gaps_bits: Sequence[float],
    layer: str,
) -> Figure:
    """KSG against Gaussian MI of all pairs, and the tokens (n, pairs, 2) of the pairs that covariance misses most.

    Args:
        gaussian_bits: (pairs,).
        ksg_bits: (pairs,).
        values: (n, pairs, 2) of the pairs shown.
        labels: columns of each pair shown.
        gaps_bits: KSG minus Gaussian of each pair shown.
        layer: its name.
    """
    figure = new_figure(10.0, 4.2)
    main, side = np.ravel(figure.subfigures(1, 2, width_ratios=[1.0, 1.35], squeeze=False))
    axes = main.subplots()
    image = axes.hexbin(gaussian_bits, ksg_bits, gridsize=45, bins="log", mincnt=1, cmap=SEQUENTIAL, linewidths=0.1)
    top = float(max(gaussian_bits.max(), ksg_bits.max()))
    axes.plot([0, top], [0, top], color=INK, linewidth=0.8, linestyle="--")
    dress(axes, "all pairs, on ranks", "Gaussian MI (bits)", "KSG MI (bits)")
    main.colorbar(image, ax=axes, label="pairs").ax.tick_params(labelsize=7)
    panels = side.subplots(2, 3, squeeze=False).flatten()
    for panel, axes in enumerate(panels):
        if panel >= len(labels):
            axes.axis("off")
            continue
        x, y = (ndtri((rankdata(values[:, panel, side_]) - 0.5) / len(values)) for side_ in (0, 1))
        axes.scatter(x, y, s=6 if len(x) < 1000 else 2, color=BLUE, alpha=0.6, linewidths=0)
        dress(axes, f"+{gaps_bits[panel]:.2f} bits", f"dim {labels[panel][0]}", f"dim {labels[panel][1]}")
        axes.set_xticks([])
        axes.set_yticks([])
    side.suptitle(f"missed by covariance: {layer}", fontsize=10, color=INK)
    return figure


def _across(panels: int) -> int:
    """Panels in a row: few enough that each stays legible on a page."""
    return min(panels, 3 if panels <= 6 else 4 if panels <= 12 else 5)


def _edges(*bits: Mapping[str, np.ndarray]) -> np.ndarray:
    every = np.concatenate([values for values_of in bits for values in values_of.values()])
    return np.linspace(every.min(), every.max() + 1e-9, 70)


def _share_limits(panels: Sequence[Axes]) -> None:
    low = min(axes.get_ylim()[0] for axes in panels)
    high = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(low, high)


def _bar(
    figure: Figure, image: ScalarMappable, axes: Axes | Sequence[Axes], label: str, extend: str = "neither"
) -> mpl.colorbar.Colorbar:
    bar = figure.colorbar(image, ax=axes, extend=extend, shrink=0.9, pad=0.02)
    bar.set_label(label, fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)
    return bar
