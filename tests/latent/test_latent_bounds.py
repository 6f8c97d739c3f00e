"""Held-out bounds in latents: near the truth where KSG is far below it, nothing under independence, honest about both."""

import math

import pytest
import torch

import lmi
from lmi.estimators.bounds.heldout import bound_influence, bound_terms
from lmi.latent import bounds_reading
from lmi.latent.bounds_reading import scaled_scores
from lmi.latent.fitting import SMALLEST_PART
from lmi.latent.latent_bounds import LatentBoundsEstimator
from lmi.latent.training import three_way_folds
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.normal.pushforward import Pushforward

SMALL = {"hidden": (64,), "critics": ("copula", "separable"), "permutations": 5}


def draw(rank, bits, nonlinear=False, n=2000, dim=40, seed=0):
    source = LowRankGaussian(rank=rank, bits=bits, x_dim=dim, y_dim=dim)
    if nonlinear:
        source = Pushforward(source, ("coordinates",))
    return source.sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rank", "bits", "nonlinear", "below"), [(1, 2.0, True, 0.25), (4, 2.0, False, 0.35), (8, 2.0, False, 0.6)]
)
def test_the_bound_is_near_the_truth_and_not_above_it(rank, bits, nonlinear, below):
    pairs = draw(rank, bits, nonlinear)
    estimate = lmi.estimate(pairs.x, pairs.y, "latent_bounds", **SMALL)
    error = estimate.details["standard_error_nats"] / math.log(2)
    assert bits - below < estimate.bits < bits + 3 * error
    assert estimate.null.p_value == pytest.approx(1 / 6)
    assert "critic" in estimate.choice and "lower bound" in estimate.choice
    if rank == 8:
        assert estimate.details["ksg_nats"] < 0.7 * estimate.nats


@pytest.mark.parametrize("bound", ["dv", "nwj", "infonce", "smile"])
def test_independence_is_nothing_to_every_bound(bound):
    pairs = draw(1, 0.0, n=1000)
    estimate = lmi.estimate(pairs.x, pairs.y, "latent_bounds", bound=bound, max_epochs=8, **SMALL)
    assert abs(estimate.bits) < 0.03
    assert estimate.interval[0] <= 0 <= estimate.interval[1] and estimate.interval[1] > estimate.interval[0]
    assert estimate.null.p_value > 0.1


def test_pointwise_terms_are_those_of_what_trained_nothing():
    pairs = draw(1, 1.0, n=900)
    estimate = lmi.estimate(pairs.x, pairs.y, "latent_bounds", max_epochs=8, **SMALL)
    held_out = ~estimate.pointwise.isnan()
    assert int(held_out.sum()) == estimate.num_samples == 270
    assert torch.equal(held_out.nonzero()[:, 0], estimate.model.held_out.sort().values)
    assert float(estimate.pointwise.nanmean()) == pytest.approx(estimate.nats, abs=1e-12)
    assert estimate.nats <= estimate.ceiling == pytest.approx(math.log(270))


def test_cross_fitting_bounds_every_sample():
    pairs = draw(1, 1.0, n=900)
    estimate = lmi.estimate(pairs.x, pairs.y, "latent_bounds", folds=3, max_epochs=10, **SMALL)
    assert not bool(estimate.pointwise.isnan().any()) and estimate.num_samples == 900
    assert len(estimate.model) == 3 and estimate.null.nats.numel() == 5
    assert estimate.interval[0] < estimate.nats < estimate.interval[1]
    assert estimate.choice.count("fold") == 3


def test_the_estimate_part_chooses_nothing():
    """Whatever the held-out samples are, fits and choice stay the same."""
    pairs = draw(1, 1.0, n=600)
    settings = LatentBoundsEstimator(max_epochs=4, **SMALL)
    context = lmi.Context(seed=1)
    held = three_way_folds(settings, 600, SMALLEST_PART, context)[0].test
    first = settings.estimate(pairs.x, pairs.y, context)
    other = pairs.x.clone()
    other[held] = torch.randn(held.numel(), 40, generator=torch.Generator().manual_seed(9), dtype=other.dtype)
    second = settings.estimate(other, pairs.y, context)
    assert first.choice == second.choice
    assert second.nats < 0.1 < first.nats


def test_a_critic_that_diverges_is_dropped_with_a_warning(monkeypatch):
    def fails(*_):
        raise ValueError("diverged")

    monkeypatch.setattr(bounds_reading, "fit_critic", fails)
    pairs = draw(1, 1.0, n=600)
    estimate = lmi.estimate(pairs.x, pairs.y, "latent_bounds", max_epochs=4, **SMALL)
    assert "the separable critic was dropped: diverged" in estimate.warnings
    assert estimate.verdict.level != "reliable"
    with pytest.raises(ValueError, match="every critic of the latents failed"):
        lmi.estimate(pairs.x, pairs.y, "latent_bounds", max_epochs=2, **{**SMALL, "critics": ("joint",)})


def test_overconfident_scores_are_turned_down_and_normalised():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(800, 1, generator=g, dtype=torch.float64)
    y = 0.6 * x + 0.8 * torch.randn(800, 1, generator=g, dtype=torch.float64)

    def right(a, b):
        return -0.5 * math.log(0.64) - (0.36 * (a**2 + (b**2).T) - 1.2 * a @ b.T) / 1.28

    f = scaled_scores(lambda a, b: 2 * right(a, b) + 7, x, y)(x, y)
    for bound in ("dv", "nwj", "smile", "infonce"):
        assert float(bound_terms(f, bound).mean()) == pytest.approx(-0.5 * math.log(0.64), abs=0.06)
    assert float(bound_terms(right(x, y), "dv").mean() - bound_terms(f, "dv").mean()) < 0.02


@pytest.mark.parametrize("bound", ["dv", "nwj", "smile"])
def test_influence_gives_the_standard_error_of_the_bound(bound):
    r, values, errors = 0.8, [], []
    for seed in range(60):
        g = torch.Generator().manual_seed(seed)
        x = torch.randn(300, 1, generator=g, dtype=torch.float64)
        y = r * x + (1 - r**2) ** 0.5 * torch.randn(300, 1, generator=g, dtype=torch.float64)
        f = -0.5 * math.log(1 - r**2) - (r**2 * (x**2 + (y**2).T) - 2 * r * x @ y.T) / (2 * (1 - r**2))
        values.append(float(bound_terms(f, bound).mean()))
        errors.append(float(bound_influence(f, bound).std()) / 300**0.5)
    spread = float(torch.tensor(values).std())
    assert 0.75 < sum(errors) / 60 / spread < 1.35


def test_too_few_samples_to_choose_a_critic():
    pairs = draw(1, 1.0, n=100)
    with pytest.raises(ValueError, match="too few to choose a critic: the stop part would have 10"):
        lmi.estimate(pairs.x, pairs.y, "latent_bounds")
