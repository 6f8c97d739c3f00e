"""Predictions of the noise in z = k x + s e, with and without y: of a normal, and by a network that learns both.

k^2 + s^2 = 1 and l = log(k^2 / s^2) is the log signal-to-noise ratio. Predicted is v = k e - s x (Salimans, Ho, Progressive
distillation, ICLR 2022), from which follows e = s z + k v; of a normal x with variance 1 it is 0 at every l.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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
    """

    frequencies: Tensor

    def __init__(self, dims: tuple[int, int], width: int, blocks: int, generator: torch.Generator) -> None:
        super().__init__()
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
        return self.last(F.silu(h))


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


def loss_of(denoiser: Denoiser, batch: Batch) -> Tensor:
    z, y, log_snr, shown, v, k = batch
    return (k * (v - denoiser(z, y, log_snr, shown))).square().sum(1).mean()


def _scales(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(log_snr)[:, None].sqrt(), torch.sigmoid(-log_snr)[:, None].sqrt()
