"""Latents in clumps are measured by a table of levels; others are left to ``auto``."""

import math

import pytest
import torch

from lmi.estimators.folds import split_once
from lmi.evidence import Verdict
from lmi.latent.representation import estimator
from lmi.latent.representation.estimator import RepresentationEstimator
from lmi.latent.representation.levels import measured_as_levels
from lmi.sources.pictures.digits_channel import DigitsChannel
from lmi.types import Context, Estimate

CONTEXT = Context(seed=0)


def as_levels(x, y, terms, bound):
    """What becomes of an estimate by a candidate with these held-out terms (n,), of which another has this bound."""
    fold = split_once(x.shape[0], 0.4, 0.1, CONTEXT.generator("split"))
    terms = terms[fold.test]
    details = {"normal bound_nats": 0.0, "mixture bound_nats": bound}
    before = Estimate(1.1 * bound, "auto", terms.numel(), pointwise=terms, details=details)
    (after,) = measured_as_levels([before], [(x, y)], [fold], 5, CONTEXT)
    return before, after


@pytest.mark.parametrize("bound", [0.25, 0.4])
def test_clumps_are_a_table_where_no_candidate_of_auto_finds_more(bound):
    generator = torch.Generator().manual_seed(3)
    bits, turned = torch.rand(2, 3000, generator=generator) < torch.tensor([[0.5], [0.11]])
    sides = bits, bits ^ turned
    x, y = (z.double()[:, None] + 0.1 * torch.randn(3000, 1, generator=generator, dtype=torch.float64) for z in sides)
    channel = torch.where(turned, math.log(2 * 0.11), math.log(2 * 0.89)).double()
    before, after = as_levels(x, y, channel, bound)
    if bound > 0.347:
        assert after is before
        return
    assert abs(after.nats - 0.347) < 0.03 and after.choice.startswith("auto took the table of 2 x 2 levels, 0.3")
    assert after.null.nats.numel() == 5 and abs(float(after.pointwise.mean()) - after.nats) < 1e-9


@pytest.mark.parametrize("share", [0.8, 0.0])
def test_what_is_no_clump_stays_with_auto(share):
    z, e = torch.randn(2, 2000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y, nats = share * z + (1 - share**2) ** 0.5 * e, -0.5 * math.log(1 - share**2)
    terms = nats - 0.5 * e[:, 0] ** 2 + 0.5 * y[:, 0] ** 2
    before, after = as_levels(z, y, terms, float(terms.mean()))
    assert after is before


def test_digits_of_two_classes_are_measured_by_a_table():
    pairs = DigitsChannel(1.0).sample(900, torch.Generator().manual_seed(0))
    details = {"normal bound_nats": 0.05, "standard_error_nats": 0.1}
    terms = torch.zeros(450, dtype=torch.float64)
    clumsy = Estimate(0.6, "auto", 450, pointwise=terms, details=details, verdict=Verdict("doubtful"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimator, "measure_latents", lambda *_: clumsy)
        settings = {"objective": "infonce", "folds": 0, "max_epochs": 20, "permutations": 0, "learning_curve": False}
        estimate = RepresentationEstimator(**settings).estimate(pairs.x, pairs.y, CONTEXT)
    assert abs(estimate.nats - pairs.truth) < 0.1 and "levels" in estimate.choice
