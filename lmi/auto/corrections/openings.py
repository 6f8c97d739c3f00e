"""How far the interval opens upwards where the choice, and not the samples, may be what limits the number."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lmi.auto.protocol.candidate import EXACT_COMPONENTS, FittedCandidate, Number
from lmi.auto.protocol.numbers import FIT_SAMPLES
from lmi.estimators.trust.sides_alone import SidesAlone, sides_alone
from lmi.estimators.trust.thresholds import (
    KSG_DIMENSIONS,
    LOWER_BOUND,
    MIXED_BOUND,
    NOT_ALONE,
    STILL_TO_MIX,
    STILL_TO_RISE,
    UNFINISHED,
)
from lmi.types import Context


def as_a_lower_bound(number: Number, chosen: FittedCandidate, rise: float) -> Number:
    """The number of an approximation with an interval that opens upwards: it lies below the truth, nobody knows how far.

    Args:
        number: of the chosen candidate.
        chosen: asked where it sees the variables through something that loses information, or that is learned.
        rise: what half of its training samples find less, nats.
    """
    space, traits = chosen.cross_fit.space, chosen.traits
    if not traits.approximate:
        # Densities of pairs are exact where the turn of both sides is, which is learned.
        return number._replace(above=max(number.above, STILL_TO_RISE * rise)) if traits.exceeds_bound else number
    # Predictions of few columns and lines open by shares of their own.
    uncorrected = space.columns > KSG_DIMENSIONS and (space.coarse or not (traits.costly or traits.linear))
    lacks = max((MIXED_BOUND if uncorrected else LOWER_BOUND) * number.nats, STILL_TO_RISE * rise)
    return number._replace(above=max(number.above, lacks))


def open_to_rivals(number: Number, chosen: FittedCandidate, candidates: Sequence[FittedCandidate]) -> Number:
    """The number with an interval open to what more complex candidates find more, if not clearly so.

    They were turned down because a dozen could win by chance, not because they were shown to be wrong.

    Args:
        number: of the chosen candidate.
        chosen: which others did not clearly beat.
        candidates: all.
    """
    gains = [
        float((c.cross_fit.terms - chosen.cross_fit.terms).nanmean())
        for c in candidates
        if c.traits.complexity > chosen.traits.complexity and not c.traits.learned
    ]
    gain = max((gain for gain in gains if math.isfinite(gain)), default=0.0)
    return number._replace(above=max(number.above, gain))


def open_to_more_densities(
    number: Number, chosen: FittedCandidate, candidates: Sequence[FittedCandidate]
) -> tuple[Number, float]:
    """The number with an interval open to what twice as many densities or classes say more, and how much that is, nats.

    The samples may be too few for them to win on fresh pairs. The mean of what they find on seen and on fresh pairs has next
    to no bias of its own, so that of an exact mixture twice as many say the same.

    Args:
        number: of the chosen candidate, a mixture that neighbours do not correct.
        chosen: asked where it is a mixture, or latent classes, of more than six columns.
        candidates: all that were fitted.
    """
    if chosen.cross_fit.space.columns <= KSG_DIMENSIONS:
        return number, 0.0
    larger = chosen.with_twice_as_many(candidates)
    more = max((c.number().nats - chosen.number().nats for c in larger), default=0.0)
    if more <= max(UNFINISHED * number.nats, 0.0):
        return number, max(more, 0.0)
    return number._replace(above=max(number.above, STILL_TO_MIX * more)), more


def open_to_sides(
    number: Number, chosen: FittedCandidate, candidates: Sequence[FittedCandidate], context: Context
) -> tuple[Number, SidesAlone | None]:
    """Where a density was taken for exact, the number with an interval that opens upwards if a side alone contradicts it.

    Args:
        number: of the chosen candidate.
        chosen: asked where it is one t density of all columns, or two.
        candidates: all that were fitted.
        context: seeds fits.
    """
    space = chosen.cross_fit.space
    if not 0 < chosen.components <= EXACT_COMPONENTS or space.in_time:
        return number, None
    x, y = (z[:FIT_SAMPLES].double() for z in (space.x, space.y))
    model = chosen.density(candidates, x, y, context.child("both sides"))
    if model is None:
        return number, None
    alone = sides_alone(x, y, model, context.generator("sides alone"))
    if alone.twice > NOT_ALONE:
        number = number._replace(above=max(number.above, LOWER_BOUND * number.nats))
    return number, alone
