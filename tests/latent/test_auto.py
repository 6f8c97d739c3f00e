"""auto: right on what each candidate is for, silent under independence, and never down with a candidate."""

import math
from dataclasses import replace

import pytest
import torch

import lmi
import lmi.latent.auto as auto
from lmi.latent.judging import Candidate, Part
from lmi.latent.trust import fold_doubts
from lmi.sources.digits_channel import DigitsChannel
from lmi.sources.gaussian import LowRankGaussian
from lmi.sources.pushforward import Pushforward
from lmi.sources.student import StudentT

QUICK = {"permutations": 5}


def grid(rank, bits, dim, n, seed=0, maps=()):
    source = Pushforward(LowRankGaussian(rank=rank, bits=bits, x_dim=dim, y_dim=dim), maps)
    return source.sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("maps", [(), ("coordinates",)])
def test_many_dimensions_of_low_rank(maps):
    pairs = grid(3, 1.5, 60, 1000, maps=maps)
    found = lmi.estimate(pairs.x, pairs.y, "auto", neural=False, **QUICK)
    assert abs(found.bits - 1.5) < 0.15
    assert found.verdict.level == "reliable" and "normal on" in found.choice


def test_heavy_tails_share_information_without_correlation():
    pairs = StudentT(2, 2.0, 0.0).sample(2500, torch.Generator().manual_seed(1))
    found = lmi.estimate(pairs.x, pairs.y, "auto", **QUICK)
    assert abs(found.nats - pairs.truth) < 0.05
    assert "t density" in found.choice


def test_neighbours_correct_a_density_that_is_not_in_the_family():
    g = torch.Generator().manual_seed(2)
    x = torch.rand(3000, 1, generator=g, dtype=torch.float64)
    y = x + 0.2 * (2 * torch.rand(3000, 1, generator=g, dtype=torch.float64) - 1)
    found = lmi.estimate(x, y, "auto", **QUICK)
    assert abs(found.nats - (0.2 - math.log(0.4))) < 0.06
    assert found.details["ksg_correction_nats"] != 0


def test_images_through_a_channel():
    pairs = DigitsChannel(0.5, 2, 6).sample(800, torch.Generator().manual_seed(3))
    found = lmi.estimate(pairs.x, pairs.y, "auto", neural=False, **QUICK)
    assert abs(found.bits - 0.5) < 0.1
    assert "clusters" in found.choice


def test_kernel_variates_see_what_no_cluster_and_no_line_separates():
    pairs = DigitsChannel(0.8, 4, 7).sample(1200, torch.Generator().manual_seed(3))
    found = lmi.estimate(pairs.x, pairs.y, "auto", neural=False, **QUICK)
    assert "took kernel variates" in found.choice
    assert abs(found.bits - 0.8) < 0.12


def test_the_null_is_of_what_was_taken():
    """The closed form, a density's bound, and independence: each has a null, and only dependence stands out of it."""
    for pairs, words, dependent in (
        (grid(2, 1.0, 20, 600), "took normal", True),
        (StudentT(2, 2.0, 0.0).sample(2000, torch.Generator().manual_seed(1)), "t density", True),
        (grid(2, 0.0, 20, 600), "took independence", False),
    ):
        found = lmi.estimate(pairs.x, pairs.y, "auto", neural=False, permutations=40)
        assert words in found.choice
        assert found.null is not None and found.null.nats.numel() == 40
        assert (found.null.p_value == pytest.approx(1 / 41)) == dependent


def test_folds_that_disagree_are_a_doubt():
    parts = [
        Part(torch.empty(0), torch.empty(0), torch.arange(100)),
        Part(torch.empty(0), torch.empty(0), torch.arange(100, 200)),
    ]
    steady = torch.cat((torch.full((100,), 0.5), torch.full((100,), 0.52))) + 0.1 * torch.sin(torch.arange(200.0))
    candidate = Candidate("c", "columns", 2, [], steady, [])
    assert not fold_doubts(candidate, parts)
    (words,) = fold_doubts(replace(candidate, terms=steady + 0.4 * (torch.arange(200) < 100)), parts)
    assert "folds disagree" in words


def test_independence_is_nothing():
    for seed in range(6):
        pairs = grid(2, 0.0, 2 + 8 * (seed % 2), 600, seed, ("coordinates",))
        found = lmi.estimate(pairs.x, pairs.y, "auto", neural=False, **QUICK)
        assert abs(found.bits) < 0.03
        assert found.interval[0] <= 0 <= found.interval[1]


def test_the_neural_critic_finds_what_nothing_else_can():
    """A product of signs: no correlation, and clusters of one side say nothing of the other's."""
    g = torch.Generator().manual_seed(4)
    x = torch.randn(1200, 4, generator=g, dtype=torch.float64)
    y = torch.randn(1200, 4, generator=g, dtype=torch.float64)
    y[:, :1] = 2 * (x[:, :1] * x[:, 1:2]).sign() + 0.3 * y[:, :1]
    spun = torch.linalg.qr(torch.randn(4, 4, generator=g, dtype=torch.float64)).Q
    without = lmi.estimate(x, y @ spun, "auto", neural=False, **QUICK)
    found = lmi.estimate(x, y @ spun, "auto", **QUICK)
    assert found.nats > 0.3 and found.nats >= without.nats
    assert found.nats < math.log(2) + 0.1


def test_a_candidate_that_fails_is_dropped_and_said(monkeypatch):
    def broken(*args, **kwargs):
        raise ValueError("it diverged")

    pairs = grid(1, 1.0, 1, 500)
    monkeypatch.setattr(auto, "mixtures", broken)
    found = lmi.estimate(pairs.x, pairs.y, "auto", **QUICK)
    assert abs(found.bits - 1.0) < 0.2
    assert any("was dropped: it diverged" in warning for warning in found.warnings)


def test_the_same_seed_gives_the_same_number():
    pairs = grid(3, 1.0, 6, 400)
    values = [lmi.estimate(pairs.x, pairs.y, "auto", seed=7, **QUICK).nats for _ in range(2)]
    assert values[0] == values[1]


def test_units_of_columns_do_not_matter():
    pairs = grid(2, 1.0, 2, 500)
    scaled = lmi.estimate(1e5 * pairs.x + 3, pairs.y * torch.tensor([1e-3, 7.0]), "auto", **QUICK)
    assert scaled.nats == pytest.approx(lmi.estimate(pairs.x, pairs.y, "auto", **QUICK).nats, abs=1e-3)


def test_bad_input_and_settings():
    x = torch.randn(40, 1, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="at least 60; got 40"):
        lmi.estimate(x, x, "auto")
    with pytest.raises(ValueError, match="folds must be 0"):
        lmi.estimate(x.repeat(2, 1), x.repeat(2, 1), "auto", folds=1)
