"""Figures of the pairwise benchmarks: speed beside peers, calibration of p-values, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from lmi.report.style import BLUE, INK, ORANGE, PALETTE, dress, new_figure


def speed(names: Sequence[str], ratios: Sequence[float], bars: Sequence[float]) -> Figure:
    """Speed-ups over the peers as bars, the bar that was set as a line across each."""
    figure = new_figure(6.0, 0.7 + 0.65 * len(names))
    axes = figure.add_subplot()
    places = np.arange(len(names))[::-1]
    axes.barh(places, ratios, color=BLUE, height=0.55)
    for place, ratio, bar in zip(places, ratios, bars):
        axes.plot([bar, bar], [place - 0.36, place + 0.36], color=ORANGE, linewidth=2)
        axes.annotate(f" {ratio:,.0f} x", (max(ratio, bar), place), va="center", fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(1, 4 * max(*ratios, *bars))
    axes.set_yticks(places, names)
    dress(axes, "faster than the peer (line: the bar)", "times faster")
    return figure


def calibration(p_values: Mapping[str, np.ndarray]) -> Figure:
    """Share of independent pairs at or below each p-value, both logarithmic, against the diagonal."""
    figure = new_figure(5.0, 4.2)
    axes = figure.add_subplot()
    lowest = min(float(p[p > 0].min()) for p in p_values.values())
    axes.plot([lowest, 1], [lowest, 1], color=INK, linewidth=0.8, linestyle="--")
    for place, (name, p) in enumerate(p_values.items()):
        shares = np.arange(1, len(p) + 1) / len(p)
        axes.plot(np.sort(p), shares, color=PALETTE[place % len(PALETTE)], linewidth=1.3, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(fontsize=7, frameon=False, loc="upper left")
    dress(axes, "p-values of pairs that share nothing", "p-value", "share of pairs at or below")
    return figure


def cost(axes_drawn: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]]) -> Figure:
    """Seconds against each size, one panel an axis, one line an estimator."""
    figure = new_figure(9.0, 3.2)
    panels = figure.subplots(1, len(axes_drawn), sharey=True)
    for axes, (axis, lines) in zip(panels, axes_drawn.items()):
        for colour, (name, (sizes, seconds)) in zip(PALETTE, lines.items()):
            axes.plot(sizes, seconds, color=colour, marker="o", markersize=4, label=name)
            axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        dress(axes, "", axis, "seconds" if axes is panels[0] else "")
    panels[0].legend(fontsize=8, frameon=False)
    return figure
