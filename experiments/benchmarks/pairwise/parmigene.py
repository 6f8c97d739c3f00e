"""Beside another's code: KSG values and ARACNE edges of the R package parmigene, with times."""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmi.estimators.network.pruning import indirect_edges
from lmi.estimators.pairwise.ksg_window import psi_table
from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.experiments.benchmarks.pairwise.speed import activations
from lmi.results import Result
from lmi.types import Context

SCRIPT = """
suppressMessages(library(parmigene))
arguments <- commandArgs(TRUE)
x <- as.matrix(read.csv(arguments[1], header = FALSE))
started <- proc.time()[["elapsed"]]
mi <- knnmi.all(t(x), as.integer(arguments[2]), 0)
ksg <- proc.time()[["elapsed"]] - started
started <- proc.time()[["elapsed"]]
network <- aracne.a(mi, as.numeric(arguments[3]))
aracne <- proc.time()[["elapsed"]] - started
write.table(format(mi, digits = 17), arguments[4], quote = FALSE, sep = ",", row.names = FALSE, col.names = FALSE)
write.table(1 * (network > 0), arguments[5], sep = ",", row.names = FALSE, col.names = FALSE)
cat(ksg, aracne)
"""


LEGEND = {
    "what": "is done",
    "ours_seconds": "wall time of lmi",
    "parmigene_seconds": "wall time of parmigene",
    "ratio": "the one over the other",
}


@dataclass(frozen=True)
class PairwiseParmigene:
    """The same columns through ``parmigene`` (Debian's r-cran-parmigene) and through lmi.

    parmigene's KSG is the second algorithm of Kraskov, Stoegbauer and Grassberger (a rectangle), lmi's pairwise the first
    (a square), so its values are compared with a plain implementation of the second, and the edges on its own values.

    Args:
        columns: how many.
        rows: samples.
        k: neighbours.
        tolerance: of ARACNE, nats.
    """

    columns: int = 500
    rows: int = 200
    k: int = 3
    tolerance: float = 0.05

    def run(self, context: Context) -> Result:
        """Write the columns, call R, compare.

        Raises:
            ValueError: where R or the package is not installed.
        """
        if shutil.which("Rscript") is None:
            raise ValueError("no Rscript found; expected R with the package parmigene (Debian: r-cran-parmigene)")
        h = activations(self.rows, self.columns, context.generator("parmigene")).numpy()
        theirs, kept, seconds = self._theirs(h)
        pairwise_mi(h[:, :3], k=self.k)
        started = time.perf_counter()
        mine = pairwise_mi(h, k=self.k)
        mine_seconds = time.perf_counter() - started
        a, b = np.triu_indices(self.columns, 1)
        values = theirs[a, b]
        positive = np.flatnonzero(values > 0)
        indirect_edges(a[:1], b[:1], values[:1], self.columns)
        started = time.perf_counter()
        pruned = indirect_edges(a[positive], b[positive], values[positive], self.columns, self.tolerance)
        pruned_seconds = time.perf_counter() - started
        edges = np.zeros(len(a), bool)
        edges[positive] = ~pruned
        sample = np.random.default_rng(context.derive("sample")).choice(len(a), min(200, len(a)), replace=False)
        second = [second_ksg(h[:, i], h[:, j], self.k) for i, j in zip(a[sample], b[sample])]
        rows: list[dict[str, Any]] = [
            {
                "what": "KSG of all pairs",
                "ours_seconds": mine_seconds,
                "parmigene_seconds": seconds[0],
                "ratio": seconds[0] / mine_seconds,
            },
            {
                "what": "ARACNE of all pairs",
                "ours_seconds": pruned_seconds,
                "parmigene_seconds": seconds[1],
                "ratio": seconds[1] / pruned_seconds,
            },
        ]
        metrics: dict[str, Any] = {
            "edges_differ_count": int((edges != (kept[a, b] > 0)).sum()),
            "edges_count": int(edges.sum()),
            "second_ksg_difference_nats": float(np.abs(values[sample] - second).max()),
            "first_to_second_ksg_correlation": float(np.corrcoef(mine[a, b], values)[0, 1]),
            "first_to_second_ksg_mean_difference_nats": float(np.mean(mine[a, b] - values)),
        }
        return Result(
            "pairwise_parmigene",
            metrics,
            answer=f"On {self.columns} columns lmi is {rows[0]['ratio']:.3g} times as fast as parmigene at KSG and "
            f"{rows[1]['ratio']:.3g} times at ARACNE, where {metrics['edges_differ_count']} of {metrics['edges_count']} edges "
            "differ.",
            tables={"times": rows},
            legend=LEGEND,
            notes=(
                "parmigene computes the second KSG estimator, lmi's pairs the first, both on columns divided by their standard "
                "deviation: second_ksg_difference_nats compares parmigene with a plain second one",
                "ARACNE is compared on parmigene's own values, pairs above 0",
            ),
        )

    def _theirs(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[float]]:
        with tempfile.TemporaryDirectory() as passing:
            folder = Path(passing)
            with (folder / "x.csv").open("w", newline="") as file:
                csv.writer(file).writerows([[repr(float(value)) for value in row] for row in h])
            (folder / "run.R").write_text(SCRIPT)
            names = [str(folder / name) for name in ("x.csv", "mi.csv", "network.csv")]
            done = subprocess.run(
                ["Rscript", str(folder / "run.R"), names[0], str(self.k), str(self.tolerance), *names[1:]],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ValueError(f"R with parmigene failed: {done.stderr.strip()[-300:]}")
            mi, network = (np.loadtxt(name, delimiter=",") for name in names[1:])
        return mi, network, [float(word) for word in done.stdout.split()]


def second_ksg(x: np.ndarray, y: np.ndarray, k: int) -> float:
    """KSG2 of two columns (n,) divided by their standard deviations, nats.

    psi(k) - 1 / k + psi(n) - <psi(n_x) + psi(n_y)>, n_x and n_y the others within the rectangle of the k nearest.
    """
    n, x, y = len(x), x / x.std(), y / y.std()
    dx, dy = np.abs(x[:, None] - x), np.abs(y[:, None] - y)
    distance = np.maximum(dx, dy)
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1, kind="stable")[:, :k]
    radius_x, radius_y = (np.take_along_axis(d, near, 1).max(1)[:, None] for d in (dx, dy))
    psi = psi_table(n)
    return float(psi[k] - 1 / k + psi[n] - (psi[(dx <= radius_x).sum(1) - 1] + psi[(dy <= radius_y).sum(1) - 1]).mean())
