"""One look for every figure: size, type, palette and the few helpers that all of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#222222"
BLUE = "#2f6db3"
ORANGE = "#d9772b"
GREEN = "#3a8f5c"
RED = "#b5383f"
PURPLE = "#7a5aa6"
GREY = "#9a9a9a"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"


def new_figure(width: float = 6.0, height: float = 3.8) -> Figure:
    """An empty figure, ``width`` x ``height`` inches at 160 dots, that belongs to no window and no global state."""
    return Figure(figsize=(width, height), dpi=160, layout="constrained", facecolor="white")


def dress(axes: Axes, title: str = "", x: str = "", y: str = "") -> Axes:
    """Title and axis labels (with units), light frame, the same type sizes everywhere.

    Args:
        axes: to dress.
        title: above.
        x: label of the x axis.
        y: label of the y axis.
    """
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes


def grid(count: int, draw: Callable[[Axes, int], Any], columns: int = 3, size: float = 3.0) -> Figure:
    """``count`` small panels, ``draw(axes, index)`` called for each; empty places stay blank.

    Args:
        count: of panels.
        draw: fills one.
        columns: side by side.
        size: of a panel, inches.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(size * columns, size * 0.85 * rows)
    for index in range(count):
        draw(figure.add_subplot(rows, columns, index + 1), index)
    return figure
