"""What measures latents that trained none of it: ``auto``, held-out bounds, or KSG; and the folds' numbers made one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from lmi.auto.doubt import lacks_confirmation
from lmi.auto.estimator import AutoEstimator
from lmi.estimators.folds import Fold
from lmi.estimators.neighbors.ksg import repeats
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import default_verdict, worst
from lmi.evidence import Null, Verdict
from lmi.latent.bounds_reading import BoundsSettings, read_bounds
from lmi.latent.readings import PlainReading, latent_ksg
from lmi.types import Context, Estimate

Measure = Literal["auto", "bounds", "ksg"]


def measure_latents(
    measure: Measure, latents: tuple[Tensor, Tensor], fold: Fold, permutations: int, context: Context
) -> Estimate:
    """The information of the test part's latents, with a verdict and one pointwise term for each where the measure has them.

    Args:
        measure: which.
        latents: (n, lx), (n, ly) of all samples.
        fold: ``bounds`` fits its critics to the train and stop part; the others look at the test part alone.
        permutations: size of the null.
        context: seeds.
    """
    u, v = (z[fold.test] for z in latents)
    if measure == "bounds":
        estimate = read_bounds(BoundsSettings(permutations=permutations), latents, fold, context)
    elif measure == "ksg":
        estimate = latent_ksg(PlainReading(permutations=permutations), u, v, context)
    else:
        estimate = half_of_the_unconfirmed(AutoEstimator(permutations=permutations).estimate(u, v, context))
    copies = max(repeats(u), repeats(v))
    estimate = replace(estimate, verdict=estimate.verdict or default_verdict(estimate))
    return estimate.warn(f"{copies} samples have the latents of another") if copies else estimate


def half_of_the_unconfirmed(estimate: Estimate) -> Estimate:
    """The number half way down to what fresh pairs confirm, where that is much less; the interval stays.

    Latents are functions of few signals, so that together they are not jointly normal, and a closed form of them, with what a
    network adds to it, says more than they share; a bound on fresh pairs says less. ``auto`` reaches down to it in its
    interval. Where the samples are too few to confirm so much, nothing is changed.

    Args:
        estimate: of ``auto``, of the latents of fresh pairs.

    >>> estimate = Estimate(1.4, "auto", 3000, interval=(0.9, 1.5), details={"standard_error_nats": 0.0})
    >>> half_of_the_unconfirmed(estimate).nats, half_of_the_unconfirmed(replace(estimate, interval=(1.2, 1.5))).nats
    (1.15, 1.4)
    """
    if estimate.interval is None:
        return estimate
    nats, error = estimate.nats, estimate.details["standard_error_nats"]
    confirmed = estimate.interval[0] + Z_90 * error
    unconfirmed = nats - confirmed
    if not lacks_confirmation(nats, error, unconfirmed, estimate.num_samples):
        return estimate
    kept = nats - 0.5 * unconfirmed
    words = f"of {nats:.2f} nats fresh pairs confirm {confirmed:.2f}: the number is half way"
    pointwise = estimate.pointwise
    return replace(
        estimate,
        nats=kept,
        pointwise=None if pointwise is None else pointwise - 0.5 * unconfirmed,
        verdict=worst(estimate.verdict or default_verdict(estimate), Verdict("doubtful", (words,))),
    )


def pool_folds(estimates: Sequence[Estimate], folds: Sequence[Fold], n: int) -> Estimate:
    """The mean over folds that are measured on disjoint samples, its error the root of their summed squares.

    What opens a fold's interval beyond its standard error is averaged. The verdict is the worst of the folds'.

    Args:
        estimates: by fold, on its test part.
        folds: in the same order.
        n: samples in all; those that were never measured have NaN terms.
    """
    counts = torch.tensor([fold.test.numel() for fold in folds], dtype=torch.float64)
    shares = counts / counts.sum()
    nats = float(sum(share * each.nats for share, each in zip(shares.tolist(), estimates)))
    pointwise = torch.full((n,), torch.nan, dtype=torch.float64)
    for each, fold in zip(estimates, folds):
        if each.pointwise is not None:
            pointwise[fold.test] = each.pointwise
    errors = torch.tensor(
        [each.details.get("standard_error_nats", math.nan) for each in estimates], dtype=torch.float64
    )
    error = float((shares * errors).norm())
    interval = None
    if all(each.interval is not None for each in estimates):
        ends = torch.tensor([each.interval or (0.0, 0.0) for each in estimates], dtype=torch.float64)
        centres = torch.tensor([each.nats for each in estimates], dtype=torch.float64)
        below = (shares * (centres - ends[:, 0] - Z_90 * errors)).sum()
        above = (shares * (ends[:, 1] - centres - Z_90 * errors)).sum()
        interval = (nats - Z_90 * error - max(float(below), 0.0), nats + Z_90 * error + max(float(above), 0.0))
    null = None
    nulls = [each.null.nats for each in estimates if each.null is not None]
    if len(nulls) == len(estimates):
        null = Null(torch.stack([share * values for share, values in zip(shares, nulls)]).sum(0), nats)
    return Estimate(
        nats=nats,
        estimator="representation",
        num_samples=int(counts.sum()),
        pointwise=None if bool(pointwise.isnan().all()) else pointwise,
        interval=interval,
        null=null,
        ceiling=min(each.ceiling for each in estimates),
        warnings=tuple(dict.fromkeys(words for each in estimates for words in each.warnings)),
        details={
            "standard_error_nats": error,
            **{f"fold_{i + 1}_nats": each.nats for i, each in enumerate(estimates) if len(estimates) > 1},
        },
        verdict=worst(*(each.verdict for each in estimates if each.verdict is not None)),
    )
