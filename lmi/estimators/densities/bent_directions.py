"""Linear turns of both sides to directions whose squares go with the other side.

An absolute value of a hidden direction leaves no correlation, and among sixteen columns no product of two columns shows it.
Canonical correlations of all products of one side with columns and products of the other give symmetric matrices, which
those directions make diagonal together (Li, principal Hessian directions, JASA 87, 1025 (1992); Cardoso and Souloumiac, Jacobi
angles for simultaneous diagonalization, SIAM J. Matrix Anal. 17, 161 (1996)).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from lmi.estimators.densities.kernel_variates import FURTHEST, principal_axes, ridge_whitening
from lmi.estimators.densities.predictions import with_products
from lmi.estimators.densities.unmixing import whitening
from lmi.estimators.trust.plain_thresholds import BENT, BENT_SIZE, ON_A_LINE

SWEEPS = 50
FEATURES_A_FITTED_ROW = 0.4  # of half of the rows at most; the others confirm what they show
STILL = 1e-4  # angle that is no longer turned by
RIDGE = 0.001  # share of the features' total variance


def jointly_diagonal(matrices: Tensor) -> Tensor:
    """(d, d): the rotation whose columns make symmetric matrices (m, d, d) as diagonal as one rotation makes them all.

    >>> turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    >>> values = torch.tensor([[1, 2, 3, 4], [0, 1, 0, 2]], dtype=torch.float64)
    >>> two = turn @ torch.diag_embed(values) @ turn.T
    >>> bool(((jointly_diagonal(two).T @ turn).abs().amax(0) > 0.999).all())
    True
    """
    rest = matrices.numpy().copy()
    d = rest.shape[1]
    turn = np.eye(d)
    for _ in range(SWEEPS):
        largest = 0.0
        for i, j in itertools.combinations(range(d), 2):
            apart, shared = rest[:, i, i] - rest[:, j, j], 2 * rest[:, i, j]
            on, off = float(apart @ apart - shared @ shared), float(2 * apart @ shared)
            angle = 0.5 * math.atan2(off, on + math.hypot(on, off))
            if abs(angle) <= STILL:
                continue
            largest = max(largest, abs(angle))
            plane = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
            rest[:, :, [i, j]] = rest[:, :, [i, j]] @ plane
            rest[:, [i, j]] = plane.T @ rest[:, [i, j]]
            turn[:, [i, j]] = turn[:, [i, j]] @ plane
        if largest <= STILL:
            break
    return torch.from_numpy(turn)


def bent_directions(source: Tensor, target: Tensor, most: int = 8) -> tuple[Tensor, Tensor] | None:
    """Invertible turns, of source (n, d) to directions whose squares go with target (n, k), and of target to what they go with.

    Directions of the target are combinations of its columns, or those whose own squares go with the source's.

    Args:
        source: (n, d) of full rank.
        target: (n, k) of full rank.
        most: directions.

    Returns:
        (d, d) and (k, k); ``None`` where no fresh sample confirms any, or samples are too few.

    >>> x, noise = torch.randn(2, 2000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> x_turn, _ = bent_directions(x, (x @ torch.ones(3, 1, dtype=torch.float64)) ** 2 + noise)
    >>> bool(torch.corrcoef(torch.stack((x @ x_turn[:, 0], x.sum(1))))[0, 1].abs() > 0.99)
    True
    """
    whiten_a, whiten_b = (whitening(z - z.mean(0)) for z in (source, target))
    a, b = (source - source.mean(0)) @ whiten_a, (target - target.mean(0)) @ whiten_b
    a_features, b_features = (with_products(z.clamp(-FURTHEST, FURTHEST)) for z in (a, b))
    a_features, b_features = a_features - a_features.mean(0), b_features - b_features.mean(0)
    n = a.shape[0]
    if max(a_features.shape[1], b_features.shape[1]) > FEATURES_A_FITTED_ROW * n / 2:
        return None
    halves = torch.arange(n).split((n + 1) // 2)
    x_half, y_half, _ = _canonical(a_features[halves[0]], b_features[halves[0]], most)
    u, v = (f[halves[1]] @ w for f, w in ((a_features, x_half), (b_features, y_half)))
    u, v = u - u.mean(0), v - v.mean(0)
    fresh = (u * v).sum(0) / (u.norm(dim=0) * v.norm(dim=0)).clamp(min=1e-300)
    confirmed = fresh * len(u) ** 0.5 > BENT
    count = int(confirmed.sum())
    if not count:
        return None
    to_u, _, correlations = _canonical(a_features, b_features, count)
    squares = _squares(to_u, a.shape[1]) * correlations[:, None, None]
    turn = jointly_diagonal(squares)
    sizes = torch.einsum("ik,mij,jk->mk", turn, squares, turn).norm(dim=0)
    turn = turn[:, sizes.argsort(descending=True)]
    # Variates on a line have matrices of noise, whose eigenvalues end at about sqrt(d / n).
    by_noise = (a.shape[1] * count / n) ** 0.5
    count = min(int((sizes > BENT_SIZE * by_noise).sum()), count, b.shape[1])
    if not count:
        return None
    aims = (a @ turn[:, :count]).clamp(-FURTHEST, FURTHEST).square()
    answers = _answers(b_features, aims, b.shape[1])
    rest_a, rest_b = turn[:, count:], torch.linalg.qr(answers, mode="complete").Q[:, count:]
    on_lines_a, on_lines_b = _on_lines(a @ rest_a, b @ rest_b)
    turns = torch.cat((turn[:, :count], rest_a @ on_lines_a), 1), torch.cat((answers, rest_b @ on_lines_b), 1)
    return whiten_a @ turns[0], whiten_b @ turns[1]


def _on_lines(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations of white columns a (n, d) and b (n, k) whose first columns are correlated beyond chance, each with one."""
    if not (a.shape[1] and b.shape[1]):
        return torch.eye(a.shape[1], dtype=a.dtype), torch.eye(b.shape[1], dtype=b.dtype)
    left, r, right = torch.linalg.svd(a.T @ b / a.shape[0])
    share_a, share_b = a.shape[1] / a.shape[0], b.shape[1] / b.shape[0]
    by_chance = math.sqrt(share_a * (1 - share_b)) + math.sqrt(share_b * (1 - share_a))
    count = int((r > ON_A_LINE * by_chance).sum())
    pairs = (left[:, :count], right[:count].T)
    rests = [torch.linalg.qr(side, mode="complete").Q[:, count:] for side in pairs]
    return torch.cat((pairs[0], rests[0]), 1), torch.cat((pairs[1], rests[1]), 1)


def _canonical(a: Tensor, b: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (m, r), (l, r) of ridge canonical variates of features, and their correlations (r,)."""
    whiten_a, whiten_b = (ridge_whitening(*principal_axes(f), RIDGE) for f in (a, b))
    left, r, right = torch.linalg.svd(whiten_a.T @ (a.T @ b / a.shape[0]) @ whiten_b, full_matrices=False)
    return whiten_a @ left[:, :most], whiten_b @ right[:most].T, r[:most]


def _squares(weights: Tensor, d: int) -> Tensor:
    """(r, d, d) symmetric matrices of weights (d + d (d + 1) / 2, r)."""
    i, j = torch.triu_indices(d, d)
    matrices = torch.zeros(weights.shape[1], d, d, dtype=weights.dtype)
    matrices[:, i, j] = weights[d:].T
    return (matrices + matrices.transpose(1, 2)) / 2


def _answers(features: Tensor, aims: Tensor, d: int) -> Tensor:
    """(d, k): the direction of d columns that answers to each aim (n, k), by the columns or by their squares."""
    whiten = ridge_whitening(*principal_axes(features), RIDGE)
    weights = whiten @ (whiten.T @ (features.T @ (aims - aims.mean(0)) / aims.shape[0]))
    lines, squares = weights[:d], _squares(weights, d)
    values, vectors = torch.linalg.eigh(squares)
    largest = values.abs().argmax(1)
    bent = vectors[torch.arange(len(largest)), :, largest].T
    directions = torch.where(lines.square().sum(0) > 2 * squares.square().sum((1, 2)), lines, bent)
    return directions / directions.norm(dim=0)
