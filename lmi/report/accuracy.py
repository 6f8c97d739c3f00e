"""Figures of an accuracy suite: errors as a heat map, estimates against the truth; and its summary in Markdown.

``python -m lmi.report.accuracy <run folder> ...`` prints the summaries of finished runs as one table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lmi.report.page import shown
from lmi.report.style import DIVERGING, INK, PALETTE, dress, grid, new_figure
from lmi.results import Result

Row = Mapping[str, Any]
CASES_A_TRUTH = 2  # of every truth, from which on means of them are a curve
LEAST_SPAN = 0.1  # bits that an axis of truths shows at least, where all of them are 0
SUMMARY = {
    "suite": "suite", "group": "group", "estimator": "estimator", "records": "runs",
    "mean_abs_error_bits": "mean abs. error (bits)", "mean_error_bits": "mean error (bits)", "spread_bits": "spread (bits)",
    "null_within_0.03_bits_ratio": "nulls within 0.03 bits", "coverage_ratio": "in 90% interval",
    "reliable_ratio": "called reliable", "reliable_but_wrong_count": "reliable, off by > 3 widths", "seconds": "seconds",
    "why": "failed",
}  # fmt: skip
LEGEND = {
    "repeat": "which fresh draw of the case",
    "truth_nats": "true mutual information",
    "nats": "estimate",
    "low_nats": "lower end of the 90% interval",
    "high_nats": "upper end",
    "half_widths": "estimate less truth, over half the width of the interval",
    "auto_nats": "estimate of auto",
    "ksg_nats": "estimate of KSG",
    "family": "kind of source; all is every case together",
    "group": "kind of case",
    "cases": "samples that were measured",
    "estimator": "what measured them",
    "refused": "samples that the estimator would not measure",
    "mean_abs_error_nats": "mean of |estimate - truth|",
    "median_abs_error_nats": "median of |estimate - truth|",
    "in_interval_all_ratio": "share of all 90% intervals that hold the truth",
    "in_interval_reliable_ratio": "the same of those called reliable",
    "reliable_off_3_half_widths_count": "called reliable and off by more than three half widths of the interval",
    "null_interval_above_0_ratio": "share of independent samples whose interval is above 0",
    "null_p_below_0.05_ratio": "share of independent samples with p < .05",
    "case": "its name says dimension, rank and the like, and the true information",
    "truth_bits": "true information, its mean over the cases",
    "estimate_bits": "mean over repeats",
    "mean_error_bits": "estimate less truth",
    "mean_abs_error_bits": "mean of its magnitude",
    "spread_bits": "standard deviation over repeats of a case",
    "null_within_0.03_bits_ratio": "share of independent cases within 0.03 bits of 0",
    "coverage_ratio": "share of 90% intervals that hold the truth",
    "reliable_ratio": "share that the estimator calls reliable",
    "reliable_but_wrong_count": "called reliable and off by more than three widths of the interval",
    "seconds": "mean of an estimate",
    "records": "estimates",
    "failed": "those that ended in an error",
    "why": "the first such error",
}
CELL = (0.42, 0.17)  # inches


def place_of(case: str) -> tuple[str, str, str]:
    """Panel, row and column of a case in the map of errors, from its name: words, all values but the last, the last value.

    >>> place_of("d100-r3-0.5bits-linear-loud")
    ('linear loud', 'd100 r3', '0.5 bits')
    >>> place_of("digits01-0.4bits")
    ('', 'digits01', '0.4 bits')
    """
    tokens = case.split("-")
    words = [token for token in tokens if token.isalpha()]
    *rows, column = [token for token in tokens if not token.isalpha()]
    for unit in ("bits", "nats"):
        column = column.replace(unit, f" {unit}")
    return " ".join(words), " ".join(rows), column


def answer_of(summary: Sequence[Row], suite: str) -> str:
    """How far each estimator is off over all cases of a suite, in a sentence.

    >>> answer_of([{"estimator": "ksg", "group": "all", "mean_abs_error_bits": 0.0794, "coverage_ratio": 1.0}], "mixtures")
    'On the suite mixtures, ksg is off by 0.079 bits on average (100% of its intervals hold the truth).'
    """
    parts = []
    for row in summary:
        if row["group"] == "all" and row["mean_abs_error_bits"] is not None:
            held = (
                ""
                if row["coverage_ratio"] is None
                else f" ({row['coverage_ratio']:.0%} of its intervals hold the truth)"
            )
            parts.append(f"{row['estimator']} is off by {row['mean_abs_error_bits']:.3f} bits on average{held}")
    return f"On the suite {suite}, {', '.join(parts) or 'every estimate failed'}."


def by_numbers(name: str) -> tuple[list[str], list[float]]:
    """Sorts names that differ in their numbers by these.

    >>> sorted(["d100 r3", "d20 r9", "d20 r10"], key=by_numbers)
    ['d20 r9', 'd20 r10', 'd100 r3']
    """
    return re.findall(r"[a-z]+", name), [float(number) for number in re.findall(r"\d+(?:\.\d+)?", name)]


def error_map(rows: Sequence[Row]) -> Figure:
    """Mean error in bits, a panel for each estimator and kind of case, the cases a grid, on one colour scale around zero."""
    estimators = list(dict.fromkeys(row["estimator"] for row in rows))
    places = {row["case"]: place_of(row["case"]) for row in rows}
    kinds = list(dict.fromkeys(kind for kind, _, _ in places.values()))
    # A subset of a suite meets its values in any order.
    down, across = (sorted({place[i] for place in places.values()}, key=by_numbers) for i in (1, 2))
    errors = np.full((len(kinds), len(estimators), len(down), len(across)), np.nan)
    for row in rows:
        kind, level, column = places[row["case"]]
        place = (kinds.index(kind), estimators.index(row["estimator"]), down.index(level), across.index(column))
        errors[place] = row["mean_error_bits"]
    limit = max(float(np.nanquantile(np.abs(errors), 0.95)), 0.05)
    width = max(CELL[0] * len(across), 1.3)
    height = CELL[1] * len(down) + 0.6
    figure = new_figure(1.9 + (width + 0.15) * len(estimators), max(height * len(kinds) + 0.2, 2.2))
    panels = figure.subplots(len(kinds), len(estimators), sharex=True, sharey=True, squeeze=False)
    for i, kind in enumerate(kinds):
        for j, estimator in enumerate(estimators):
            axes = dress(panels[i, j], f"{estimator}, {kind}" if kind else estimator)
            axes.title.set_fontsize(8)
            image = axes.imshow(
                errors[i, j], aspect="auto", cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest"
            )
            axes.set_xticks(range(len(across)), across, fontsize=6, rotation=30 if len(across) > 3 else 0)
            axes.set_yticks(range(len(down)), down, fontsize=6)
            axes.tick_params(length=0)
            for y, x in zip(*np.nonzero(np.isfinite(errors[i, j])), strict=True):
                value = errors[i, j, y, x]
                color = "white" if abs(value) > 0.6 * limit else INK
                axes.text(x, y, f"{value:+.2f}", ha="center", va="center", fontsize=5.5, color=color)
    bar = figure.colorbar(image, ax=panels, shrink=min(1.0, 4.0 / (height * len(kinds))), aspect=25, extend="both")
    bar.set_label("mean error (bits)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def truth_curves(rows: Sequence[Row]) -> Figure:
    """Estimate against truth in bits, a panel a group.

    Where every truth is that of several cases their means are joined by a line, and their range is shaded; others are points.
    """
    groups = list(dict.fromkeys(row["group"] for row in rows))
    estimators = list(dict.fromkeys(row["estimator"] for row in rows))

    def draw(axes: Any, index: int) -> None:
        dress(axes, groups[index], "truth (bits)", "estimate (bits)")
        mine = [row for row in rows if row["group"] == groups[index]]
        most = max(LEAST_SPAN, *(float(row["truth_bits"]) for row in mine))
        axes.plot([0, most], [0, most], color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
        for i, estimator in enumerate(estimators):
            points = [
                (round(float(row["truth_bits"]), 3), float(row["estimate_bits"]))
                for row in mine
                if row["estimator"] == estimator
            ]
            if not points:
                continue
            by_truth: dict[float, list[float]] = {}
            for truth, estimate in sorted(points):
                by_truth.setdefault(truth, []).append(estimate)
            # Open rings of growing size, so that estimators that agree are all seen.
            color = PALETTE[i % len(PALETTE)]
            mark = {"color": color, "markersize": 3.5 + 2 * i, "markerfacecolor": color if i == 0 else "none"}
            if min(map(len, by_truth.values())) < CASES_A_TRUTH or len(by_truth) == 1:
                axes.plot(*zip(*points, strict=True), "o", label=estimator, **mark)
                continue
            means = [float(np.mean(values)) for values in by_truth.values()]
            axes.plot(list(by_truth), means, "o-", linewidth=1.3, label=estimator, **mark)
            ends = [[end(values) for values in by_truth.values()] for end in (min, max)]
            axes.fill_between(list(by_truth), *ends, color=color, alpha=0.15, linewidth=0)
        if index == 0:
            axes.legend(fontsize=7, frameon=False)

    return grid(len(groups), draw, columns=3, size=3.2)


def markdown_summary(results: Sequence[Result]) -> str:
    """The summaries of several runs as one Markdown table: suite, group, estimator; columns that say nothing left out.

    >>> rows = [{"estimator": "ksg", "group": "all", "records": 4, "mean_error_bits": -0.25, "why": ""}]
    >>> print(markdown_summary([Result("accuracy", {"suite": "real"}, tables={"summary": rows})]))
    | suite | group | estimator | runs | mean error (bits) |
    | --- | --- | --- | --- | --- |
    | real | all | ksg | 4 | -0.25 |
    """
    rows = [{"suite": result.metrics["suite"], **row} for result in results for row in result.tables["summary"]]
    rows.sort(key=lambda row: (str(row["suite"]), row["group"] == "all", str(row["group"])))
    named = [name for name in SUMMARY if any(row.get(name) not in (None, "") for row in rows)]
    lines = [[SUMMARY[name] for name in named], ["---"] * len(named)]
    lines += [[shown(row.get(name)) for name in named] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m lmi.report.accuracy <run folder> ...")
    try:
        sys.stdout.write(markdown_summary([Result.load(folder) for folder in sys.argv[1:]]) + "\n")
    except FileNotFoundError as error:
        sys.exit(str(error))
