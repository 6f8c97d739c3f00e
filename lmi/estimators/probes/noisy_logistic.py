"""Logistic regression for labels of which some are wrong: the shares level off below 1, however far a sample lies out."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

WRONG = 0.02  # share of wrong labels to start from
STEPS = 500
ROWS_A_COLUMN = 20  # for which C is given
STEEPEST = 100.0  # C, from where on slopes are as steep as the samples ask for


class NoisyLogisticRegression(ClassifierMixin, BaseEstimator):
    """q(label | x) = w_label + (1 - sum_k w_k) softmax(B x + b)_label, all fitted by penalised maximum likelihood.

    w_k is the chance that a label is k whatever x says. Without it one wrong label far from the boundary outweighs many
    right ones near it, and the whole slope is made too gentle. "Lapses" in psychometrics: Wichmann and Hill, The
    psychometric function (2001).

    Args:
        C: inverse weight of the penalty on B, as of scikit-learn's ``LogisticRegression``, from which it starts, for 20
            samples a column. It grows with the square of their number, to 100: a boundary that is sharp but for wrong labels
            needs steep slopes, which few samples do not support.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((2000, 2))
    >>> label = (x[:, 0] > 0) != (rng.random(2000) < 0.1)
    >>> shares = NoisyLogisticRegression(C=10.0).fit(x, label).predict_proba(np.array([[9.0, 0.0]]))
    >>> bool(0.85 < shares[0, 1] < 0.95)
    True
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, x: np.ndarray, label: np.ndarray) -> NoisyLogisticRegression:
        """Maximise the penalised likelihood of labels (n,) given x (n, d), whose columns are of comparable scale."""
        from scipy.optimize import minimize
        from sklearn.linear_model import LogisticRegression

        self.classes_, code = np.unique(label, return_inverse=True)
        classes, dims = self.classes_.size, x.shape[1]
        weight = min(self.C * (code.size / (ROWS_A_COLUMN * dims)) ** 2, STEEPEST)
        plain = LogisticRegression(C=weight, max_iter=STEPS).fit(x, label)
        slopes, offsets = plain.coef_.T, plain.intercept_
        if classes == 2:
            slopes, offsets = np.hstack((-slopes, slopes)) / 2, np.hstack((-offsets, offsets)) / 2
        wrong = np.full(classes, np.log(WRONG / classes / (1 - WRONG)))
        rows = np.arange(code.size)

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            slopes, offsets, wrong = self._read(flat, dims)
            shares, mixed = _softmax(x @ slopes + offsets), _softmax(np.append(wrong, 0.0)[None])[0]
            by_x = mixed[-1] * shares[rows, code]
            likely = np.maximum(mixed[code] + by_x, np.finfo(float).tiny)
            explained = by_x / likely  # chance that it is x that this label comes from
            pull = explained[:, None] * shares
            pull[rows, code] -= explained
            blamed = np.bincount(code, 1 - explained, classes)
            value = -np.log(likely).sum() + np.square(slopes).sum() / (2 * weight)
            gradient = (x.T @ pull + slopes / weight, pull.sum(0), code.size * mixed[:-1] - blamed)
            return float(value), np.concatenate([part.ravel() for part in gradient])

        start = np.concatenate((slopes.ravel(), offsets, wrong))
        best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
        self.slopes_, self.offsets_, wrong = self._read(best, dims)
        self.wrong_ = _softmax(np.append(wrong, 0.0)[None])[0, :-1]
        return self

    def _read(self, flat: np.ndarray, dims: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        classes = self.classes_.size
        slopes, rest = flat[: dims * classes], flat[dims * classes :]
        return slopes.reshape(dims, classes), rest[:classes], rest[classes:]

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """(n, classes) q(label | x) of x (n, d)."""
        check_is_fitted(self)
        return self.wrong_ + (1 - self.wrong_.sum()) * _softmax(x @ self.slopes_ + self.offsets_)


def _softmax(scores: np.ndarray) -> np.ndarray:
    """(n, c), each row to a sum of 1."""
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
