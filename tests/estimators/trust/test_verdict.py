"""Verdicts: drift is extrapolated to the right limit, ceilings abstain, a biased KSG is doubted and a good one is not."""

import torch

import lmi
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.neighbors.control import controlled_ksg, effective_variates
from lmi.estimators.trust.verdict import default_verdict, drift, worst
from lmi.evidence import Verdict
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import Estimate


def draw(n, rank, bits, seed=0, dim=None):
    return LowRankGaussian(rank=rank, bits=bits, x_dim=dim or rank, y_dim=dim or rank).sample(
        n, torch.Generator().manual_seed(seed)
    )


def test_extrapolation_of_a_noisy_mean_covers_it():
    hits = 0
    for seed in range(40):
        values = 1.0 + torch.randn(900, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        estimate = drift(
            lambda part, v=values: float(v[part].mean()) + 30.0 / part.numel(), 900, torch.Generator().manual_seed(seed)
        )
        low, high = estimate.interval
        hits += low <= 1.0 <= high
    assert hits >= 33


def test_too_few_samples_do_not_drift():
    assert drift(lambda part: 0.0, 100, torch.Generator()) is None


def test_at_the_ceiling_it_abstains():
    x = torch.randn(300, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert lmi.estimate(x, x, "ksg").verdict.level == "abstain"


def test_good_conditions_are_reliable_and_bad_ones_are_not():
    easy, hard = draw(2000, 1, 1.0), draw(2000, 8, 4.0)
    assert lmi.estimate(easy.x, easy.y, "ksg", permutations=0).verdict.level == "reliable"
    assert lmi.estimate(hard.x, hard.y, "ksg", permutations=0).verdict.level != "reliable"


def test_no_interval_is_no_reliability():
    assert default_verdict(Estimate(0.5, "x", 10)).level == "abstain"


def test_worst_of_two():
    both = worst(Verdict("reliable"), Verdict("doubtful", ("why",)))
    assert both == Verdict("doubtful", ("why",))


def test_the_control_variate_takes_the_bias_off():
    pairs = draw(1500, 6, 3.0, seed=1)
    plain = lmi.estimate(pairs.x, pairs.y, "ksg", permutations=0).nats
    held = lmi.estimate(pairs.x, pairs.y, "ksg", control_variate=True)
    assert plain < pairs.truth - 0.5
    assert abs(held.nats - pairs.truth) < 0.15


def test_one_signal_among_many_dimensions_has_effective_rank_one():
    pairs = draw(1500, 1, 1.0, seed=2)
    g = torch.Generator().manual_seed(3)
    x, y = (torch.cat((z, torch.randn(1500, 7, generator=g, dtype=torch.float64)), 1) for z in (pairs.x, pairs.y))
    assert effective_variates(x, y)[0].shape[1] == 1


def test_neighbours_add_what_the_model_misses():
    g = torch.Generator().manual_seed(4)
    x = torch.rand(2000, 1, generator=g, dtype=torch.float64) * 4 - 2
    y = x.abs() + 0.1 * torch.randn(2000, 1, generator=g, dtype=torch.float64)
    held = controlled_ksg(x, y, fit_mixture(x, y, 1, g, heavy=False), 5, g)
    assert held.correction > 0.5
