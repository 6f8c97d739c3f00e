import torch

import lmi
from lmi.auto.candidates.t_mixture import TMixture
from lmi.auto.corrections.rising import rising
from lmi.auto.spaces import COLUMNS, Space
from lmi.estimators.folds import make_folds
from lmi.types import Context


def flipped(n):
    g = torch.Generator().manual_seed(1)
    x, e = torch.randn(2, n, 2, generator=g, dtype=torch.float64)
    return x, torch.randn(n, 1, generator=g).sign() * x + 0.1 * e


def test_half_of_the_samples_find_less():
    space = Space(COLUMNS, *flipped(600))
    folds = make_folds(600, 3, torch.Generator().manual_seed(0))
    rise = rising(TMixture(space, 4, Context(0)).fit(folds), folds)
    assert abs(rise.nats) < 0.3 and not rise.unfitted


def test_samples_of_which_half_are_too_few_are_a_doubt_and_no_refusal():
    estimate = lmi.estimate(*flipped(60), seed=0, permutations=0)
    assert estimate.verdict.level != "reliable"
    assert any("cannot be fitted to half of the training samples" in reason for reason in estimate.verdict.reasons)
