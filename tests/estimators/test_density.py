"""A mixture's ratio, scores and draws belong to one density; the fit finds known ones."""

import math

import pytest
import torch

from lmi.estimators.density import Mixture, fit_mixture
from lmi.sources.mixtures import NormalMixture
from lmi.sources.student import StudentT


def two_components(degrees):
    eye = torch.eye(3, dtype=torch.float64)
    lean = eye.clone()
    lean[0, 2] = lean[2, 0] = 0.6
    centres = torch.tensor([[0.0, 0.0, 0.0], [2.0, -1.0, 2.0]], dtype=torch.float64)
    return Mixture(torch.tensor([0.3, 0.7], dtype=torch.float64), centres, torch.stack((eye, lean)), degrees, 2)


@pytest.mark.parametrize("degrees", [2.5, 1e3])
def test_scores_of_pairs_are_their_ratios(degrees):
    mixture = two_components(degrees)
    x, y = mixture.sample(50, torch.Generator().manual_seed(0))
    assert torch.allclose(mixture.scores(x, y).diagonal().double(), mixture.ratio(x, y), atol=1e-4)


def test_draws_follow_the_density():
    """E[q(z) / p(z)] = 1 for draws of p and any density q."""
    mixture, other = two_components(4.0), two_components(6.0)
    z = torch.cat(mixture.sample(40_000, torch.Generator().manual_seed(1)), 1)
    weights = (other.log_density(z) - mixture.log_density(z)).exp()
    assert abs(float(weights.mean()) - 1) < 4 * float(weights.std()) / 200


@pytest.mark.parametrize("dim", [1, 3])
def test_fitted_t_density_has_the_closed_form_information(dim):
    source = StudentT(dim, 3.0, 0.5)
    pairs = source.sample(6000, torch.Generator().manual_seed(2))
    mixture = fit_mixture(pairs.x, pairs.y, 1, torch.Generator().manual_seed(0))
    assert 2.5 < mixture.degrees < 3.6
    terms = mixture.ratio(pairs.x, pairs.y)
    assert abs(float(terms.mean()) - source.truth) < 4 * float(terms.std()) / math.sqrt(6000) + 0.01


def test_one_normal_component_is_the_sample_covariance():
    z = torch.randn(500, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    mixture = fit_mixture(z[:, :2], z[:, 2:], 1, torch.Generator(), heavy=False)
    assert torch.allclose(mixture.scales[0], torch.cov(z.T, correction=0), atol=1e-10)


def test_a_mixture_of_normals_is_found():
    source = NormalMixture(dim=1, components=3, separation=3.0, shape_seed=4)
    pairs = source.sample(4000, torch.Generator().manual_seed(5))
    mixture = fit_mixture(pairs.x, pairs.y, 4, torch.Generator().manual_seed(0))
    difference = mixture.ratio(pairs.x, pairs.y) - source.ratio(pairs.x, pairs.y)
    assert abs(float(difference.mean())) < 0.03


def test_too_few_samples_are_refused():
    z = torch.randn(30, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="30 samples are too few"):
        fit_mixture(z, z, 4, torch.Generator())
