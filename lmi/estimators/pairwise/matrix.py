"""All-to-all mutual information between columns: one matrix, tile by tile, over devices and ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from lmi.arguments import checked_device, whole
from lmi.containers import device_of
from lmi.estimators.pairwise.cofiring_pairs import CofiringPairs
from lmi.estimators.pairwise.gaussian import GaussianPairs, rank_normal
from lmi.estimators.pairwise.histogram import MOST_BINS, Binning, Correction
from lmi.estimators.pairwise.histogram_pairs import HistogramPairs, HistogramPairsTorch
from lmi.estimators.pairwise.ksg import KsgPairs
from lmi.estimators.pairwise.ksg_cuda import KsgPairsCuda
from lmi.estimators.pairwise.prepared import Measure, PreparedColumns, kept_tiles, tile_side
from lmi.estimators.pairwise.splines import SplinePairs
from lmi.inputs import Missing, like, read_columns
from lmi.settings import near

Bar = Callable[[Iterable[Any], str], Iterator[Any]]
PairEstimator = Literal["ksg", "histogram", "gaussian", "bspline", "cofiring"]


def pairwise_measure(
    estimator: PairEstimator = "ksg",
    *,
    k: int = 3,
    bins: int = 15,
    binning: Binning = "width",
    correction: Correction = "none",
    device: str | torch.device = "auto",
) -> Measure:
    """The measure with that name: compiled loops on the CPU, kernels and products of matrices on a GPU.

    Args:
        estimator: "ksg", "histogram", "gaussian", "bspline" (see ``SplinePairs``, of order 3) or "cofiring" (whether
            entries are 0).
        k: neighbours of KSG.
        bins: bins a column of the histogram.
        binning: bins of equal "width" or of equal "mass".
        correction: "none" or "miller_madow", of the histogram.
        device: a torch device; "auto" takes a CUDA device where there is one.

    Raises:
        ValueError: for an unknown name, or settings that no measure can have.
    """
    k, bins, device = whole(k, "k", 1), whole(bins, "bins", 2, MOST_BINS), checked_device(device)
    if binning not in ("width", "mass") or correction not in ("none", "miller_madow"):
        raise ValueError(f"unknown binning {binning!r} (width, mass) or correction {correction!r} (none, miller_madow)")
    on_cpu = device == "cpu"
    if estimator == "ksg":
        if on_cpu:
            return KsgPairs(k)
        if not device.startswith("cuda"):
            raise ValueError(f"ksg has compiled loops for 'cpu' and kernels for 'cuda'; got device {device!r}")
        return KsgPairsCuda(k, device)
    if estimator == "histogram":
        if on_cpu:
            return HistogramPairs(bins, binning, correction)
        return HistogramPairsTorch(bins, binning, correction, device)
    if estimator == "gaussian":
        return GaussianPairs(device)
    if estimator == "bspline":
        return SplinePairs(bins, min(3, bins), device)
    if estimator == "cofiring":
        return CofiringPairs(device)
    raise ValueError(f"no pairwise estimator {estimator!r}: {near(estimator, get_args(PairEstimator))}")


def pairwise_mi(
    x: Any,
    y: Any = None,
    estimator: PairEstimator = "ksg",
    *,
    k: int = 3,
    bins: int = 15,
    binning: Binning = "width",
    correction: Correction = "none",
    device: str | torch.device = "auto",
    missing: Missing = "refuse",
    fabric: Any = None,
    bar: Bar | None = None,
    name: str = "x",
) -> Any:
    """Mutual information between every two columns of x, or every column of x and every column of y, in nats.

    KSG is scikit-learn's ``mutual_info_regression`` without its noise and before its clipping at 0; the histogram is
    ``numpy.histogram2d``'s plug-in value. The diagonal is what the estimator says of a column against itself: the
    entropy of its bins, psi(n) - psi(k) for KSG (its ceiling), infinity for the Gaussian.

    Args:
        x: (n, dx) samples: NumPy, torch, pandas, polars, SciPy sparse, AnnData or lists.
        y: (n, dy) samples, or ``None`` for x against itself; paired by label where both have labels, else by position.
        estimator: "ksg", "histogram", "gaussian", "bspline" (see ``SplinePairs``, of order 3) or "cofiring" (whether
            entries are 0).
        k: neighbours of KSG.
        bins: bins a column of the histogram.
        binning: bins of equal "width" over [min, max], or of equal "mass".
        correction: "none" for the plug-in value, or "miller_madow".
        device: where to measure; "auto" is where x is, the CPU for what is no tensor.
        missing: "refuse" missing values, or "drop" the rows that have one, with a warning that says how many.
        fabric: a launched ``lightning.Fabric``: tiles are shared over its ranks, each rank returns the whole matrix.
        bar: wraps the loop over tiles, as ``Context.bar`` does.
        name: what to call ``x`` in an error: the layer's name.

    Returns:
        (dx, dx), symmetric, or (dx, dy), float64 on the CPU: a DataFrame with the columns' names where x or y has them,
        a tensor for tensors, else an array.

    Raises:
        ValueError: for shapes that do not fit, fewer than k + 1 rows, NaN or infinite entries, or constant columns;
            the message begins with ``name``, or with y.

    >>> x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    >>> nats = pairwise_mi(torch.cat([x, x[:, :1] + 0.1 * x[:, 1:2]], 1))
    >>> nats.shape, bool(nats[0, 3] > 1.5), bool(nats[0, 2].abs() < 0.1), bool((nats == nats.T).all())
    (torch.Size([4, 4]), True, True, True)
    """
    device = checked_device(device, device_of(x))
    measure = pairwise_measure(estimator, k=k, bins=bins, binning=binning, correction=correction, device=device)
    least, why = rows_needed(estimator, k)
    brought = [(name, x)] if y is None else [(name, x), ("y", y)]
    sides = read_columns(*brought, missing=missing, least=least, why=why)
    other = None if y is None else sides[1].values
    return like(tiled(measure, sides[0].values, other, fabric, bar, f"{estimator} {name}"), sides[0], sides[-1])


def rows_needed(estimator: PairEstimator, k: int, otherwise: int = 2) -> tuple[int, str]:
    """The fewest rows that an estimator measures, and why, as an error says it."""
    return (k + 1, f": k + 1 for k = {k} neighbours") if estimator == "ksg" else (otherwise, "")


def tiled(
    measure: Measure,
    x: Tensor,
    y: Tensor | None = None,
    fabric: Any = None,
    bar: Bar | None = None,
    label: str = "",
    columns: PreparedColumns | None = None,
) -> Tensor:
    """The matrix of ``measure`` between columns of x (n, dx) and of y (n, dy), or of x and x, nats.

    Prepared columns are kept where ``KEPT_BYTES`` hold them all, so that each is prepared once. Where not, a panel of x's
    blocks is kept while the others pass by.

    Args:
        measure: from ``pairwise_measure``.
        x: (n, dx) samples.
        y: (n, dy) samples, or ``None`` for x against itself.
        fabric: a launched ``lightning.Fabric``: tiles are shared over its ranks.
        bar: wraps the loop over tiles.
        label: what the bar says.
        columns: all of x, where they are prepared already.

    Returns:
        (dx, dy) float64 on the CPU; on a GPU nothing is waited for before the last tile.
    """
    other = x if y is None else y
    side = tile_side(len(x))
    room = kept_tiles(side, len(x), measure.value_bytes)
    starts, passing = range(0, x.shape[1], side), range(0, other.shape[1], side)
    panels = [starts[first : first + room - 1] for first in range(0, len(starts), room - 1)]
    tiles = [(panel, a, b) for panel in panels for b in passing for a in panel if y is not None or a <= b]
    rank, ranks = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    prepared: dict[tuple[bool, int], Any] = {}

    def block(of_x: bool, start: int, panel: range) -> Any:
        if columns is not None and columns.kept and (of_x or y is None):
            return columns.take(torch.arange(start, min(start + side, x.shape[1])))
        place = (of_x or y is None, start)
        if place not in prepared:
            while len(prepared) >= room:
                prepared.pop(next(key for key in prepared if not (key[0] and key[1] in panel)))
            prepared[place] = measure.prepare((x if of_x else other)[:, start : start + side])
        return prepared[place]

    mine = tiles[rank::ranks]
    measured = []
    for panel, a, b in mine if bar is None else bar(mine, label):
        upper = y is None and a == b
        left = block(True, a, panel)
        values = measure.tile(left, block(False, b, panel), upper)
        measured.append((a, b, values + torch.diag(measure.diagonal(left)) if upper else values))
    nats = torch.zeros(x.shape[1], other.shape[1], dtype=torch.float64)
    for a, b, values in measured:
        nats[a : a + values.shape[0], b : b + values.shape[1]] = values
    if ranks > 1:  # every entry is written by one rank and 0 elsewhere, so the sum is exact
        nats = fabric.all_reduce(nats.to(fabric.device), reduce_op="sum").cpu()
    return nats if y is not None else nats.triu() + nats.triu(1).T


def nonlinearity(
    x: Any, k: int = 3, device: str | torch.device = "auto", fabric: Any = None, bar: Bar | None = None
) -> Any:
    """What covariance misses between columns of x (n, d): KSG minus Gaussian MI of the rank-normalised pair, nats.

    MI does not change when each variable is mapped monotonically, so both are taken on normal scores, where the
    Gaussian value is exact if and only if the copula is Gaussian. Symmetric (d, d), the diagonal 0. It can be
    negative: KSG is low for strong dependence.

    >>> x = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    >>> bool(nonlinearity(torch.cat([x, x.square()], 1))[0, 1] > 1)
    True
    """
    device = checked_device(device, device_of(x))
    k = whole(k, "k", 1)
    least, why = rows_needed("ksg", k)
    (side,) = read_columns(("x", x), least=least, why=why)
    ksg, gaussian = score_tables(rank_normal(side.values.to(device)), k, device, fabric, bar)
    return like((ksg - gaussian).fill_diagonal_(0.0), side)


def score_tables(
    scores: Tensor, k: int, device: str, fabric: Any = None, bar: Bar | None = None
) -> tuple[Tensor, Tensor]:
    """KSG and Gaussian MI (d, d) in nats of normal scores (n, d): their difference is ``nonlinearity``.

    Args:
        scores: from ``rank_normal``.
        k: neighbours of KSG.
        device: a torch device.
        fabric: a launched ``lightning.Fabric``: tiles are shared over its ranks.
        bar: wraps the loop over tiles.
    """
    ksg = tiled(pairwise_measure("ksg", k=k, device=device), scores, None, fabric, bar, "ksg of ranks")
    return ksg, tiled(GaussianPairs(device), scores)
