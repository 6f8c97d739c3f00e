"""Paired flows: right on bent normal pairs, unmoved by monotone maps, nothing on independence, clear without zuko."""

import importlib
import math

import pytest
import torch

import lmi
from lmi.neural import flows
from lmi.types import Context

QUICK = {"folds": 2, "transforms": 2, "hidden": (32,), "max_epochs": 15}


def normal_pairs(n, rho, seed=0):
    z = torch.randn(2, n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return z[0], rho * z[0] + math.sqrt(1 - rho**2) * z[1]


@pytest.fixture(scope="module")
def zuko():
    return pytest.importorskip("zuko")


@pytest.mark.slow
def test_a_bend_that_no_column_shows_is_undone(zuko):
    x, y = normal_pairs(1000, 0.8)
    # A rotation by the radius is invertible, and a linear model sees half of what is there through it.
    turn = x.norm(dim=1, keepdim=True)
    bent = torch.cat((turn.cos() * x[:, :1] - turn.sin() * x[:, 1:], turn.sin() * x[:, :1] + turn.cos() * x[:, 1:]), 1)
    truth = -math.log(1 - 0.64)
    result = lmi.estimate(bent, y, "flows", seed=1, **QUICK)
    linear = lmi.estimate(bent, y, "gaussian", permutations=0)
    assert linear.nats + 0.1 < result.nats < truth + 0.1
    assert result.verdict.level == "doubtful" and result.pointwise.mean() == pytest.approx(result.nats)


def test_monotone_maps_change_nothing_and_independence_is_nothing(zuko):
    x, y = normal_pairs(600, 0.8)
    before = torch.get_rng_state()
    settings = QUICK | {"max_epochs": 3}
    a, b = (lmi.estimate(u, v, "flows", seed=1, **settings).nats for u, v in ((x, y), (x**3, y.exp())))
    assert a == b and torch.equal(torch.get_rng_state(), before)
    x, y = normal_pairs(600, 0.0)
    assert abs(lmi.estimate(x, y, "flows", seed=1, **settings).nats) < 0.05


def test_without_zuko_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    x, y = normal_pairs(200, 0.5)
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"estimator 'flows' needs the package zuko: pip install 'lmi\[flows\]'"):
        flows.FlowsEstimator().estimate(x, y, Context(seed=0))


def test_too_few_samples_are_refused(zuko):
    x, y = normal_pairs(150, 0.5)
    with pytest.raises(ValueError, match="150 samples are too few: a part would have 20, expected 50 or more"):
        lmi.estimate(x, y, "flows")
