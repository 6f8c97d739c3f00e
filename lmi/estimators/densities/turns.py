"""Linear turns of both sides after which one column may belong to one of the other side and to no other.

An invertible turn of a side keeps the mutual information; where the pairs are independent it is the sum of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from lmi.estimators.densities.bent_directions import bent_directions
from lmi.estimators.densities.unmixing import independent_components, whitening
from lmi.estimators.trust.plain_thresholds import UNMIXED_ROWS

AS_THEY_ARE, BENT = "columns", "bent directions"
MOST_TURNED = 24  # columns of a side, up to which independent components are sought
DETERMINED_BY_OTHERS = 1e-9  # share of the largest variance


class Turn(NamedTuple):
    """Invertible matrices for the columns of x, (dx, dx), and of y, (dy, dy)."""

    x: Tensor
    y: Tensor


def turns(x: Tensor, y: Tensor) -> Iterator[tuple[str, Turn]]:
    """Names and turns: columns as they are, independent components, and what predicts either of these from the other side.

    Args:
        x: (n, dx).
        y: (n, dy).
    """
    plain = [torch.eye(z.shape[1], dtype=torch.float64) for z in (x, y)]
    yield AS_THEY_ARE, Turn(*plain)
    sides = [(AS_THEY_ARE, plain)]
    solid = [is_of_full_rank(z) for z in (x, y)]
    if all(solid) and all(can_be_unmixed(z) for z in (x, y)):
        sides.append(("independent components", [independent_components(z) for z in (x, y)]))
        yield sides[1][0], Turn(*sides[1][1])
    if all(solid):
        if (bent := bent_directions(x, y)) is not None:
            yield f"{BENT} of x", Turn(*bent)
        if (bent := bent_directions(y, x)) is not None:
            yield f"{BENT} of y", Turn(*bent[::-1])
    for name, (of_x, of_y) in sides:
        if x.shape[1] <= y.shape[1] and solid[1]:
            yield f"{name} of x", Turn(of_x, predicting(y, x @ of_x))
        if y.shape[1] <= x.shape[1] and solid[0]:
            yield f"{name} of y", Turn(predicting(x, y @ of_y), of_y)


def can_be_unmixed(z: Tensor) -> bool:
    """Whether independent components of z (n, d) are sought: of 24 columns at most, with rows enough.

    >>> can_be_unmixed(torch.zeros(1000, 20)), can_be_unmixed(torch.zeros(500, 20))
    (True, False)
    """
    return z.shape[1] <= MOST_TURNED and z.shape[0] >= UNMIXED_ROWS * z.shape[1] ** 2


def predicting(source: Tensor, target: Tensor) -> Tensor:
    """(d, d): the combinations of source (n, d) that predict target (n, k) best, k <= d, and what is uncorrelated with these.

    >>> z = torch.randn(500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> turned = z @ predicting(z, z[:, 2:])
    >>> bool((torch.corrcoef(torch.cat((turned, z[:, 2:]), 1).T)[0] - torch.tensor([1.0, 0, 0, 1])).abs().max() < 1e-6)
    True
    """
    source, target = source - source.mean(0), target - target.mean(0)
    whiten = whitening(source)
    aims = (source @ whiten).T @ target / source.shape[0]
    rest = torch.linalg.qr(aims, mode="complete").Q[:, target.shape[1] :]
    return whiten @ torch.cat((aims, rest), 1)


def is_of_full_rank(z: Tensor) -> bool:
    """Whether no column of z (n, d) is a combination of others."""
    variances = torch.linalg.eigvalsh(z.T.cov().reshape(z.shape[1], z.shape[1]))
    return float(variances[0]) > DETERMINED_BY_OTHERS * float(variances[-1])
