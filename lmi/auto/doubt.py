"""What the doubts of ``auto`` look at, and what a doubt is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lmi.auto.protocol.candidate import FittedCandidate
from lmi.estimators.trust.left_over import LeftOver
from lmi.estimators.trust.sides_alone import SidesAlone
from lmi.estimators.trust.thresholds import BOUND_RANGE, UNCONFIRMED, UNCONFIRMED_ERRORS, UNCONFIRMED_LEAST


class Doubt(NamedTuple):
    """A reason not to trust an estimate, in words, and what it weighs: 1 is enough for doubt, 3 for abstaining."""

    words: str
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the doubts look at.

    Args:
        nats: the estimate.
        error: its standard error, nats.
        chosen: the candidate that it is of.
        candidates: all that were fitted.
        columns: of both sides together, or components of them where these are fewer.
        all: columns of both sides together; 0 for as many as ``columns``.
        correction: what neighbours added, nats.
        rising: what half of the training samples find less, nats.
        copies: pairs that were entered twice, where these are many enough to be taken out.
        dropped: why candidates could not be fitted, in words.
        unsteady: what was seen on the way, in words.
        left: what residuals still share with the other side: of the linear model, or of the scores on fresh pairs.
        along: what residuals of the linear model still share with single columns.
        not_normal: the largest of Mardia's scores of both sides, in standard errors, where the closed form was chosen.
        in_time: autocorrelation along the rows, in standard deviations.
        alone: how much likelier a side is under a density of its own, where that of the pairs was taken for exact.
        all_columns: whether the number is the closed form of all columns, which fresh pairs cannot confirm.
        more_densities: what a mixture of twice as many densities says more, nats.
        near_copies: how much larger the step from a row's nearest neighbours to others is than that between others.
    """

    nats: float
    error: float
    chosen: FittedCandidate
    candidates: Sequence[FittedCandidate]
    columns: int
    correction: float = 0.0
    rising: float = 0.0
    copies: int = 0
    dropped: Sequence[str] = ()
    unsteady: Sequence[str] = ()
    left: LeftOver | None = None
    along: LeftOver | None = None
    not_normal: float = 0.0
    in_time: float = 0.0
    alone: SidesAlone | None = None
    all_columns: bool = False
    more_densities: float = 0.0
    all: int = 0
    near_copies: float = 1.0

    @property
    def num_samples(self) -> int:
        """How many pairs were measured."""
        return self.chosen.cross_fit.space.num_samples

    @property
    def unconfirmed(self) -> float:
        """Nats that fresh pairs do not confirm, beyond what a fit to so many samples is known to cost.

        Fresh pairs are scored by the density: what neighbours add to it is judged by how far they disagree.
        """
        if self.all_columns:
            return 0.0
        return self.nats - max(self.correction, 0.0) - self.chosen.bound - self.chosen.traits.expected_loss

    @property
    def is_dependence(self) -> bool:
        """Whether the chosen candidate says that anything is shared."""
        return self.chosen.traits.complexity > 0


def sample_limit(n: int) -> float:
    """About the most that n samples can show, nats."""
    return math.log(n / 4)


def lacks_confirmation(nats: float, error: float, unconfirmed: float, n: int) -> bool:
    """Whether fresh pairs fail to confirm much of a number that so many samples could confirm.

    Args:
        nats: the number.
        error: its standard error, nats.
        unconfirmed: what fresh pairs do not confirm of it, nats.
        n: samples.

    >>> lacks_confirmation(1.4, 0.0, 0.5, 3000), lacks_confirmation(1.4, 0.0, 0.2, 3000)
    (True, False)
    """
    tolerance = max(UNCONFIRMED * nats, UNCONFIRMED_ERRORS * error, UNCONFIRMED_LEAST)
    return unconfirmed > tolerance and nats < sample_limit(n) - BOUND_RANGE
