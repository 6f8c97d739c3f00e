"""Diffusion: exact denoisers give exact numbers, a network finds what no linear model sees, nothing on independence."""

import math

import pytest
import torch

import lmi
from lmi.estimators.folds import make_folds
from lmi.neural.denoisers import Denoisers, NetworkDenoiser, NormalDenoiser, noised
from lmi.neural.diffusion import DiffusionEstimator, fit_denoisers, integrand
from lmi.types import Context

QUICK = {"folds": 2, "width": 16, "blocks": 1, "steps": 60, "draws": 20}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def normal_pairs(n, d, rho, seed=0):
    z = torch.randn(2, n, d, generator=seeded(seed))
    return z[0], rho * z[0] + math.sqrt(1 - rho**2) * z[1]


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.95])
def test_the_integral_over_the_normal_denoiser_is_the_closed_form(rho):
    x, y = normal_pairs(20_000, 2, rho)
    normal = NormalDenoiser(x, y)
    gains, squares = integrand(Denoisers(normal, normal), x, y, 40, seeded(1))
    truth = -math.log(1 - rho**2)
    assert float(gains.mean()) == pytest.approx(truth, abs=0.03) and squares == pytest.approx(truth, abs=0.03)


def test_target_and_noise_are_errors_of_one_another():
    x, log_snr = torch.randn(50, 3, generator=seeded(0)), torch.linspace(-8, 12, 50)
    z, v, k = noised(x, log_snr, seeded(1))
    s = torch.sigmoid(-log_snr)[:, None].sqrt()
    noise = torch.randn(50, 3, generator=seeded(1))
    torch.testing.assert_close(s * z + k * v, noise)
    torch.testing.assert_close(k.square() + s.square(), torch.ones(50, 1))


def test_a_network_finds_a_random_sign_that_no_correlation_shows():
    generator = seeded(3)
    x = torch.randn(3000, 1, generator=generator)
    y = torch.where(torch.rand(3000, 1, generator=generator) < 0.5, x, -x) + 0.3 * torch.randn(
        3000, 1, generator=generator
    )
    fold = make_folds(3000, 2, seeded(1))[0]
    denoisers = fit_denoisers(DiffusionEstimator(width=64, steps=750), (x, y), fold, Context(seed=1))
    found = float(integrand(denoisers, x[fold.test], y[fold.test], 20, seeded(2))[0].mean())
    assert isinstance(denoisers.with_y, NetworkDenoiser) and 0.45 < found < 0.80  # of .731
    assert isinstance(denoisers.without, NormalDenoiser)  # x by itself is normal: each is chosen for itself


def test_monotone_maps_and_the_order_of_sides_change_nothing():
    x, y = normal_pairs(400, 2, 0.8)
    y = torch.cat((y, torch.randn(400, 1, generator=seeded(5))), 1)
    before = torch.get_rng_state()
    straight, bent, swapped = (
        lmi.estimate(u, v, "diffusion", seed=1, **QUICK) for u, v in ((x, y), (x**3, y.exp()), (y, x))
    )
    assert straight.nats == bent.nats == swapped.nats and torch.equal(torch.get_rng_state(), before)
    assert straight.pointwise.mean() == pytest.approx(straight.nats)
    assert straight.verdict.level == "doubtful" and straight.choice == "the denoiser of a normal"
    assert straight.nats == pytest.approx(-math.log(1 - 0.64), abs=0.2)


def test_independence_is_nothing():
    x, y = normal_pairs(600, 2, 0.0)
    assert abs(lmi.estimate(x, y, "diffusion", seed=1, **QUICK).nats) < 0.03


def test_numbers_that_disagree_or_are_cut_off_are_doubted():
    x, y = normal_pairs(400, 1, 0.8)
    few = lmi.estimate(x, y, "diffusion", seed=1, closed_form=False, **QUICK)
    assert any("both forms of the integral should agree" in reason for reason in few.verdict.reasons)
    near = lmi.estimate(x, x + 1e-9 * y, "diffusion", seed=1, **QUICK)
    assert any("the integral is not finished" in reason for reason in near.verdict.reasons)


def test_too_few_samples_are_refused():
    x, y = normal_pairs(150, 1, 0.5)
    with pytest.raises(ValueError, match="150 samples are too few: a part would have 17, expected 30 or more"):
        lmi.estimate(x, y, "diffusion")
