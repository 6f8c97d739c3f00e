"""What is known to be missing from the chosen number, and by how much its interval opens for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from lmi.auto.doubt import sample_limit
from lmi.auto.protocol.candidate import FittedCandidate, Number
from lmi.auto.spaces import COLUMNS, RANKS, Spaces, faint_information
from lmi.estimators.bounds.heldout import held_out_blocks
from lmi.estimators.columns import normal_scores
from lmi.estimators.densities.monotone import information_lost
from lmi.estimators.gaussian.canonical import canonical_fit
from lmi.estimators.gaussian.debiased import closed_form
from lmi.estimators.trust.by_column import by_column
from lmi.estimators.trust.by_pair import by_pair
from lmi.estimators.trust.left_over import ORDERS, LeftOver, components, left_over
from lmi.estimators.trust.normality import faintest, mardia
from lmi.estimators.trust.products import products_left
from lmi.estimators.trust.row_order import random_orders, shifted_orders
from lmi.estimators.trust.thresholds import (
    BOUND_RANGE,
    BY_COLUMN,
    CLEAR_SIGNAL,
    FAINT,
    FULL_RANK,
    FULL_RANK_LEAST,
    KSG_DIMENSIONS,
    LEFT_OVER,
    LOW_DIMENSIONAL,
    NEAR_LIMIT,
    NOT_NORMAL,
    UNEXPLAINED,
)
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.unexplained import unexplained
from lmi.types import Context

SHARED_MOST = 4  # canonical variates
RANKED = 4  # draws whose ranks say what ranks lose
EXCESS_ERROR = 0.3  # standard error, as a share of what lies above the doubtful part of the sample limit


def unseen(chosen: FittedCandidate, candidates: Sequence[FittedCandidate]) -> float:
    """How much further up the interval reaches, nats, for what a neural critic finds beyond all others.

    That is a part of what there is to find; where the critic was not chosen, it is not in the number either.
    """
    others = max(c.bound for c in candidates if not c.traits.learned)
    beyond = max((c.bound - others for c in candidates if c.traits.learned), default=0.0)
    return max(beyond, 0.0) * (1 if chosen.traits.learned else 2)


def lost_by_maps(number: Number, chosen: FittedCandidate, context: Context) -> tuple[Number, float, str]:
    """The number with what the maps of both sides lost, that loss in nats, and a doubt in words or "".

    The loss is simulated from the fitted covariance; on a line each ranks are the maps, and cost .02 of 2 nats at
    1,000 samples. Half of the loss, and of what lies in directions that n samples hardly tell from the maps' own error, is
    added to the interval.
    """
    space = chosen.cross_fit.space
    generator = context.generator("maps")
    is_elliptical = (chosen.traits.linear and chosen.traits.complexity) or chosen.components == 1
    if space.name == RANKS and space.columns == 2 and is_elliptical:
        lost = sum(information_lost(space.x, space.y, generator, normal_scores) for _ in range(RANKED)) / RANKED
        return _with_loss(number, lost), lost, ""
    if space.mapped is None:
        return number, 0.0, ""
    x, y = space.mapped
    lost = max(information_lost(x, y, generator), 0.0)
    number = _with_loss(number, lost)
    faint, doubt = faint_information(x, y), ""
    if faint > FAINT * number.nats:
        number = number._replace(above=number.above + 0.5 * faint)
        doubt = f"columns that {space.num_samples} samples hardly tell apart carry {faint:.2f} nats"
    return number, lost, doubt


def _with_loss(number: Number, lost: float) -> Number:
    error = math.hypot(number.error, 0.5 * lost)
    return number._replace(nats=number.nats + lost, error=error, above=number.above + max(lost, 0.0))


def with_all_columns(
    number: Number, chosen: FittedCandidate, spaces: Spaces
) -> tuple[Number, tuple[Tensor, Tensor] | None]:
    """The closed form of all columns, where it is clearly above the chosen candidate's number; and the columns, if taken.

    Fresh pairs choose few components where each is hardly worth its parameters, or where the signal is in none of the
    leading ones. The bias of the closed form is exact at any rank, so that all columns together still show it. Of jointly
    normal sides it is a lower bound on the information, whatever ties them together: the normal law has the largest joint
    entropy of its covariance. Directions of little variance have to be normal as well: there columns that are functions of
    few latents hold what is not a line.

    Args:
        number: of the chosen candidate.
        chosen: its own space is looked at.
        spaces: the columns as they are and their ranks are looked at, too.
    """
    taken = None
    chosen_space = spaces.get(chosen.cross_fit.space.name, spaces[RANKS])
    for space in {space.name: space for space in (chosen_space, spaces[COLUMNS], spaces[RANKS])}.values():
        x, y = sides = space.whole or (space.x, space.y)
        width = x.shape[1] + y.shape[1]
        if width <= LOW_DIMENSIONAL or width > FULL_RANK * space.counted:
            continue
        if space.by_ranks:
            x, y = components(x, x.shape[1]), components(y, y.shape[1])
        full = closed_form(x, y, max(x.shape[1], y.shape[1]), space.counted)
        spread = (
            x.shape[1] * y.shape[1] / 2
        ) ** 0.5 / space.counted  # of the difference, were there nothing more to find
        error = spread if chosen.traits.linear else math.hypot(spread, number.error)
        gain = full.nats - number.nats
        # Of two lower bounds the larger one is nearer.
        clear = 0.0 if chosen.traits.approximate and chosen.traits.costly else CLEAR_SIGNAL * max(error, 1e-12)
        if not math.isfinite(gain) or gain <= clear or gain < FULL_RANK_LEAST:
            continue
        # What is brought to unit variance has no leading components: normality is asked of the sides as they were.
        asked = (*sides, faintest(x), faintest(y), *shared_most(x, y))
        if max(abs(score) for z in asked for score in mardia(z)) <= NOT_NORMAL:
            above = max(number.above - gain, 0.0)
            number = number._replace(nats=full.nats, error=max(full.error, number.error), above=above)
            taken = x, y
    return number, taken


def shared_most(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(n, k), (n, k) the canonical variates that share most, which the closed form rests on most, four at most."""
    fit = canonical_fit(x, y)
    return fit.x[:, :SHARED_MOST], fit.y[:, :SHARED_MOST]


def of_counted_rows(number: Number, chosen: FittedCandidate) -> Number:
    """The number with the error of as many samples as its rows count as, where they depend on their neighbours.

    The closed form counts them itself; the terms of densities, neighbours and bounds depend on each other as the rows do.
    """
    space = chosen.cross_fit.space
    if chosen.traits.linear or not space.in_time:
        return number
    return number._replace(error=number.error * (space.num_samples / space.counted) ** 0.5)


def linear_evidence(chosen: FittedCandidate, context: Context) -> tuple[LeftOver | None, float]:
    """For a linear candidate, what its residuals still share, and how far its sides are from normality.

    Returns:
        ``None`` and 0 for other candidates; 0 for independence, which does not need normal sides.
    """
    space, traits = chosen.cross_fit.space, chosen.traits
    if not traits.linear:
        return None, 0.0
    draw = shifted_orders if space.in_time else random_orders
    left = left_over(space.x, space.y, draw(space.num_samples, ORDERS, context.generator("left over")))
    scores = [abs(score) for z in (space.x, space.y) for score in mardia(z)] if traits.complexity else [0.0]
    return left, max(scores)


def left_on_fresh_pairs(chosen: FittedCandidate, spaces: Spaces, context: Context) -> LeftOver | None:
    """For a candidate that is not linear, what its scores leave unexplained on the pairs that trained none of it.

    ``None`` for linear ones, for rows in time, whose residuals depend on each other, and where fresh pairs hardly resolve
    the estimate.

    Args:
        chosen: its scores.
        spaces: ranks stand in for a space that is none of these, such as intervals with open ends.
        context: draws the matchings.
    """
    cross_fit = chosen.cross_fit
    if (
        chosen.traits.linear
        or cross_fit.space.in_time
        or cross_fit.bound > sample_limit(cross_fit.folds[0].test.numel()) - BOUND_RANGE
    ):
        return None
    blocks = []
    for fold, scores in zip(cross_fit.folds, cross_fit.critics, strict=True):
        test = fold.test[~cross_fit.terms[fold.test].isnan()]
        for rows, f in held_out_blocks(scores, cross_fit.space.x[test], cross_fit.space.y[test]):
            blocks.append((test[rows], f))
    space = spaces.get(cross_fit.space.name, spaces[RANKS])
    return unexplained(space.x, space.y, blocks, context.generator("unexplained"))


def opened(number: Number, chosen: FittedCandidate, left: LeftOver | None, deviations: float) -> Number:
    """The number with an interval open to what is left over, and to what a side that is not normal may have added.

    Away from normality the closed form is no lower bound: what fresh pairs do not confirm may not be there. On a line each
    its residuals have corrected it.

    Args:
        number: of the chosen candidate.
        chosen: its bound on fresh pairs.
        left: what residuals still share with the other side.
        deviations: of the sides from normality, in standard errors.
    """
    if left is not None and left.deviations > (LEFT_OVER if chosen.traits.linear else UNEXPLAINED):
        number = number._replace(above=number.above + 0.5 * left.share)
    space = chosen.cross_fit.space
    if deviations > NOT_NORMAL and (space.columns > 2 or space.in_time):
        unconfirmed = number.nats - chosen.bound - chosen.traits.expected_loss
        number = number._replace(below=max(number.below, unconfirmed))
    return number


def left_in_columns(
    number: Number, chosen: FittedCandidate, raw: tuple[Tensor, Tensor], context: Context
) -> tuple[Number, LeftOver | None]:
    """What single columns and pairs of them share beyond a linear model; what pairs share opens the interval upwards.

    Args:
        number: of the chosen candidate.
        chosen: only a linear one is asked.
        raw: (n, dx), (n, dy) columns.
        context: draws normal pairs.
    """
    if not chosen.traits.linear or chosen.cross_fit.space.in_time:
        return number, None
    along = by_column(*raw, by_ranks=chosen.cross_fit.space.by_ranks)
    if raw[0].shape[1] + raw[1].shape[1] <= KSG_DIMENSIONS:  # where neighbours correct the number itself
        return number, along
    pairs = by_pair(*raw, context.generator("pairs of columns"))
    if pairs.deviations <= BY_COLUMN:
        is_nothing = chosen.traits.complexity == 0 and raw[0].shape[1] + raw[1].shape[1] > LOW_DIMENSIONAL
        products = products_left(*raw) if is_nothing else None
        if products is None or products.deviations <= BY_COLUMN:
            return number, along
        # Twice what the correlations of normal scores are worth: a product is not normal.
        return number._replace(above=max(number.above, products.share)), products
    above = max(number.above, pairs.nats * (1 + Z_90 / pairs.deviations))
    words = f"{pairs.pairs} pairs of columns share {pairs.nats:.2f} nats more than their correlations say"
    both = along, LeftOver(pairs.deviations, pairs.nats, words)
    return number._replace(above=above), max(both, key=lambda left: left.deviations)


def within_the_limit(number: Number, chosen: FittedCandidate) -> Number:
    """The number with a larger error near the limit of the samples, where its candidate is bounded by it.

    Ranks, neighbours and critics resolve no more than so many samples; a covariance of the columns does.
    """
    space = chosen.cross_fit.space
    excess = number.nats - NEAR_LIMIT * sample_limit(space.num_samples)
    if excess <= 0 or not (chosen.traits.bounded or space.by_ranks):
        return number
    return number._replace(error=math.hypot(number.error, EXCESS_ERROR * excess))
