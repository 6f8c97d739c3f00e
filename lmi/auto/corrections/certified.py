"""A closed form whose own tests say that it is exact, in place of a candidate that is only cheaper to fit."""

from __future__ import annotations

from collections.abc import Sequence

from lmi.auto.corrections.missing import linear_evidence
from lmi.auto.protocol.candidate import FittedCandidate, Number
from lmi.estimators.trust.thresholds import LEFT_OVER, NOT_NORMAL
from lmi.types import Context


def or_certified(
    chosen: FittedCandidate, number: Number, normals: Sequence[FittedCandidate], context: Context
) -> tuple[FittedCandidate, Number]:
    """A closed form in place of a candidate that won only because it costs less to fit.

    In many columns fitting a covariance costs a bound much, and what looks at few directions wins by that alone. Where
    nothing is left after the line, each side alone is jointly normal, and the closed form, its bias taken off, is no lower,
    it is the exact one.

    Args:
        chosen: the candidate.
        number: its own.
        normals: the fitted closed forms.
        context: draws orders.
    """
    if chosen.traits.linear:
        return chosen, number
    for normal in sorted(normals, key=lambda c: -c.bound):
        exact = normal.number()
        if normal.bound + normal.traits.expected_loss < chosen.bound or exact.nats < number.nats - 2 * number.error:
            continue
        left, deviations = linear_evidence(normal, context)
        if left is not None and left.deviations <= LEFT_OVER and deviations <= NOT_NORMAL:
            return normal, exact
    return chosen, number
