"""A density ratio that is a sum over pairs of columns: each column of x belongs to one of y, and to no other.

Ten pairs in twenty columns are ten problems in the plane, where a density of all twenty would need a hundred times as many
samples. With the pairs independent of each other the sum of their information is that of the sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from lmi.estimators.columns import normal_scores, normal_scores_at
from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.densities.turns import Turn
from lmi.estimators.folds import Fold
from lmi.estimators.trust.thresholds import CLIMB_GAIN, PAIRED_BY_CHANCE

COMPONENTS = (1, 2, 4, 8)  # of the density of a pair
ATOM, MOST_ATOMS = 0.1, 2  # share of the rows, and how many values with so much a column may have
APART = 10.0  # deviations
FARTHEST_SHARE = 1e-4
FEATURES = 3  # Hermite polynomials of normal scores


Cuts = tuple[list[Tensor], list[Tensor]]


@dataclass(frozen=True, eq=False)
class Paired:
    """Turned columns, which belong together, and a density of each pair.

    Args:
        turn: of both sides.
        all: (n, dx), (n, dy) turned columns of all samples: rows become normal scores by these.
        pairs: (k, 2) columns of either side.
        models: k densities of normal scores.
        cuts: of each column of either side, the shares of rows at which its scores are set apart; see ``atom_cuts``.
    """

    turn: Turn
    all: tuple[Tensor, Tensor]
    pairs: list[tuple[int, int]]
    models: list[Mixture]
    cuts: Cuts | None = None

    def variates(self, x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of rows x (n, dx), y (m, dy): the normal scores (n, 1), (m, 1) of each pair."""
        of_x, of_y = zip(*self.pairs, strict=True)
        u = normal_scores_at(self.all[0][:, of_x])(x.double() @ self.turn.x[:, of_x])
        v = normal_scores_at(self.all[1][:, of_y])(y.double() @ self.turn.y[:, of_y])
        if self.cuts is not None:
            u = torch.stack([set_apart(u[:, k], self.cuts[0][i]) for k, i in enumerate(of_x)], 1)
            v = torch.stack([set_apart(v[:, k], self.cuts[1][j]) for k, j in enumerate(of_y)], 1)
        return [(u[:, i, None], v[:, i, None]) for i in range(len(of_x))]

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every x (n, dx) with every y (m, dy), nats."""
        out = torch.zeros(x.shape[0], y.shape[0])
        for (u, v), model in zip(self.variates(x, y), self.models, strict=True):
            out += model.scores(u, v)
        return out


def atom_cuts(z: Tensor) -> list[Tensor]:
    """Of each column of z (n, d) the shares of rows below and up to its atoms: values that a tenth of the rows have.

    Zeros of a count or of an activation are not near its small values: their rows are a cluster of their own. Columns of
    three atoms or more, such as answers in levels, get no cuts.

    >>> column = torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    >>> [cuts.tolist() for cuts in atom_cuts(column[:, None])]
    [[0.2]]
    """
    out = []
    for column in z.T:
        values, counts = torch.unique(column, return_counts=True)
        atoms = values[counts >= max(ATOM * column.numel(), 2)]
        shares = [float(below.double().mean()) for atom in atoms for below in (column < atom, column <= atom)]
        inner = sorted({share for share in shares if 0 < share < 1}) if atoms.numel() <= MOST_ATOMS else []
        out.append(torch.tensor(inner, dtype=torch.float64))
    return out


def set_apart(scores: Tensor, cuts: Tensor) -> Tensor:
    """(n,) normal scores, those between two cuts made normal scores of their own, ``APART`` from those beyond a cut.

    Args:
        scores: (n,) normal scores.
        cuts: (m,) shares of rows, ascending.
    """
    if not cuts.numel():
        return scores
    ends = torch.cat((torch.zeros(1), cuts, torch.ones(1))).double()
    share = torch.special.ndtr(scores)
    place = torch.searchsorted(cuts, share)
    within = (share - ends[place]) / (ends[place + 1] - ends[place])
    return torch.special.ndtri(within.clamp(FARTHEST_SHARE, 1 - FARTHEST_SHARE)) + APART * place


def together(x: Tensor, y: Tensor) -> Tensor:
    """(dx, dy) squared correlations of the first Hermite polynomials of normal scores, summed, times n: about 9 by chance.

    >>> x, e = torch.randn(2, 1000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> shared = together(x, x[:, :1] ** 2 + e[:, :1])
    >>> bool(shared[0] > 100), bool(shared[1] < 30)
    (True, True)
    """
    shared = _features(x).T @ _features(y) / x.shape[0]
    return x.shape[0] * shared.square().reshape(x.shape[1], FEATURES, y.shape[1], FEATURES).sum((1, 3))


def _features(z: Tensor) -> Tensor:
    """(n, 3 d) of columns z (n, d)."""
    z = normal_scores(z)
    hermite = torch.stack((z, (z**2 - 1) / math.sqrt(2), (z**3 - 3 * z) / math.sqrt(6)), 2).flatten(1)
    return (hermite - hermite.mean(0)) / hermite.std(0, correction=0)


def matched(x: Tensor, y: Tensor) -> list[tuple[int, int]]:
    """The columns of x (n, dx) and of y (n, dy) that belong together: one of one, the most that can be shared in all."""
    shared = together(x, y)
    rows, columns = linear_sum_assignment(shared.numpy(), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if shared[i, j] > PAIRED_BY_CHANCE]


def beside_pairs(x: Tensor, y: Tensor, pairs: list[tuple[int, int]]) -> float:
    """What all columns of both sides but those of one pair share with each other, in standard deviations of chance.

    Args:
        x: (n, dx).
        y: (n, dy).
        pairs: columns that belong together.
    """
    z = torch.cat((x, y), 1)
    shared = together(z, z).triu(1)
    for i, j in pairs:
        shared[i, x.shape[1] + j] = 0.0
    d, terms = z.shape[1], FEATURES**2
    count = terms * (d * (d - 1) // 2 - len(pairs))
    return float(shared.sum() - count) / math.sqrt(2 * count) if count else 0.0


def fit_paired(
    x: Tensor, y: Tensor, fold: Fold, turn: Turn, generator: torch.Generator, cuts: Cuts | None = None
) -> Paired:
    """Match columns and fit a density to each pair: as many components as pairs that were not fitted to gain by.

    Args:
        x: (n, dx).
        y: (n, dy).
        fold: its ``train`` is fitted to, its ``stop`` ends the climb.
        turn: of both sides.
        generator: seeds the starts.
        cuts: of the turned columns of either side.

    Raises:
        ValueError: where no columns belong together.
    """
    turned = x.double() @ turn.x, y.double() @ turn.y
    pairs = matched(*(z[fold.train] for z in turned))
    if not pairs:
        raise ValueError("no column of one side belongs to one of the other")
    blank = Paired(turn, turned, pairs, [], cuts)
    fit, stop = (blank.variates(x[part], y[part]) for part in (fold.train, fold.stop))
    models = []
    for (u, v), (a, b) in zip(fit, stop, strict=True):
        best, most_found = None, -math.inf
        for count in COMPONENTS:
            model = fit_mixture(u, v, count, generator, iterations=100, tolerance=1e-4)
            found = float(model.ratio(a, b).mean())
            if best is not None and found < most_found + CLIMB_GAIN:
                if count > COMPONENTS[1]:
                    break
                continue
            best, most_found = model, found
        assert best is not None
        models.append(best)
    return Paired(turn, turned, pairs, models, cuts)
