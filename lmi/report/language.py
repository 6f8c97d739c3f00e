"""Figures of a language model: its held-out loss beside the baselines'."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from lmi.report.style import BLUE, GREY, INK, dress, new_figure

LEGEND = {
    "model": "what predicts the next token",
    "held_out_nats_per_token": "loss on documents that training never saw",
    "held_out_bits_per_byte": "the same in bits a byte of text",
    "perplexity": "exp of the loss in nats a token",
}


def loss_figure(names: Sequence[str], nats: Sequence[float]) -> Figure:
    """One bar a model, ``nats`` (m,) nats a token; the last is the model in question, the others its baselines."""
    figure = new_figure(6.0, 0.55 * len(names) + 1.0)
    axes = figure.add_subplot()
    axes.barh(range(len(names)), nats, color=[GREY] * (len(names) - 1) + [BLUE], height=0.62)
    for row, value in enumerate(nats):
        axes.text(value, row, f" {value:.2f}", va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(nats) * 1.12)
    dress(axes, "Predicting held-out text", "held-out loss (nats per token)")
    return figure
