"""An estimate at a glance: as text, as the HTML card that a notebook shows, as a figure; all from ``Estimate.to_dict``."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from html import escape
from typing import Any

BITS = 1 / math.log(2.0)  # in a nat
COLORS = {"reliable": "#3a8f5c", "doubtful": "#d9772b", "abstain": "#b5383f"}


def text_card(estimate: Mapping[str, Any]) -> str:
    """What ``print`` shows.

    Args:
        estimate: from ``Estimate.to_dict``.
    """
    lines = [
        f"I(X; Y) = {estimate['bits']:.4f} bits ({estimate['nats']:.4f} nats) by {estimate['estimator']} "
        f"on {estimate['num_samples']} samples"
    ]
    if estimate["interval_bits"]:
        lines.append("90% interval: {:.4f} to {:.4f} bits".format(*estimate["interval_bits"]))
    if estimate["null_nats"]:
        null = estimate["null_nats"]
        lines.append(
            f"shuffled: {sum(null) / len(null) * BITS:.4f} bits, 95% below {estimate['null_high_nats'] * BITS:.4f} "
            f"(p = {estimate['p_value']:.3g}, {len(null)} permutations)"
        )
    if estimate["ceiling_nats"] is not None:
        lines.append(f"ceiling: {estimate['ceiling_nats'] * BITS:.2f} bits")
    lines.append("; ".join([f"verdict: {estimate['verdict']}", *estimate["reasons"]]))
    if estimate["choice"]:
        lines.append(estimate["choice"])
    return "\n  ".join([*lines, *(f"warning: {warning}" for warning in estimate["warnings"])])


def html_card(estimate: Mapping[str, Any]) -> str:
    """The number, its interval, the verdict with its reasons, and what shuffled pairs say.

    Args:
        estimate: from ``Estimate.to_dict``.

    >>> "0.7213 bits" in html_card({"bits": 0.72134, "nats": 0.5, "estimator": "ksg", "num_samples": 9, "verdict": "abstain"})
    True
    """
    color = COLORS[estimate["verdict"]]
    lines = [
        f'<div style="border-left:5px solid {color};padding:0.4em 0.9em;max-width:46em;line-height:1.45">'
        f'<div><span style="font-size:1.5em;font-weight:600">{estimate["bits"]:.4f} bits</span> '
        f'<span style="opacity:0.7">({estimate["nats"]:.4f} nats)</span></div>'
    ]
    if estimate.get("interval_bits"):
        low, high = estimate["interval_bits"]
        lines.append(f"<div>90% interval {low:.4f} to {high:.4f} bits</div>")
    lines.append(f'<div style="color:{color};font-weight:600">{estimate["verdict"]}</div>')
    lines += _listed(estimate.get("reasons", ()))
    lines += _listed(word for word in estimate.get("warnings", ()) if word not in estimate.get("reasons", ()))
    if estimate.get("null_nats"):
        null = estimate["null_nats"]
        mean = sum(null) / len(null) * BITS
        lines.append(f"<div>shuffled pairs: {mean:.4f} bits on average, p = {estimate['p_value']:.2g}</div>")
    for share, value in estimate.get("normalised", {}).items():
        side = {"of_x": "of H(X)", "of_y": "of H(Y)", "of_both": "of the mean of H(X) and H(Y)"}[share]
        lines.append(f"<div>{100 * value:.1f}% {side}</div>")
    about = f"{estimate['estimator']} on {estimate['num_samples']} samples"
    if estimate.get("choice"):
        about += f". {estimate['choice']}"
    lines.append(f'<div style="opacity:0.7;font-size:0.9em">{escape(about)}</div></div>')
    return "\n".join(lines)


def _listed(words: Any) -> list[str]:
    items = "".join(f"<li>{escape(word)}</li>" for word in words)
    return [f'<ul style="margin:0.2em 0">{items}</ul>'] if items else []


def plot_card(estimate: Mapping[str, Any]) -> Any:
    """A matplotlib figure of one estimate, in bits.

    Args:
        estimate: from ``Estimate.to_dict``.
    """
    from matplotlib.figure import Figure

    class Card(Figure):
        """A figure that notebooks show, whether or not pyplot was imported before."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    figure = Card(figsize=(6.0, 1.8), dpi=160, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    color = COLORS[estimate["verdict"]]
    labels = [f"{estimate['estimator']}: {estimate['verdict']}"]
    if estimate["interval_bits"]:
        axes.plot(estimate["interval_bits"], [0, 0], color=color, linewidth=6, alpha=0.35, solid_capstyle="butt")
    axes.plot(estimate["bits"], 0, "o", color=color)
    if estimate["null_nats"]:
        axes.plot(
            [nats * BITS for nats in estimate["null_nats"]], [1] * len(estimate["null_nats"]), "|", color="#777777"
        )
        labels.append("shuffled pairs")
    if estimate["ceiling_nats"] is not None and estimate["nats"] > 0.5 * estimate["ceiling_nats"]:
        axes.axvline(estimate["ceiling_nats"] * BITS, color="#222222", linestyle=":", label="ceiling")
        axes.legend(fontsize=8, frameon=False)
    axes.axvline(0, color="#9a9a9a", linewidth=0.8)
    axes.set_yticks(range(len(labels)), labels, fontsize=9)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel("mutual information (bits)", fontsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return figure
