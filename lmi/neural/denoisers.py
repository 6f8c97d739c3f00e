"""Predictions of the noise in z = k x + s e, with and without y: of a normal, and by a network that corrects them.

k^2 + s^2 = 1 and l = log(k^2 / s^2) is the log signal-to-noise ratio. Predicted is v = k e - s x (Salimans, Ho, Progressive
distillation, ICLR 2022), from which follows e = s z + k v; of a normal x with variance 1 it is 0 at every l.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lmi.neural.nets import linear

LOW, HIGH = -8.0, 12.0  # log signal-to-noise ratios between which the integral is taken
FREQUENCIES = 16  # sines and cosines of the log signal-to-noise ratio that the network sees
# Of the weights that see samples: with 1, three of four fits miss y = s x + noise with a random sign s, with 3 none.
FIRST_GAIN = 3.0
RIDGE = 1e-6  # on the variances of what is conditioned on

Denoiser = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # (z, y, l, whether y is seen) -> v = k e - s x


class Denoisers(NamedTuple):
    """One that is asked without y, and one that is asked with it.

    Fields:
        without: v from z and l.
        with_y: v from z, y and l.
        share: of the difference between both that y is believed to make, 0 to 1.
    """

    without: Denoiser
    with_y: Denoiser
    share: float = 1.0

    def both(self, z: Tensor, y: Tensor, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        """v (b, dx) without and with y, from z (b, dx), y (b, dy), log_snr (b,)."""
        a = self.without(z, y, log_snr, torch.zeros(len(z)))
        return a, a + self.share * (self.with_y(z, y, log_snr, torch.ones(len(z))) - a)


class NormalDenoiser:
    """The best prediction where x and y are jointly normal, from their covariance.

    Args:
        x: (n, dx) of mean 0.
        y: (n, dy) of mean 0.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        x, y = x.double(), y.double()
        cov_x, cov_xy = x.T @ x / len(x), x.T @ y / len(x)
        cov_y = y.T @ y / len(x) + RIDGE * torch.eye(y.shape[1], dtype=torch.float64)
        slope = torch.linalg.solve(cov_y, cov_xy.T).T
        left = cov_x - slope @ cov_xy.T
        self.slope = slope.float()
        self.spectra = [torch.linalg.eigh(0.5 * (cov + cov.T)) for cov in (cov_x, left)]

    def __call__(self, z: Tensor, y: Tensor, log_snr: Tensor, shown: Tensor) -> Tensor:
        """(b, dx) v from z (b, dx), y (b, dy), log_snr (b,), shown (b,) 0 or 1."""
        k, s = _scales(log_snr)
        out = torch.zeros_like(z)
        for sees, (variances, axes) in enumerate(self.spectra):
            variances, axes = variances.clamp_min(1e-6).float(), axes.float()
            mean = y @ self.slope.T if sees else torch.zeros_like(z)
            gain = k * variances / (k.square() * variances + s.square())
            x = mean + (((z - k * mean) @ axes) * gain) @ axes.T
            out = torch.where((shown == sees)[:, None], (k * z - x) / s, out)
        return out


class NetworkDenoiser(nn.Module):
    """A perceptron with residual blocks that knows the strength of the noise and whether it sees y.

    Args:
        dims: columns of x and of y.
        width: of its layers.
        blocks: of two layers.
        generator: draws its weights.
        base: what its output is added to; by itself it starts from 0.
    """

    frequencies: Tensor

    def __init__(
        self,
        dims: tuple[int, int],
        width: int,
        blocks: int,
        generator: torch.Generator,
        base: NormalDenoiser | None = None,
    ) -> None:
        super().__init__()
        self.base = base
        self.register_buffer("frequencies", torch.linspace(math.log(0.05), math.log(3), FREQUENCIES).exp())
        self.first = linear(sum(dims) + 2 + 2 * FREQUENCIES, width, generator)
        with torch.no_grad():
            self.first.weight[:, : sum(dims)] *= FIRST_GAIN
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), linear(width, width, generator), nn.SiLU(), linear(width, width, generator))
            for _ in range(blocks)
        )
        self.last = linear(width, dims[0], generator)
        nn.init.zeros_(self.last.weight)

    def forward(self, z: Tensor, y: Tensor, log_snr: Tensor, shown: Tensor) -> Tensor:
        """(b, dx) v from z (b, dx), y (b, dy), log_snr (b,), shown (b,) 0 or 1."""
        phase, shown = log_snr[:, None] * self.frequencies, shown[:, None]
        h = self.first(torch.cat((z, y * shown, shown, log_snr[:, None] / 6, phase.sin(), phase.cos()), 1))
        for block in self.blocks:
            h = h + block(h)
        out = self.last(F.silu(h))
        return out if self.base is None else out + self.base(z, y, log_snr, shown[:, 0])


Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]  # z, y, l, whether y is seen, v, k


def noisy_batch(x: Tensor, y: Tensor, rows: Tensor, generator: torch.Generator) -> Batch:
    """Each of the rows (b,) of x (n, dx) with one noise twice: with y (n, dy) shown, and without."""
    log_snr = LOW + (HIGH - LOW) * torch.rand(rows.numel(), generator=generator)
    z, v, k = noised(x[rows], log_snr, generator)
    shown = torch.cat((torch.zeros(rows.numel()), torch.ones(rows.numel())))
    return z.repeat(2, 1), y[rows].repeat(2, 1), log_snr.repeat(2), shown, v.repeat(2, 1), k.repeat(2, 1)


def noised(x: Tensor, log_snr: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """(b, dx) z = k x + s e of x (b, dx) at log_snr (b,), its target v = k e - s x, and k (b, 1).

    Given z, errors of v and of e are one: e = s z + k v.
    """
    k, s = _scales(log_snr)
    e = torch.randn(x.shape, generator=generator)
    return k * x + s * e, k * e - s * x, k


def losses_of(denoiser: Denoiser, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean squared errors of the noise, () without y and () with it, over the two halves of a batch."""
    z, y, log_snr, shown, v, k = batch
    without, with_y = (k * (v - denoiser(z, y, log_snr, shown))).square().sum(1).chunk(2)
    return without.mean(), with_y.mean()


def confirmed_share(denoisers: Denoisers, batch: Batch) -> float:
    """The share of what y changes that has the smallest error on a batch: least squares of what is left without y, 0 to 1.

    A network that overfits says too much: if it is right in c of q, E[2 s c - s^2 q] is largest at s = c / q.

    Args:
        denoisers: of share 1.
        batch: of pairs that fitted neither.
    """
    z, y, log_snr, _, v, k = (part.chunk(2)[0] for part in batch)
    a, b = denoisers.both(z, y, log_snr)
    left, difference = k * (v - a), k * (b - a)
    squares = float(difference.square().sum())
    return min(max(float((left * difference).sum()) / squares, 0.0), 1.0) if squares > 0 else 1.0


def _scales(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(log_snr)[:, None].sqrt(), torch.sigmoid(-log_snr)[:, None].sqrt()
