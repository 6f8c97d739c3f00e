"""Predictions of some columns from others: ridge regression with squares and products, boosted trees, or both in turn.

What a prediction shares with what it predicts, both share with the columns that it was made of: a lower bound, by the data
processing inequality, that is near the truth where y is a function of x and noise of one kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

Kind = Literal["quadratic", "trees", "both"]
KINDS: tuple[Kind, ...] = ("quadratic", "trees", "both")
Predict = Callable[[Tensor], Tensor]

PENALTIES = torch.logspace(-0.5, 4.5, 12, dtype=torch.float64)
INNER = 3  # parts, each predicted from the others
TREES: dict[str, Any] = {
    "max_iter": 200,
    "learning_rate": 0.1,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 20,
    "early_stopping": True,
    "validation_fraction": 0.15,
}


def with_products(x: Tensor) -> Tensor:
    """(n, d + d (d + 1) / 2) the columns of x (n, d), their squares and products."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1])
    return torch.cat((x, x[:, i] * x[:, j]), 1)


def fit_quadratic(x: Tensor, y: Tensor) -> Predict:
    """Ridge regression of y (n, k) on columns, squares and products of x (n, d); the penalty by leaving one out.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(400, 3, generator=g, dtype=torch.float64)
    >>> y = x[:, :1] * x[:, 1:2]
    >>> bool((fit_quadratic(x, y)(x) - y).abs().mean() < 0.02)
    True
    """
    z = with_products(x)
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
    return lambda a: (with_products(a) - mean) / scale @ weights + level


def fit_trees(x: Tensor, y: Tensor, seed: int) -> Predict:
    """scikit-learn's histogram boosting of each column of y (n, k) on x (n, d), stopped by a part of the rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    models = [
        HistGradientBoostingRegressor(**TREES, random_state=seed).fit(x.numpy(), column.numpy()) for column in y.T
    ]
    return lambda a: torch.stack([torch.from_numpy(model.predict(a.numpy())) for model in models], 1).double()


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
    quadratic = fit_quadratic(x, y)
    if kind == "quadratic":
        return quadratic
    trees = fit_trees(x, y - quadratic(x), seed)
    return lambda a: quadratic(a) + trees(a)


def best_predictor(x: Tensor, y: Tensor, seed: int) -> tuple[Predict, Tensor, Kind]:
    """The kind that predicts other rows best, fitted to all, with each row's prediction from the other parts.

    Args:
        x: (n, d) in a random order.
        y: (n, k).
        seed: of the trees.
    """
    n = x.shape[0]
    parts = torch.arange(n).tensor_split(INNER)
    apart: dict[Kind, Tensor] = {}
    for kind in KINDS:
        apart[kind] = torch.empty_like(y)
        for part in parts:
            rest = torch.ones(n, dtype=torch.bool)
            rest[part] = False
            apart[kind][part] = fit_predictor(x[rest], y[rest], kind, seed)(x[part])
    best = min(apart, key=lambda kind: float((y - apart[kind]).square().mean(0).log().sum()))
    return fit_predictor(x, y, best, seed), apart[best], best
