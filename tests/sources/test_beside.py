import pytest
import torch

from lmi.estimators.gaussian.debiased import closed_form
from lmi.experiments.benchmarks.accuracy.composed import composed_cases
from lmi.sources.beside import Beside
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.types import Pairs


def test_independent_sources_add_up():
    g = torch.Generator().manual_seed(0)
    one, two = LowRankGaussian(rank=1, bits=1.0, x_dim=2, y_dim=1), LowRankGaussian(rank=2, bits=1.5, x_dim=3, y_dim=2)
    pairs = Beside((one, two), swapped=(0,)).sample(20000, g)
    assert pairs.x.shape[1] == 4 and pairs.y.shape[1] == 4
    assert closed_form(pairs.x, pairs.y, 4).nats == pytest.approx(pairs.truth, abs=0.03)


def test_a_source_without_a_truth_is_refused():
    class Unknown:
        def sample(self, num_samples, generator):
            return Pairs(torch.zeros(num_samples, 1), torch.zeros(num_samples, 1))

    with pytest.raises(ValueError, match="has no truth"):
        Beside((Unknown(),)).sample(5, torch.Generator())


def test_compositions_are_the_same_every_time_and_finite():
    cases, again = composed_cases(), composed_cases()
    assert cases == again and len({case.name for case in cases}) == len(cases) == 100
    for case in cases[::7]:
        pairs = case.source.sample(50, torch.Generator().manual_seed(1))
        assert pairs.x.isfinite().all() and pairs.y.isfinite().all() and pairs.truth >= 0
