from collections import Counter

import numpy as np
import pytest

from lmi.activations.ngrams import bigram_nats, unigram_nats


def slow_bigram(train, vocabulary):
    """p[v, w] from the formula, by dictionaries."""
    pairs = Counter(zip(train[:-1].tolist(), train[1:].tolist()))
    once = sum(count == 1 for count in pairs.values())
    twice = sum(count == 2 for count in pairs.values())
    discount = once / (once + 2 * twice) if once else 0.5
    ends = np.array([sum(1 for pair in pairs if pair[1] == w) for w in range(vocabulary)]) + 0.5
    table = np.tile(ends / ends.sum(), (vocabulary, 1))
    for v in range(vocabulary):
        seen = {w: count for (first, w), count in pairs.items() if first == v}
        if seen:
            total = sum(seen.values())
            table[v] = discount * len(seen) / total * table[v]
            for w, count in seen.items():
                table[v, w] += (count - discount) / total
    return table


@pytest.fixture
def zipf():
    weights = 1 / np.arange(1, 21)
    return np.random.default_rng(0).choice(20, size=600, p=weights / weights.sum())


def test_the_bigram_model_is_the_formula_and_a_distribution(zipf):
    vocabulary = 22  # two tokens are never seen
    table = slow_bigram(zipf, vocabulary)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    contexts, targets = np.divmod(np.arange(vocabulary**2), vocabulary)
    table_rows = [
        np.exp(-bigram_nats(zipf, contexts[i : i + 1], targets[i : i + 1], vocabulary)) for i in range(len(contexts))
    ]
    np.testing.assert_allclose(np.reshape(table_rows, (vocabulary, vocabulary)), table, rtol=1e-10)


def test_unigram_probabilities_sum_to_one(zipf):
    total = sum(np.exp(-unigram_nats(zipf, np.array([w]), 22)) for w in range(22))
    assert total == pytest.approx(1)


def test_a_bigram_model_finds_a_markov_chains_entropy_rate():
    rng = np.random.default_rng(1)
    step = rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1], size=40_000)
    chain = np.cumsum(step) % 10
    entropy = -sum(p * np.log(p) for p in (0.7, 0.2, 0.1))
    train, test = chain[:30_000], chain[30_000:]
    assert bigram_nats(train, test[:-1], test[1:], 10) == pytest.approx(entropy, abs=0.02)
    assert unigram_nats(train, test, 10) == pytest.approx(np.log(10), abs=0.01)
