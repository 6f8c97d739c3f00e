"""Local-linear MI: what groups of a function's outputs share, from its Jacobian at each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmi.containers import open_container
from lmi.estimators.modules.derivatives import BatchFunction, jacobians
from lmi.estimators.modules.partition import PartitionLike, module_indices
from lmi.estimators.trust.uncertainty import Z_90
from lmi.types import NATS_PER_BIT


@dataclass(frozen=True, eq=False)
class JacobianMI:
    """What the modules of a function's outputs share, sample by sample; everything in nats.

    Args:
        pointwise: (n,) local MI (total correlation for more than two modules) at the least noise asked for, or without
            noise where none was.
        noise: (s,) standard deviations of the noise on each output, ascending; empty where none was asked for.
        pointwise_curve: (n, s) I(sigma).
        pointwise_slopes: (n, s) dI / d log(1 / sigma), exact: how many directions the modules share at that resolution.
        anchor: index of the least noise that the Jacobian's precision resolves: where slope and intercept are read.
        warnings: reasons for doubt, in words.
    """

    pointwise: Tensor
    noise: Tensor
    pointwise_curve: Tensor
    pointwise_slopes: Tensor
    anchor: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def nats(self) -> float:
        """Mean of ``pointwise``."""
        return float(self.pointwise.mean())

    @property
    def bits(self) -> float:
        """Mean of ``pointwise`` in bits."""
        return self.nats / NATS_PER_BIT

    @property
    def interval(self) -> tuple[float, float] | None:
        """90% (low, high) for the mean over inputs; ``None`` for a single sample or an infinite value."""
        if len(self.pointwise) < 2 or not math.isfinite(self.nats):
            return None
        half = Z_90 * float(self.pointwise.std()) / math.sqrt(len(self.pointwise))
        return self.nats - half, self.nats + half

    @property
    def curve(self) -> Tensor:
        """(s,) mean I(sigma) over samples, nats."""
        return self.pointwise_curve.mean(dim=0)

    @property
    def shared_directions(self) -> float:
        """Slope of the mean curve against log(1 / sigma) at the least noise: the count of shared directions."""
        if len(self.noise) == 0:
            raise ValueError("no curve: jacobian_mi was called without noise; pass noise=torch.logspace(-6, 0, 25)")
        return float(self.pointwise_slopes[:, self.anchor].mean())

    @property
    def finite_nats(self) -> float:
        """Intercept: I(sigma) = shared_directions * log(1 / sigma) + finite_nats near the least noise."""
        return float(self.curve[self.anchor]) - self.shared_directions * math.log(1 / float(self.noise[self.anchor]))


def jacobian_mi(
    fn: BatchFunction,
    x: Any,
    partition: PartitionLike,
    noise: float | Sequence[float] | Tensor | None = None,
    *,
    dtype: torch.dtype | None = None,
    max_bytes: int = 2**30,
) -> JacobianMI:
    """Local MI between modules of ``fn``'s outputs, for x + N(0, I) inputs pushed through the tangent map at each x.

    I(x) = 1/2 [sum_b logdet(J_b J_b^T + s^2 I) - logdet(J J^T + s^2 I)] in nats, through singular values, so that J is
    never squared. Without noise (s = 0) it is infinite where the modules' ranks exceed the whole's, and the
    determinants are taken on the support where they do not. For a linear ``fn`` it is the closed form.

    Args:
        fn: maps (n, *in_shape) to (n, *out_shape), each sample on its own.
        x: (n, *in_shape) samples to linearise at: a tensor as ``fn`` wants it; anything else becomes one of ``dtype``, or
            of torch's default type.
        partition: of the flattened outputs, labels (out,) or boolean (modules, out).
        noise: standard deviation(s) of independent Gaussian noise on each output; several give the curve I(sigma).
        dtype: to differentiate in; ``torch.float64`` for exactness.
        max_bytes: memory bound for one chunk of samples.

    Raises:
        ValueError: for a bad partition, noise that is not positive, functions that cannot be differentiated, and
            Jacobians with NaN.

    >>> layer = torch.nn.Linear(3, 2).double()
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]]))
    >>> x = torch.zeros(1, 3).double()
    >>> round(jacobian_mi(layer, x, [0, 1]).nats, 6), round(-0.5 * math.log(1 - 0.6**2), 6)
    (0.223144, 0.223144)
    """
    if not callable(fn):
        raise ValueError(f"fn is a {type(fn).__name__}; expected a function of a batch")
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point and dtype.itemsize > 1):
        raise ValueError(f"dtype is {dtype!r}; expected torch.float64, torch.float32 or another floating type of torch")
    if not isinstance(x, Tensor):
        x = open_container(x, "x").values.to(dtype or torch.get_default_dtype())
    sigmas = _check_noise(noise)
    modules: tuple[Tensor, ...] = ()
    outputs = inputs = 0
    floor = 0.0
    values, slopes = [], []
    for _, jacobian in jacobians(fn, x, dtype=dtype, max_bytes=max_bytes):
        if not modules:
            outputs, inputs = jacobian.shape[1:]
            modules = module_indices(partition, outputs)
        if sigmas is None:
            values.append(local_mi(jacobian, modules).cpu())
        else:
            whole, parts, precision = _spectra(jacobian, modules)
            floor = max(floor, float(precision.max()))
            value, slope = _noisy(whole, parts, torch.cat([sigmas, 2 * sigmas]).to(whole.device))
            values.append(value.cpu())
            slopes.append(slope.cpu())
    if sigmas is None:
        pointwise = torch.cat(values)
        none = pointwise.new_zeros(len(pointwise), 0)
        warnings = _why_infinite(pointwise, outputs, inputs, jacobian.dtype)
        return JacobianMI(pointwise, pointwise[:0], none, none, 0, warnings)
    curve, slope = torch.cat(values), torch.cat(slopes)
    anchor = min(int((sigmas < floor).sum()), len(sigmas) - 1)
    settled, coarser = (float(slope[:, place].mean()) for place in (anchor, anchor + len(sigmas)))
    doubts = []
    if float(sigmas[0]) < floor:
        doubts.append(
            f"noise below {floor:.1e} is finer than the Jacobian's precision, so those values are rounding; "
            "differentiate in float64 or ask for more noise"
        )
    if abs(settled - coarser) > 0.02 * max(1.0, abs(settled)):
        doubts.append(
            f"the curve has not settled: {settled:.2f} directions are shared at noise {float(sigmas[anchor]):.1e} and "
            f"{coarser:.2f} at twice that; slope and intercept are those of this resolution"
        )
    count = len(sigmas)
    return JacobianMI(curve[:, 0], sigmas, curve[:, :count], slope[:, :count], anchor, tuple(doubts))


def local_mi(jacobian: Tensor, modules: Sequence[Tensor]) -> Tensor:
    """(n,) noiseless MI between ``modules`` of J x, x ~ N(0, I), for J (n, out, in); infinite where ranks say so."""
    # Outputs of unit gain: MI does not care, and the rank tolerance then judges every output on one scale.
    gain = torch.linalg.vector_norm(jacobian.double(), dim=2, keepdim=True)
    whole, parts, precision = _spectra(jacobian / torch.where(gain > 0, gain, 1.0).to(jacobian), modules)
    rank, logs = _support(whole, precision)
    ranks, log_parts = zip(*(_support(block, precision) for block in parts))
    finite = torch.stack(log_parts).sum(dim=0) - logs
    return torch.where(torch.stack(ranks).sum(dim=0) > rank, math.inf, finite)


def _spectra(jacobian: Tensor, modules: Sequence[Tensor]) -> tuple[Tensor, list[Tensor], Tensor]:
    """Singular values in float64 of J (n, d), of each module's rows, padded with zeros to their number; and (n,) the
    size below which a singular value of J is rounding."""
    exact = jacobian.double()
    whole = _singular_values(exact)
    parts = [_singular_values(exact[:, module.to(exact.device)]) for module in modules]
    # Rounding errors of entries are independent: their norm grows as the root of the size, not as the size.
    precision = whole[:, 0] * max(jacobian.shape[1:]) ** 0.5 * torch.finfo(jacobian.dtype).eps
    return whole, parts, precision


def _singular_values(matrix: Tensor) -> Tensor:
    values = torch.linalg.svdvals(matrix)
    return torch.nn.functional.pad(values, (0, matrix.shape[1] - values.shape[1]))


def _support(spectrum: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    """Rank and log pseudo-determinant."""
    real = spectrum > precision[:, None]
    return real.sum(dim=1), torch.where(real, spectrum, 1.0).log().sum(dim=1)


def _noisy(whole: Tensor, parts: Sequence[Tensor], sigmas: Tensor) -> tuple[Tensor, Tensor]:
    """(n, s) I(sigma) and its slope in log(1 / sigma), both in closed form from the spectra."""

    def log_and_slope(spectrum: Tensor) -> tuple[Tensor, Tensor]:
        log, slope = [], []
        for sigma in sigmas:
            power = spectrum**2 + sigma**2
            log.append(0.5 * power.log().sum(dim=1))
            slope.append((sigma**2 / power).sum(dim=1))
        return torch.stack(log, dim=1), torch.stack(slope, dim=1)

    value, slope = log_and_slope(whole)
    value, slope = -value, -slope
    for block in parts:
        part_value, part_slope = log_and_slope(block)
        value, slope = value + part_value, slope + part_slope
    return value, -slope


def _check_noise(noise: float | Sequence[float] | Tensor | None) -> Tensor | None:
    if noise is None:
        return None
    try:
        sigmas = torch.as_tensor(noise, dtype=torch.float64).detach().cpu().flatten()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"noise is {noise!r}; expected positive standard deviations, or None for no noise") from error
    if len(sigmas) == 0 or not bool(torch.isfinite(sigmas).all() and (sigmas > 0).all()):
        raise ValueError(f"noise {sigmas.tolist()}: expected positive standard deviations, or None for no noise")
    return sigmas.sort().values


def _why_infinite(pointwise: Tensor, outputs: int, inputs: int, dtype: torch.dtype) -> tuple[str, ...]:
    count = int(torch.isinf(pointwise).sum())
    if count == 0:
        return ()
    if outputs > inputs:
        reason = f"by construction: {outputs} outputs of {inputs} inputs cannot be independent"
    else:
        reason = "because the modules share directions exactly (their ranks add up to more than the whole's"
        reason += ")" if dtype == torch.float64 else ", as far as float32 or less can tell: try dtype=torch.float64)"
    return (f"infinite for {count} of {len(pointwise)} samples {reason}; pass noise= for the finite curve I(sigma)",)
