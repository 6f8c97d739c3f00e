"""When a second measure settles what the first one doubts of itself, and what a normal model says of pixels."""

import pytest
import torch

from lmi.evidence import Verdict
from lmi.latent.representation.doubts import linear_doubts, normal_doubts
from lmi.latent.representation.second_measure import settled_by
from lmi.sources.pictures.bumps import Bumps
from lmi.types import Estimate


def estimate(level="doubtful", nats=1.0, error=0.01):
    verdict = Verdict(level, ("its model is not exact",))
    details = {"standard_error_nats": error}
    return Estimate(nats, "representation", 1000, interval=(0.9, 1.1), verdict=verdict, details=details)


def test_two_measures_that_agree_settle_the_doubts_and_open_the_interval_by_what_they_differ():
    settled = settled_by(1.04, estimate(), 3)
    assert settled.verdict.level == "reliable" and settled.interval == pytest.approx((0.86, 1.14))
    assert settled.nats == 1.0 and "neighbours find 1.04 nats" in settled.verdict.reasons[0]


def test_an_estimate_that_abstained_is_doubtful_for_the_same_reasons():
    settled = settled_by(1.0, estimate("abstain"), 3)
    assert settled.verdict.level == "doubtful" and settled.verdict.reasons[0] == "its model is not exact"


@pytest.mark.parametrize(("level", "second"), [("doubtful", 1.06), ("doubtful", 0.93), ("abstain", 1.06)])
def test_what_disagrees_stays_as_it_is(level, second):
    before = estimate(level)
    assert settled_by(second, before, 3) is before


def test_neighbours_settle_nothing_in_many_latents():
    before = estimate()
    assert settled_by(1.04, before, 8) is before and settled_by(1.04, before, 7) is not before


def test_a_noisy_small_estimate_agrees_within_its_errors():
    assert settled_by(0.05, estimate(nats=0.02, error=0.02), 3).verdict.level == "reliable"
    assert settled_by(0.07, estimate(nats=0.02, error=0.02), 3).verdict.level == "doubtful"


def test_of_pixels_a_normal_model_has_to_be_confirmed_by_fresh_pairs():
    pairs = Bumps(8, bits=2 / 0.6931).sample(700, torch.Generator().manual_seed(1000))
    # By the closed form of their normal scores these pictures of 2 nats would share 2.4.
    sides = pairs.x.flatten(1), pairs.y.flatten(1)
    assert linear_doubts(*sides, 1.9, 0.03, torch.Generator().manual_seed(0))
    assert normal_doubts(pairs.x, pairs.y, estimate(nats=1.9), torch.Generator().manual_seed(0)) == ()
    reasons = normal_doubts(pairs.x, pairs.y, estimate(nats=0.5), torch.Generator().manual_seed(0))
    assert "a normal model of the pixels finds 1." in reasons[0]
