"""Estimates against truths: a curve of repeated truths, points of cases that are different kinds of data."""

from lmi.report.accuracy import LEAST_SPAN, truth_curves


def rows(truths, estimator="auto", group="a"):
    return [{"group": group, "estimator": estimator, "truth_bits": t, "estimate_bits": t + 0.1} for t in truths]


def lines(truths):
    """Of the panel: the line styles after the diagonal, the number of points of each, and the shaded ranges."""
    axes = truth_curves(rows(truths)).axes[0]
    return [(line.get_linestyle(), len(line.get_xdata())) for line in axes.lines[1:]], len(axes.collections)


def test_means_of_repeated_truths_are_a_curve_and_single_cases_are_points():
    assert lines([0, 0, 1, 1, 2, 2]) == ([("-", 3)], 1)
    assert lines([0, 0.5, 1, 1]) == ([("None", 4)], 0)


def test_nulls_have_a_width_and_estimators_that_agree_are_both_seen():
    axes = truth_curves(rows([0, 0]) + rows([0, 0], "ksg")).axes[0]
    assert axes.get_xlim()[1] >= LEAST_SPAN
    auto, ksg = axes.lines[1:]
    assert ksg.get_markersize() > auto.get_markersize() and ksg.get_markerfacecolor() == "none"
