"""All-to-all mutual information between columns: one matrix, tile by tile, over devices and ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from scipy.special import ndtri
from scipy.stats import rankdata
from torch import Tensor

from lmi.arguments import checked_device, whole
from lmi.estimators.pairwise.histogram import MOST_BINS, Binning, Correction, HistogramPairs, HistogramPairsTorch
from lmi.estimators.pairwise.ksg import KsgPairs, KsgPairsTorch
from lmi.inputs import Missing, like, read_columns
from lmi.settings import near

TILE = 128  # columns on a side of a tile
KEPT_BYTES = 2**29  # prepared columns held at a time, about

Bar = Callable[[Iterable[Any], str], Iterator[Any]]


@runtime_checkable
class Measure(Protocol):
    """What a tile needs: columns made ready once, then the values between two sets of them."""

    def prepare(self, columns: Tensor) -> Any:
        """Columns (n, t), made ready."""
        ...

    def tile(self, x: Any, y: Any, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` leaves out what is on and below the diagonal."""
        ...

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) values in nats of each column against itself."""
        ...


@dataclass(frozen=True)
class GaussianPairs:
    """-1/2 log(1 - r^2) between columns, r their correlation."""

    device: str = "cpu"

    def prepare(self, columns: Tensor) -> Tensor:
        """Columns (n, t) -> (t, n) with mean 0 and norm 1."""
        columns = columns.detach().to(self.device, torch.float64)
        centred = columns - columns.mean(0)
        return (centred / torch.linalg.vector_norm(centred, dim=0)).T.contiguous()

    def tile(self, x: Tensor, y: Tensor, upper: bool = False) -> Tensor:
        """(tx, ty) values in nats; ``upper`` sets what is on and below the diagonal to 0."""
        nats = -0.5 * torch.log1p(-(x @ y.T).square().clamp(max=1.0)).cpu()
        return nats.triu(1) if upper else nats

    def diagonal(self, columns: Tensor) -> Tensor:
        """(t,) infinities: a continuous variable tells everything about itself."""
        return torch.full((columns.shape[1],), math.inf, dtype=torch.float64)


def pairwise_measure(
    estimator: Literal["ksg", "histogram", "gaussian"] = "ksg",
    *,
    k: int = 3,
    bins: int = 15,
    binning: Binning = "width",
    correction: Correction = "none",
    device: str = "cpu",
) -> Measure:
    """The measure with that name: compiled loops on the CPU, torch on any other device.

    Raises:
        ValueError: for an unknown name, or settings that no measure can have.
    """
    k, bins, device = whole(k, "k", 1), whole(bins, "bins", 2, MOST_BINS), checked_device(device)
    if binning not in ("width", "mass") or correction not in ("none", "miller_madow"):
        raise ValueError(f"unknown binning {binning!r} (width, mass) or correction {correction!r} (none, miller_madow)")
    if estimator == "ksg":
        return KsgPairs(k) if device == "cpu" else KsgPairsTorch(k, device)
    if estimator == "histogram":
        if device == "cpu":
            return HistogramPairs(bins, binning, correction)
        return HistogramPairsTorch(bins, binning, correction, device)
    if estimator == "gaussian":
        return GaussianPairs(device)
    raise ValueError(f"no pairwise estimator {estimator!r}: {near(estimator, ['ksg', 'histogram', 'gaussian'])}")


def pairwise_mi(
    x: Any,
    y: Any = None,
    estimator: Literal["ksg", "histogram", "gaussian"] = "ksg",
    *,
    k: int = 3,
    bins: int = 15,
    binning: Binning = "width",
    correction: Correction = "none",
    device: str = "cpu",
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
        estimator: "ksg", "histogram" or "gaussian".
        k: neighbours of KSG.
        bins: bins a column of the histogram.
        binning: bins of equal "width" over [min, max], or of equal "mass".
        correction: "none" for the plug-in value, or "miller_madow".
        device: "cpu" for compiled loops over all cores; any other torch device for torch.
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
    measure = pairwise_measure(estimator, k=k, bins=bins, binning=binning, correction=correction, device=device)
    least, why = (k + 1, f": k + 1 for k = {k} neighbours") if estimator == "ksg" else (2, "")
    brought = [(name, x)] if y is None else [(name, x), ("y", y)]
    sides = read_columns(*brought, missing=missing, least=least, why=why)
    other = None if y is None else sides[1].values
    return like(tiled(measure, sides[0].values, other, fabric, bar, f"{estimator} {name}"), sides[0], sides[-1])


def tiled(
    measure: Measure, x: Tensor, y: Tensor | None = None, fabric: Any = None, bar: Bar | None = None, label: str = ""
) -> Tensor:
    """The matrix of ``measure`` between columns of x (n, dx) and of y (n, dy), or of x and x, nats.

    At most about ``KEPT_BYTES`` of prepared columns are held beside x, y and the matrix, whatever their sizes.
    """
    other = x if y is None else y
    side = max(1, min(TILE, KEPT_BYTES // (64 * len(x))))
    tiles = [(a, b) for a in range(0, x.shape[1], side) for b in range(a if y is None else 0, other.shape[1], side)]
    rank, ranks = (0, 1) if fabric is None else (fabric.global_rank, fabric.world_size)
    nats = torch.zeros(x.shape[1], other.shape[1], dtype=torch.float64)
    room = max(2, KEPT_BYTES // (32 * side * len(x)))
    prepared: dict[tuple[bool, int], Any] = {}

    def block(first: bool, start: int) -> Any:
        place = (first or y is None, start)
        if place not in prepared:
            while len(prepared) >= room:
                prepared.pop(next(iter(prepared)))
            prepared[place] = measure.prepare((x if first else other)[:, start : start + side])
        return prepared[place]

    mine = tiles[rank::ranks]
    for a, b in mine if bar is None else bar(mine, label):
        upper = y is None and a == b
        values = measure.tile(block(True, a), block(False, b), upper)
        nats[a : a + values.shape[0], b : b + values.shape[1]] = values
    if ranks > 1:  # every entry is written by one rank and 0 elsewhere, so the sum is exact
        nats = fabric.all_reduce(nats.to(fabric.device), reduce_op="sum").cpu()
    if y is None:
        nats = nats + nats.T
        for a in range(0, x.shape[1], side):
            nats.diagonal()[a : a + side] = measure.diagonal(x[:, a : a + side])
    return nats


def constant_columns(x: Tensor) -> list[int]:
    """Indices of the columns of x (n, d) that hold one value.

    >>> constant_columns(torch.tensor([[0.0, 1.0], [0.0, 2.0]]))
    [0]
    """
    return (x == x[:1]).all(0).nonzero().flatten().tolist()


def tied_columns(x: Tensor, k: int, share: float = 0.1) -> list[int]:
    """Indices of the columns of x (n, d) where over ``share`` of the rows have a value that more than k rows have.

    >>> tied_columns(torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [1.0, 4.0]]), k=2)
    [0]
    """
    tied = []
    for index, column in enumerate(x.T):
        counts = column.unique(return_counts=True)[1]
        if int(counts[counts > k].sum()) > share * len(x):
            tied.append(index)
    return tied


def rank_normal(x: Tensor) -> Tensor:
    """Columns (n, d) mapped to normal scores by rank: Phi^-1((rank - 1/2) / n), ties sharing their mean rank.

    >>> rank_normal(torch.tensor([[1.0], [10.0], [100.0]])).flatten()
    tensor([-0.9674,  0.0000,  0.9674], dtype=torch.float64)
    """
    ranks = rankdata(x.detach().cpu().numpy(), axis=0)
    return torch.from_numpy(ndtri((ranks - 0.5) / len(x)))


def nonlinearity(x: Any, k: int = 3, device: str = "cpu", fabric: Any = None, bar: Bar | None = None) -> Any:
    """What covariance misses between columns of x (n, d): KSG minus Gaussian MI of the rank-normalised pair, nats.

    MI does not change when each variable is mapped monotonically, so both are taken on normal scores, where the
    Gaussian value is exact if and only if the copula is Gaussian. Symmetric (d, d), the diagonal 0. It can be
    negative: KSG is low for strong dependence.

    >>> x = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    >>> bool(nonlinearity(torch.cat([x, x.square()], 1))[0, 1] > 1)
    True
    """
    measure = pairwise_measure("ksg", k=k, device=device)
    (side,) = read_columns(("x", x), least=k + 1, why=f": k + 1 for k = {k} neighbours")
    normal = rank_normal(side.values)
    gap = tiled(measure, normal, None, fabric, bar, "ksg of ranks")
    gap = gap - tiled(pairwise_measure("gaussian", device=device), normal)
    return like(gap.fill_diagonal_(0.0), side)
