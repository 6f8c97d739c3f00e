"""What an estimate that lies below the truth may lack, how far its interval opens for it, and the reasons in words.

Bounds on fresh pairs, neighbours in learned latents and tables of codes share one weakness: they say less than there is, and
their sampling error does not tell by how much. Each is asked the same here.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lmi.estimators.trust.plain_thresholds import LEFTOVER_SHARE
from lmi.estimators.trust.quick_models import quick_bound
from lmi.estimators.trust.row_order import time_doubts
from lmi.estimators.trust.second_opinion import linear_doubts
from lmi.estimators.trust.thresholds import LEFTOVER, LOWER_BOUND
from lmi.estimators.trust.verdict import default_verdict
from lmi.types import Estimate


def lower_bound_verdict(
    estimate: Estimate,
    x: Tensor,
    y: Tensor,
    generator: torch.Generator,
    missing: float = 0.0,
    reasons: tuple[str, ...] = (),
    share: float = LOWER_BOUND,
) -> Estimate:
    """The estimate with its interval open upwards and a verdict.

    The interval opens by what is known to be missing, and by no less than a share of the number. Where quick models of the
    columns confirm more, it opens to what they do, and the estimate is doubtful.

    Args:
        estimate: with its interval and its own warnings.
        x: (n, dx) as measured.
        y: (n, dy).
        generator: deals the folds of the quick models.
        missing: what is known to lack: on fresh pairs, or with half of the training samples, nats.
        reasons: of its own, in words.
        share: of the number, by which the interval opens at least.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(800, 2, generator=g, dtype=torch.float64)
    >>> y = x + torch.randn(800, 2, generator=g, dtype=torch.float64)  # .69 nats
    >>> near = lower_bound_verdict(Estimate(0.65, "bound", 800, interval=(0.6, 0.7)), x, y, g)
    >>> near.verdict.level, round(near.interval[1], 3)
    ('reliable', 0.752)
    >>> lower_bound_verdict(Estimate(0.4, "bound", 800, interval=(0.3, 0.5)), x, y, g).verdict.level
    'doubtful'
    """
    if estimate.interval is not None:
        low, high = estimate.interval
        estimate = replace(estimate, interval=(low, high + max(missing, share * estimate.nats)))
    opened, challenged = quick_bound(x, y, generator).challenge(estimate)
    error = estimate.details.get("standard_error_nats", 0.0)
    reasons += shuffled_doubts(estimate, error)
    linear = () if challenged else linear_doubts(x, y, estimate.nats, error, generator)
    return replace(opened, verdict=default_verdict(opened, (*reasons, *challenged, *linear, *time_doubts(x, y))))


def shuffled_doubts(estimate: Estimate, error: float) -> tuple[str, ...]:
    """A reason where shuffled pairs, which share nothing, are said to share something: by ties, or by too many codes.

    Args:
        estimate: with its null, if it has one.
        error: its standard error, nats.
    """
    leftover = 0.0 if estimate.null is None else estimate.null.mean
    if leftover <= max(LEFTOVER, LEFTOVER_SHARE * estimate.nats, error):
        return ()
    return (f"shuffled pairs still share {leftover:.3f} nats: by ties, or by too few samples for so many codes",)
