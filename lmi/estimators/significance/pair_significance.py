"""Which of many pairs share anything: p-values from the pooled null, false-discovery rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import false_discovery_control
from torch import Tensor

from lmi.arguments import read_values, whole
from lmi.estimators.pairwise.matrix import Bar
from lmi.estimators.pairwise.prepared import Measure, PreparedColumns
from lmi.estimators.significance.document_nulls import Scheme
from lmi.estimators.significance.pooled_null import null_plans, pooled_null
from lmi.evidence import MOST_PERMUTATIONS
from lmi.inputs import read_columns, read_matrix
from lmi.labels import read_groups


@dataclass(frozen=True, eq=False)
class Significance:
    """What the null says of every pair.

    Args:
        p: (d, d) p-values, symmetric; 1 on the diagonal.
        q: (d, d) Benjamini-Hochberg adjusted p-values over all pairs; 1 on the diagonal.
        z: (d, d) observed values, standardised by the null's mean and scale for that pair.
        null_z: (m,) the pooled null, standardised in the same way.
        null_nats: (m,) the pooled null as measured, nats.
    """

    p: Tensor
    q: Tensor
    z: Tensor
    null_z: Tensor
    null_nats: Tensor


def pairwise_significance(
    nats: Any,
    x: Any,
    measure: Measure,
    documents: Any,
    generator: torch.Generator,
    scheme: Scheme = "shift",
    draws: int = 32,
    fabric: Any = None,
    bar: Bar | None = None,
) -> Significance:
    """p- and q-values of all pairs of columns of x (n, d), from a null that respects documents.

    Every draw moves the rows by ``scheme`` and measures up to 32 x 32 random pairs; the cost is that of
    ``draws`` x 1024 pairs whatever d is.

    Args:
        nats: (d, d) the observed matrix of ``measure``.
        x: (n, d) samples, rows of a document in order.
        measure: what measured ``nats``, from ``pairwise_measure``.
        documents: (n,) the document of each row.
        generator: randomness.
        scheme: "documents" pairs each document with another, position by position: what two columns share only
            through the position in the document is part of the null. "shift" turns each document by a random number of
            rows: dependence on the position counts as dependence.
        draws: null draws, at least 2.
        fabric: a launched ``lightning.Fabric``: draws are shared over its ranks.
        bar: wraps the loop over draws.

    Raises:
        ValueError: for shapes that do not fit, or documents that do not allow for ``scheme``.
    """
    if not isinstance(measure, Measure):
        raise ValueError(f"measure is a {type(measure).__name__}; expected one from pairwise_measure")
    (side,), nats = read_columns(("x", x)), read_matrix(nats, "nats", is_sample=False).values
    x, documents, draws = (
        side.values,
        read_groups(documents, "documents", side),
        whole(draws, "draws", 2, MOST_PERMUTATIONS),
    )
    d = x.shape[1]
    if nats.shape != (d, d) or d < 2:
        raise ValueError(f"nats has shape {tuple(nats.shape)}; expected ({d}, {d}) for {d} columns, at least 2 of them")
    plans = null_plans(documents, scheme, generator, draws, d)
    rank, ranks = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    drawn = [torch.cat(plan[1:]) for plan in plans[rank::ranks]]
    columns = PreparedColumns(measure, x, torch.cat(drawn).unique() if drawn else torch.empty(0).long())
    return drawn_significance(nats, columns, plans, fabric, bar)


def drawn_significance(
    nats: Tensor,
    columns: PreparedColumns,
    plans: list[tuple[Tensor, ...]],
    fabric: Any = None,
    bar: Bar | None = None,
) -> Significance:
    """``pairwise_significance`` of columns that are prepared.

    Args:
        nats: (d, d) the observed matrix.
        columns: those that ``plans`` draw, at least.
        plans: of the null draws, from ``null_plans``.
        fabric: a launched ``lightning.Fabric``: draws are shared over its ranks.
        bar: wraps the loop over draws.
    """
    d = len(nats)
    null = pooled_null(columns, plans, fabric, bar)
    upper = torch.triu_indices(d, d, 1)
    z = null.standardised(nats[upper[0], upper[1]], upper[0], upper[1])
    p = null.p_values(z)
    q = benjamini_hochberg(p)
    full = [torch.ones(d, d, dtype=torch.float64), torch.ones(d, d, dtype=torch.float64), torch.zeros(d, d).double()]
    for matrix, entries in zip(full, (p, q, z)):
        matrix[upper[0], upper[1]] = entries
        matrix[upper[1], upper[0]] = entries
    return Significance(full[0], full[1], full[2], null.z, null.nats)


def benjamini_hochberg(p: Any) -> Any:
    """Adjusted p-values (m,) of p (m,): those at most alpha are discoveries at false-discovery rate alpha (1995).

    Raises:
        ValueError: for more than one axis, NaN, or a number outside 0 to 1.

    >>> benjamini_hochberg(torch.tensor([0.01, 0.04, 0.03, 0.5]).double())
    tensor([0.0400, 0.0533, 0.0533, 0.5000], dtype=torch.float64)
    """
    values, give_back = read_values(p, "p")
    if values.ndim != 1:
        raise ValueError(f"p has shape {tuple(values.shape)}; expected (m,)")
    outside = ((values < 0) | (values > 1)).nonzero().flatten().tolist()
    if outside:
        raise ValueError(f"p[{outside[0]}] is {float(values[outside[0]])}; expected probabilities from 0 to 1")
    return give_back(torch.from_numpy(np.asarray(false_discovery_control(values.numpy()))))
