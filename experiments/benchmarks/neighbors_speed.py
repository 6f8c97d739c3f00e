"""Which way to exact neighbours is faster, and how fast is KSG beside the peer's?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from matplotlib.figure import Figure
from pydantic import Field
from torch import Tensor

from lmi.estimators.neighbors.ksg import ksg_pointwise
from lmi.estimators.neighbors.search import Way, count_inside, nearest
from lmi.experiments.benchmarks.peers import INSTALL, is_installed, latentmi, seeded
from lmi.experiments.measure import peak_memory_gib
from lmi.report.style import BLUE, INK, ORANGE, dress, grid, log_ticks
from lmi.results import Result, Scalar
from lmi.types import NATS_PER_BIT, Context

WAYS: tuple[Way, ...] = ("tree", "brute")


LEGEND = {
    "KSG": "whose, on how many samples of how many dimensions",
    "seconds": "wall time",
    "bits": "the estimate",
    "times slower": "than lmi on the same samples",
    "peak memory of the process (GiB)": "so far",
    "samples": "points",
    "dims": "dimensions of the points",
    "nearest tree (s)": "wall time of the k nearest neighbours of all points by a tree",
    "nearest brute (s)": "the same by brute force",
    "count tree (s)": "wall time of counting the points within twice the k-th distance, by a tree",
    "count brute (s)": "the same by brute force",
}


@dataclass(frozen=True)
class NeighborsSpeed:
    """Seconds of tree and brute force on normal samples; KSG against ``latentmi``'s; KSG on many samples.

    Args:
        sizes: numbers of samples for tree against brute force.
        dims: dimensions.
        k: neighbours.
        peer_samples: samples of 8 + 8 dimensions for KSG against the peer's.
        large_samples: samples of 8 + 8 dimensions for KSG alone.
    """

    sizes: tuple[int, ...] = (2000, 10_000, 30_000)
    dims: tuple[int, ...] = (1, 2, 4, 8)
    k: Annotated[int, Field(ge=1)] = 3
    peer_samples: int = 10_000
    large_samples: int = 100_000

    def run(self, context: Context) -> Result:
        """Two tables: ways to neighbours, and KSG."""
        generator = context.generator("samples")
        warm = _normal(100, 3, generator)
        for way in WAYS:
            count_inside(warm, nearest(warm, self.k, way=way)[0][:, -1], way=way)
        ways: list[dict[str, Scalar]] = []
        cases = [(n, d) for n in self.sizes for d in self.dims]
        for n, d in context.bar(cases, "tree against brute force"):
            points = _normal(n, d, generator)
            radius = nearest(points, self.k)[0][:, -1] * 2
            row: dict[str, Scalar] = {"samples": n, "dims": d}
            for name, search in (
                ("nearest", lambda way, points=points: nearest(points, self.k, way=way)),
                ("count", lambda way, points=points, radius=radius: count_inside(points, radius, way=way)),
            ):
                for way in WAYS:
                    row[f"{name} {way} (s)"] = _best(search, way)
            ways.append(row)
        ksg, metrics = self._ksg(generator, context)
        return Result(
            experiment="neighbors_speed",
            answer=f"KSG of the largest sample takes {float(str(metrics['large_ksg_seconds'])):.3g} s and "
            f"{float(str(metrics['peak_memory_gib'])):.2g} GiB.",
            metrics=metrics,
            tables={"ksg": ksg, "ways": ways},
            legend=LEGEND,
            figures={"ways": draw(ways)},
            captions={"ways": "Seconds for all nearest neighbours of normal samples, by tree and by brute force."},
        )

    def _ksg(self, generator: torch.Generator, context: Context) -> tuple[list[dict[str, Scalar]], dict[str, Scalar]]:
        x = _normal(self.peer_samples, 8, generator)
        y = 0.5 * x + _normal(self.peer_samples, 8, generator)
        started = time.perf_counter()
        ours = ksg_pointwise(x, y, self.k)
        seconds = time.perf_counter() - started
        rows: list[dict[str, Scalar]] = [
            {
                "KSG": f"lmi, {self.peer_samples} x (8 + 8)",
                "seconds": seconds,
                "bits": float(ours.mean()) / NATS_PER_BIT,
            }
        ]
        metrics: dict[str, Scalar] = {"ksg_seconds": seconds}
        if not is_installed("latentmi"):
            rows.append({"KSG": f"latentmi: not installed ({INSTALL})"})
        else:
            peer = latentmi("ksg")
            with seeded(context):
                started = time.perf_counter()
                theirs = peer.mi(x.numpy(), y.numpy(), k=self.k)
                peer_seconds = time.perf_counter() - started
            metrics |= {"latentmi_ksg_seconds": peer_seconds, "ksg_speed_ratio": peer_seconds / seconds}
            rows.append(
                {
                    "KSG": f"latentmi, {self.peer_samples} x (8 + 8)",
                    "seconds": peer_seconds,
                    "bits": float(theirs.mean()),
                    "times slower": peer_seconds / seconds,
                }
            )
        x = _normal(self.large_samples, 8, generator)
        y = 0.5 * x + _normal(self.large_samples, 8, generator)
        started = time.perf_counter()
        large = ksg_pointwise(x, y, self.k)
        seconds = time.perf_counter() - started
        peak = peak_memory_gib()
        rows.append(
            {
                "KSG": f"lmi, {self.large_samples} x (8 + 8)",
                "seconds": seconds,
                "bits": float(large.mean()) / NATS_PER_BIT,
                "peak memory of the process (GiB)": peak,
            }
        )
        return rows, metrics | {"large_ksg_seconds": seconds, "peak_memory_gib": peak}


def _normal(n: int, d: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def _best(search: Callable[[Way], object], way: Way, repeats: int = 3) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        search(way)
        seconds.append(time.perf_counter() - started)
        if sum(seconds) > 5:
            break
    return min(seconds)


def draw(rows: list[dict[str, Scalar]]) -> Figure:
    """Seconds against dimension, one panel a sample size."""
    every = [float(str(row[f"nearest {way} (s)"])) for row in rows for way in WAYS]
    sizes = list(dict.fromkeys(row["samples"] for row in rows))

    def panel(axes, index: int) -> None:  # type: ignore[no-untyped-def]
        chosen = [row for row in rows if row["samples"] == sizes[index]]
        for way, color in zip(WAYS, (ORANGE, BLUE)):
            seconds = np.array([row[f"nearest {way} (s)"] for row in chosen], dtype=float)
            axes.loglog([row["dims"] for row in chosen], seconds, "o-", color=color, label=way, markersize=4)
        dress(axes, f"{sizes[index]} samples", "dimensions", "seconds" if index == 0 else "")
        axes.set_xticks([row["dims"] for row in chosen], [str(row["dims"]) for row in chosen])
        axes.set_ylim(min(every) / 2, max(every) * 2)  # so wide that a tick falls inside, whatever was measured
        log_ticks(axes.yaxis)
        axes.minorticks_off()
        if index == 0:
            axes.legend(fontsize=8, frameon=False, labelcolor=INK)

    return grid(len(sizes), panel, columns=3, size=2.6)
