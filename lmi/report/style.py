"""One look for every figure: size, type, palette and the few helpers that all of them share.

The palette is that of Okabe and Ito (Color Universal Design, 2008), which readers of every kind of colour vision tell apart.
``use()`` puts the same look on figures of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cycler import cycler
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

INK = "#222222"
BLUE = "#0072b2"
ORANGE = "#e69f00"
GREEN = "#009e73"
RED = "#d55e00"
PURPLE = "#cc79a7"
GREY = "#9a9a9a"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
TEXT_AS_TEXT = {"pdf.fonttype": 42, "svg.fonttype": "none"}


def use() -> None:
    """Set matplotlib's defaults to the look of lmi's figures: palette, sizes, light frame, text that stays text in PDF and SVG.

    >>> use()
    >>> rcParams["axes.prop_cycle"].by_key()["color"][0] == BLUE
    True
    """
    rcParams.update(
        {
            "axes.prop_cycle": cycler(color=PALETTE),
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.labelsize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8,
            "legend.frameon": False,
            "image.cmap": SEQUENTIAL,
            "figure.figsize": (6.0, 3.8),
            "figure.dpi": 160,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            **TEXT_AS_TEXT,
        }
    )


def save_vectors(figures: Mapping[str, Figure], folder: Path, kind: str) -> None:
    """Write figures as ``<name>.pdf`` or ``<name>.svg``, with text that can be searched and edited.

    Args:
        figures: name -> figure.
        folder: where they go; it is there.
        kind: one of ``lmi.files.FIGURE_KINDS``; for ``"png"`` there is nothing to do, since a result has saved those.
    """
    if kind == "png":
        return
    with rc_context(TEXT_AS_TEXT):
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.{kind}")


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


def log_ticks(axis: Axis) -> None:
    """Plain numbers at 1, 2 and 5 times powers of ten on a logarithmic axis that spans under two decades.

    Matplotlib writes none or overlapping ones there.
    """
    low, high = sorted(axis.get_view_interval())
    if 0 < low < high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_locator(NullLocator())


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
