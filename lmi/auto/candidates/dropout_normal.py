"""A normal copula with entries that are missing by chance, as dropout leaves zeros, and what the patterns of zeros share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lmi.auto.protocol.candidate import Candidate, Number, Traits, score_folds
from lmi.auto.protocol.numbers import ratio_number
from lmi.auto.protocol.scores import FittedScores
from lmi.auto.spaces import Space
from lmi.estimators.densities.patterns import CLASSES, Patterns, fit_patterns
from lmi.estimators.folds import Fold
from lmi.estimators.gaussian.missing import MissingNormal, fit_missing
from lmi.types import Context

HELD_OUT = 300  # pairs of a fold: every x is held against every y with a matrix of its own
MEASURED = 2000  # rows of either part of a fold, of which the number is the mean


@dataclass(frozen=True, eq=False)
class DropoutNormal(Candidate):
    """Normal scores of the values that are there, and classes of rows that show more or less.

    Args:
        space: normal scores, NaN where a column has the value that stands for missing.
        context: seeds the classes.
    """

    space: Space
    context: Context

    @property
    def name(self) -> str:
        """See ``Candidate``."""
        return "normal scores of the values that are there"

    def fit(self, folds: list[Fold]) -> FittedDropoutNormal:
        """See ``Candidate``."""
        models = [self._model(fold, i) for i, fold in enumerate(folds)]
        cross_fit = score_folds(self.space, folds, [model.scores for model in models], HELD_OUT)
        return FittedDropoutNormal(self, self.name, Traits(2, rises=False, costly=True), cross_fit, models)

    def _model(self, fold: Fold, index: int) -> ThereAndNot:
        x, y = self.space.x, self.space.y
        seed = self.context.derive("patterns", index)
        train, stop = ((there(x[rows]), there(y[rows])) for rows in (fold.train, fold.stop))
        best = max((1, *CLASSES), key=lambda count: float(fit_patterns(*train, count, seed).ratio(*stop).mean()))
        patterns = fit_patterns(there(x[fold.fit]), there(y[fold.fit]), best, seed)
        return ThereAndNot(fit_missing(x[fold.fit], y[fold.fit]), patterns)


def there(z: Tensor) -> Tensor:
    """Ones where z (n, d) is no NaN."""
    return (~z.isnan()).double()


@dataclass(frozen=True, eq=False)
class ThereAndNot:
    """The density ratio of values given which of them are there, times that of the patterns."""

    values: MissingNormal
    patterns: Patterns

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every x (n, dx) with every y (m, dy), nats."""
        return self.values.scores(x, y) + self.patterns.scores(there(x), there(y))

    def ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) the same of the pairs themselves."""
        return self.values.ratio(x, y) + self.patterns.ratio(there(x), there(y))


@dataclass(frozen=True, eq=False)
class FittedDropoutNormal(FittedScores):
    """One covariance and one set of classes a fold."""

    models: list[ThereAndNot]

    def number(self) -> Number:
        """The mean log ratio, on seen and on fresh pairs."""
        space = self.cross_fit.space
        return ratio_number(self.cross_fit.folds, space.x, space.y, [model.ratio for model in self.models], MEASURED)
