"""A mixture of multivariate t densities of (X, Y): its marginals, and so its log density ratio, are known in closed form.

Normal variables are one component with many degrees of freedom, heavy tails one with few, clusters several. Peel and
McLachlan, Robust mixture modelling using the t distribution, Statistics and Computing (2000).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lmi.estimators.densities.climb import LEAST_DEGREES, MOST_DEGREES, climb
from lmi.estimators.densities.starts import far_clusters
from lmi.threads import side_by_side

DEGREES = (LEAST_DEGREES, MOST_DEGREES)
SAMPLES_A_PARAMETER = 4
STARTS, TRIAL = 4, 10  # starts of a mixture, and how many steps each is tried for
TILE = 1 << 18  # scores of so many pairs and components are worked out at once, so that they stay in the cache


@dataclass(frozen=True, eq=False)
class Mixture:
    """Weights, centres and scale matrices of m components in d = dx + dy dimensions, with common degrees of freedom.

    Args:
        weights: (m,).
        centres: (m, d).
        scales: (m, d, d) scale matrices: covariances where ``degrees`` is large.
        degrees: of freedom.
        dx: the first ``dx`` dimensions are X.
    """

    weights: Tensor
    centres: Tensor
    scales: Tensor
    degrees: float
    dx: int

    @property
    def num_parameters(self) -> int:
        """Free numbers that were fitted."""
        m, d = self.centres.shape
        return m * (1 + d + d * (d + 1) // 2)

    def log_density(self, z: Tensor, side: slice = slice(None)) -> Tensor:
        """(n,) log density of z (n, d), or of the marginal of the dimensions in ``side``."""
        centres, scales = self.centres[:, side], self.scales[:, side, side]
        roots = torch.linalg.cholesky(scales)
        logs = _t_of_square(_squares(z.T, centres, roots), _log_volumes(roots), self.degrees, centres.shape[1])
        return torch.logsumexp(logs + self.weights.log()[:, None], 0)

    def ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) log p(x, y) - log p(x) - log p(y) of paired samples, nats."""
        joint = self.log_density(torch.cat((x, y), 1))
        return joint - self.log_density(x, slice(0, self.dx)) - self.log_density(y, slice(self.dx, None))

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every x (n, dx) with every y (m, dy), nats."""
        split, m = self.dx, self.weights.numel()
        precision = torch.linalg.inv(self.scales)
        u, v = (z[None] - self.centres[:, None, side] for z, side in ((x, slice(0, split)), (y, slice(split, None))))
        # (u, v) P (u, v)' = (u Pxx u', 1, 2 u Pxy) (1, v Pyy v', v)': one product gives the squares of a whole tile.
        across = u @ precision[:, :split, split:]
        one_x, one_y = (torch.ones_like(z[:, :, :1]) for z in (u, v))
        left = torch.cat((_forms(u, precision[:, :split, :split]), one_x, 2 * across), 2)
        right = torch.cat((one_y, _forms(v, precision[:, split:, split:]), v), 2).transpose(1, 2).contiguous()
        x_side, y_side = self.log_density(x, slice(0, split)), self.log_density(y, slice(split, None))
        weights, volumes = self.weights.log().float()[:, None, None], _log_volumes(torch.linalg.cholesky(self.scales))
        out = torch.empty(x.shape[0], y.shape[0])
        height = max(1, TILE // (m * y.shape[0]))

        def fill(first: int) -> None:
            rows = slice(first, first + height)
            # Single precision is ample for scores, and their logarithms and exponentials are most of the work.
            square = torch.bmm(left[:, rows], right).float()
            out[rows] = torch.logsumexp(
                _t_of_square(square, volumes, self.degrees, self.centres.shape[1]).add_(weights), 0
            )

        side_by_side(fill, range(0, x.shape[0], height))
        return out - x_side[:, None].float() - y_side[None, :].float()

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """``n`` fresh pairs."""
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        normal = torch.randn(n, self.centres.shape[1], generator=generator, dtype=torch.float64)
        roots = torch.linalg.cholesky(self.scales)
        z = (roots[which] @ normal[:, :, None])[:, :, 0]
        if self.degrees < DEGREES[1]:
            gamma = _chi_square(n, self.degrees, generator) / self.degrees
            z = z / gamma.sqrt()[:, None]
        z = z + self.centres[which]
        return z[:, : self.dx], z[:, self.dx :]


def fit_mixture(
    x: Tensor,
    y: Tensor,
    components: int,
    generator: torch.Generator,
    heavy: bool = True,
    iterations: int = 200,
    tolerance: float = 1e-5,
) -> Mixture:
    """Expectation maximisation from k-means.

    Args:
        x: (n, dx), of unit scale.
        y: (n, dy).
        components: how many.
        generator: picks the first centres.
        heavy: whether the degrees of freedom are fitted; otherwise the components are normal.
        iterations: at most.
        tolerance: stop where the mean log likelihood gains less in ten steps, nats a sample.

    Raises:
        ValueError: where the samples are too few for so many parameters.
        RuntimeError: where some columns depend on others.

    >>> g = torch.Generator().manual_seed(0)
    >>> z = torch.randn(2000, 2, generator=g, dtype=torch.float64)
    >>> y = 0.6 * z[:, :1] + 0.8 * z[:, 1:]
    >>> mixture = fit_mixture(z[:, :1], y, 1, g)
    >>> abs(float(mixture.ratio(z[:, :1], y).mean()) - 0.2231) < 0.03
    True
    """
    z = torch.cat((x, y), 1).double()
    n, d = z.shape
    if n < SAMPLES_A_PARAMETER * components * (d + 1):
        raise ValueError(f"{n} samples are too few for {components} component(s) in {d} dimensions")
    first = [far_clusters(z, components, generator).T.contiguous() for _ in range(STARTS if components > 1 else 1)]
    if len(first) > 1:
        # Some starts end in a poor maximum; a few steps tell.
        tried = side_by_side(lambda start: _climbed(z, start, x.shape[1], heavy, TRIAL, 0.0), first)
        first = [max(tried, key=lambda climbed: climbed[2])[1]]
    return _climbed(z, first[0], x.shape[1], heavy, iterations, tolerance)[0]


def _climbed(
    z: Tensor, share: Tensor, dx: int, heavy: bool, iterations: int, tolerance: float
) -> tuple[Mixture, Tensor, float]:
    """Mixture, memberships (m, n) and mean log likelihood after climbing from the memberships ``share``."""
    floor = 1e-6 * z.var(0).clamp(min=1e-300) if share.shape[0] > 1 else torch.zeros(z.shape[1], dtype=z.dtype)
    share = share.clone()
    weights, centres, scales, degrees, likelihood = climb(
        z.T.contiguous().numpy(),
        share.numpy(),
        floor.numpy(),
        10.0 if heavy else DEGREES[1],
        heavy,
        iterations,
        tolerance,
    )
    if math.isnan(likelihood):
        raise RuntimeError(f"a component of {z.shape[1]} columns has a singular scale: some columns depend on others")
    weights, centres, scales = map(torch.from_numpy, (weights, centres, scales))
    return Mixture(weights, centres, scales, degrees, dx), share, likelihood


def _log_volumes(roots: Tensor) -> Tensor:
    """(m,) log determinants of the Cholesky ``roots`` (m, d, d) of scale matrices: half of those of the scales."""
    return roots.diagonal(dim1=1, dim2=2).log().sum(1)


def _t_of_square(square: Tensor, volumes: Tensor, degrees: float, d: int) -> Tensor:
    """Log density of each of m components in d dimensions, a fresh tensor of the kind of ``square``.

    Args:
        square: (m, ...) squared Mahalanobis distances.
        volumes: (m,) as ``_log_volumes`` gives them.
        degrees: of freedom.
        d: dimensions.
    """
    if degrees >= DEGREES[1]:
        logs, constant = -0.5 * square, -0.5 * d * math.log(2 * math.pi)
    else:
        logs = (square / degrees).log1p_().mul_(-0.5 * (degrees + d))
        constant = math.lgamma((degrees + d) / 2) - math.lgamma(degrees / 2) - 0.5 * d * math.log(degrees * math.pi)
    return logs.add_((constant - volumes).to(square).view((-1,) + (1,) * (square.ndim - 1)))


def _squares(columns: Tensor, centres: Tensor, roots: Tensor) -> Tensor:
    """(m, n) squared Mahalanobis distances of columns (d, n) to each centre (m, d); ``roots`` as in ``_whitened``."""
    return _whitened(columns - centres[:, :, None], roots)


def _whitened(apart: Tensor, roots: Tensor) -> Tensor:
    """(m, n) squared lengths of differences (m, d, n) once the Cholesky ``roots`` (m, d, d) of the scales are undone."""
    eye = torch.eye(roots.shape[1], dtype=roots.dtype).expand_as(roots)
    lengths, *rest = torch.bmm(torch.linalg.solve_triangular(roots, eye, upper=False), apart).unbind(1)
    total = lengths.square()
    for lengths in rest:
        total.addcmul_(lengths, lengths)
    return total


def _forms(z: Tensor, matrices: Tensor) -> Tensor:
    """(m, n, 1) quadratic forms of rows z (m, n, d)."""
    return ((z @ matrices) * z).sum(2, keepdim=True)


def _chi_square(n: int, degrees: float, generator: torch.Generator) -> Tensor:
    """Chi-square draws for any degrees of freedom (Marsaglia and Tsang's gamma), from the generator given."""
    shape = degrees / 2
    boost = torch.ones(n, dtype=torch.float64)
    if shape < 1:
        boost = torch.rand(n, generator=generator, dtype=torch.float64) ** (1 / shape)
        shape += 1
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    out = torch.empty(0, dtype=torch.float64)
    while out.numel() < n:
        normal = torch.randn(2 * n, generator=generator, dtype=torch.float64)
        uniform = torch.rand(2 * n, generator=generator, dtype=torch.float64)
        v = (1 + c * normal) ** 3
        kept = (v > 0) & (uniform.log() < 0.5 * normal**2 + d - d * v + d * v.clamp(min=1e-300).log())
        out = torch.cat((out, d * v[kept]))
    return 2 * out[:n] * boost
