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
)
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
