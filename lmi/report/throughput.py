"""Rates of several loops, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lmi.report.style import BLUE, GREY, INK, dress, new_figure


def rates(by_loop: Mapping[str, Sequence[float]]) -> Figure:
    """A bar for each loop's median samples a second, the rounds as dots; this project's own in colour."""
    figure = new_figure(6.4, 0.8 + 0.42 * len(by_loop))
    axes = dress(figure.add_subplot(), x="training samples a second")
    names = list(by_loop)
    for row, name in enumerate(names):
        middle = median(by_loop[name])
        axes.barh(row, middle, color=BLUE if name.startswith("lmi") else GREY, alpha=0.75, height=0.62)
        axes.plot(by_loop[name], [row] * len(by_loop[name]), ".", color=INK, markersize=3, alpha=0.6)
        axes.annotate(
            f"{middle:,.0f}", (max(by_loop[name]), row), xytext=(5, 0), textcoords="offset points", fontsize=8, va="center",
            color=INK,
        )  # fmt: skip
    axes.set_xscale("log")
    low, high = min(map(min, by_loop.values())), max(map(max, by_loop.values()))
    axes.set_xlim(low / 2, high * 2.2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    return figure
