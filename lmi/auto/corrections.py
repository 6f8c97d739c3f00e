"""What is known to be missing from the chosen number: what maps lose, what only a critic finds, what samples cannot resolve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lmi.auto.candidate import FittedCandidate, Number
from lmi.auto.spaces import Space, faint_information
from lmi.auto.verdict import sample_limit
from lmi.estimators.densities.monotone import information_lost
from lmi.estimators.folds import Fold
from lmi.estimators.trust.thresholds import FAINT, NEAR_LIMIT
from lmi.types import Context

EXCESS_ERROR = 0.3  # standard error, as a share of what lies above the doubtful part of the sample limit


def unseen(chosen: FittedCandidate, candidates: Sequence[FittedCandidate]) -> float:
    """How much further up the interval reaches, nats, for what a neural critic finds beyond all others.

    That is a part of what there is to find; where the critic was not chosen, it is not in the number either.
    """
    others = max(c.bound for c in candidates if not c.traits.learned)
    beyond = max((c.bound - others for c in candidates if c.traits.learned), default=0.0)
    return max(beyond, 0.0) * (1 if chosen.traits.learned else 2)


def lost_by_maps(number: Number, space: Space, context: Context) -> tuple[Number, float, str]:
    """The number with what the maps of both sides lost, that loss in nats, and a doubt in words or "".

    The loss is simulated from the fitted covariance. Half of it, and of what lies in directions that n samples hardly
    tell from the maps' own error, is added to the interval.
    """
    if space.mapped is None:
        return number, 0.0, ""
    x, y = space.mapped
    lost = max(information_lost(x, y, context.generator("maps")), 0.0)
    nats, above = number.nats + lost, number.above + lost
    faint, doubt = faint_information(x, y), ""
    if faint > FAINT * nats:
        above += 0.5 * faint
        doubt = f"columns that {space.num_samples} samples hardly tell apart carry {faint:.2f} nats"
    return Number(nats, math.hypot(number.error, 0.5 * lost), number.sampling, above), lost, doubt


def within_the_limit(number: Number, chosen: FittedCandidate) -> Number:
    """The number with a larger error near the limit of the samples, where its candidate is bounded by it.

    Ranks, neighbours and critics resolve no more than so many samples; a covariance of the columns does.
    """
    space = chosen.judged.space
    excess = number.nats - NEAR_LIMIT * sample_limit(space.num_samples)
    if excess <= 0 or not (chosen.traits.bounded or space.by_ranks):
        return number
    return number._replace(error=math.hypot(number.error, EXCESS_ERROR * excess))


def rising(chosen: FittedCandidate, folds: list[Fold]) -> float:
    """Nats by which the first fold's bound falls where half of its training samples are left out."""
    if not chosen.traits.rises:
        return 0.0
    first = folds[0]
    half = Fold(first.train[: first.train.numel() // 2], first.stop, first.test)
    return float(chosen.judged.terms[first.test].nanmean()) - chosen.candidate.fit([half]).bound
