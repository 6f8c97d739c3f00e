"""The truths of sources that were invented against ``auto``, each by a second way."""

import math

import pytest
import torch
from scipy import stats

from lmi.sources.integrals import normal_log_density
from lmi.sources.nonlinear.clayton import Clayton
from lmi.sources.nonlinear.gates import Gates, mixed
from lmi.sources.nonlinear.hidden_place import PLACES, HiddenPlace
from lmi.sources.nonlinear.labels import LabelsAndTables
from lmi.sources.nonlinear.sphere import Sphere
from lmi.sources.nonlinear.switches import Switches


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_gate_by_its_log_ratio_on_draws():
    pairs = Gates("gate", 1, 0.4).sample(100_000, seeded())
    (y, z), x = pairs.y.T, pairs.x[:, 0]
    terms = normal_log_density(y - x * z, 0.16) - normal_log_density(y, z.square() + 0.16)
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / 100_000**0.5


@pytest.mark.parametrize("form", ["growing", "fork"])
def test_noise_that_grows_and_forks_by_their_log_ratio_on_draws(form):
    source = Gates(form, 1, 0.2)
    pairs = source.sample(1000, seeded())
    many = source.sample(2000, seeded(1)).x[:, 0]  # other draws of x stand for its law
    x, y = pairs.x[:, 0], pairs.y[:, 0]
    even = torch.full((len(many),), 1 / len(many), dtype=torch.float64)
    if form == "growing":
        given = normal_log_density(y - x, (0.2 + 0.6 * x.abs()).square())
        alone = mixed(y, many, 0.2 + 0.6 * many.abs(), even).log()
    else:
        given = (
            0.5 * (normal_log_density(y - x.sqrt(), 0.04).exp() + normal_log_density(y + x.sqrt(), 0.04).exp())
        ).log()
        same = torch.full_like(many, 0.2)
        alone = (0.5 * (mixed(y, many.sqrt(), same, even) + mixed(y, -many.sqrt(), same, even))).log()
    terms = given - alone
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / 1000**0.5 + 0.01


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_a_sphere_by_the_mean_cosine_and_its_constant(dim):
    source = Sphere(dim, 4.0)
    pairs = source.sample(20_000, seeded())
    cosine = (pairs.x * pairs.y).sum(1) / (dim + 1)
    assert float(pairs.x.sum(1).abs().max()) < 1e-9
    assert torch.allclose(pairs.y.square().mean(1), torch.ones(1, dtype=torch.float64))
    # p(y | x) = exp(k cos) / E exp(k cos) relative to the uniform law, the mean over uniform points.
    uniform = torch.randn(400_000, dim, generator=seeded(1), dtype=torch.float64)
    constant = (4 * uniform[:, 0] / uniform.norm(dim=1)).exp().mean().log()
    assert math.isclose(4 * float(cosine.mean()) - float(constant), source.truth, abs_tol=0.03)


def test_a_place_that_is_seen_clearly_is_worth_all_its_places():
    assert math.isclose(HiddenPlace("bumps", 32, 0.01).truth, math.log(PLACES), abs_tol=0.05)
    assert HiddenPlace("bumps", 16, 20.0).truth < 0.02


@pytest.mark.parametrize("view", ["spikes", "spiral"])
def test_a_place_by_the_densities_of_scipy_on_draws(view):
    source = HiddenPlace(view, 4, 0.4)
    pairs = source.sample(1500, seeded())
    logs = []
    for z, means in zip((pairs.x, pairs.y), source.means()):
        z, means = z.numpy()[:, None, :], means.numpy()[None]
        each = stats.poisson.logpmf(z, means) if view == "spikes" else stats.norm.logpdf(z, means, source.noise)
        logs.append(torch.from_numpy(each.sum(2)))
    terms = math.log(PLACES) + (logs[0] + logs[1]).logsumexp(1) - logs[0].logsumexp(1) - logs[1].logsumexp(1)
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / 1500**0.5 + 0.015
    assert pairs.x.shape[1] == (4 if view == "spikes" else 2)


@pytest.mark.parametrize("form", ["sparse", "regressions"])
def test_switches_by_their_log_ratio_on_draws(form):
    pairs = Switches(form, 2, 0.4).sample(50_000, seeded(2))
    x, y = (z.numpy() for z in (pairs.x, pairs.y))
    if form == "sparse":
        weights, of_noise, slopes = (0.9, 0.1), (0.4, 4.0), (1.0, 1.0)
    else:
        weights, of_noise, slopes = (1 / 3,) * 3, (0.4,) * 3, (-1.5, 0.0, 1.5)
    laws = list(zip(weights, of_noise, slopes, strict=True))
    given = sum(w * stats.norm.pdf(y, b * x, s) for w, s, b in laws)
    alone = sum(w * stats.norm.pdf(y, 0, math.hypot(b, s)) for w, s, b in laws)
    terms = torch.from_numpy(given / alone).log().sum(1)
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / 50_000**0.5


def test_clayton_by_its_copula_density_and_kendalls_tau_on_draws():
    t = 2.0
    pairs = Clayton(2, t).sample(100_000, seeded(3))
    u, v = (-pairs.x).exp(), torch.special.ndtr(pairs.y)
    logs = math.log1p(t) - (1 + t) * (u * v).log() - (2 + 1 / t) * (u**-t + v**-t - 1).log()
    terms = logs.sum(1)
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / 100_000**0.5
    tau = stats.kendalltau(u[:5000, 0], v[:5000, 0]).statistic
    assert tau == pytest.approx(t / (t + 2), abs=0.03)


def test_the_largest_of_noisy_columns_by_its_log_ratio_on_draws():
    pairs = LabelsAndTables("argmax", 4).sample(50_000, seeded(4))
    label = pairs.y.long()
    assert torch.bincount(label[:, 0]).double().div(50_000).numpy() == pytest.approx(0.25, abs=0.01)
    terms = math.log(4) + (2 * pairs.x).log_softmax(1).gather(1, label)
    assert abs(float(terms.mean()) - pairs.truth) < 4 * float(terms.std()) / 50_000**0.5 + 0.004


@pytest.mark.parametrize(
    "source", [Gates(), Sphere(), HiddenPlace(), Switches(), Clayton()], ids=lambda s: type(s).__name__
)
def test_no_number_of_samples_is_refused(source):
    with pytest.raises(ValueError, match="num_samples"):
        source.sample(None, seeded())
