"""Columns of few levels, or with one value in many rows: no line and no density is exact, and rankings are not free."""

import pytest
import torch

import lmi
from lmi.auto.choice.called_for import of_levels
from lmi.auto.spaces import are_coarse
from lmi.estimators.folds import make_folds
from lmi.types import Context

CONTEXT = Context(seed=1)


@pytest.mark.slow
def test_a_line_of_spikes_that_are_there_or_not_is_no_exact_model():
    # A hidden state, one for all columns and both sides, that is on or off: .3 nats were missing, "reliable".
    g = torch.Generator().manual_seed(7)
    state = torch.randn(1500, 8, generator=g, dtype=torch.float64).cumsum(1).repeat_interleave(5, 1)
    x, y = ((torch.rand(1500, 40, generator=g) < torch.sigmoid(3 * state)).double() for _ in range(2))
    estimate = lmi.estimate(x, y, permutations=0, neural=False)
    assert estimate.nats > 0.5 and estimate.verdict.level != "reliable"


def test_counts_with_many_zeros_are_no_density():
    # Kind and depth of cells, hidden: a network over a t density found half, "reliable", of square roots.
    g = torch.Generator().manual_seed(8)
    hidden = torch.randint(3, (900, 2), generator=g)
    rates = 8 * torch.rand(2, 3, 6, generator=g).square()
    x, y = (
        torch.poisson(rates[i, hidden[:, 0]] * (0.4 + hidden[:, 1:]), generator=g)
        * (torch.rand(900, 6, generator=g) > 0.2)
        for i in range(2)
    )
    estimate = lmi.estimate(x.sqrt(), y.sqrt(), permutations=0)
    assert estimate.verdict.level != "reliable" or "hidden behind levels" in estimate.choice
    assert are_coarse(x, y) and not are_coarse(x[:, :3], y[:, :3])


def test_scores_behind_rankings_do_not_vary_freely():
    # Ranks of five items add up to 15 in every row: hidden normal scores said 2.17 nats of 2.00, "reliable".
    g = torch.Generator().manual_seed(9)
    strength = torch.randn(600, 5, generator=g, dtype=torch.float64)
    x, y = ((strength + 0.5 * torch.randn(600, 5, generator=g, dtype=torch.float64)).argsort(1).double() for _ in "xy")
    folds = make_folds(600, 3, CONTEXT.generator("folds"))
    assert of_levels((x, y), folds, CONTEXT) == []
    assert [candidate.name for candidate in of_levels((x[:, :4], y[:, :4]), folds, CONTEXT)] == [
        "normal scores hidden behind levels"
    ]
