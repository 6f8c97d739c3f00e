"""Plain neural bounds: near the truth where it is low, under their ceilings where it is high, silent under independence."""

import math

import pytest
import torch

import lmi
import lmi.neural.neural as neural
from lmi.estimators.bounds.heldout import held_out
from lmi.neural.critic import CriticSettings, fit_critic
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.normal.pushforward import Pushforward
from lmi.types import Context

NAMES = ("mine", "infonce", "nwj", "smile")


def pairs(n, r, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=g)
    return x, r * x + math.sqrt(1 - r**2) * torch.randn(n, 2, generator=g)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_bounds_find_a_moderate_dependence(name):
    x, y = pairs(1600, 0.7)
    estimate = lmi.estimate(x, y, name, max_epochs=25 if name == "nwj" else 12)  # which is the noisiest
    truth = -math.log(1 - 0.49)
    assert truth - 0.2 < estimate.nats < truth + 0.12
    assert estimate.verdict is not None and estimate.interval[0] < estimate.nats < estimate.interval[1]


@pytest.mark.parametrize("name", NAMES)
def test_bounds_find_nothing_in_independent_samples(name):
    x, y = pairs(600, 0.0, 1)
    assert -0.3 < lmi.estimate(x, y, name, max_epochs=8).nats < 0.06  # a lower bound may stay below zero


@pytest.mark.slow
def test_infonce_stays_under_the_log_of_its_block():
    x, _ = pairs(1000, 0.0, 2)
    estimate = lmi.estimate(x, x, "infonce", max_epochs=15)
    assert estimate.nats <= estimate.ceiling == pytest.approx(math.log(400))
    assert estimate.verdict.level != "reliable"


def test_a_critic_over_a_base_is_no_worse_than_the_base():
    x, y = pairs(1500, 0.8, 3)
    r = 0.8

    def true_ratio(a, b):
        return ((-(r**2) * (a**2).sum(1)[:, None] - r**2 * (b**2).sum(1)) / 2 + r * a @ b.T) / (1 - r**2)

    critic, curves = fit_critic(
        (x[:700], y[:700]), (x[700:1000], y[700:1000]), "infonce", CriticSettings(max_epochs=10), Context(1), true_ratio
    )
    test_x, test_y = x[1000:].double(), y[1000:].double()
    alone = held_out(true_ratio, test_x, test_y).infonce.mean()
    both = held_out(lambda a, b: critic.scores(a, b) + true_ratio(a, b), test_x, test_y).infonce.mean()
    assert float(both) > float(alone) - 0.05
    assert len(curves["stop_loss"]) == len(curves["train_loss"])


def test_too_few_to_split():
    x, y = pairs(30, 0.5)
    with pytest.raises(ValueError, match="too few to be split in three"):
        lmi.estimate(x, y, "mine")


@pytest.mark.parametrize("name", ["infonce", "mine", "latent_bounds"])
@pytest.mark.slow
def test_a_bound_far_below_what_the_closed_form_finds_is_doubted(name):
    source = Pushforward(LowRankGaussian(rank=9, bits=1.5, x_dim=10, y_dim=10), ("coordinates",))
    drawn = source.sample(1200, torch.Generator().manual_seed(0))
    estimate = lmi.estimate(drawn.x, drawn.y, name, max_epochs=20)
    assert estimate.bits < 1.0
    assert estimate.verdict.level != "reliable"
    assert any("closed form" in reason or "normal model" in reason for reason in estimate.verdict.reasons)


def test_a_fit_to_half_of_the_samples_that_diverges_is_a_doubt_and_not_the_end(monkeypatch):
    """The estimate stands on its own fit; the other one only says how far to trust it."""
    fits = []

    def once(*words):
        fits.append(words)
        if len(fits) > 1:
            raise ValueError("the fit diverged")
        return fit_critic(*words)

    monkeypatch.setattr(neural, "fit_critic", once)
    estimate = lmi.estimate(*pairs(400, 0.8), "infonce", max_epochs=3)
    assert estimate.verdict.level == "doubtful" and len(fits) == 2
    assert any("the fit diverged" in reason for reason in estimate.verdict.reasons)
