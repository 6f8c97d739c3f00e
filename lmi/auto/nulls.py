"""What an estimate says of shuffled pairs: by the chosen candidate, or by the closed form that took its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lmi.auto.candidates.normal import FittedNormal
from lmi.auto.protocol.candidate import FittedCandidate
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
