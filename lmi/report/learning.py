"""The learning curve of encoders: what a quarter, a half and all of the training pairs find."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from lmi.report.style import BLUE, INK, dress, new_figure


def learning_curve_figure(bits: Sequence[float], missing: tuple[float, float] | None) -> Figure:
    """Points at a quarter, a half and all of the pairs, and a band that holds what infinitely many would find.

    Args:
        bits: found by a quarter, a half and all.
        missing: what is still to be found at least and at most, as shares of the last; ``None`` where the curve does not say.
    """
    figure = new_figure(4.2, 3.2)
    axes = dress(figure.add_subplot(), x="training pairs (share)", y="found in fresh pairs (bits)")
    axes.plot([0.25, 0.5, 1.0], bits, "o-", color=BLUE, linewidth=1.6)
    least, most = (bits[-1] * (1 + share) for share in missing or (0.0, 0.0))
    words = "it does not bend yet: where it ends is not known"
    if missing is not None:
        words = "with infinitely many" if most > least else "no more is expected"
        axes.axhspan(least, most, color=BLUE, alpha=0.15, linewidth=0)
        for limit in (least, most):
            axes.axhline(limit, color=INK, linestyle="--", linewidth=0.8)
    axes.annotate(words, (0.25, most), xytext=(0, 4), textcoords="offset points", fontsize=8, color=INK)
    axes.set_xscale("log", base=2)
    axes.set_xticks([0.25, 0.5, 1.0], ["1/4", "1/2", "all"])
    low, high = min(*bits, 0.0 if bits[-1] < 0.3 else min(bits)), max(*bits, most)
    axes.set_ylim(low - 0.1 * (high - low) - 0.02, high + 0.2 * (high - low) + 0.02)
    return figure
