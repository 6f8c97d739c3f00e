"""Bounds on scores: with the true log density ratio each is the MI, and none is above its ceiling."""

import math

import pytest
import torch

from lmi.estimators.bounds.bounds import donsker_varadhan, infonce, nwj, smile


def true_scores(r, n, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, generator=generator, dtype=torch.float64)
    y = r * x + math.sqrt(1 - r**2) * torch.randn(n, generator=generator, dtype=torch.float64)
    rest = 1 - r**2
    quadratic = (r**2 * (x[:, None] ** 2 + y[None] ** 2) - 2 * r * x[:, None] * y[None]) / (2 * rest)
    return -0.5 * math.log(rest) - quadratic


@pytest.mark.parametrize("bound", [donsker_varadhan, infonce, smile])
def test_the_true_ratio_gives_the_mi(bound):
    r = 0.6
    values = torch.stack([bound(true_scores(r, 600, seed)) for seed in range(20)])
    truth = -0.5 * math.log(1 - r**2)
    assert abs(float(values.mean()) - truth) < 4 * float(values.std()) / math.sqrt(20) + 0.01


def test_nwj_peaks_one_above_the_true_ratio():
    values = torch.stack([nwj(true_scores(0.6, 600, seed) + 1) for seed in range(20)])
    assert abs(float(values.mean()) + 0.5 * math.log(1 - 0.36)) < 4 * float(values.std()) / math.sqrt(20) + 0.01


def test_infonce_never_passes_log_of_the_batch():
    scores = 100 * torch.eye(32)
    assert float(infonce(scores)) <= math.log(32) + 1e-6
    assert float(infonce(scores)) == pytest.approx(math.log(32), abs=1e-4)


def test_constant_scores_say_nothing():
    scores = torch.full((16, 16), 3.0, dtype=torch.float64)
    assert float(donsker_varadhan(scores)) == pytest.approx(0, abs=1e-12)
    assert float(infonce(scores)) == pytest.approx(0, abs=1e-12)
