"""Quantised MI: k-means codes for each module of neurons, and what the codes share, module by module."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from scipy.special import digamma
from torch import Tensor

from lmi.arguments import checked_generator, whole
from lmi.estimators.modules.partition import PartitionLike, module_indices, partition_of
from lmi.estimators.trust.lower_bounds import lower_bound_verdict
from lmi.estimators.trust.thresholds import LEFTOVER
from lmi.estimators.trust.uncertainty import Z_90
from lmi.evidence import MOST_PERMUTATIONS, Null, Permutations
from lmi.inputs import read_matrices, read_matrix
from lmi.types import Context, Estimate

ROWS_PER_CODE = 256  # k-means learns from this many random rows a code at most; all rows get their codes


@dataclass(frozen=True, eq=False)
class QuantizedMI:
    """What the codes of m modules share; everything in nats.

    Args:
        nats: (m, m) bias-corrected MI between the modules' codes; on the diagonal the codes' entropies, the most that a
            module can be said to share.
        error: (m, m) standard errors of ``nats`` (sampling of rows, for these codes); zero on the diagonal.
        high: (m, m) upper ends for the unquantised MI, extrapolated from ``bins``, ``bins / 2`` and ``bins / 4`` codes;
            infinite where finer codes do not yet bring less. NaN on the diagonal.
        null: (r, m, m) the same matrix with the rows of the modules' codes shuffled against each other.
        codes: (n, m) integers.
        warnings: reasons for doubt, in words.
    """

    nats: Tensor
    error: Tensor
    high: Tensor
    null: Tensor
    codes: Tensor
    warnings: tuple[str, ...] = ()

    @property
    def p_values(self) -> Tensor:
        """(m, m) (1 + #{null >= nats}) / (1 + r); NaN on the diagonal."""
        values = (1 + (self.null >= self.nats).sum(dim=0)).double() / (1 + len(self.null))
        return values.fill_diagonal_(math.nan)

    def pair(self, a: int, b: int) -> Estimate:
        """The estimate for modules ``a`` and ``b``.

        Its interval is for the modules themselves, not for their codes: it starts at the codes' MI, which cannot exceed
        the modules', less its 90% sampling error and what shuffled codes still show; it ends at the extrapolation.
        """
        nats, error = float(self.nats[a, b]), float(self.error[a, b])
        null = Null(self.null[:, a, b], nats) if len(self.null) else None
        leftover = max(0.0, null.mean) if null is not None else 0.0
        return Estimate(
            nats,
            "quantized",
            len(self.codes),
            interval=(nats - leftover - Z_90 * error, float(self.high[a, b]) + Z_90 * error),
            null=null,
            ceiling=min(float(self.nats[a, a]), float(self.nats[b, b])),
            warnings=self.warnings,
        )


def quantized_mi(
    activations: Any,
    partition: PartitionLike,
    bins: int,
    *,
    permutations: int = 20,
    generator: torch.Generator | None = None,
) -> QuantizedMI:
    """MI between modules through ``bins`` k-means codes for each, from the joint tables of codes.

    Columns are standardised first. Entropies are Grassberger's, H = log n - 1/n sum_i n_i G(n_i), which leave a few
    thousandths of a nat of bias at five rows a cell of the bins x bins table. By the data processing inequality the
    codes share no more than the modules do; ``high`` says how much more that could be. For quantisers of d dimensions
    the loss ends up falling by 2^(-2/d) for each doubling of codes, and falls more slowly before: what is left is
    taken as a geometric series with the ratio seen between the last two doublings, or that one where it is larger.
    Below five rows a cell both codes and extrapolation are noisier than they say.

    Args:
        activations: (n, d) samples: NumPy, torch, pandas, polars, SciPy sparse, AnnData or lists.
        partition: labels (d,) or boolean (modules, d).
        bins: codes a module; a module with fewer distinct rows is taken as it is.
        permutations: shuffles for the null.
        generator: for k-means and the shuffles; ``None`` starts from seed 0.

    Raises:
        ValueError: for a bad partition, fewer rows than bins, fewer than two bins, NaN or infinity.

    Paper: Grassberger (2003), arXiv:physics/0307138; Zador (1982) for the rate.

    >>> x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)).sign()
    >>> result = quantized_mi(torch.cat([x, x[:, :1]], dim=1), [0, 0, 1], bins=16)
    >>> (result.nats / math.log(2)).round(decimals=2)
    tensor([[2., 1.],
            [1., 1.]], dtype=torch.float64)
    """
    (side,), _ = read_matrices(read_matrix(activations, "activations"))
    x = side.values.double().cpu().numpy()
    bins, permutations = whole(bins, "bins", 2, len(x)), whole(permutations, "permutations", 0, MOST_PERMUTATIONS)
    modules = [module.numpy() for module in module_indices(partition_of(partition, side.columns), x.shape[1])]
    random = torch.Generator().manual_seed(0) if generator is None else checked_generator(generator)
    seed = int(torch.randint(2**31 - 1, (1,), generator=random))
    scale = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    ladder = [bins, bins // 2, bins // 4] if bins >= 8 else [bins]
    codes = [[_codes(x[:, module], count, seed) for module in modules] for count in ladder]
    tables = [_matrix(level) for level in codes]
    nats, error = tables[0]
    null = np.empty((permutations, len(modules), len(modules)))
    for index in range(permutations):
        orders = [torch.randperm(len(x), generator=random).numpy() for _ in modules]
        null[index] = _matrix([code[order] for code, order in zip(codes[0], orders)])[0]
    dims = np.array([len(module) for module in modules])
    leftover = null.mean(axis=0).clip(min=0.0) if permutations else np.zeros_like(nats)
    high = _extrapolate([table[0] for table in tables], 2 * error + leftover, np.maximum.outer(dims, dims))
    return QuantizedMI(
        torch.from_numpy(nats),
        torch.from_numpy(error),
        torch.from_numpy(high),
        torch.from_numpy(null),
        torch.from_numpy(np.stack(codes[0], axis=1)),
        _doubts(nats, null),
    )


@dataclass(frozen=True)
class QuantizedEstimator:
    """MI through k-means codes of x and of y.

    Args:
        bins: codes a side.
        permutations: size of the permutation null; 0 leaves it out.
    """

    bins: Annotated[int, Field(ge=2)] = 32
    permutations: Permutations = 20

    def estimate(self, x: Tensor, y: Tensor, context: Context) -> Estimate:
        """See ``lmi.types.Estimator``. The interval ends at the extrapolation to infinitely many codes."""
        labels = torch.cat([torch.zeros(x.shape[1]), torch.ones(y.shape[1])]).long()
        generator = context.generator("quantized")
        both = torch.cat([x.double(), y.double()], dim=1)
        codes = quantized_mi(both, labels, self.bins, permutations=self.permutations, generator=generator)
        estimate, generator = replace(codes.pair(0, 1), warnings=()), context.generator("second opinion")
        return lower_bound_verdict(estimate, x, y, generator, reasons=_open_end(estimate))


def _open_end(estimate: Estimate) -> tuple[str, ...]:
    """A reason where codes are too coarse to end the interval."""
    low, high = estimate.interval or (0.0, math.inf)
    if high - low <= max(abs(estimate.nats), LEFTOVER):
        return ()
    end = "is open above" if math.isinf(high) else f"is wider ({high - low:.2f} nats) than the estimate itself"
    return (f"the 90% interval {end}: finer codes would find more, which is how much too low this is",)


def _codes(x: np.ndarray, bins: int, seed: int) -> np.ndarray:
    """(n,) codes 0, 1, ... of the rows."""
    from sklearn.cluster import KMeans

    if len(np.unique(x[: 4 * bins], axis=0)) <= bins:
        rows, codes = np.unique(x, axis=0, return_inverse=True)
        if len(rows) <= bins:
            return codes.reshape(-1)
    random = np.random.default_rng(seed)
    learn = x if len(x) <= ROWS_PER_CODE * bins else x[random.choice(len(x), ROWS_PER_CODE * bins, replace=False)]
    return KMeans(bins, n_init=1, max_iter=50, random_state=seed).fit(learn).predict(x).astype(np.int64)


def _matrix(codes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Corrected MI between all codes with entropies on the diagonal, and standard errors."""
    counts = [np.bincount(code) for code in codes]
    entropies = [grassberger_entropy(count) for count in counts]
    nats, error = np.diag(entropies), np.zeros((len(codes), len(codes)))
    for a in range(len(codes)):
        for b in range(a + 1, len(codes)):
            joint = np.bincount(codes[a] * len(counts[b]) + codes[b], minlength=len(counts[a]) * len(counts[b]))
            nats[a, b] = nats[b, a] = entropies[a] + entropies[b] - grassberger_entropy(joint)
            error[a, b] = error[b, a] = table_error(joint.reshape(len(counts[a]), -1))
    return nats, error


def table_error(joint: np.ndarray) -> float:
    """Of the plug-in MI, by the delta method: the spread of log p(a, b) / p(a) p(b) over samples."""
    total = joint.sum()
    a, b = joint.nonzero()
    p = joint[a, b] / total
    terms = np.log(p * total**2 / (joint.sum(axis=1)[a] * joint.sum(axis=0)[b]))
    return float(np.sqrt(max(0.0, (p * terms**2).sum() - (p * terms).sum() ** 2) / total))


def grassberger_entropy(counts: np.ndarray) -> float:
    """Grassberger's estimate in nats."""
    counts = counts[counts > 0]
    size, times = np.unique(counts, return_counts=True)
    total = counts.sum()
    return float(np.log(total) - (times * size * _grassberger(size)).sum() / total)


def _grassberger(n: np.ndarray) -> np.ndarray:
    sign = np.where(n % 2 == 0, 0.5, -0.5)
    return digamma(n) + sign * (digamma((n + 1) / 2) - digamma(n / 2))


def _extrapolate(levels: list[np.ndarray], noise: np.ndarray, dims: np.ndarray) -> np.ndarray:
    """Upper ends, from the matrices at bins, bins / 2 and bins / 4; gains up to ``noise`` are none."""
    high = np.full_like(noise, math.inf)
    if len(levels) == 3:
        last, before = levels[0] - levels[1], levels[1] - levels[2]
        settled = last <= noise
        seen = np.divide(last, before, out=np.ones_like(last), where=before > 0)
        ratio = np.maximum(np.where(settled, 0.0, seen), 2.0 ** (-2.0 / dims))
        rest = np.divide(ratio, 1 - ratio, out=np.full_like(ratio, math.inf), where=ratio < 1)
        high = levels[0] + np.where(last > 0, last, 0.0) * np.where(last > 0, rest, 0.0)
    np.fill_diagonal(high, math.nan)
    return high


def _doubts(nats: np.ndarray, null: np.ndarray) -> tuple[str, ...]:
    if len(null) == 0:
        return ()
    leftover = null.mean(axis=0)
    np.fill_diagonal(leftover, 0.0)
    if leftover.max() <= 0.01:
        return ()
    a, b = np.unravel_index(leftover.argmax(), leftover.shape)
    return (
        f"shuffled codes still share {leftover[a, b]:.3f} nats (modules {a} and {b}, which show {nats[a, b]:.3f}): "
        "too few samples for these bins; take fewer bins or more samples",
    )
