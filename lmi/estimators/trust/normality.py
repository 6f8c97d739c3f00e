"""Is one side alone jointly normal? Mardia's skewness and kurtosis, in standard errors.

The closed form is exact only if each side alone is jointly normal after its maps, and a side alone has the power to show
that it is not. Mardia, Measures of multivariate skewness and kurtosis with applications, Biometrika 57 (1970).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lmi.estimators.trust.left_over import MOST_COMPONENTS, components

ROUNDING = 1e-6  # singular value, as a share of the largest, below which a direction is rounding


def faintest(z: Tensor, most: int = MOST_COMPONENTS) -> Tensor:
    """(n, k) the directions of z (n, d) with the least variance above rounding, at most ``most``, each of unit variance.

    Columns that are functions of few latents leave what is not a line of these in directions of little variance, which the
    leading components of ``mardia`` do not show and the closed form of all columns uses.

    >>> z = torch.randn(500, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    >>> curved = torch.cat((z, z[:, :1] + 0.01 * z[:, :1] ** 2), 1)
    >>> max(map(abs, mardia(curved))) < 4, max(map(abs, mardia(faintest(curved)))) > 10
    (True, True)
    """
    left, values, _ = torch.linalg.svd(z - z.mean(0), full_matrices=False)
    return left[:, values > ROUNDING * values[0]][:, -most:] * z.shape[0] ** 0.5


def mardia(z: Tensor) -> tuple[float, float]:
    """Skewness and kurtosis of the leading components of z (n, d), in standard errors under normality.

    b1 = mean_ij (u_i . u_j)^3 with n b1 / 6 ~ chi2(k (k+1) (k+2) / 6), b2 = mean_i |u_i|^4 ~ N(k (k+2), 8 k (k+2) / n) for
    whitened components u in k dimensions.

    Args:
        z: (n, d) normal scores of columns, or components of them.

    >>> g = torch.Generator().manual_seed(1)
    >>> z = torch.randn(1000, 3, generator=g, dtype=torch.float64)
    >>> max(abs(score) for score in mardia(z)) < 3.5
    True
    >>> max(abs(score) for score in mardia(torch.cat((z, z[:, :1] ** 2 + z[:, 1:2]), 1))) > 10
    True
    """
    u = components(z)
    n, k = u.shape
    # mean_ij (u_i . u_j)^3 is the squared length of the third moments: k^3 numbers instead of n^2.
    third = torch.einsum("ni,nj,nk->ijk", u, u, u) / n if k <= 8 else None
    skewness = float(third.square().sum()) if third is not None else float((u @ u.T).pow_(3).mean())
    freedom = k * (k + 1) * (k + 2) / 6
    # Wilson and Hilferty: the cube root of a chi-square is nearly normal.
    chi = n * skewness / 6
    skew = ((chi / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    kurtosis = float(u.square().sum(1).square().mean())
    return skew, (kurtosis - k * (k + 2)) / math.sqrt(8 * k * (k + 2) / n)
