"""Estimates that are too low are caught by quick models of the columns, and right ones are not."""

import math

import pytest
import torch

import lmi
from lmi.estimators.trust.lower_bounds import lower_bound_verdict
from lmi.estimators.trust.quick_models import quick_bound
from lmi.estimators.trust.thresholds import LOWER_BOUND
from lmi.evidence import Null
from lmi.types import Estimate


def noises(columns, n=1500, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, columns, generator=g, dtype=torch.float64), g


def heavy(n=1500):
    """Three columns a side with one size in common: .22 nats, and no correlation."""
    (x, y), g = noises(3, n)
    size = (0.7 * torch.randn(n, 1, generator=g, dtype=torch.float64)).exp()
    return size * x, size * y


def xor(n=1500):
    (x, e), _ = noises(20, n)
    return x, (x[:, :1] * x[:, 1:2]).sign() + 0.1 * e[:, :1]


def stairs(n=1500):
    (x, e), _ = noises(10, n)
    return x, (2 * x[:, :1]).round() / 2 + 0.1 * e[:, :1]


@pytest.mark.parametrize(
    ("draw", "least", "words"),
    [(heavy, 0.1, "t densit"), (xor, 0.1, "products"), (stairs, 1.3, "pairs of columns")],
)
def test_what_no_line_shows_is_confirmed_by_a_quick_model(draw, least, words):
    x, y = draw()
    quick = quick_bound(x, y, torch.Generator().manual_seed(0))
    assert quick.nats > least and words in quick.name
    low = Estimate(0.01, "low", len(x), interval=(0.0, 0.02))
    doubted = lower_bound_verdict(low, x, y, torch.Generator().manual_seed(0))
    assert doubted.verdict.level == "doubtful" and "confirm" in doubted.verdict.reasons[0]
    assert doubted.interval[1] > least


def test_the_interval_of_a_bound_opens_by_what_is_missing_or_a_share():
    (x, e), g = noises(1)
    y = x + e
    bound = Estimate(0.3, "bound", 1500, interval=(0.28, 0.4), details={"standard_error_nats": 0.03})
    assert lower_bound_verdict(bound, x, y, g).interval[1] == pytest.approx(0.4 + 0.3 * LOWER_BOUND)
    more = lower_bound_verdict(bound, x, y, g, 0.1, ("why",))
    assert more.interval[1] == pytest.approx(0.5) and more.verdict.reasons == ("why",)


def test_shuffled_pairs_that_share_something_are_a_doubt():
    (x, e), g = noises(1)
    null = Null(torch.tensor([0.18, 0.2]), 0.3)
    bound = Estimate(0.3, "bound", 1500, interval=(0.28, 0.4), null=null, details={"standard_error_nats": 0.03})
    assert lower_bound_verdict(bound, x, x + e, g).verdict.reasons[0][:37] == "shuffled pairs still share 0.190 nats"


def test_codes_are_doubted_where_they_are_too_coarse_and_not_for_ties():
    x, y = heavy()
    coarse = lmi.estimate(x, y, "quantized")
    assert math.isinf(coarse.interval[1]) and any("open above" in reason for reason in coarse.verdict.reasons)
    (a, e), _ = noises(1)
    levels = lmi.estimate(a.round(), (a + e).round(), "quantized")
    assert levels.verdict.level == "reliable", levels.verdict.reasons
