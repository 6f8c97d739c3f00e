"""Which of many pairs share anything: pooled nulls with cautious tails, false-discovery rates.

One pair would need 10^7 permutations for a p-value that survives correction over 300,000 pairs. Instead the null values
of all pairs are pooled after each is standardised by mean and scale fitted per column, and beyond the largest of them
the pool's tail is continued by a generalised Pareto law whose shape is not allowed below 1 / draws: the predictive law
of an exponential tail known from that many looks, which errs on the side of caution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import false_discovery_control
from torch import Tensor

from lmi.arguments import read_values, whole
from lmi.estimators.pairwise.document_nulls import Scheme, null_rows
from lmi.estimators.pairwise.matrix import KEPT_BYTES, PREPARED_BYTES, Bar, Measure
from lmi.inputs import read_columns, read_matrix
from lmi.labels import read_groups

SIDE = 32  # columns drawn on each side at every null draw


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
    x, nats = read_columns(("x", x))[0].values, read_matrix(nats, "nats", is_sample=False).values
    n, d = x.shape
    documents, draws = read_groups(documents, "documents", n), whole(draws, "draws", 2)
    if nats.shape != (d, d) or d < 2:
        raise ValueError(f"nats has shape {tuple(nats.shape)}; expected ({d}, {d}) for {d} columns, at least 2 of them")
    size = min(d, SIDE)
    plans = [
        (null_rows(documents, scheme, generator), *(torch.randperm(d, generator=generator)[:size] for _ in range(2)))
        for _ in range(draws)
    ]
    rank, ranks = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    values = torch.zeros(draws, size, size, dtype=torch.float64)
    steps = range(rank, draws, ranks)
    columns = _DrawnColumns(measure, x, plans[rank::ranks])
    measured = []
    for draw in steps if bar is None else bar(steps, "null"):
        rows, a, b = plans[draw]
        measured.append((draw, measure.tile(columns.take(a), columns.take(b, rows))))
    for draw, tile in measured:
        values[draw] = tile
    if ranks > 1:
        values = fabric.all_reduce(values.to(fabric.device), reduce_op="sum").cpu()
    left = torch.stack([a for _, a, _ in plans])[:, :, None].expand_as(values)
    right = torch.stack([b for _, _, b in plans])[:, None, :].expand_as(values)
    half = (torch.arange(draws) % 2 == 0)[:, None, None].expand_as(values)
    left, right, null_nats, half = (entries[left != right] for entries in (left, right, values, half))

    def standardise(value: Tensor, i: Tensor, j: Tensor, fitted: Tensor) -> Tensor:
        centre, log_scale = _fit_columns(left[fitted], right[fitted], null_nats[fitted], d, size)
        return (value - centre[i] - centre[j]) / (log_scale[i] + log_scale[j]).exp()

    # Each half of the draws by the other half's fit: a fit makes its own draws look narrower than new values are.
    null_z = torch.empty_like(null_nats)
    for held_out in (half, ~half):
        null_z[held_out] = standardise(null_nats[held_out], left[held_out], right[held_out], ~held_out)
    unit = null_z.std()
    upper = torch.triu_indices(d, d, 1)
    null_z, z = null_z / unit, standardise(nats[upper[0], upper[1]], upper[0], upper[1], torch.ones_like(half)) / unit
    p = pooled_p_values(z, null_z, draws)
    q = benjamini_hochberg(p)
    full = [torch.ones(d, d, dtype=torch.float64), torch.ones(d, d, dtype=torch.float64), torch.zeros(d, d).double()]
    for matrix, entries in zip(full, (p, q, z)):
        matrix[upper[0], upper[1]] = entries
        matrix[upper[1], upper[0]] = entries
    return Significance(full[0], full[1], full[2], null_z, null_nats)


class _DrawnColumns:
    """The columns that null draws need: all prepared once where memory holds them, else those of a draw at a time."""

    def __init__(self, measure: Measure, x: Tensor, plans: list[tuple[Tensor, ...]]) -> None:
        self.measure, self.x = measure, x
        needed = torch.cat([torch.cat(plan[1:]) for plan in plans]).unique() if plans else torch.empty(0).long()
        self.kept = len(needed) * len(x) * PREPARED_BYTES <= KEPT_BYTES
        if self.kept:
            self.prepared = measure.prepare(x[:, needed])
            self.place = torch.zeros(x.shape[1], dtype=torch.long).scatter_(0, needed, torch.arange(len(needed)))

    def take(self, which: Tensor, rows: Tensor | None = None) -> Any:
        """Prepared columns ``which``, their rows moved: nothing is sorted or binned again."""
        if self.kept:
            return self.measure.take(self.prepared, self.place[which], rows)
        return self.measure.take(self.measure.prepare(self.x[:, which]), torch.arange(len(which)), rows)


def _fit_columns(left: Tensor, right: Tensor, values: Tensor, d: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Additive effects (d,), (d,): value_ij ~ centre_i + centre_j with log scale s_i + s_j, by least squares.

    ``ridge`` is how many values the mean of all pairs weighs in each column: one draw's.
    """

    def solve(target: Tensor) -> Tensor:
        gram = torch.zeros(d, d, dtype=torch.float64)
        gram.index_put_((left, right), torch.ones_like(target), accumulate=True)
        gram = gram + gram.T
        sums = torch.zeros(d, dtype=torch.float64)
        sums.index_add_(0, left, target).index_add_(0, right, target)
        middle = target.mean() / 2  # effects shrink towards the mean of all pairs
        counts = gram.sum(1)
        gram = gram + torch.diag(counts + ridge)
        return middle + torch.linalg.solve(gram, sums - middle * (2 * counts))

    centre = solve(values)
    residual = values - centre[left] - centre[right]
    typical = residual.square().mean()
    return centre, solve(0.5 * torch.log(residual.square() + 1e-6 * typical))


def pooled_p_values(z: Tensor, null_z: Tensor, draws: int) -> Tensor:
    """Upper-tail p-values of z (m,) under the pooled null (r,): counted, and beyond the last 250 by the fitted tail.

    >>> null = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> [f"{p:.0e}" for p in pooled_p_values(torch.tensor([0.0, 2.326]).double(), null, 64)]
    ['5e-01', '1e-02']
    """
    pool = null_z.sort().values
    count = len(pool)
    beyond = max(2, min(250, count // 20))
    p = (1.0 + (count - torch.searchsorted(pool, z, right=False))) / (1.0 + count)
    threshold = pool[-beyond - 1]
    shape, scale = _pareto_tail(pool[-beyond:] - threshold, 1.0 / draws)
    tail = (1 + shape * (z - threshold).clamp_min(0.0) / scale) ** (-1 / shape)
    return torch.where(z > threshold, (1.0 + beyond) / (1.0 + count) * tail, p)


def _pareto_tail(excess: Tensor, least: float) -> tuple[float, float]:
    """(shape >= least, scale) of a generalised Pareto law for sorted excesses (Hosking, Wallis 1987)."""
    count = len(excess)
    mean = float(excess.mean())
    weights = 1 - (torch.arange(1, count + 1, dtype=torch.float64) - 0.35) / count
    moment = float((weights * excess).mean())
    shape = 2 - mean / (mean - 2 * moment)
    if shape <= least:
        return least, mean
    return shape, 2 * mean * moment / (mean - 2 * moment)


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
