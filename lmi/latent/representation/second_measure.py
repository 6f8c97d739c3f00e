"""A second measure of the same latents: neighbours held against a normal model, which share no density with ``auto``.

Where both agree, what ``auto`` doubts of its own model is no doubt of the number: the interval opens by what they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.folds import Fold
from lmi.estimators.neighbors.control import controlled_ksg
from lmi.estimators.trust.thresholds import (
    LATENT_MEASURES_APART,
    LATENT_MEASURES_APART_ERRORS,
    LATENT_MEASURES_MANY,
    LATENT_MEASURES_TOWARDS,
    LATENT_NOTHING,
)
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import default_verdict, worst
from lmi.evidence import Verdict
from lmi.latent.representation.fold import Fitted
from lmi.latent.representation.leading import NEIGHBOURS
from lmi.types import Context, Estimate


def neighbours_nats(u: Tensor, v: Tensor, generator: torch.Generator) -> float:
    """KSG of u (m, k) and v (m, k), less what it gets wrong of draws from a normal model of them, nats.

    >>> g = torch.Generator().manual_seed(0)
    >>> z = torch.randn(2, 1000, 1, generator=g, dtype=torch.float64)
    >>> round(neighbours_nats(z[0], 0.6 * z[0] + 0.8 * z[1], g), 1)  # -1/2 log(1 - 0.36) = 0.22
    0.2
    """
    return controlled_ksg(u, v, fit_mixture(u, v, 1, generator, heavy=False), NEIGHBOURS, generator).nats


def second_measure(fits: Sequence[Fitted], folds: Sequence[Fold], context: Context) -> float:
    """``neighbours_nats`` of the leading latents of each test part, mean over samples.

    Args:
        fits: by fold.
        folds: in the same order.
        context: seeds.
    """
    total = 0.0
    for i, (fit, fold) in enumerate(zip(fits, folds)):
        u, v = (z[fold.test] for z in fit.leading.variates(*fit.latents))
        total += fold.test.numel() * neighbours_nats(u, v, context.generator("second measure", i))
    return total / sum(fold.test.numel() for fold in folds)


def raised_towards(second: float, estimate: Estimate, latents: int) -> Estimate:
    """The number most of the way up to what neighbours find, where that is clearly more; the interval reaches up to it.

    A few hundred pairs of four latents confirm no model, and what ``auto`` then takes is a lower bound, while neighbours held
    against a normal model say too much of latents that are functions of fewer signals. The truth lay between both.

    Args:
        second: of the same samples by neighbours, nats.
        estimate: of all folds; one without an interval stays as it is.
        latents: of a side, at most, in any fold; of more than ``LATENT_MEASURES_MANY`` neighbours say nothing.

    >>> estimate = Estimate(1.4, "auto", 2000, interval=(1.3, 1.5), details={"standard_error_nats": 0.05})
    >>> raised = raised_towards(1.8, estimate, 4)
    >>> round(raised.nats, 3), raised.interval, raised_towards(1.45, estimate, 4).nats, raised_towards(1.8, estimate, 9).nats
    (1.7, (1.3, 1.8822426813475737), 1.4, 1.4)
    """
    nats, error = estimate.nats, estimate.details["standard_error_nats"]
    clearly = max(LATENT_MEASURES_APART * nats, LATENT_MEASURES_APART_ERRORS * error, LATENT_NOTHING)
    if estimate.interval is None or second - nats <= clearly or latents > LATENT_MEASURES_MANY:
        return estimate
    more, (low, high) = LATENT_MEASURES_TOWARDS * (second - nats), estimate.interval
    words = (
        f"neighbours find {second:.2f} nats in the same latents and the measure {nats:.2f}: "
        f"the number is {float(LATENT_MEASURES_TOWARDS):.0%} of the way"
    )
    return replace(
        estimate,
        nats=nats + more,
        pointwise=None if estimate.pointwise is None else estimate.pointwise + more,
        interval=(low, max(high, second + Z_90 * error)),
        verdict=worst(estimate.verdict or default_verdict(estimate), Verdict("doubtful", (words,))),
    )


def settled_by(second: float, estimate: Estimate, latents: int) -> Estimate:
    """The estimate without the doubts of its measure, and with a wider interval, where a second measure agrees with it.

    In more than ``LATENT_MEASURES_MANY`` latents neighbours settle nothing. Where the measure abstains, three reasons at once
    speak against its model; they stay as doubts.

    Args:
        estimate: of all folds; one without an interval stays as it is.
        second: the other measure of the same samples, nats.
        latents: of a side, at most, in any fold.
    """
    verdict, interval = estimate.verdict, estimate.interval
    apart = abs(estimate.nats - second)
    allowed = max(
        LATENT_MEASURES_APART * estimate.nats, LATENT_MEASURES_APART_ERRORS * estimate.details["standard_error_nats"]
    )
    if verdict is None or interval is None or apart > allowed or latents > LATENT_MEASURES_MANY:
        return estimate
    remark = f"neighbours find {second:.2f} nats in the same latents, by which the interval is opened"
    settled = (
        Verdict("doubtful", (*verdict.reasons, remark))
        if verdict.level == "abstain"
        else Verdict("reliable", (remark,))
    )
    return replace(estimate, interval=(interval[0] - apart, interval[1] + apart), verdict=settled)
