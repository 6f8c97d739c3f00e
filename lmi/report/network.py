"""Figures of a network: its hubs, and what its pairs share beside what chance gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from lmi.report.style import BLUE, GREY, INK, ORANGE, PALETTE, dress, grid, new_figure

LEGEND = {
    "a": "a column",
    "b": "the one it is joined to",
    "hub": "a column with many edges",
    "strongest": "the columns it shares most with",
    "way": "how the network was found",
    "mi_bits": "mutual information of the pair",
    "q_value": "share of false discoveries among all pairs up to this one, against the null",
    "frequency": "share of the networks of parts of the rows that have the edge",
    "clr": "context likelihood: how far the MI stands out from what both columns share with others",
    "edges": "of the column, or of the network by each way",
    "precision": "share of the pairs found that are planted edges",
    "precision_any": "share of the pairs found that depend on each other, directly or through a hub",
    "recall": "share of the planted edges that were found",
}


def hub_panels(
    hubs: Sequence[str], neighbours: Sequence[Sequence[str]], bits: Sequence[np.ndarray], most: int = 14
) -> Figure:
    """The columns with the most edges, each in the middle of its strongest neighbours; lines as wide as their MI.

    Args:
        hubs: names.
        neighbours: names of each hub's neighbours, the strongest first.
        bits: MI of each hub with each of them.
        most: neighbours drawn.
    """
    widest = max(float(values.max()) for values in bits)

    def draw(axes: Axes, index: int) -> None:
        names, values = list(neighbours[index])[:most], bits[index][:most]
        angles = 2 * np.pi * np.arange(len(names)) / len(names) + 0.2
        for name, value, angle in zip(names, values, angles):
            x, y = np.cos(angle), np.sin(angle)
            axes.plot([0, x], [0, y], color=BLUE, linewidth=0.6 + 3.4 * max(value, 0) / widest, alpha=0.7, zorder=1)
            axes.scatter([x], [y], s=14, color=ORANGE, zorder=2)
            turn = np.degrees(angle) % 360
            flip = 90 < turn < 270
            axes.text(
                1.1 * x, 1.1 * y, name, fontsize=6, color=INK, rotation=turn - 180 if flip else turn,
                rotation_mode="anchor", ha="right" if flip else "left", va="center",
            )  # fmt: skip
        axes.scatter([0], [0], s=60, color=INK, zorder=3)
        more = len(neighbours[index]) - len(names)
        dress(axes, f"{hubs[index]}: {len(neighbours[index])} edges" + (f" ({more} not drawn)" if more else ""))
        axes.set_xlim(-2.1, 2.1)
        axes.set_ylim(-2.1, 2.5)
        axes.set_aspect("equal")
        axes.axis("off")

    return grid(len(hubs), draw, columns=3, size=2.9)


def against_null(bits: np.ndarray, null_bits: np.ndarray, edge_bits: np.ndarray) -> Figure:
    """How often pairs share how much: pairs drawn at random, the same under the null, and the edges.

    Args:
        bits: (m,) MI of pairs drawn at random.
        null_bits: (r,) the null's.
        edge_bits: (e,) the edges'.
    """
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    every = np.concatenate([bits, null_bits, edge_bits])
    edges = np.linspace(every.min(), every.max(), 70)
    axes.hist(bits, list(edges), density=True, color=BLUE, alpha=0.7, label=f"pairs ({len(bits):,} drawn)")
    axes.hist(null_bits, list(edges), density=True, histtype="step", color=ORANGE, linewidth=1.5, label="null")
    if len(edge_bits):
        axes.hist(edge_bits, list(edges), density=True, histtype="step", color=INK, linewidth=1.2, label="edges")
    axes.set_yscale("log")
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    return dress(axes, "what pairs share", "mutual information (bits)", "density").figure  # type: ignore[return-value]


def degree_bars(names: Sequence[str], degrees: np.ndarray, all_degrees: np.ndarray) -> Figure:
    """Edges of the columns that have the most, and how many columns have how many.

    Args:
        names: of the first.
        degrees: theirs.
        all_degrees: of every column.
    """
    figure = new_figure(8.4, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1.0))
    place = np.arange(len(names))[::-1]
    left.barh(place, degrees, color=BLUE, height=0.7)
    left.set_yticks(place, names, fontsize=7)
    dress(left, "hubs", "edges")
    left.tick_params(axis="y", labelsize=7)
    counts = np.bincount(all_degrees)
    shown = np.flatnonzero(counts)
    right.scatter(shown, counts[shown], s=16, color=BLUE)
    right.set_yscale("log")
    right.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    right.yaxis.set_minor_formatter(NullFormatter())
    dress(right, "all columns", "edges of a column", "columns")
    return figure


def recovery_bars(rows: Sequence[dict[str, object]]) -> Figure:
    """Precision and recall of each way against the planted network."""
    figure = new_figure(7.2, 3.6)
    axes = figure.add_subplot()
    keys = (("precision_any", "precision, any dependence"), ("precision", "precision, direct"), ("recall", "recall"))
    for place, (key, label) in enumerate(keys):
        values = [float(str(row[key])) for row in rows]
        axes.bar(np.arange(len(rows)) + 0.27 * (place - 1), values, 0.25, color=PALETTE[place], label=label)
    axes.axhline(0.95, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_xticks(range(len(rows)), [str(row["way"]).replace(", ", ",\n").replace(" (", "\n(") for row in rows])
    axes.set_ylim(0, 1.05)
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.16))
    return dress(axes, "", "", "share").figure  # type: ignore[return-value]
