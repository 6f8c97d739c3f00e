"""Figures of an accuracy suite: errors as a heat map, estimates against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lmi.report.style import DIVERGING, INK, PALETTE, dress, grid, new_figure

Row = Mapping[str, Any]
NAMED_CASES = 40


def error_map(rows: Sequence[Row]) -> Figure:
    """Mean error in bits, cases down and estimators across, on one colour scale around zero."""
    cases = list(dict.fromkeys(row["case"] for row in rows))
    estimators = list(dict.fromkeys(row["estimator"] for row in rows))
    errors = np.full((len(cases), len(estimators)), np.nan)
    for row in rows:
        errors[cases.index(row["case"]), estimators.index(row["estimator"])] = row["mean_error_bits"]
    limit = max(float(np.nanquantile(np.abs(errors), 0.95)), 0.05)
    height = min(1.2 + 0.17 * len(cases), 12.0)
    figure = new_figure(2.8 + 0.8 * len(estimators), height)
    axes = dress(figure.add_subplot())
    image = axes.imshow(errors, aspect="auto", cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_xticks(range(len(estimators)), estimators, fontsize=8, rotation=30, ha="right")
    step = -(-len(cases) // NAMED_CASES)
    axes.set_yticks(range(0, len(cases), step), cases[::step], fontsize=6)
    if len(cases) <= NAMED_CASES:
        for i, j in zip(*np.nonzero(np.isfinite(errors)), strict=True):
            color = "white" if abs(errors[i, j]) > 0.6 * limit else INK
            axes.text(j, i, f"{errors[i, j]:+.2f}", ha="center", va="center", fontsize=6, color=color)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, extend="both")
    bar.set_label("mean error (bits)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def truth_curves(rows: Sequence[Row]) -> Figure:
    """Mean estimate against truth in bits, a panel a group; cases of the same truth are averaged, their range shaded."""
    groups = list(dict.fromkeys(row["group"] for row in rows))
    estimators = list(dict.fromkeys(row["estimator"] for row in rows))

    def draw(axes: Any, index: int) -> None:
        dress(axes, groups[index], "truth (bits)", "estimate (bits)")
        mine = [row for row in rows if row["group"] == groups[index]]
        most = max(float(row["truth_bits"]) for row in mine)
        axes.plot([0, most], [0, most], color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
        for i, estimator in enumerate(estimators):
            own = [row for row in mine if row["estimator"] == estimator]
            truths = sorted({round(float(row["truth_bits"]), 3) for row in own})
            values = [[row["estimate_bits"] for row in own if round(float(row["truth_bits"]), 3) == t] for t in truths]
            color = PALETTE[i % len(PALETTE)]
            means = [float(np.mean(v)) for v in values]
            axes.plot(truths, means, "o-", color=color, markersize=3.5, linewidth=1.3, label=estimator)
            axes.fill_between(
                truths, [min(v) for v in values], [max(v) for v in values], color=color, alpha=0.15, linewidth=0
            )
        if index == 0:
            axes.legend(fontsize=7, frameon=False)

    return grid(len(groups), draw, columns=3, size=3.2)
