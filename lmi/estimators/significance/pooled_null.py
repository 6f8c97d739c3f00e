"""What chance gives between columns that share nothing: null draws of some pairs, fitted per column and pooled.

One pair would need 10^7 permutations for a p-value that survives correction over 300,000 pairs. Instead the null values
of all pairs are pooled after each is standardised by mean and scale fitted per column, and beyond the largest of them
the pool's tail is continued by a generalised Pareto law whose shape is not allowed below 1 / draws: the predictive law
of an exponential tail known from that many looks, which errs on the side of caution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import cg
from torch import Tensor

from lmi.estimators.pairwise.matrix import Bar
from lmi.estimators.pairwise.prepared import PreparedColumns
from lmi.estimators.significance.document_nulls import Scheme, null_rows

SIDE = 32  # columns drawn on each side at every null draw
DENSE = 4096  # columns whose effects are solved for with a dense matrix


@dataclass(frozen=True, eq=False)
class PooledNull:
    """The null of every pair of d columns.

    Args:
        centre: (d,) effects that add up to the mean of a pair's null, nats.
        log_scale: (d,) effects that add up to the log of its scale.
        unit: standard deviation of the standardised null.
        z: (m,) the pooled null, standardised.
        nats: (m,) the pooled null as measured.
        draws: null draws.
    """

    centre: Tensor
    log_scale: Tensor
    unit: Tensor
    z: Tensor
    nats: Tensor
    draws: int

    def standardised(self, nats: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Observed values of pairs (i, j), all (m,) or broadcast to it, in standard deviations of their nulls."""
        return _standardised(nats, i, j, self.centre, self.log_scale) / self.unit

    @cached_property
    def pool(self) -> tuple[Tensor, float, float]:
        """The sorted null (m,), and shape and scale of its tail: found once, however many tiles ask."""
        pool = self.z.sort().values
        beyond = _beyond(len(pool))
        return pool, *_pareto_tail(pool[-beyond:] - pool[-beyond - 1], 1.0 / self.draws)

    def p_values(self, z: Tensor) -> Tensor:
        """Upper-tail p-values (m,) of standardised values (m,)."""
        return _tail_p_values(z, *self.pool)

    def least(self, rate: float) -> float:
        """A standardised value below which no p-value is at most ``rate``."""
        place = int(np.ceil((1 + len(self.z)) * (1 - rate))) - 1
        return -np.inf if place < 0 else float(self.pool[0][min(place, len(self.z) - 1)])


def pooled_null(
    columns: PreparedColumns, plans: list[tuple[Tensor, ...]], fabric: Any = None, bar: Bar | None = None
) -> PooledNull:
    """Measure the null draws ``plans`` and pool them.

    Args:
        columns: what to draw from.
        plans: (rows, a, b) of each draw, from ``null_plans``.
        fabric: a launched ``lightning.Fabric``: draws are shared over its ranks.
        bar: wraps the loop over draws.
    """
    draws, d = len(plans), columns.x.shape[1]
    rank, ranks = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    values = torch.zeros(draws, len(plans[0][1]), len(plans[0][2]), dtype=torch.float64)
    steps = range(rank, draws, ranks)
    measured = []
    for draw in steps if bar is None else bar(steps, "null"):
        rows, a, b = plans[draw]
        measured.append((draw, columns.measure.tile(columns.take(a), columns.take(b, rows))))
    for draw, tile in measured:
        values[draw] = tile
    if ranks > 1:
        values = fabric.all_reduce(values.to(fabric.device), reduce_op="sum").cpu()
    left = torch.stack([a for _, a, _ in plans])[:, :, None].expand_as(values)
    right = torch.stack([b for _, _, b in plans])[:, None, :].expand_as(values)
    half = (torch.arange(draws) % 2 == 0)[:, None, None].expand_as(values)
    left, right, nats, half = (entries[left != right] for entries in (left, right, values, half))
    ridge = values.shape[2]
    # Each half of the draws by the other half's fit: a fit makes its own draws look narrower than new values are.
    z = torch.empty_like(nats)
    for held_out in (half, ~half):
        fitted = _fit_columns(left[~held_out], right[~held_out], nats[~held_out], d, ridge)
        z[held_out] = _standardised(nats[held_out], left[held_out], right[held_out], *fitted)
    unit = z.std()
    return PooledNull(*_fit_columns(left, right, nats, d, ridge), unit, z / unit, nats, draws)


def null_plans(
    documents: Tensor, scheme: Scheme, generator: torch.Generator, draws: int, columns: int, targets: int | None = None
) -> list[tuple[Tensor, ...]]:
    """(rows (n,), columns a, columns b) of every draw: rows moved by ``scheme``, up to 32 columns on each side.

    Args:
        documents: (n,) the document of each row.
        scheme: "shift" or "documents".
        generator: randomness.
        draws: how many.
        columns: how many there are.
        targets: a comes from the first so many; ``None`` for all.
    """
    targets = columns if targets is None else targets
    return [
        (
            null_rows(documents, scheme, generator),
            torch.randperm(targets, generator=generator)[: min(targets, SIDE)],
            torch.randperm(columns, generator=generator)[: min(columns, SIDE)],
        )
        for _ in range(draws)
    ]


def _standardised(value: Tensor, i: Tensor, j: Tensor, centre: Tensor, log_scale: Tensor) -> Tensor:
    return (value - centre[i] - centre[j]) / (log_scale[i] + log_scale[j]).exp()


def _fit_columns(left: Tensor, right: Tensor, values: Tensor, d: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Additive effects (d,), (d,): value_ij ~ centre_i + centre_j with log scale s_i + s_j, by least squares.

    ``ridge`` is how many values the mean of all pairs weighs in each column: one draw's.
    """

    def solve(target: Tensor) -> Tensor:
        sums = torch.zeros(d, dtype=torch.float64)
        sums.index_add_(0, left, target).index_add_(0, right, target)
        middle = target.mean() / 2  # effects shrink towards the mean of all pairs
        if d > DENSE:
            return middle + _solve_sparse(left, right, sums, middle, ridge)
        gram = torch.zeros(d, d, dtype=torch.float64)
        gram.index_put_((left, right), torch.ones_like(target), accumulate=True)
        gram = gram + gram.T
        counts = gram.sum(1)
        gram = gram + torch.diag(counts + ridge)
        return middle + torch.linalg.solve(gram, sums - middle * (2 * counts))

    centre = solve(values)
    residual = values - centre[left] - centre[right]
    typical = residual.square().mean()
    return centre, solve(0.5 * torch.log(residual.square() + 1e-6 * typical))


def _solve_sparse(left: Tensor, right: Tensor, sums: Tensor, middle: Tensor, ridge: float) -> Tensor:
    """The same normal equations by conjugate gradients: the ridge keeps them well conditioned."""
    d = len(sums)
    ones = np.ones(len(left))
    half = sparse.coo_matrix((ones, (left.numpy(), right.numpy())), shape=(d, d)).tocsr()
    gram = half + half.T
    counts = np.asarray(gram.sum(1)).ravel()
    gram = gram + sparse.diags(counts + ridge)
    solution, code = cg(gram, sums.numpy() - float(middle) * 2 * counts, rtol=1e-12, maxiter=1000)
    if code:
        raise RuntimeError(f"the effects of {d} columns on the null did not converge in 1000 steps")
    return torch.from_numpy(solution)


def pooled_p_values(z: Tensor, null_z: Tensor, draws: int) -> Tensor:
    """Upper-tail p-values of z (m,) under the pooled null (r,): counted, and beyond the last 250 by the fitted tail.

    >>> null = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> [f"{p:.0e}" for p in pooled_p_values(torch.tensor([0.0, 2.326]).double(), null, 64)]
    ['5e-01', '1e-02']
    """
    pool = null_z.sort().values
    beyond = _beyond(len(pool))
    return _tail_p_values(z, pool, *_pareto_tail(pool[-beyond:] - pool[-beyond - 1], 1.0 / draws))


def _tail_p_values(z: Tensor, pool: Tensor, shape: float, scale: float) -> Tensor:
    count = len(pool)
    beyond = _beyond(count)
    p = (1.0 + (count - torch.searchsorted(pool, z, right=False))) / (1.0 + count)
    threshold = pool[-beyond - 1]
    tail = (1 + shape * (z - threshold).clamp_min(0.0) / scale) ** (-1 / shape)
    return torch.where(z > threshold, (1.0 + beyond) / (1.0 + count) * tail, p)


def _beyond(count: int) -> int:
    """How many of the largest null values the tail is fitted to."""
    return max(2, min(250, count // 20))


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
