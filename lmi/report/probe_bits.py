"""Figures of a sparse probe in bits: information against sparsity, stability and stand-ins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lmi.report.style import BLUE, GREEN, GREY, INK, ORANGE, RED, SEQUENTIAL, dress, new_figure


def bits_against_sparsity(
    kept: Any, bits: Any, error: Any, l1_bits: Any, saturated: int, single: Any, null: float, layer: float, entropy: float,
    truth: float | None,
) -> Figure:  # fmt: skip
    """Held-out bits of m neurons along the path, (p,) each, beside every neuron's own MI (d,) and the whole layer's.

    Args:
        kept: (p,) neurons kept.
        bits: (p,) held out.
        error: (p,) standard errors.
        l1_bits: (p,) of the L1 solution.
        saturated: point where more neurons add nothing.
        single: (d,) bits of each neuron alone.
        null: bits that shuffled labels reach.
        layer: bits of the whole layer.
        entropy: of the label, bits.
        truth: bits, where it is known.
    """
    figure = new_figure(9.0, 4.3)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1), sharey=True)
    kept = np.asarray(kept)
    left.fill_between(kept, bits - 2 * error, bits + 2 * error, color=BLUE, alpha=0.18, linewidth=0)
    left.plot(kept, bits, "o-", color=BLUE, markersize=3.5, label="refitted on the kept neurons")
    left.plot(kept, l1_bits, "o--", color=GREEN, markersize=2.5, linewidth=1, label="with the penalty's weights")
    left.axvline(kept[saturated], color=GREY, linewidth=0.8, linestyle=":")
    left.annotate(
        f"saturated: {kept[saturated]:.0f}",
        (kept[saturated], 0),
        (3, 4),
        textcoords="offset points",
        fontsize=8,
        color=INK,
    )
    left.axhline(layer, color=ORANGE, linewidth=1.2, label="probe of the whole layer")
    left.axhline(entropy, color=GREY, linewidth=1, linestyle="--", label="H(Y), all there is to know")
    if truth is not None:
        left.axhline(truth, color=INK, linewidth=1.2, linestyle="-.", label="truth")
    left.set_xscale("symlog", linthresh=1)
    left.set_xlim(0, max(kept.max() * 1.15, 2))
    ticks = [t for t in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= kept.max() * 1.15 or t < 2]
    left.set_xticks(ticks, [str(t) for t in ticks])
    left.minorticks_off()
    lowest = min(0.0, float(np.min(bits)), float(np.min(l1_bits)))
    left.set_ylim(max(lowest, -0.25 * entropy) - 0.03 * entropy, 1.06 * entropy)
    dress(left, "bits against sparsity", "neurons kept (mean over folds)", "information about the label (bits)")
    figure.legend(*left.get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    ranked = np.sort(single)[::-1]
    right.plot(np.arange(1, ranked.size + 1), ranked, color=BLUE, linewidth=1.6)
    right.axhline(layer, color=ORANGE, linewidth=1.2)
    right.axhline(null, color=RED, linewidth=1, linestyle=":", label="99% of neurons, labels shuffled")
    right.legend(fontsize=8, frameon=False, loc="best")
    right.set_xscale("log")
    dress(right, "each neuron's own MI with the label", "neuron, by rank")
    return figure


def stability(frequency: Any, single: Any, threshold: float, informative: Any | None) -> Figure:
    """Selection frequency of each neuron against its own MI with the label, (d,) each; planted ones marked.

    Args:
        frequency: (d,) how often each neuron is kept.
        single: (d,) bits of each neuron alone.
        threshold: of stable ones.
        informative: planted neurons, where they are known.
    """
    figure = new_figure(6.0, 3.8)
    axes = figure.add_subplot()
    axes.scatter(single, frequency, s=12, color=BLUE, alpha=0.5, linewidths=0, label="neurons")
    if informative is not None:
        axes.scatter(
            single[informative], frequency[informative], s=42, facecolors="none", edgecolors=RED, label="planted"
        )
    axes.axhline(threshold, color=INK, linewidth=1, linestyle="--", label=f"stable: {(frequency >= threshold).sum()}")
    axes.set_ylim(-0.03, 1.05)
    dress(axes, "", "own MI with the label (bits)", "share of half-samples that select it")
    axes.legend(fontsize=8, frameon=False, loc="center right")
    return figure


def stand_ins(shared: Any, kept: Any, others: Any, table: Sequence[Mapping[str, Any]], columns: int = 24) -> Figure:
    """MI between the steadiest neurons and their likeliest stand-ins, and what removing or swapping costs.

    Args:
        shared: (k, o) bits between kept neurons and the others.
        kept: (k,) their places.
        others: (o,) places of the others.
        table: a row for each kept neuron with ``lost_without_bits`` and ``lost_by_swap_bits``.
        columns: how many of the others to show.
    """
    figure = new_figure(10.0, 0.26 * len(kept) + 1.7)
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    if np.size(shared):
        top = np.argsort(-shared.max(axis=0), kind="stable")[:columns]
        image = left.imshow(shared[:, top].clip(min=0), cmap=SEQUENTIAL, aspect="auto", vmin=0)
        left.set_xticks(range(top.size), [str(others[j]) for j in top], rotation=90)
        bar = figure.colorbar(image, ax=left, pad=0.01)
        bar.set_label("MI (bits)", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    left.set_yticks(range(len(kept)), [str(j) for j in kept])
    dress(left, "who could stand in for whom", "dropped neuron", "steady neuron")
    left.tick_params(labelsize=7)
    place = np.arange(len(kept))
    right.barh(place - 0.2, [row["lost_without_bits"] for row in table], 0.38, color=ORANGE, label="removed")
    swapped = [row.get("lost_by_swap_bits", np.nan) for row in table]
    right.barh(place + 0.2, swapped, 0.38, color=BLUE, label="swapped for its stand-in")
    right.axvline(0, color=INK, linewidth=0.7)
    right.set_ylim(len(kept) - 0.5, -0.5)
    right.set_yticks(place, [""] * len(kept))
    dress(right, "what it costs", "held-out bits lost")
    figure.legend(*right.get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower right", ncols=2)
    return figure
