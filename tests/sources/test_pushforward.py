"""Maps keep the mutual information: they are injective, and KSG on one dimension sees the same."""

import typing

import pytest
import torch

from lmi.estimators.neighbors.ksg import ksg_pointwise, standardised
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.normal.pushforward import MONOTONE, MapName, Pushforward, spiral

PLAIN = LowRankGaussian(rank=1, bits=1.0, x_dim=1, y_dim=1)


@pytest.mark.parametrize("name", MONOTONE)
def test_monotone_maps_are_monotone(name):
    z = torch.linspace(-4, 4, 2001, dtype=torch.float64)
    assert bool((MONOTONE[name](z).diff() > 0).all())


@pytest.mark.parametrize("name", typing.get_args(MapName))
def test_truth_stays_and_ksg_agrees(name):
    pairs = Pushforward(PLAIN, (name,)).sample(4000, torch.Generator().manual_seed(0))
    assert pairs.truth == PLAIN.sample(2, torch.Generator()).truth
    value = float(ksg_pointwise(standardised(pairs.x), standardised(pairs.y)).mean())
    assert value == pytest.approx(pairs.truth, abs=0.08)


def test_rotation_and_spiral_keep_norms():
    z = torch.randn(50, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(spiral(z, 0.7).norm(dim=1), z.norm(dim=1))


def test_samples_are_bent_indeed():
    source = LowRankGaussian(rank=1, bits=1.0, x_dim=6, y_dim=6)
    bent = Pushforward(source, ("coordinates",)).sample(500, torch.Generator().manual_seed(2)).x
    straight = source.sample(500, torch.Generator().manual_seed(2)).x
    assert torch.linalg.matrix_rank(straight) == 1
    assert torch.linalg.matrix_rank(bent) > 1


def test_maps_chain_in_order():
    source = LowRankGaussian(rank=2, bits=1.0, x_dim=4, y_dim=4)
    one = Pushforward(Pushforward(source, ("tanh",)), ("spiral",)).sample(50, torch.Generator().manual_seed(3))
    two = Pushforward(source, ("tanh", "spiral")).sample(50, torch.Generator().manual_seed(3))
    torch.testing.assert_close(one.x, two.x)
