"""Shares of many classes, recalibrated: what a classifier says of fresh samples is what a logistic regression learns from.

A discriminant of hundreds of columns is far too bold, and says more about some classes than it knows. What it says is still
informative (stacking: Wolpert, Neural Networks 5, 1992).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PENALTY = 0.1  # C of scikit-learn's logistic regression


def recalibrated(logs: Tensor, label: Tensor, folds: int, seed: int) -> Tensor:
    """(n, classes) log shares by a logistic regression on other samples' ``logs``, or ``logs`` where they are no worse.

    Args:
        logs: (n, classes) log q(label | x), each row by a classifier that was not fitted to it.
        label: (n,) class numbers from 0, all of them there, each at least ``folds`` times.
        folds: how many.
        seed: of the folds.

    >>> g = torch.Generator().manual_seed(0)
    >>> label = torch.randint(6, (600,), generator=g)
    >>> odds = torch.randn(600, 6, generator=g, dtype=torch.float64)
    >>> odds[torch.arange(600), label] += 2
    >>> bold = (6 * odds).log_softmax(1)
    >>> better = recalibrated(bold, label, 4, 0)
    >>> [round(float(logs[torch.arange(600), label].mean()), 1) for logs in (bold, better)]
    [-1.1, -0.7]
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    model = LogisticRegression(C=PENALTY, max_iter=500)
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    odds = (logs - logs.mean(1, keepdim=True)).numpy()
    shares = cross_val_predict(model, odds, label.numpy(), cv=parts, method="predict_proba")
    learned = torch.from_numpy(np.log(np.clip(shares, 0.5 / label.numel(), None)))
    rows = torch.arange(label.numel())
    return max((logs, learned), key=lambda each: float(each[rows, label].mean()))
