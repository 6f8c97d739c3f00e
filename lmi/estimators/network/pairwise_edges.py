"""``lmi.pairwise_edges``: which of very many pairs of columns share something, without ever holding the table of all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lmi.arguments import checked_device, checked_folder, checked_seed, false_discovery_rate, whole
from lmi.containers import device_of
from lmi.estimators.network.edge_units import Candidates, EdgeSearch, Unit, measured_units, split_units
from lmi.estimators.network.edges import Edges
from lmi.estimators.network.table import read_table
from lmi.estimators.pairwise.histogram import Binning, Correction
from lmi.estimators.pairwise.matrix import PairEstimator, pairwise_measure
from lmi.estimators.pairwise.prepared import PreparedColumns, tile_side
from lmi.estimators.significance.document_nulls import Null
from lmi.estimators.significance.pooled_null import SIDE, null_plans, pooled_null
from lmi.evidence import MOST_PERMUTATIONS
from lmi.inputs import Missing
from lmi.types import Context

LEAST_DRAWS = 4  # times that a column is drawn on average, where draws are not given


def pairwise_edges(
    x: Any,
    estimator: PairEstimator = "ksg",
    *,
    targets: Iterable[Any] | None = None,
    rate: float = 0.05,
    most: int | None = None,
    documents: Any = None,
    null: Null | Literal["none"] = "auto",
    draws: int | None = None,
    k: int = 3,
    bins: int = 15,
    binning: Binning = "width",
    correction: Correction = "none",
    device: str | torch.device = "auto",
    missing: Missing = "refuse",
    layer: str | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    fabric: Any = None,
    progress: bool = False,
) -> Edges:
    """The pairs of columns that share more than chance would, the strongest first: ``lmi.pairwise`` for many columns.

    Pairs are measured in units of up to 16 tiles of 128 x 128, each of which is thinned out to what may become an edge
    and forgotten. Only pairs with p <= rate can have q <= rate, so the q-values are exactly those of all pairs. The
    numbers do not depend on ``folder``, on where a run was cut off, or on the number of processes.

    Args:
        x: (n, d) samples: NumPy, torch, pandas, polars, SciPy sparse, AnnData or lists; the rows of a document in order.
        estimator: "ksg", "histogram", "gaussian", "bspline" or "cofiring", see ``lmi.pairwise_mi``.
        targets: names or numbers of columns; only pairs with one of them are measured: regulators against all genes.
        rate: false-discovery rate: edges have q-values of at most this.
        most: the strongest so many of these; ``None`` for all.
        documents: (n,) what each row belongs to, see ``lmi.pairwise``.
        null: "documents", "shift" or "auto", see ``lmi.pairwise``; "none" takes the strongest ``most`` without p-values.
        draws: null draws of up to 32 x 32 pairs; ``None`` draws each column four times or more, and at least 32.
        k: neighbours of KSG.
        bins: bins a column of the histogram, or splines of "bspline".
        binning: bins of equal "width" or of equal "mass".
        correction: "none" or "miller_madow", of the histogram.
        device: where to measure; "auto" is where x is, the CPU for what is no tensor.
        missing: "refuse" missing values, or "drop" the rows that have one.
        layer: of an AnnData, in place of its ``X``.
        seed: the same seed gives the same p-values.
        folder: where each unit is kept: a call with the same samples and settings goes on where one was cut off.
        fabric: a launched ``lightning.Fabric``: units are shared over its ranks, which need a ``folder`` that all see.
        progress: whether a bar shows pairs per second and the time left.

    Raises:
        ValueError: see ``lmi.pairwise``; and for targets that are no columns.

    >>> x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    >>> edges = pairwise_edges(torch.cat([x, x[:, :1] + x[:, 1:2]], 1), "gaussian")
    >>> edges
    <Edges: 2 of 6 pairs of 4 columns by gaussian on 300 rows>
    >>> edges.frame()[["a", "b"]].values.tolist()
    [['0', '3'], ['1', '3']]
    """
    device = checked_device(device, device_of(x))
    measure = pairwise_measure(estimator, k=k, bins=bins, binning=binning, correction=correction, device=device)
    most = None if most is None else whole(most, "most", 1)
    if null == "none" and most is None:
        raise ValueError("null='none' takes the strongest pairs; expected most=m, how many")
    rate, seed = false_discovery_rate(rate), checked_seed(seed)
    table = read_table(x, documents, null, estimator, k, layer, missing)
    h, names, groups, scheme = table.side.values.cpu(), table.names, table.documents, table.scheme
    chosen = np.arange(h.shape[1]) if targets is None else _numbers(targets, names)
    order = np.concatenate([chosen, np.setdiff1d(np.arange(h.shape[1]), chosen)])
    h = h if targets is None else h[:, order]
    generator = Context(seed).generator("null")
    draws = (
        max(32, -(-LEAST_DRAWS * h.shape[1] // (2 * SIDE)))
        if draws is None
        else whole(draws, "draws", 2, MOST_PERMUTATIONS)
    )
    plans = [] if scheme == "none" else null_plans(groups, scheme, generator, draws, h.shape[1], len(chosen))
    columns = PreparedColumns(measure, h)
    chance = pooled_null(columns, plans) if plans else None
    tile = tile_side(len(h))
    units = split_units(len(chosen), h.shape[1], tile)
    search = EdgeSearch(columns, tile, chance, rate, most if chance is None else None)
    key = f"{measure}{search.most}{rate}{targets is None or order.tolist()}{scheme}{draws}{seed}{tile}"
    place = (
        None if folder is None else checked_folder(folder) / _digest(key.replace(f"device='{device}'", ""), h, groups)
    )
    parts = measured_units(units, search.measure, place, fabric, f"{estimator} edges", progress)
    tested = sum(unit.pairs() for unit in units)
    a, b, nats, p, q = gathered(parts, tested, rate, most, chance is not None)
    return Edges(
        order[a],
        order[b],
        nats,
        p,
        q,
        names=names,
        tested=tested,
        num_samples=len(h),
        estimator=estimator,
        null=scheme,
        background=_background(units, parts, order),
        warnings=table.warnings,
    )


def gathered(
    parts: list[Candidates], tested: int, rate: float, most: int | None, has_null: bool
) -> tuple[np.ndarray, ...]:
    """(a, b, nats, p, q) of the edges among all candidates, the strongest first.

    Args:
        parts: what the units left.
        tested: pairs that were measured.
        rate: of false discoveries.
        most: edges at most; ``None`` for all.
        has_null: whether there are p-values.
    """
    a, b, nats, p = (np.concatenate([getattr(part, name) for part in parts]) for name in ("a", "b", "nats", "p"))
    q = np.full(len(p), np.nan)
    if has_null:
        ascending = np.argsort(p, kind="stable")
        stepped = p[ascending] * tested / np.arange(1, len(p) + 1)
        q[ascending] = np.minimum.accumulate(stepped[::-1])[::-1].clip(max=1.0)
        kept = q <= rate
        a, b, nats, p, q = (values[kept] for values in (a, b, nats, p, q))
    strongest = np.argsort(-nats, kind="stable")[:most]
    a, b, nats, p, q = (values[strongest] for values in (a, b, nats, p, q))
    return a.astype(np.int64), b.astype(np.int64), nats, p, q


def _numbers(targets: Iterable[Any], names: tuple[str, ...]) -> np.ndarray:
    if isinstance(targets, str):
        raise ValueError(f"targets is one string, {targets[:30]!r}; expected several names: [{targets[:30]!r}]")
    place = {name: index for index, name in enumerate(names)}
    wanted = [str(target) for target in targets]
    unknown = [name for name in wanted if name not in place]
    if unknown or not wanted:
        raise ValueError(
            f"targets has {', '.join(map(repr, unknown[:3])) or 'nothing'}; expected names of columns of x"
        )
    return np.array([place[name] for name in dict.fromkeys(wanted)])


def _background(units: list[Unit], parts: list[Candidates], order: np.ndarray) -> np.ndarray:
    """(2, d) mean and standard deviation of each column's MI over its partners."""
    sums = np.zeros((3, len(order)))
    for unit, part in zip(units, parts):
        sums[:, unit.a : unit.a_end] += part.row_sums
        sums[:, unit.b : unit.b_end] += part.column_sums
    count, total, squares = sums
    mean = total / count
    spread = np.sqrt((squares / count - mean**2).clip(0) * count / np.maximum(count - 1, 1))
    background = np.empty((2, len(order)))
    background[:, order] = mean, spread
    return background


def _digest(key: str, h: Tensor, groups: Tensor) -> str:
    digest = hashlib.blake2b(key.encode(), digest_size=8)
    for tensor in (h, groups):
        digest.update(repr(tuple(tensor.shape)).encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
