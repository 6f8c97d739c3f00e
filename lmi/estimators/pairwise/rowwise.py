"""Many small problems at once: the MI of (m, n) columns, row by row, by KSG, by histogram and by correlation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import prange
from numpy.typing import NDArray
from scipy.special import digamma, stdtrit

from lmi.compiled import kernel
from lmi.estimators.pairwise.ksg_window import ksg_rows, psi_table

Array = NDArray[np.float64]
Z_90 = 1.6448536269514722


class Batch(NamedTuple):
    """m estimates in nats, (m,) each.

    Fields:
        nats: as defined.
        corrected: less the bias that is known of.
        half_width: of the 90% interval for sampling error around either; it does not cover bias.
    """

    nats: Array
    corrected: Array
    half_width: Array

    def covers(self, truth: Array) -> NDArray[np.bool_]:
        """Whether the interval around ``nats`` contains the truth, row by row."""
        return np.abs(self.nats - truth) <= self.half_width


def ksg(x: Any, y: Any, k: int, generator: torch.Generator, parts: int = 5, partitions: int = 10) -> Batch:
    """KSG1 of every row of (m, n), extrapolated in 1/n, with an interval from disjoint subsamples.

    The samples are dealt ``partitions`` times into ``parts`` disjoint subsamples, whose variance over ``parts`` is the
    variance of the estimate (Holmes and Nemenman 2019). The partitions share their samples: they steady that variance
    but bring no degrees of freedom, so the interval is Student's with parts - 1. The correction is
    2 I(n) - I(n / 2), with I(n / 2) the mean over the halves of as many partitions.

    >>> x = torch.randn(3, 400, generator=torch.Generator().manual_seed(0))
    >>> same = ksg(x, x.flip(1), k=3, generator=torch.Generator().manual_seed(1))
    >>> bool((abs(same.nats) < 2 * same.half_width).all())
    True
    """
    x, y = check_rows(x, y, least=8 * parts)
    m, n = x.shape
    nats = ksg_pointwise(x, y, k).mean(axis=1)
    variance, half = np.zeros(m), np.zeros(m)
    for _ in range(partitions):
        order = torch.randperm(n, generator=generator).numpy()
        variance += _dealt(x, y, order, parts, k).var(axis=1, ddof=1) / parts / partitions
        half += _dealt(x, y, order, 2, k).mean(axis=1) / partitions
    return Batch(nats, 2 * nats - half, float(stdtrit(parts - 1, 0.95)) * np.sqrt(variance))


def _dealt(x: Array, y: Array, order: NDArray[np.int64], parts: int, k: int) -> Array:
    """(m, parts) KSG estimates on disjoint subsamples of equal size."""
    m, size = x.shape[0], order.size // parts
    kept = order[: parts * size]
    terms = ksg_pointwise(x[:, kept].reshape(m * parts, size), y[:, kept].reshape(m * parts, size), k)
    return terms.mean(axis=1).reshape(m, parts)


def histogram(x: Any, y: Any, bins: int = 15) -> Batch:
    """Plug-in MI of the equal-width bins of every row, with Miller and Madow's correction.

    I = sum p log(p / (px py)); corrected by (Kx + Ky - K - 1) / 2n with K the occupied cells; the interval is that of
    the mean of n log ratios.

    >>> x = np.random.default_rng(0).standard_normal((1, 1000))
    >>> raw = histogram(x, -x)
    >>> bool(abs(raw.nats - 2.2) < 0.2)
    True
    """
    counts = histogram_counts(x, y, bins)
    n = counts[0].sum()
    joint = counts / n
    px, py = joint.sum(axis=2, keepdims=True), joint.sum(axis=1, keepdims=True)
    ratio = np.log(np.where(counts > 0, joint, 1.0)) - np.log(np.where(counts > 0, px * py, 1.0))
    nats = (joint * ratio).sum(axis=(1, 2))
    variance = ((joint * ratio**2).sum(axis=(1, 2)) - nats**2).clip(0) / n
    occupied = (px > 0).sum(axis=(1, 2)) + (py > 0).sum(axis=(1, 2)) - (counts > 0).sum(axis=(1, 2)) - 1
    return Batch(nats, nats + occupied / (2 * n), Z_90 * np.sqrt(variance))


def gaussian(x: Any, y: Any) -> Batch:
    """-1/2 log(1 - r^2) from the sample correlation of every row, less its exact (Wishart) bias.

    E[plug-in] - I = 1/2 [psi((n - 1) / 2) - psi((n - 2) / 2)] for Gaussian samples; the standard error is |r| / sqrt n.
    """
    x, y = check_rows(x, y)
    n = x.shape[1]
    r = correlation(x, y)
    nats = -0.5 * np.log1p(-(r**2))
    bias = 0.5 * (digamma((n - 1) / 2) - digamma((n - 2) / 2))
    return Batch(nats, nats - bias, Z_90 * np.abs(r) / np.sqrt(n))


def correlation(x: Array, y: Array) -> Array:
    """Pearson's correlation of every row, (m, n) and (m, n) -> (m,)."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))


def check_rows(x: Any, y: Any, least: int = 8) -> tuple[Array, Array]:
    """``x`` and ``y`` as finite (m, n) float64 arrays without constant rows.

    Raises:
        ValueError: for other shapes, too few samples, values that are not finite, or a row that never varies.
    """
    x, y = (np.ascontiguousarray(np.atleast_2d(np.asarray(values, dtype=np.float64))) for values in (x, y))
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(f"expected x and y of one shape (m, n), got {x.shape} and {y.shape}")
    if x.shape[1] < least:
        raise ValueError(f"expected at least {least} samples in a row, got {x.shape[1]}")
    for name, values in (("x", x), ("y", y)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} has {int((~np.isfinite(values)).sum())} values that are NaN or infinite")
        constant = np.flatnonzero(np.ptp(values, axis=1) == 0)
        if constant.size:
            raise ValueError(f"{name} is constant in row {constant[0]} ({constant.size} such rows): nothing to measure")
    return x, y


def ksg_pointwise(x: Any, y: Any, k: int = 3) -> Array:
    """KSG1 terms psi(k) + psi(n) - psi(cx) - psi(cy) of every sample of every row, (m, n) -> (m, n), nats.

    The mean over a row is its estimate; rows are spread over the cores, each by the window of ``ksg_window``.
    Kraskov, Stoegbauer and Grassberger, "Estimating mutual information", 2004. Where more than k samples coincide, k is
    their number and the counts are those of equal values, as Gao et al. (2017) do.

    >>> x = np.random.default_rng(0).standard_normal((2, 300))
    >>> ksg_pointwise(x, x + 1).mean(axis=1).round(2) < digamma(300) - digamma(4) + 0.3
    array([ True,  True])
    """
    x, y = check_rows(x, y)
    n = x.shape[1]
    if not 1 <= k < n:
        raise ValueError(f"expected 1 <= k < {n} samples, got k = {k}")
    orders = (np.argsort(values, axis=1) for values in (x, y))
    return ksg_rows(x, y, *orders, (0,) * k, psi_table(n))


def histogram_counts(x: Any, y: Any, bins: int = 15) -> NDArray[np.int64]:
    """(m, bins, bins) joint counts over equal-width bins of each row's own [min, max], the last bin closed."""
    x, y = check_rows(x, y)
    if bins < 2:
        raise ValueError(f"expected at least 2 bins, got {bins}")
    places = []
    for values in (x, y):
        edges = np.linspace(values.min(axis=1), values.max(axis=1), bins + 1, axis=-1)
        places.append(_bin_rows(values, edges))
    m = x.shape[0]
    flat = (np.arange(m)[:, None] * bins + places[0]) * bins + places[1]
    return np.bincount(flat.ravel(), minlength=m * bins * bins).reshape(m, bins, bins)


@kernel(parallel=True)
def _bin_rows(values: Any, edges: Any) -> Any:
    m, n = values.shape
    places = np.empty((m, n), dtype=np.int64)
    for row in prange(m):
        for i in range(n):
            place = np.searchsorted(edges[row], values[row, i], side="right") - 1
            places[row, i] = min(place, edges.shape[1] - 2)
    return places
