"""Whether more samples would find more: what half of those that a candidate was fitted to find."""

from __future__ import annotations

from typing import NamedTuple

from lmi.auto.protocol.candidate import FittedCandidate
from lmi.estimators.folds import Fold


class Rise(NamedTuple):
    """What half of the training samples lack.

    Args:
        nats: by which the bound of a fold falls; all of it where half of them cannot be fitted.
        unfitted: why not, in words.
    """

    nats: float
    unfitted: str = ""


def rising(chosen: FittedCandidate, folds: list[Fold]) -> Rise:
    """Fit the first fold to half of its training samples once more.

    Args:
        chosen: asked where its traits say that its bound rises.
        folds: that it was fitted to.
    """
    if not chosen.traits.rises:
        return Rise(0.0)
    first = folds[0]
    half = Fold(first.train[: first.train.numel() // 2], first.stop, first.test)
    bound = float(chosen.cross_fit.terms[first.test].nanmean())
    try:
        return Rise(bound - chosen.candidate.fit([half]).bound)
    except (ValueError, RuntimeError) as error:
        return Rise(bound, f"{chosen.name} cannot be fitted to half of the training samples: {error}")
