import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lmi.estimators.probes.noisy_logistic import NoisyLogisticRegression


def samples(n, classes, wrong, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6))
    label = x[:, :classes].argmax(1)
    return x, np.where(rng.random(n) < wrong, rng.integers(classes, size=n), label)


@pytest.mark.parametrize("classes", [2, 5])
def test_wrong_labels_do_not_bend_the_slope(classes):
    x, label = samples(2000, classes, 0.2, 0)
    fresh, answer = samples(4000, classes, 0.2, 1)
    noisy, plain = (
        model.fit(x, label).predict_proba(fresh)[np.arange(4000), answer]
        for model in (NoisyLogisticRegression(C=3.0), LogisticRegression(C=3.0, max_iter=500))
    )
    right, other = 1 - 0.2 + 0.2 / classes, 0.2 / classes
    best = right * np.log(right) + (classes - 1) * other * np.log(other)
    assert np.log(noisy).mean() > best - 0.12
    assert np.log(noisy).mean() > np.log(plain).mean() + 0.04


def test_labels_of_which_none_is_wrong_are_fitted_as_without():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3000, 3))
    label = rng.random(3000) < 1 / (1 + np.exp(-x[:, 0] - 0.5))
    noisy = NoisyLogisticRegression(C=3.0).fit(x, label)
    plain = LogisticRegression(C=3.0).fit(x, label)
    assert np.abs(noisy.predict_proba(x) - plain.predict_proba(x)).mean() < 0.02
    assert np.allclose(noisy.predict_proba(x).sum(1), 1)


def test_one_wrong_way_only():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4000, 2))
    label = (x[:, 0] > 0) | (rng.random(4000) < 0.2)  # some are called true that are not
    wrong = NoisyLogisticRegression(C=10.0).fit(x, label).wrong_
    assert wrong[0] < 0.02 and abs(wrong[1] - 0.2) < 0.03
