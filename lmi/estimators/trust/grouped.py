"""Interval and null of an estimate whose rows come in groups (documents, subjects, recordings) and depend inside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from scipy.special import stdtrit
from torch import Tensor

from lmi.estimators.significance.document_nulls import FEWEST_DOCUMENTS, paired_documents
from lmi.estimators.trust.verdict import default_verdict
from lmi.evidence import Null
from lmi.types import Context, Estimate

MOST_BLOCKS = 20  # of groups left out in turn
LEFT_OVER = 0.02  # nats that groups paired anew may share on average before it is a doubt

Statistic = Callable[[Tensor, Tensor], float]


def with_groups(
    estimate: Estimate, statistic: Statistic, groups: Tensor, permutations: int, context: Context
) -> Estimate:
    """The same number with an interval and a null that respect groups.

    The interval is Student's from the delete-one-group jackknife, variance (g - 1) / g sum_i (I_i - mean)^2 with I_i the
    estimate without block i of the groups (Efron and Stein, Ann. Stat. 9, 1981). The null pairs each group with another,
    position by position: what rows share only because their group goes on in time is part of it.

    Args:
        estimate: on all rows, which keeps its number, warnings and reasons.
        statistic: (rows of x, rows of y) -> the estimate on these pairs, nats.
        groups: (n,) group numbers.
        permutations: size of the null; 0 leaves it out.
        context: seeds of the blocks and of the null.

    Raises:
        ValueError: for fewer than 6 groups.

    >>> groups = torch.arange(12).repeat_interleave(10)
    >>> flat = with_groups(Estimate(0.5, "flat", 120), lambda a, b: 0.5 + 0.0 * len(a), groups, 5, Context())
    >>> flat.interval, flat.null.p_value
    ((0.5, 0.5), 1.0)
    """
    labels = groups.unique()
    if len(labels) < FEWEST_DOCUMENTS:
        raise ValueError(f"groups has {len(labels)} groups; expected at least {FEWEST_DOCUMENTS}")
    order = labels[torch.randperm(len(labels), generator=context.generator("groups"))]
    blocks = order.tensor_split(min(MOST_BLOCKS, len(labels)))
    kept = [(~torch.isin(groups, block)).nonzero().flatten() for block in blocks]
    without = torch.tensor([statistic(rows, rows) for rows in context.bar(kept, "groups")], dtype=torch.float64)
    count = len(without)
    error = math.sqrt((count - 1) / count * float((without - without.mean()).square().sum()))
    half = float(stdtrit(count - 1, 0.95)) * error
    rows = torch.arange(len(groups))
    generator = context.generator("null")
    shuffled = [statistic(rows, paired_documents(groups, generator)) for _ in context.bar(range(permutations), "null")]
    null = Null(torch.tensor(shuffled, dtype=torch.float64), estimate.nats) if permutations else None
    reasons = () if estimate.verdict is None else estimate.verdict.reasons
    if null is not None and null.mean > LEFT_OVER:
        reasons += (f"groups paired anew share {null.mean:.3f} nats: rows of one group resemble each other",)
    grouped = replace(estimate, interval=(estimate.nats - half, estimate.nats + half), null=null)
    return replace(grouped, verdict=default_verdict(grouped, reasons))
