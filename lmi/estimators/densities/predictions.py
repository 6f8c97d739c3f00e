"""Predictions of some columns from others: ridge regression, with squares and products or kernels, boosted trees, or both.

What a prediction shares with what it predicts, both share with the columns that it was made of: a lower bound, by the data
processing inequality, that is near the truth where y is a function of x and noise of one kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from lmi.estimators.densities.boosting import fit_boosted_trees
from lmi.estimators.densities.kernel_ridge import Regression, fit_kernel_ridge
from lmi.estimators.trust.plain_thresholds import EASIER

Kind = Literal["linear", "quadratic", "trees", "both", "kernels"]
KINDS: tuple[Kind, ...] = ("quadratic", "trees", "both")
KERNELS: Kind = "kernels"
Predict = Callable[[Tensor], Tensor]

PENALTIES = torch.logspace(-0.5, 4.5, 12, dtype=torch.float64)
INNER = 3  # parts, each predicted from the others
MATTERS = 0.02  # share of the most that shuffling a column costs, above which the column is looked at alone
EXPLAINED = 0.02  # share of a column's variance, from which on it counts as predicted among others
FEW_COLUMNS = 3  # so many columns may take the place of a prediction: neighbours see few dimensions


def with_products(x: Tensor) -> Tensor:
    """(n, d + d (d + 1) / 2) the columns of x (n, d), their squares and products."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1])
    return torch.cat((x, x[:, i] * x[:, j]), 1)


def fit_ridge(x: Tensor, y: Tensor, features: Predict = with_products) -> Predict:
    """Ridge regression of y (n, k) on features of x (n, d); the penalty by leaving one out.

    Args:
        x: (n, d).
        y: (n, k).
        features: of rows (n, d): columns, squares and products, or anything else.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(400, 3, generator=g, dtype=torch.float64)
    >>> y = x[:, :1] * x[:, 1:2]
    >>> bool((fit_ridge(x, y)(x) - y).abs().mean() < 0.02)
    True
    """
    z = features(x)
    mean, scale, level = z.mean(0), z.std(0).clamp(min=1e-12), y.mean(0)
    left, values, right = torch.linalg.svd((z - mean) / scale, full_matrices=False)
    along = left.T @ (y - level)

    def left_out(penalty: Tensor) -> float:
        kept = values**2 / (values**2 + penalty)
        leverage = left.square() @ kept + 1 / x.shape[0]
        rest = (y - level - left @ (kept[:, None] * along)) / (1 - leverage).clamp(min=1e-3)[:, None]
        return float(rest.square().mean())

    penalty = min(PENALTIES, key=left_out)
    weights = right.T @ ((values / (values**2 + penalty))[:, None] * along)
    return lambda a: (features(a) - mean) / scale @ weights + level


def fit_trees(x: Tensor, y: Tensor, seed: int) -> Predict:
    """Boosted trees of each column of y (n, k) on x (n, d), stopped by a part of the rows."""
    models = [fit_boosted_trees(x, column, seed) for column in y.T]
    return lambda a: torch.stack([model(a) for model in models], 1)


def fit_predictor(x: Tensor, y: Tensor, kind: Kind, seed: int) -> Predict:
    """A map of rows (n, d) to predictions (n, k) of y.

    Args:
        x: (n, d).
        y: (n, k).
        kind: ``both`` is trees of what the quadratic form leaves.
        seed: of the trees.
    """
    if kind == "trees":
        return fit_trees(x, y, seed)
    if kind == KERNELS:
        return fit_kernel_ridge(x, y, _unexplained).predict
    if kind == "linear":
        return fit_ridge(x, y, lambda z: z)
    quadratic = fit_ridge(x, y)
    if kind == "quadratic":
        return quadratic
    trees = fit_trees(x, y - quadratic(x), seed)
    return lambda a: quadratic(a) + trees(a)


def _unexplained(rest: Tensor) -> Tensor:
    """Of residuals (n, k), the sum over columns of the logarithm of their mean square."""
    return rest.square().mean(0).log().sum()


def columns_that_matter(x: Tensor, y: Tensor, predict: Predict, seed: int) -> Tensor:
    """(m,) the columns of x (n, d) without whose values fresh y (n, k) are predicted worse (Breiman's permutation importance).

    Args:
        x: rows that did not train ``predict``.
        y: what belongs to them.
        predict: of y from x.
        seed: of the shuffles.

    >>> x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> columns_that_matter(x, x[:, 1:2] + 0.5 * x[:, 3:], lambda a: a[:, 1:2] + 0.5 * a[:, 3:], 0).tolist()
    [1, 3]
    """
    order = torch.randperm(x.shape[0], generator=torch.Generator().manual_seed(seed))
    errors = []
    for j in range(x.shape[1]):
        shuffled = x.clone()
        shuffled[:, j] = x[order, j]
        errors.append((y - predict(shuffled)).square().mean(0))
    losses = (torch.stack(errors) / (y - predict(x)).square().mean(0).clamp(min=1e-300) - 1).amax(1)
    return (losses > MATTERS * losses.max()).nonzero().flatten()


def fit_regression(x: Tensor, y: Tensor, kind: Kind, seed: int) -> Regression:
    """A predictor of y (n, k) from x (n, d) in a random order, and what each row is predicted by others.

    Args:
        x: (n, d) in a random order.
        y: (n, k).
        kind: of the predictor.
        seed: of the trees.
    """
    if kind == KERNELS:
        return fit_kernel_ridge(x, y, _unexplained)
    return Regression(fit_predictor(x, y, kind, seed), predicted_apart(x, y, kind, seed))


def predicted_apart(x: Tensor, y: Tensor, kind: Kind, seed: int) -> Tensor:
    """(n, k) each row's prediction of y (n, k) from x (n, d) by the parts that it is not in, by kernels from all others.

    Args:
        x: (n, d) in a random order.
        y: (n, k).
        kind: of the predictor.
        seed: of the trees.
    """
    if kind == KERNELS:
        return fit_kernel_ridge(x, y, _unexplained).apart
    out = torch.empty_like(y)
    for rows in torch.arange(x.shape[0]).tensor_split(INNER):
        rest = torch.ones(x.shape[0], dtype=torch.bool)
        rest[rows] = False
        out[rows] = fit_predictor(x[rest], y[rest], kind, seed)(x[rows])
    return out


def predicted_columns(x: Tensor, y: Tensor, seed: int) -> Tensor:
    """(k,) the columns of y (n, d) of which quadratic forms or trees explain something in rows they were not fitted to.

    All of them where that is none.

    Args:
        x: (n, e) in a random order.
        y: (n, d).
        seed: of the trees.
    """
    kinds: tuple[Kind, ...] = ("quadratic", "trees")
    rest = [(y - predicted_apart(x, y, kind, seed)).square().mean(0) for kind in kinds]
    explained = 1 - torch.stack(rest).amin(0) / y.var(0).clamp(min=1e-300)
    kept = (explained > EXPLAINED).nonzero().flatten()
    return kept if kept.numel() else torch.arange(y.shape[1])


def best_kind(x: Tensor, y: Tensor, seed: int) -> tuple[Kind, Tensor, Tensor]:
    """The kind and the columns that predict other rows best, and the columns without which they are predicted worse.

    Where some columns matter and others do not, those that do are also tried alone.

    Args:
        x: (n, d) in a random order.
        y: (n, k).
        seed: of the trees.
    """

    def loss(columns: Tensor, kind: Kind) -> float:
        return float(_unexplained(y - predicted_apart(x[:, columns], y, kind, seed)))

    every = torch.arange(x.shape[1])
    kinds = KINDS if x.shape[1] == 1 else (*KINDS, KERNELS)  # along a line trees are as good, and faster
    tried = [(loss(every, kind), kind, every) for kind in kinds]
    fresh, *others = torch.arange(x.shape[0]).tensor_split(INNER)
    rest = torch.cat(others)
    first = fit_predictor(x[rest], y[rest], min(tried, key=lambda trial: trial[0])[1], seed)
    matter = columns_that_matter(x[fresh], y[fresh], first, seed)
    if 0 < matter.numel() < x.shape[1]:
        tried += [(loss(matter, kind), kind, matter) for kind in kinds]
    _, kind, columns = min(tried, key=lambda trial: trial[0])
    return kind, columns, matter


def clearer_ways(x: Tensor, y: Tensor) -> list[bool]:
    """Of one column a side, whether y is predicted from x, or x from y, or both where neither is clearly easier.

    Args:
        x: (n, 1).
        y: (n, 1).

    >>> import torch
    >>> x, noise = torch.randn(2, 1000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> clearer_ways(x, (3 * x).sin() + 0.2 * noise), clearer_ways(x, x + noise)
    ([True], [True, False])
    """
    rest = []
    for source, target in ((x, y), (y, x)):
        left = target - predicted_apart(source, target, "trees", 0)
        rest.append(float(left.square().mean() / target.var().clamp(min=1e-300)))
    return [way for way, share in zip((True, False), rest, strict=True) if share <= min(rest) / EASIER]


def seen_by_kernels(x: Tensor, y: Tensor) -> float:
    """Correlation of what a line leaves of the narrower side with predictions by kernels of the other, in standard errors.

    The sum of three angles is in no product of two columns.

    Args:
        x: (n, dx) rows in a random order, centred.
        y: (n, dy).

    >>> import torch
    >>> g = torch.Generator().manual_seed(0)
    >>> x, noise = 6.28 * torch.rand(2, 2000, 3, generator=g, dtype=torch.float64)
    >>> y = (x.sum(1, keepdim=True) + 0.1 * noise[:, :1]).cos()
    >>> x, y = x - x.mean(0), y - y.mean(0)
    >>> seen_by_kernels(x, y) > 10, seen_by_kernels(noise - noise.mean(0), y) < 3
    (True, True)
    """
    source, target = (x, y) if y.shape[1] <= x.shape[1] else (y, x)
    rest = target - predicted_apart(source, target, "linear", 0)
    seen = predicted_apart(source, rest, KERNELS, 0)
    rest, seen = rest - rest.mean(0), seen - seen.mean(0)
    r = (rest * seen).sum(0) / (rest.norm(dim=0) * seen.norm(dim=0)).clamp(min=1e-300)
    return float(r.max()) * rest.shape[0] ** 0.5
