import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.feature_selection import mutual_info_regression

from lmi.estimators.neighbors.ksg import ksg_pointwise
from lmi.estimators.pairwise import rowwise


def pairs(m: int = 6, n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r = np.linspace(-0.9, 0.9, m)[:, None]
    x, z = np.random.default_rng(seed).standard_normal((2, m, n))
    return x, r * x + np.sqrt(1 - r**2) * z, r[:, 0]


@pytest.mark.parametrize("k", [1, 3])
def test_ksg_equals_the_plain_estimator_term_by_term(k: int) -> None:
    x, y, _ = pairs()
    rows = zip(torch.from_numpy(x), torch.from_numpy(y))
    plain = np.stack([ksg_pointwise(a[:, None], b[:, None], k).numpy() for a, b in rows])
    np.testing.assert_allclose(rowwise.ksg_pointwise(x, y, k), plain, atol=1e-12)


def test_ksg_equals_scikit_learn() -> None:
    x, y, _ = pairs()
    x, y = (values / values.std(axis=1, keepdims=True) for values in (x, y))
    peer = [mutual_info_regression(a[:, None], b, n_neighbors=3, random_state=0)[0] for a, b in zip(x, y)]
    np.testing.assert_allclose(rowwise.ksg_pointwise(x, y, 3).mean(axis=1).clip(0), peer, atol=1e-6)


def test_ksg_of_tied_values_is_discrete_mi() -> None:
    x = np.random.default_rng(0).integers(0, 3, (1, 6000)).astype(float)
    assert abs(rowwise.ksg_pointwise(x, x, 3).mean() - np.log(3)) < 0.01


def test_histogram_equals_numpy() -> None:
    x, y, _ = pairs()
    counts = rowwise.histogram_counts(x, y, 15)
    for a, b, mine in zip(x, y, counts):
        np.testing.assert_array_equal(mine, np.histogram2d(a, b, 15)[0])


def test_histogram_nats_is_the_plain_double_sum() -> None:
    x, y, _ = pairs(2)
    batch = rowwise.histogram(x, y, 8)
    for row, counts in enumerate(rowwise.histogram_counts(x, y, 8)):
        p = counts / counts.sum()
        total = sum(
            p[i, j] * np.log(p[i, j] / (p[i].sum() * p[:, j].sum())) for i in range(8) for j in range(8) if p[i, j]
        )
        occupied = (p.sum(1) > 0).sum() + (p.sum(0) > 0).sum() - (p > 0).sum() - 1
        assert batch.nats[row] == pytest.approx(total, abs=1e-12)
        assert batch.corrected[row] == pytest.approx(total + occupied / (2 * counts.sum()), abs=1e-12)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    hits = []
    for seed in range(6):
        x, y, r = pairs(100, 500, seed)
        truth = -0.5 * np.log1p(-(r**2))
        hits += [
            rowwise.ksg(x, y, 3, torch.Generator().manual_seed(seed)).covers(truth),
            rowwise.gaussian(x, y).covers(truth),
        ]
    ksg, gaussian = np.mean(hits[::2]), np.mean(hits[1::2])
    assert 0.9 <= ksg <= 0.99
    assert abs(gaussian - 0.9) < 3 * np.sqrt(0.09 / 600) + 0.02


def test_gaussian_bias_is_taken_off_exactly() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 20000, 12))
    batch = rowwise.gaussian(x, y)
    assert abs(batch.corrected.mean()) < norm.ppf(0.999) * batch.nats.std() / np.sqrt(20000)
    assert batch.nats.mean() > 0.04


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.zeros((2, 20)), np.ones((2, 20)), "constant in row 0"),
        (np.ones((2, 20)), np.ones((2, 21)), "one shape"),
        (np.full((1, 20), np.nan), np.ones((1, 20)), "NaN"),
        (np.ones((1, 3)), np.ones((1, 3)), "at least 8"),
    ],
)
def test_bad_rows_are_refused(x: np.ndarray, y: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rowwise.ksg_pointwise(x, y)
