"""Linear turns of both sides after which one column may belong to one of the other side and to no other.

An invertible turn of a side keeps the mutual information; where the pairs are independent it is the sum of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

AS_THEY_ARE = "columns"
MOST_TURNED = 12  # columns of a side, up to which independent components are sought
STEPS, CLOSE = 200, 1e-6
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
    if all(solid) and max(x.shape[1], y.shape[1]) <= MOST_TURNED:
        sides.append(("independent components", [independent_components(z) for z in (x, y)]))
        yield sides[1][0], Turn(*sides[1][1])
    for name, (of_x, of_y) in sides:
        if x.shape[1] <= y.shape[1] and solid[1]:
            yield f"{name} of x", Turn(of_x, predicting(y, x @ of_x))
        if y.shape[1] <= x.shape[1] and solid[0]:
            yield f"{name} of y", Turn(predicting(x, y @ of_y), of_y)


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


def whitening(z: Tensor) -> Tensor:
    """(d, d) that makes centred columns z (n, d) of full rank uncorrelated and of variance 1."""
    variances, directions = torch.linalg.eigh(z.T @ z / z.shape[0])
    return directions / variances.sqrt()


def independent_components(z: Tensor) -> Tensor:
    """(d, d): turns columns z (n, d) to components that are as independent as a linear turn makes them.

    FastICA, all components at once, with tanh. Hyvarinen, IEEE Trans. Neural Networks 10, 626 (1999).

    >>> z = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> back = torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64) @ independent_components(
    ...     z @ torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64)
    ... )
    >>> bool((back.abs().min(0).values / back.abs().max(0).values < 0.1).all())
    True
    """
    z = z - z.mean(0)
    whiten = whitening(z)
    white, n = z @ whiten, z.shape[0]
    turn = torch.eye(z.shape[1], dtype=z.dtype)
    for _ in range(STEPS):
        bent = (white @ turn).tanh()
        u, _, v = torch.linalg.svd(white.T @ bent / n - turn * (1 - bent.square()).mean(0), full_matrices=False)
        before, turn = turn, u @ v
        if float((1 - (before * turn).sum(0).abs()).max()) < CLOSE:
            break
    return whiten @ turn
