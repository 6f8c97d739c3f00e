import math

import pytest
import torch

from lmi.estimators.modules.closed_form import gaussian_mi
from lmi.sources.normal.linear import LinearModules, NormalLinear
from lmi.types import Source


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("shuffled", [False, True])
def test_truth_is_the_closed_form_of_the_first_two(sizes: tuple[int, ...], shuffled: bool) -> None:
    source = LinearModules(15, sizes, shuffled=shuffled)
    assert isinstance(source, Source)
    layer, labels = source.build()
    two = labels < 2
    pairs = source.sample(10, generator())
    assert pairs.truth == pytest.approx(gaussian_mi(layer.cov[two][:, two], labels[two]), rel=1e-10)
    assert pairs.x.shape == (10, sizes[0])
    assert pairs.y.shape == (10, sizes[1])


def test_samples_have_the_covariance() -> None:
    layer, _ = LinearModules(15, (3, 4)).build()
    y = layer(layer.inputs(200_000, generator()))
    torch.testing.assert_close(torch.cov(y.T), layer.cov, atol=0.03, rtol=0)
    shifted = NormalLinear(layer.weight, torch.ones(7))
    torch.testing.assert_close(shifted(torch.zeros(1, 15)), torch.ones(1, 7))


def test_degenerate_truths() -> None:
    assert LinearModules(4, (3, 3)).sample(1, generator()).truth == math.inf
    assert LinearModules(8, (3, 4), coupling=0.0).sample(1, generator()).truth == pytest.approx(0.0, abs=1e-10)
    assert LinearModules(4, (6, 6), coupling=0.0).sample(1, generator()).truth == pytest.approx(0.0, abs=1e-10)


def test_weights_come_from_the_weight_seed_only() -> None:
    a, b, c = LinearModules(9, (2, 2)), LinearModules(9, (2, 2)), LinearModules(9, (2, 2), weight_seed=1)
    assert torch.equal(a.build()[0].weight, b.build()[0].weight)
    assert not torch.equal(a.build()[0].weight, c.build()[0].weight)
    assert not torch.equal(a.sample(3, generator(0)).x, a.sample(3, generator(1)).x)


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="1 inputs for 2 modules"):
        LinearModules(1, (1, 1)).build()
    with pytest.raises(ValueError, match="never runs out"):
        LinearModules(3, (1, 1)).sample(None, generator())
    with pytest.raises(ValueError, match="at least two, to pair"):
        LinearModules(3, (2,)).sample(5, generator())
