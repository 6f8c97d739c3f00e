"""I(X; L) for a label: its entropy minus what a classifier leaves uncertain on samples that did not train it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Classifier = Callable[[int], object]


def label_entropy(label: Tensor) -> float:
    """H(L) of a label (n,), nats, plug-in with Miller and Madow's (classes - 1) / 2N added."""
    counts = torch.unique(label, return_counts=True)[1].double()
    shares = counts / counts.sum()
    return float(-(shares * shares.log()).sum()) + (counts.numel() - 1) / (2 * label.numel())


def classifiers(dims: int) -> dict[str, Classifier]:
    """Name -> builder from a seed: linear, quadratic in few dimensions, and boosted trees."""
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    builders: dict[str, Classifier] = {
        "logistic regression": lambda seed: LogisticRegression(C=0.3, max_iter=500),
        "boosted trees": lambda seed: HistGradientBoostingClassifier(
            max_iter=100, learning_rate=0.06, max_leaf_nodes=8, early_stopping=False, random_state=seed
        ),
    }
    if dims <= 10:
        builders["quadratic discriminant"] = lambda seed: QuadraticDiscriminantAnalysis(reg_param=1e-3)
    return builders


def surprise(x: Tensor, label: Tensor, classifier: Classifier, folds: int, seed: int) -> Tensor:
    """(n,) -log q(label | x), nats, each from a classifier fitted to the other folds.

    Args:
        x: (n, d).
        label: (n,) class numbers.
        classifier: builds one from a seed.
        folds: how many.
        seed: of folds and classifier.

    Raises:
        ValueError: where a label has fewer samples than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    rarest = int(torch.unique(label, return_counts=True)[1].min())
    if rarest < folds:
        raise ValueError(f"the rarest label has {rarest} sample(s); expected at least {folds}, one a fold")
    values, labels = x.double().numpy(), label.numpy()
    out = np.empty(labels.shape[0])
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32).split(values, labels):
        model = classifier(seed % 2**32)
        model.fit(values[train], labels[train])  # type: ignore[attr-defined]
        shares = model.predict_proba(values[test])  # type: ignore[attr-defined]
        column = np.searchsorted(model.classes_, labels[test])  # type: ignore[attr-defined]
        floor = 0.5 / train.size
        out[test] = -np.log(np.clip(shares[np.arange(test.size), column], floor, None))
    return torch.from_numpy(out)
