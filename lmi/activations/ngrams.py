"""What counting can do: unigram and bigram language models, the baselines that a trained model has to beat."""

from __future__ import annotations

import numpy as np


def unigram_nats(train: np.ndarray, targets: np.ndarray, vocabulary: int) -> float:
    """Mean held-out code length of add-one-half unigram counts, nats a token.

    p(w) = (c(w) + 1/2) / (N + V/2).

    Args:
        train: (n,) token ids.
        targets: (m,) token ids to be predicted.
        vocabulary: V, the number of possible ids.

    >>> coin = np.array([0, 1] * 500)
    >>> round(unigram_nats(coin, coin, 2), 4)
    0.6931
    """
    counts = np.bincount(train, minlength=vocabulary) + 0.5
    return float(-np.log(counts[targets] / counts.sum()).mean())


def bigram_nats(train: np.ndarray, contexts: np.ndarray, targets: np.ndarray, vocabulary: int) -> float:
    """Mean held-out code length of an interpolated Kneser-Ney bigram model, nats a token.

    p(w | v) = max(c(vw) - D, 0) / c(v) + D * T(v) / c(v) * q(w), where T(v) counts the kinds of token seen after v,
    q(w) is the share of kinds of bigram that end in w (add-one-half), and D = n1 / (n1 + 2 n2) from the numbers of
    bigrams seen once and twice (Ney, Essen & Kneser 1994; Chen & Goodman 1999). A context that was never seen gives q.

    Args:
        train: (n,) token ids in their order.
        contexts: (m,) the tokens before the targets.
        targets: (m,) token ids to be predicted.
        vocabulary: V, the number of possible ids.

    >>> alternating = np.array([0, 1] * 500)
    >>> bigram_nats(alternating, alternating[:-1], alternating[1:], 2) < 0.01
    True
    """
    pairs, counts = np.unique(train[:-1].astype(np.int64) * vocabulary + train[1:], return_counts=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once else 0.5
    total = np.bincount(pairs // vocabulary, weights=counts, minlength=vocabulary)
    kinds = np.bincount(pairs // vocabulary, minlength=vocabulary)
    ends = np.bincount(pairs % vocabulary, minlength=vocabulary) + 0.5
    lower = ends / ends.sum()

    asked = contexts.astype(np.int64) * vocabulary + targets
    place = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
    seen = np.where(pairs[place] == asked, counts[place] - discount, 0.0)
    weight = total[contexts]
    known = weight > 0
    weight = np.where(known, weight, 1.0)
    backoff = np.where(known, discount * kinds[contexts] / weight, 1.0)
    return float(-np.log(seen / weight + backoff * lower[targets]).mean())
