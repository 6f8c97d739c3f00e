"""Are lmi.sklearn's two functions as fast as scikit-learn's on a small table, at the same values?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from sklearn import feature_selection

from lmi import sklearn as ours
from lmi.experiments.measure import bar_row
from lmi.report.legend import BARS
from lmi.results import Result
from lmi.types import Context


class Noiseless(np.random.RandomState):
    """A generator whose noise is 0: scikit-learn's values without what it adds to break ties."""

    def standard_normal(self, size: Any = None) -> Any:
        """Zeros."""
        return np.zeros(size)


@dataclass(frozen=True)
class SklearnSpeed:
    """Both functions of both libraries, warm, in turns; the fastest of ``repeats`` counts.

    Args:
        columns: of X.
        rows: of X.
        repeats: times each is run.
        n_jobs: of both libraries.
    """

    columns: Annotated[int, Field(ge=1)] = 3
    rows: Annotated[int, Field(ge=10)] = 1000
    repeats: Annotated[int, Field(ge=1)] = 20
    n_jobs: int | None = None

    def run(self, context: Context) -> Result:
        """Values with scikit-learn's noise off, then times as it comes."""
        rng = np.random.default_rng(context.derive("samples"))
        x = rng.normal(size=(self.rows, self.columns))
        y = x[:, 0] + rng.normal(size=self.rows)
        bars: list[dict[str, Any]] = []
        for name, target in (("mutual_info_regression", y), ("mutual_info_classif", (y > 0).astype(int))):
            mine, theirs = getattr(ours, name), getattr(feature_selection, name)
            difference = float(np.abs(mine(x, target) - theirs(x, target, random_state=Noiseless(0))).max())
            ratio = self._seconds(theirs, x, target) / self._seconds(mine, x, target)
            bars += [
                bar_row(name, ratio, "times faster", ">=", 1),
                bar_row(name, difference, "nats", "<=", 1e-12),
            ]
        met = sum(bar["met"] for bar in bars)
        return Result(
            "sklearn_speed",
            {f"{bar['what']}_{'ratio' if '>' in bar['bar'] else 'difference_nats'}": bar["measured"] for bar in bars},
            tables={"bars": bars},
            legend=BARS,
            answer=f"{met} of {len(bars)} bars are met against scikit-learn on {self.columns} columns of {self.rows} rows.",
        )

    def _seconds(self, function: Callable[..., Any], x: np.ndarray, target: np.ndarray) -> float:
        seconds = []
        for _ in range(self.repeats):
            started = time.perf_counter()
            function(x, target, n_jobs=self.n_jobs)
            seconds.append(time.perf_counter() - started)
        return min(seconds)
