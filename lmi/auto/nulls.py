"""What an estimate says of shuffled pairs: by the scores of a candidate, or by a closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lmi.auto.candidate import CrossFit, FittedCandidate
from lmi.auto.candidates.normal import FittedNormal
from lmi.estimators.bounds.heldout import held_out_blocks, shuffled_bounds
from lmi.estimators.gaussian.debiased import closed_form
from lmi.estimators.significance.document_nulls import paired_documents
from lmi.estimators.trust.row_order import random_orders, shifted_orders
from lmi.evidence import Null
from lmi.types import Context


def null_of(
    chosen: FittedCandidate,
    normals: Mapping[str, FittedNormal],
    all_columns: tuple[Tensor, Tensor] | None,
    permutations: int,
    groups: Tensor | None,
    context: Context,
) -> Null | None:
    """Shuffled pairs of the chosen candidate, or of the columns whose closed form took its place.

    Rows in time are shifted instead, under the normal closed form.

    Args:
        chosen: whose scores are asked.
        normals: the fitted closed forms.
        all_columns: (n, dx), (n, dy) the columns, where their closed form is the number.
        permutations: how many; 0 for none.
        groups: (n,) group numbers, of which each is paired with another.
        context: draws the orders.
    """
    space, generator = chosen.cross_fit.space, context.generator("null")
    if not permutations:
        return None
    if not space.in_time and all_columns is None:
        return chosen.null(permutations, generator)
    if groups is not None:
        orders = [paired_documents(groups, generator) for _ in range(permutations)]
    else:
        orders = (shifted_orders if space.in_time else random_orders)(space.num_samples, permutations, generator)
    if all_columns is not None:
        return closed_form_null(*all_columns, orders, space.counted)
    return list(normals.values())[-1].null_of(orders) if normals else None


def bound_null(cross_fit: CrossFit, permutations: int, generator: torch.Generator) -> Null:
    """The held-out InfoNCE bound of the fitted scores under shuffled pairs, 0 at least.

    Scores that are sure of their pairs are as sure of wrong ones, and their bound of shuffled pairs lies far below 0. That says
    how strong the dependence is, and not what independence looks like: scores of 0, whose bound is 0, are granted to every
    shuffle.

    Args:
        cross_fit: the scores on fresh pairs.
        permutations: how many shuffles of each block of test pairs.
        generator: draws them.
    """
    tests = [fold.test[: cross_fit.most] for fold in cross_fit.folds]
    values = torch.zeros(permutations, dtype=torch.float64)
    for scores, test in zip(cross_fit.critics, tests, strict=True):
        for block, f in held_out_blocks(scores, cross_fit.space.x[test], cross_fit.space.y[test]):
            orders = [torch.randperm(block.numel(), generator=generator) for _ in range(permutations)]
            values += block.numel() * shuffled_bounds(f, "infonce", (1.0,), orders)[0]
    values = (values / sum(test.numel() for test in tests)).clamp(min=0.0)
    return Null(values, cross_fit.bound)


def closed_form_null(x: Tensor, y: Tensor, orders: Sequence[Tensor], counted: float) -> Null:
    """The closed form of all columns x (n, dx) and y (n, dy), and of pairs in these orders (n,) of y's rows.

    Args:
        x: (n, dx).
        y: (n, dy).
        orders: of the rows.
        counted: how many independent samples the rows count as.
    """
    rank = max(x.shape[1], y.shape[1])
    values = [closed_form(x, y[order], rank, counted).nats for order in orders]
    return Null(torch.tensor(values, dtype=torch.float64), closed_form(x, y, rank, counted).nats)
