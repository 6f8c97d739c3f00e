"""The sum over blocks of columns: when it is taken, and what it says."""

from types import SimpleNamespace

import pytest
import torch

import lmi
from lmi.auto.blocks import or_sum_of_blocks
from lmi.estimators.blocks import independent_blocks
from lmi.evidence import Verdict
from lmi.sources.beside import Beside
from lmi.sources.nonlinear.one_column import OneColumn
from lmi.sources.nonlinear.products import ProductsAndSigns
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import Context, Estimate


def parted(n=900):
    x, e = torch.randn(2, n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = x.square() + e
    return (x, y), independent_blocks(x, y)


def candidate(bound, n=900, linear=False):
    terms = torch.full((n,), bound, dtype=torch.float64) + torch.linspace(-1, 1, n, dtype=torch.float64)
    return SimpleNamespace(
        bound=bound, traits=SimpleNamespace(linear=linear, complexity=1.0), cross_fit=SimpleNamespace(terms=terms)
    )


def measured(nats, verdict="reliable", *reasons):
    return Estimate(
        nats,
        "auto",
        900,
        pointwise=torch.full((900,), nats, dtype=torch.float64),
        interval=(nats - 0.1, nats + 0.3),
        details={"standard_error_nats": 0.05},
        verdict=Verdict(verdict, reasons),
        choice="auto took normal",
    )


def test_a_wave_beside_a_line_beside_a_sign():
    source = Beside(
        (OneColumn("wave", 1, 0.3), LowRankGaussian(1, 0.8, x_dim=1, y_dim=1), ProductsAndSigns("sign", 2, 0.5))
    )
    pairs = source.sample(1500, torch.Generator().manual_seed(1))
    estimate = lmi.estimate(pairs.x, pairs.y)
    low, high = estimate.interval
    assert low <= pairs.truth <= high
    assert estimate.nats == pytest.approx(pairs.truth, rel=0.1)
    assert "sum of blocks" in estimate.choice
    assert sum(nats for name, nats in estimate.details.items() if name.startswith("x")) == pytest.approx(estimate.nats)
    assert float(estimate.pointwise.nanmean()) == pytest.approx(estimate.nats, abs=0.05)


def test_the_sum_its_interval_and_the_worst_verdict():
    answers = iter([measured(0.5), measured(0.25, "doubtful", "half of the samples find less")])
    whole = measured(0.3, "abstain", "two reasons")
    estimate = or_sum_of_blocks(whole, candidate(0.3), *parted(), lambda x, y, context: next(answers), Context())
    assert estimate.nats == 0.75
    error = 0.05 * 2**0.5
    below, above = 0.1 - 1.6449 * 0.05, 0.3 - 1.6449 * 0.05
    low, high = estimate.interval
    assert low == pytest.approx(0.75 - 1.6449 * error - 2 * below, abs=1e-3)
    assert 0 <= high - (0.75 + 1.6449 * error + 2 * above) < 0.02
    assert estimate.verdict == Verdict("doubtful", ("x2 and y2: half of the samples find less",))
    assert estimate.pointwise.mean() == pytest.approx(0.75)
    assert estimate.details["all_columns_nats"] == 0.3


def test_fresh_pairs_of_all_columns_that_say_more_keep_their_estimate_with_a_doubt():
    whole = measured(1.5)
    estimate = or_sum_of_blocks(whole, candidate(1.4), *parted(), lambda *_: measured(0.4), Context())
    assert estimate.nats == 1.5
    assert estimate.verdict.level == "doubtful"
    assert "fresh pairs of all columns" in estimate.verdict.reasons[0]


def test_an_estimate_of_all_columns_that_says_more_is_in_the_interval_and_a_doubt():
    whole = measured(1.5)
    estimate = or_sum_of_blocks(whole, candidate(0.6), *parted(), lambda *_: measured(0.3), Context())
    assert estimate.nats == 0.6
    assert estimate.interval[1] == whole.interval[1]
    assert estimate.verdict == Verdict("doubtful", ("all columns together say 1.50 nats",))
    unsure = or_sum_of_blocks(measured(2.5, "abstain"), candidate(0.6), *parted(), lambda *_: measured(0.3), Context())
    assert unsure.verdict.level == "reliable" and unsure.interval[1] < 1.5


def test_a_block_that_is_refused_keeps_the_whole_with_a_doubt():
    def refused(*_):
        raise ValueError("what determines each other shares infinitely many nats")

    estimate = or_sum_of_blocks(measured(1.5, "abstain", "a"), candidate(1.4), *parted(), refused, Context())
    assert estimate.nats == 1.5
    assert estimate.verdict.level == "abstain"
    assert "infinitely" in estimate.verdict.reasons[1]


def test_a_reliable_line_needs_no_blocks():
    whole = measured(0.3)
    assert or_sum_of_blocks(whole, candidate(0.3, linear=True), *parted(), None, Context()) is whole
