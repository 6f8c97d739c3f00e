"""Bits against sparsity: the held-out information of ever more neurons, and of the whole layer, by cross-fitting."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from lmi.estimators.probes.l1 import SparsePath, first_strength, l1_path
from lmi.estimators.probes.probe import Array, Booleans, Rows, entropy_bits, gained_bits, standard_error

Splits = list[tuple[Rows, Rows]]
Bar = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class Curve:
    """Bits against sparsity at p points of the path; every row is judged by the fold that did not fit it.

    Args:
        strengths: (p,) C for all rows.
        kept: (p,) neurons kept, mean over folds.
        l1_bits: (p,) held-out bits of the L1 solution as it is.
        bits: (p,) held-out bits of the kept neurons, refitted without the penalty.
        error: (p,) standard error of ``bits``, by document.
        saturated: the first point within one standard error, or a hundredth of H(Y), of the best.
        best: the point with the most bits.
        known_bits: held-out bits where each fold's point is chosen by the other folds: what the sparse probe knows.
        known_error: its standard error, by document.
        logits: (n,) the log odds behind ``known_bits``.
    """

    strengths: Array
    kept: Array
    l1_bits: Array
    bits: Array
    error: Array
    saturated: int
    best: int
    known_bits: float
    known_error: float
    logits: Array


@dataclass(frozen=True, eq=False)
class Layer:
    """What a probe of all neurons at once tells, held out.

    Args:
        bits: H(Y) minus cross-entropy with the prior's precision of each fold chosen by the other folds.
        error: its standard error, by document.
        logits: (n,) the log odds behind it.
    """

    bits: float
    error: float
    logits: Array


def path_strengths(h: Array, positive: Booleans, points: int, ratio: float) -> Array:
    """``points`` values of C from where the first neuron enters to ``ratio`` times that, evenly on a log scale.

    Args:
        h: (n, d) activations.
        positive: (n,) the class.
        points: how many values of C.
        ratio: last over first.
    """
    return np.geomspace(1, ratio, points) * first_strength(h, positive)


def bits_curve(
    h: Array, positive: Booleans, documents: Rows, strengths: Array, splits: Splits, most_kept: int, bar: Bar
) -> Curve:
    """Held-out bits along the L1 path.

    Args:
        h: (n, d) activations; every fold standardises them by its own rows.
        positive: (n,) the class.
        documents: (n,) for standard errors.
        strengths: (p,) C for all rows; a fold uses it in proportion to its rows.
        splits: (fitted rows, judged rows), which together judge every row once.
        most_kept: the curve ends before more neurons than this.
        bar: wraps the folds with a progress bar.
    """
    n, points = positive.size, strengths.size
    sparse, refitted = np.full((2, points, n), np.nan)
    counts = np.zeros(points)
    for rest, fold in bar(splits, "bits against sparsity"):
        fitted, held_out = scale(h[rest], h[rest]), scale(h[fold], h[rest])
        path = l1_path(fitted, positive[rest], strengths[:points] * n / rest.size, most_kept=most_kept)
        points = path.strengths.size
        sparse[:points, fold] = path.logits(held_out)
        refitted[:points, fold] = refitted_logits(path, fitted, positive[rest], held_out)
        counts[:points] += path.kept.sum(axis=1) / len(splits)
    gains = gained_bits(refitted[:points], positive)
    bits, error = gains.mean(axis=1), standard_error(gains, documents)
    best = int(bits.argmax())
    enough = bits[best] - max(error[best], 0.01 * entropy_bits(positive))
    chosen = others_choice(gains, splits)
    known = gains[chosen, np.arange(n)]
    return Curve(
        strengths=strengths[:points],
        kept=counts[:points],
        l1_bits=gained_bits(sparse[:points], positive).mean(axis=1),
        bits=bits,
        error=error,
        saturated=int(np.flatnonzero(bits >= enough)[0]),
        best=best,
        known_bits=float(known.mean()),
        known_error=float(standard_error(known, documents)),
        logits=refitted[chosen, np.arange(n)],
    )


def layer_probe(
    h: Array, positive: Booleans, documents: Rows, splits: Splits, precisions: Iterable[float], bar: Bar
) -> Layer:
    """Held-out bits of all neurons under a Gaussian prior, its precision chosen for each fold by the other folds.

    Args:
        h: (n, d) activations.
        positive: (n,) the class.
        documents: (n,) the document of each row.
        splits: (fitted rows, judged rows).
        precisions: of the prior, to choose from.
        bar: progress.
    """
    precisions, n = list(precisions), positive.size
    logits = np.empty((len(precisions), n))
    for rest, fold in bar(splits, "whole layer"):
        fitted, held_out = rotate(scale(h[rest], h[rest]), scale(h[fold], h[rest]))
        for index, precision in enumerate(precisions):
            coefficients, intercept = refit(fitted, positive[rest], precision)
            logits[index, fold] = held_out @ coefficients + intercept
    gains = gained_bits(logits, positive)
    chosen = others_choice(gains, splits)
    known = gains[chosen, np.arange(n)]
    return Layer(float(known.mean()), float(standard_error(known, documents)), logits[chosen, np.arange(n)])


def others_choice(gains: Array, splits: Splits) -> NDArray[np.int64]:
    """(p, n) held-out gains -> (n,) the point that the rows of all other folds like best: no row chooses for itself."""
    chosen = np.empty(gains.shape[1], dtype=np.int64)
    for rest, fold in splits:
        chosen[fold] = gains[:, rest].mean(axis=1).argmax()
    return chosen


def scale(h: Array, by: Array) -> Array:
    """``h`` less the mean and over the standard deviation of ``by``, column by column; constant columns become 0."""
    deviation = by.std(axis=0)
    return np.asarray((h - by.mean(axis=0)) / np.where(deviation > 0, deviation, np.inf))


def rotate(fitted: Array, held_out: Array) -> tuple[Array, Array]:
    """The same inner products in as many columns as there are fitted rows: for a Gaussian prior nothing else counts."""
    n, d = fitted.shape
    if d <= n:
        return fitted, held_out
    gram = fitted @ fitted.T
    gram[np.diag_indices(n)] += 1e-9 * np.trace(gram) / n
    factor = np.linalg.cholesky(gram)
    return np.asarray(factor), np.asarray(np.linalg.solve(factor, fitted @ held_out.T).T)


def refit(h: Array, positive: Booleans, precision: float = 1.0) -> tuple[Array, float]:
    """Logistic regression without sparsity: coefficients (d,) and intercept under a Gaussian prior N(0, 1 / precision).

    The prior does next to nothing for a few neurons on many rows, and keeps the weights finite where a plane separates
    the classes.
    """
    if h.shape[1] == 0:
        share = float(positive.mean())
        return np.zeros(0), math.log(share) - math.log1p(-share)
    solver = "newton-cholesky" if h.shape[1] <= 300 else "lbfgs"
    model = LogisticRegression(C=1 / precision, solver=solver, max_iter=1000).fit(h, positive)
    return model.coef_[0], float(model.intercept_[0])


def refitted_logits(path: SparsePath, h: Array, positive: Booleans, new: Array) -> Array:
    """(p, m) log odds on new rows by the neurons kept at each point of the path, refitted on (h, positive).

    Args:
        path: whose kept neurons are refitted.
        h: (n, d) activations to fit on.
        positive: (n,) their class.
        new: (m, d) activations to judge.
    """
    logits: list[Array] = []
    for point, kept in enumerate(path.kept):
        if point and (kept == path.kept[point - 1]).all():
            logits.append(logits[-1])
            continue
        coefficients, intercept = refit(h[:, kept], positive)
        logits.append(new[:, kept] @ coefficients + intercept)
    return np.stack(logits)
