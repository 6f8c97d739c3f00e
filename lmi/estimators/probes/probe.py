"""What neurons tell of a label, one by one and held out: effect sizes, own MI, bits of a probe, splits by document."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy.special import digamma
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lmi.compiled import kernel
from lmi.estimators.probes.l1 import check_classes

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Rows = NDArray[np.int64]


def effect_size(h: Any, positive: Any) -> Array:
    """Cohen's d of every neuron: difference of the class means over the mean of the two standard deviations.

    >>> effect_size([[0.0], [2.0], [4.0], [6.0]], [False, False, True, True]).round(2)
    array([2.83])
    """
    h, positive = check_classes(h, positive)
    deviation = (h[positive].std(axis=0, ddof=1) + h[~positive].std(axis=0, ddof=1)) / 2
    return (h[positive].mean(axis=0) - h[~positive].mean(axis=0)) / np.where(deviation > 0, deviation, np.inf)


def label_information(h: Any, positive: Any, k: int = 3) -> Array:
    """I(neuron; label) of every neuron in nats, (n, d) and (n,) -> (d,): Ross's estimator for a discrete partner.

    psi(n) + mean[psi(k_i) - psi(n_class) - psi(m_i)]: m_i counts the rows nearer than the k-th neighbour in one's own
    class, oneself included. Where more than k rows of a class share one value, k_i is all of them and m_i the rows with
    that value, as Gao et al. (2017) do. Ross, "Mutual information between discrete and continuous data sets", 2014.

    >>> h = np.random.default_rng(0).standard_normal((400, 2))
    >>> bool(abs(label_information(h, h[:, 0] > 0) - [np.log(2), 0]).max() < 0.05)
    True
    """
    h, positive = check_classes(h, positive)
    n = positive.size
    smallest = min(positive.sum(), n - positive.sum())
    if not 1 <= k < smallest:
        raise ValueError(f"expected 1 <= k < {smallest} rows in the smaller class, got k = {k}")
    return _ross(np.ascontiguousarray(h.T), positive, k, digamma(np.arange(n + 1).clip(1)))


@kernel(parallel=True)
def _ross(columns: Any, positive: Any, k: int, table: Any) -> Any:
    d, n = columns.shape
    nats = np.empty(d)
    for j in prange(d):
        everyone = np.sort(columns[j])
        total = 0.0
        for side in range(2):
            same = np.sort(columns[j][positive if side else ~positive])
            for i in range(same.size):
                # the k nearest of a sorted array are a window around i: slide it to where its reach is least
                radius = np.inf
                for first in range(max(0, i - k), min(i, same.size - 1 - k) + 1):
                    radius = min(radius, max(same[i] - same[first], same[first + k] - same[i]))
                if radius > 0:
                    low = np.searchsorted(everyone, same[i] - radius, side="right")
                    high = np.searchsorted(everyone, same[i] + radius, side="left")
                    # the sums round: step to where the differences themselves are below the radius
                    while low > 0 and same[i] - everyone[low - 1] < radius:
                        low -= 1
                    while same[i] - everyone[low] >= radius:
                        low += 1
                    while high < n and everyone[high] - same[i] < radius:
                        high += 1
                    while everyone[high - 1] - same[i] >= radius:
                        high -= 1
                    near = k
                else:
                    near = np.searchsorted(same, same[i], side="right") - np.searchsorted(same, same[i], side="left")
                    low = np.searchsorted(everyone, same[i], side="left")
                    high = np.searchsorted(everyone, same[i], side="right")
                total += table[near] - table[same.size] - table[high - low]
        nats[j] = table[n] + total / n
    return nats


def shuffled_documents(positive: Booleans, documents: Rows, generator: np.random.Generator) -> Booleans:
    """The labels of whole documents in another order, laid along the same rows: what a neuron cannot know, with the
    runs and repetitions inside documents kept.

    >>> labels = np.array([True, True, False, False])
    >>> shuffled_documents(labels, np.array([0, 0, 1, 1]), np.random.default_rng(1)).sum()
    np.int64(2)
    """
    names, document = np.unique(documents, return_inverse=True)
    rank = generator.permutation(names.size)[document]
    shuffled = np.empty_like(positive)
    shuffled[np.argsort(document, kind="stable")] = positive[np.argsort(rank, kind="stable")]
    return shuffled


def entropy_bits(positive: Booleans) -> float:
    """H(Y) of a two-class label from its shares, bits."""
    share = float(np.mean(positive))
    return -sum(p * math.log2(p) for p in (share, 1 - share) if p > 0)


def gained_bits(logits: Array, positive: Booleans) -> Array:
    """-log2 of the true class's share, less -log2 of the probability given to it, for every logit (..., n).

    The mean over rows is H(Y) minus cross-entropy: where the logits come from a model fitted on other rows, a lower
    bound on I(h; Y) up to sampling error.

    >>> gained_bits(np.array([9.0, -9.0, 9.0, -9.0]), np.array([True, False, True, False])).round(3)
    array([1., 1., 1., 1.])
    """
    share = positive.mean()
    surprise = -np.log2(np.where(positive, share, 1 - share))
    return np.asarray(surprise - np.logaddexp(0, np.where(positive, -logits, logits)) / math.log(2))


def standard_error(values: Array, documents: Rows) -> Any:
    """Standard error of the mean of values (..., n) whose rows of one document are not independent."""
    _, document = np.unique(documents, return_inverse=True)
    count = int(document.max()) + 1
    centred = values - values.mean(axis=-1, keepdims=True)
    sums = np.apply_along_axis(lambda row: np.bincount(document, row, minlength=count), -1, centred)
    return np.sqrt((sums**2).sum(axis=-1) * count / max(count - 1, 1)) / values.shape[-1]


def folds(positive: Booleans, documents: Rows, parts: int, seed: int) -> list[tuple[Rows, Rows]]:
    """``parts`` splits into (rest, part) with whole documents in each part and the classes about balanced.

    Args:
        positive: (n,) the class.
        documents: (n,) the document of each row.
        parts: how many.
        seed: of the shuffle.

    Raises:
        ValueError: with fewer documents than parts, or where a class is missing on one side of a split.
    """
    count = np.unique(documents).size
    if count < parts:
        raise ValueError(f"{count} documents cannot be split into {parts} parts: whole documents go to one part")
    alone = count == documents.size
    splitter = StratifiedKFold if alone else StratifiedGroupKFold
    smaller = min(positive.sum(), (~positive).sum())
    if smaller < parts:
        raise ValueError(f"the smaller class has {smaller} rows, too few for {parts} parts")
    assigned = splitter(parts, shuffle=True, random_state=seed % 2**32)
    splits = [(rest, fold) for rest, fold in assigned.split(positive[:, None], positive, None if alone else documents)]
    for rest, fold in splits:
        for rows in (rest, fold):
            if np.unique(positive[rows]).size < 2:
                raise ValueError(
                    f"a split by document leaves one class only in {rows.size} of {positive.size} rows: "
                    f"too few of the {count} documents hold the rarer class"
                )
    return splits
