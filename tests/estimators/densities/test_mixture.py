"""A mixture's ratio, scores and draws belong to one density; the fit finds known ones."""

import math

import pytest
import torch

from lmi.estimators.densities.mixture import Mixture, fit_mixture
from lmi.estimators.densities.starts import far_clusters
from lmi.sources.normal.mixtures import NormalMixture
from lmi.sources.normal.student import StudentT


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


def slow_log_density(mixture, z):
    """One sample and one component at a time, from the textbook."""
    d, out = z.shape[1], []
    for row in z:
        logs = []
        for weight, centre, scale in zip(mixture.weights, mixture.centres, mixture.scales, strict=True):
            square = float((row - centre) @ torch.linalg.inv(scale) @ (row - centre))
            half = 0.5 * float(torch.logdet(scale))
            v = mixture.degrees
            if v >= 1e3:
                log = -half - 0.5 * d * math.log(2 * math.pi) - 0.5 * square
            else:
                log = math.lgamma((v + d) / 2) - math.lgamma(v / 2) - 0.5 * d * math.log(v * math.pi) - half
                log -= (v + d) / 2 * math.log1p(square / v)
            logs.append(math.log(float(weight)) + log)
        out.append(float(torch.tensor(logs, dtype=torch.float64).logsumexp(0)))
    return torch.tensor(out, dtype=torch.float64)


@pytest.mark.parametrize("degrees", [2.5, 1e3])
def test_densities_and_scores_equal_the_slow_formula(degrees):
    mixture = two_components(degrees)
    x, y = mixture.sample(7, torch.Generator().manual_seed(3))
    x[0] *= 50  # far outside
    joint = slow_log_density(mixture, torch.cat((x, y), 1))
    assert torch.allclose(mixture.log_density(torch.cat((x, y), 1)), joint, atol=1e-9, rtol=1e-9)
    sides = [slice(0, 2), slice(2, 3)]
    parts = [
        Mixture(mixture.weights, mixture.centres[:, side], mixture.scales[:, side, side], degrees, 1) for side in sides
    ]
    for i in range(7):
        for j in range(7):
            pair = torch.cat((x[i], y[j]))[None]
            log_densities = [slow_log_density(part, pair[:, side]) for part, side in zip(parts, sides, strict=True)]
            expected = float(slow_log_density(mixture, pair) - log_densities[0] - log_densities[1])
            assert float(mixture.scores(x, y)[i, j]) == pytest.approx(expected, abs=1e-4, rel=1e-5)


def slow_fit(z, components, dx, steps):
    """The same iteration with every sum written out; normal components."""
    n = z.shape[0]
    floor = 1e-6 * torch.diag(z.var(0))
    share = far_clusters(z, components, torch.Generator().manual_seed(0))
    for _ in range(steps):
        weights = share.sum(0) / n
        centres = torch.stack([(share[:, k, None] * z).sum(0) / share[:, k].sum() for k in range(components)])
        scales = []
        for k in range(components):
            scatter = sum(share[i, k] * torch.outer(z[i] - centres[k], z[i] - centres[k]) for i in range(n))
            scales.append(scatter / share[:, k].sum() + floor)
        normals = [torch.distributions.MultivariateNormal(centres[k], scales[k]) for k in range(components)]
        logs = torch.stack([weights[k].log() + normals[k].log_prob(z) for k in range(components)], 1)
        share = torch.softmax(logs, 1)
    return Mixture(weights, centres, torch.stack(scales), 1e3, dx)


def test_the_fit_equals_the_slow_iteration():
    source = NormalMixture(dim=1, components=3, separation=3.0, shape_seed=4)
    pairs = source.sample(150, torch.Generator().manual_seed(5))
    slow = slow_fit(torch.cat((pairs.x, pairs.y), 1), 3, 1, steps=6)
    fast = fit_mixture(pairs.x, pairs.y, 3, torch.Generator().manual_seed(0), heavy=False, iterations=6)
    for name in ("weights", "centres", "scales"):
        torch.testing.assert_close(getattr(fast, name), getattr(slow, name), atol=1e-9, rtol=1e-9)


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
