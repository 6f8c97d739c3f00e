"""Figures of one estimate: its training, its latents, its terms, and where it stands beside truth, oracle and null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from lmi.report.style import BLUE, DIVERGING, GREEN, GREY, INK, ORANGE, RED, dress, grid, new_figure


@dataclass(frozen=True)
class Mark:
    """One row of the comparison, in bits.

    Args:
        label: what it is.
        bits: its value.
        low: lower end of its 90% interval, or the value.
        high: upper end.
    """

    label: str
    bits: float
    low: float
    high: float


def comparison(marks: Sequence[Mark], truth: float | None, null: np.ndarray | None) -> Figure:
    """Each estimate with its interval on one axis of bits, the truth as a line, the shuffled estimates as dots."""
    rows = len(marks) + (null is not None)
    figure = new_figure(6.0, 0.9 + 0.5 * rows)
    axes = dress(figure.add_subplot(), x="mutual information (bits)")
    colors = [BLUE, ORANGE, GREEN, RED]
    labels = []
    for row, mark in enumerate(marks):
        color = colors[row % len(colors)]
        axes.plot([mark.low, mark.high], [row, row], color=color, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(mark.bits, row, "o", color=color, markersize=7)
        axes.annotate(
            f"{mark.bits:.3f}", (mark.bits, row), xytext=(0, 8), textcoords="offset points", fontsize=8,
            ha="center", color=color, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
        labels.append(mark.label)
    if null is not None:
        jitter = np.linspace(-0.14, 0.14, null.size)
        axes.plot(null, len(marks) + jitter, ".", color=GREY, markersize=5)
        labels.append("shuffled pairs")
    if truth is not None:
        axes.axvline(truth, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.annotate(
            f"truth {truth:.3f}", (truth, 1), xycoords=("data", "axes fraction"), xytext=(4, 2),
            textcoords="offset points", fontsize=8, color=INK, va="bottom",
        )  # fmt: skip
    axes.axvline(0, color=GREY, linewidth=0.6)
    ends = [0.0, *(end for mark in marks for end in (mark.low, mark.high)), *([] if truth is None else [truth])]
    left = min(ends) - 0.5 * max(max(ends) - min(ends), 0.1)
    if null is not None and null.min() < left:  # they would leave no room for what is to be compared
        axes.set_xlim(left=left)
        axes.annotate(
            f"down to {null.min():.1f}", (left, len(marks)), xytext=(4, 0), textcoords="offset points",
            fontsize=8, color=INK, va="center",
        )  # fmt: skip
    axes.set_yticks(range(rows), labels, fontsize=9)
    axes.set_ylim(rows - 0.4, -0.7)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def training(curves: Mapping[str, np.ndarray]) -> Figure:
    """Training and stopping loss by epoch, one pair of lines a fold, with the epoch whose weights were kept.

    A stopping loss that is a held-out bound comes with its standard error, ``stop_error``, as a band.
    """
    figure = new_figure(5.0, 3.2)
    axes = dress(figure.add_subplot(), x="epoch", y="loss")
    errors = {name: values for name, values in curves.items() if name.startswith("stop_error")}
    losses = {name: values for name, values in curves.items() if name not in errors}
    folds = len(losses) // 2
    for index, (name, values) in enumerate(losses.items()):
        epochs = np.arange(1, values.size + 1)
        is_stop = name.startswith("stop")
        label = ("stop loss" if is_stop else "train loss") if index < 2 else None
        axes.plot(epochs, values, color=ORANGE if is_stop else BLUE, linewidth=1.6 if folds == 1 else 1.0, label=label)
        error = errors.get(name.replace("loss", "error"))
        if is_stop and error is not None:
            axes.fill_between(epochs, values - error, values + error, color=ORANGE, alpha=0.2, linewidth=0)
        if is_stop:
            best = int(np.argmin(values))
            axes.plot(best + 1, values[best], "o", color=ORANGE, markersize=6)
        if is_stop and folds == 1:
            axes.annotate(
                f"kept: epoch {best + 1}", (best + 1, values[best]), xytext=(0, 12), textcoords="offset points",
                fontsize=8, ha="center", color=ORANGE, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
    axes.legend(fontsize=8, frameon=False)
    return figure


def latents(zx: np.ndarray, zy: np.ndarray, pointwise: np.ndarray) -> Figure:
    """The first pair of canonical variates of the latents, each sample coloured by its pointwise MI.

    Args:
        zx: (n, rx) held-out latents.
        zy: (n, ry) held-out latents.
        pointwise: (n,) bits.
    """
    figure = new_figure(5.0, 4.0)
    axes = dress(figure.add_subplot(), x="first canonical latent of X (s.d.)", y="first canonical latent of Y (s.d.)")
    limit = float(np.quantile(np.abs(pointwise), 0.98)) or 1.0
    order = np.argsort(np.abs(pointwise))
    u, v = _first_canonical(zx, zy)
    dots = axes.scatter(
        u[order], v[order], c=pointwise[order], s=6, cmap=DIVERGING, vmin=-limit, vmax=limit, linewidths=0
    )
    bar = figure.colorbar(dots, ax=axes, shrink=0.85)
    bar.set_label("pointwise MI (bits)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _first_canonical(zx: np.ndarray, zy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bases = []
    for z in (zx, zy):
        left, values, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
        bases.append(left[:, values > 1e-6 * values.max(initial=0.0)])
    left, _, right = np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)
    scale = np.sqrt(zx.shape[0])
    return scale * bases[0] @ left[:, 0], scale * bases[1] @ right[0]


def pointwise_distribution(pointwise: np.ndarray, is_estimate: bool = True) -> Figure:
    """Histogram of the pointwise MI (n,) of held-out samples in bits, with its mean, which may be the estimate."""
    figure = new_figure(5.0, 3.2)
    axes = dress(figure.add_subplot(), x="pointwise MI (bits)", y="samples")
    axes.hist(pointwise, bins=60, color=BLUE, alpha=0.8)
    mean = float(pointwise.mean())
    axes.axvline(mean, color=INK, linewidth=1.2)
    label = f"mean {mean:.3f}" + (" = the estimate" if is_estimate else "")
    axes.annotate(
        label, (mean, 1), xycoords=("data", "axes fraction"), xytext=(5, -10),
        textcoords="offset points", fontsize=8, color=INK,
    )  # fmt: skip
    return figure


def typical_images(images: np.ndarray, pointwise: np.ndarray, count: int = 6) -> Figure:
    """The images with the highest pointwise MI above those with the lowest, the cut between the halves drawn in.

    Args:
        images: (n, height, width).
        pointwise: (n,) bits.
        count: images in each row.
    """
    order = np.argsort(pointwise)
    chosen = np.concatenate((order[::-1][:count], order[:count]))

    def draw(axes, index: int) -> None:  # type: ignore[no-untyped-def]
        i = chosen[index]
        axes.imshow(images[i], cmap="gray_r", interpolation="nearest")
        axes.axvline(images.shape[2] / 2 - 0.5, color=RED, linewidth=1.6)
        axes.set_axis_off()
        axes.set_title(f"{pointwise[i]:+.2f} bits", fontsize=8, color=INK)

    figure = grid(2 * count, draw, columns=count, size=1.3)
    figure.suptitle("most telling (top) and least telling pairs of halves", fontsize=10, color=INK)
    return figure
