"""The sum over blocks of columns that share nothing, in place of one estimate of all columns.

What measures a wave beside a class beside a random sign in one model measures none of them well; each alone is easy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from lmi.auto.labels import label_information
from lmi.auto.protocol.candidate import FittedCandidate
from lmi.estimators.blocks import Block, Blocks, independent_blocks
from lmi.estimators.trust.thresholds import SURE
from lmi.estimators.trust.uncertainty import Z_90
from lmi.estimators.trust.verdict import worst
from lmi.evidence import Verdict
from lmi.types import Context, Estimate

Measure = Callable[[Tensor, Tensor, Context], Estimate]


def or_sum_of_blocks(
    whole: Estimate,
    chosen: FittedCandidate,
    raw: tuple[Tensor, Tensor],
    parted: Blocks,
    measure: Measure,
    context: Context,
) -> Estimate:
    """The sum of estimates of blocks of columns, or the estimate of all columns, where that has to stand.

    Args:
        whole: of all columns; kept where it is the closed form of a line and reliable, or where fresh pairs confirm clearly
            more than the blocks say.
        chosen: its candidate.
        raw: (n, dx), (n, dy) all columns.
        parted: the blocks that these estimate into.
        measure: estimates a block.
        context: a child for each block.
    """
    is_line = chosen.traits.linear and chosen.traits.complexity > 0
    if is_line and whole.verdict is not None and whole.verdict.level == "reliable":
        return whole
    estimates = []
    for i, block in enumerate(context.bar(parted.blocks, "blocks of columns", len(parted.blocks))):
        try:
            estimates.append(measure(raw[0][:, list(block.x)], raw[1][:, list(block.y)], context.child("block", i)))
        except ValueError as refusal:
            return _doubted(whole, f"the columns {in_words(block)} go together without others, and alone: {refusal}")
    terms = chosen.cross_fit.terms
    terms = terms[~terms.isnan()]
    nats = math.fsum(estimate.nats for estimate in estimates)
    errors = [estimate.details.get("standard_error_nats", 0.0) for estimate in estimates]
    error = math.hypot(*errors)
    if chosen.bound - nats > SURE * math.hypot(error, float(terms.std()) / terms.numel() ** 0.5):
        return _doubted(
            whole, f"blocks of columns that share little say {nats:.2f} nats, and fresh pairs of all columns more"
        )
    below, above = 0.0, parted.missed
    for estimate, block_error in zip(estimates, errors, strict=True):
        low, high = estimate.interval or (estimate.nats, estimate.nats)
        below += max(estimate.nats - low - Z_90 * block_error, 0.0)
        above += max(high - estimate.nats - Z_90 * block_error, 0.0)
    pointwise = [estimate.pointwise for estimate in estimates]
    known = [p for p in pointwise if p is not None]
    words = [in_words(block) for block in parted.blocks]
    verdict = worst(*(of_block(name, estimate.verdict) for name, estimate in zip(words, estimates, strict=True)))
    high = nats + Z_90 * error + above
    if whole.nats > high and whole.interval and whole.verdict and whole.verdict.level != "abstain":
        high = whole.interval[1]
        verdict = worst(verdict, Verdict("doubtful", (f"all columns together say {whole.nats:.2f} nats",)))
    return replace(
        whole,
        nats=nats,
        interval=(nats - Z_90 * error - below, high),
        pointwise=torch.stack(known).sum(0) if len(known) == len(estimates) else None,
        ceiling=math.fsum(estimate.ceiling for estimate in estimates),
        warnings=tuple(
            f"{name}: {w}" for name, estimate in zip(words, estimates, strict=True) for w in estimate.warnings
        ),
        details=whole.details
        | {"standard_error_nats": error, "all_columns_nats": whole.nats, "ksg_correction_nats": 0.0}
        | {f"{name} nats": estimate.nats for name, estimate in zip(words, estimates, strict=True)},
        verdict=verdict,
        choice="auto took the sum of blocks of columns that share nothing: "
        + "; ".join(
            f"{name} {estimate.nats:.3f} nats, {estimate.choice}"
            for name, estimate in zip(words, estimates, strict=True)
        ),
    )


def label_information_of_blocks(x: Tensor, label: Tensor, permutations: int, context: Context) -> Estimate:
    """I(X; L) of the columns that the label goes with, where the others go with neither; see ``label_information``.

    Args:
        x: (n, dx).
        label: (n,) class numbers.
        permutations: size of the null.
        context: seeds.

    Raises:
        ValueError: where a label is rarer than the folds.
    """
    classes = (label[:, None] == label.unique()).double()
    parted = independent_blocks(x, classes) if x.shape[1] > 1 else None
    if parted is None or len(parted.blocks[0].y) < classes.shape[1]:
        return label_information(x, label, permutations, context)
    block = parted.blocks[0]
    estimate = label_information(x[:, list(block.x)], label, permutations, context)
    low, high = estimate.interval or (estimate.nats, estimate.nats)
    columns = " ".join(f"x{i + 1}" for i in block.x)
    return replace(
        estimate,
        interval=(low, high + parted.missed),
        choice=f"of {columns}, which alone go with the label, {estimate.choice}",
    )


def of_block(name: str, verdict: Verdict | None) -> Verdict:
    """The verdict with its reasons said of the block of this name."""
    verdict = verdict or Verdict("reliable")
    return Verdict(verdict.level, tuple(f"{name}: {reason}" for reason in verdict.reasons))


def in_words(block: Block) -> str:
    """The columns of a block.

    >>> in_words(Block((0, 3), (1,)))
    'x1 x4 and y2'
    """
    return " and ".join(
        " ".join(f"{side}{i + 1}" for i in columns) for side, columns in zip("xy", (block.x, block.y), strict=True)
    )


def _doubted(whole: Estimate, words: str) -> Estimate:
    return replace(whole, verdict=worst(whole.verdict or Verdict("reliable"), Verdict("doubtful", (words,))))
