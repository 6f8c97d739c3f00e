"""How fast and how accurate beside ``latentmi`` 0.1.3, the published code, on the same data in the same process?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from lmi.api import estimate
from lmi.experiments.benchmarks.peers import latentmi, seeded
from lmi.report.style import BLUE, GREY, INK, dress, new_figure
from lmi.results import Result, Scalar
from lmi.types import NATS_PER_BIT, Context, Estimator, Pairs, Source

LEGEND = {
    "seed": "of samples and networks",
    "truth (bits)": "true mutual information",
    "lmi (bits)": "estimate of lmi",
    "latentmi (bits)": "estimate of latentmi",
    "lmi |error|": "distance of the estimate from the truth, bits",
    "latentmi |error|": "the same, bits",
    "lmi (s)": "wall time of an estimate",
    "latentmi (s)": "the same",
    "times faster": "wall time of latentmi over that of lmi",
}


@dataclass(frozen=True)
class VersusLatentMI:
    """Both estimators, seed by seed, on the same samples.

    Args:
        source: samples with a known truth.
        estimator: ours.
        num_samples: samples a seed.
        seeds: how many.
    """

    source: Source
    estimator: Estimator
    num_samples: Annotated[int, Field(ge=10)] = 2000
    seeds: Annotated[int, Field(ge=1)] = 3

    def run(self, context: Context) -> Result:
        """Time and error of both.

        Raises:
            ValueError: where the peer is not installed, with the command that installs it, or the truth is unknown.
        """
        peer = latentmi("lmi")
        table: list[dict[str, Scalar]] = []
        for seed in context.bar(range(self.seeds), "seeds"):
            run = Context(seed=context.derive("seed", seed))
            pairs = self.source.sample(self.num_samples, run.generator("samples"))
            if pairs.truth is None:
                raise ValueError("the source has no known truth; nothing to hold the estimates against")
            truth = pairs.truth / NATS_PER_BIT
            started = time.perf_counter()
            ours = estimate(pairs.x, pairs.y, self.estimator, context=run).bits
            our_seconds = time.perf_counter() - started
            theirs, their_seconds = run_peer(peer, pairs, run)
            table.append(
                {
                    "seed": seed,
                    "truth (bits)": truth,
                    "lmi (bits)": ours,
                    "latentmi (bits)": theirs,
                    "lmi |error|": abs(ours - truth),
                    "latentmi |error|": abs(theirs - truth),
                    "lmi (s)": our_seconds,
                    "latentmi (s)": their_seconds,
                    "times faster": their_seconds / our_seconds,
                }
            )
        columns = {name: np.array([float(row[name]) for row in table]) for name in table[0]}  # type: ignore[arg-type]
        mean = {name: float(values.mean()) for name, values in columns.items()}
        ratio = float(columns["latentmi (s)"].sum() / columns["lmi (s)"].sum())
        table.append({**mean, "seed": "mean", "times faster": ratio})
        return Result(
            experiment="versus_latentmi",
            answer=f"lmi is {ratio:.3g} times as fast as latentmi; mean errors are {mean['lmi |error|']:.3f} and "
            f"{mean['latentmi |error|']:.3f} bits.",
            metrics={
                "lmi_mean_absolute_error_bits": mean["lmi |error|"],
                "latentmi_mean_absolute_error_bits": mean["latentmi |error|"],
                "lmi_seconds": mean["lmi (s)"],
                "latentmi_seconds": mean["latentmi (s)"],
                "speed_ratio": ratio,
            },
            tables={"versus_latentmi": table},
            legend=LEGEND,
            figures={"versus": draw(columns)},
            captions={
                "versus": "Error against time of both, a dot a seed; lower left is better. Time is on a log scale."
            },
        )


def run_peer(peer: Any, pairs: Pairs, context: Context) -> tuple[float, float]:
    """The peer's estimate in bits with its own defaults, and its seconds."""
    with seeded(context):
        started = time.perf_counter()
        pointwise, _, _ = peer.estimate(pairs.x.numpy(), pairs.y.numpy())
        seconds = time.perf_counter() - started
    return float(np.nanmean(pointwise)), seconds


def draw(columns: dict[str, np.ndarray]) -> Any:
    """Absolute error against seconds."""
    figure = new_figure(5.0, 3.2)
    axes = dress(figure.add_subplot(), x="seconds an estimate", y="absolute error (bits)")
    for name, color in (("latentmi", GREY), ("lmi", BLUE)):
        axes.semilogx(columns[f"{name} (s)"], columns[f"{name} |error|"], "o", color=color, markersize=7)
        axes.annotate(
            name,
            (float(columns[f"{name} (s)"].mean()), float(columns[f"{name} |error|"].max())),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=INK,
        )
    axes.set_ylim(0, 1.35 * max(columns["lmi |error|"].max(), columns["latentmi |error|"].max()))
    axes.margins(x=0.25)
    return figure
