"""Spaces: what an increasing map of a column changes in them, which sides get maps, what is refused."""

import pytest
import torch

from lmi.auto.spaces import (
    COLUMNS,
    INDEPENDENT,
    MAPS,
    RANKS,
    distinct,
    faint_information,
    prepared,
    refuse_determined,
    with_independent_components,
    with_maps,
)
from lmi.estimators.gaussian.debiased import closed_form


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_ranks_do_not_see_increasing_maps():
    x, y = normal(300, 3), normal(300, 4, seed=1)
    plain, bent = prepared(x, y, 96), prepared(x.exp(), y**3, 96)
    torch.testing.assert_close(plain[RANKS].x, bent[RANKS].x)
    torch.testing.assert_close(plain[RANKS].y, bent[RANKS].y)
    assert not torch.allclose(plain[COLUMNS].x, bent[COLUMNS].x)


def test_components_are_uncorrelated_and_at_most_as_many_as_asked():
    spaces = prepared(normal(400, 40) @ normal(40, 40, seed=2), normal(400, 2, seed=1), 10)
    x = spaces[COLUMNS].x
    assert x.shape == (400, 10) and spaces[COLUMNS].columns == 12
    covariance = torch.cov(x.T)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-9


@pytest.mark.parametrize(("dx", "dy", "expected"), [(1, 1, False), (1, 3, True), (3, 17, True), (17, 17, False)])
def test_maps_for_sides_of_several_columns_and_not_too_many(dx, dy, expected):
    x, y = normal(300, dx), normal(300, dy, seed=1)
    spaces = with_maps(prepared(x, y, 96), x, y, 96)
    assert (MAPS in spaces) == expected
    if expected:
        assert (spaces[MAPS].mapped is None) == (1 in (dx, dy) or 17 in (dx, dy))


def test_distinct():
    assert distinct(normal(200, 3)) and not distinct(normal(200, 3).round())


def test_faint_information_is_that_of_directions_below_one_over_n():
    z, noise = normal(500, 1), normal(500, 2, seed=1)
    together = torch.cat((z, z + 1e-3 * noise[:, :1]), 1)
    together = together / together.std(0)
    assert faint_information(normal(500, 2), normal(500, 2, seed=1)) == pytest.approx(0.0)
    assert faint_information(together, noise[:, :1] + 0.1 * normal(500, 1, seed=3)) > 1


def test_determined_directions_are_refused():
    x = normal(300, 3)
    refuse_determined(prepared(x, normal(300, 3, seed=1), 96))
    with pytest.raises(ValueError, match="1 linear combination"):
        refuse_determined(prepared(x, torch.cat((x[:, :1], normal(300, 1, seed=1)), 1), 96))


def test_mixtures_of_sources_that_are_not_normal_are_unmixed():
    g = torch.Generator().manual_seed(5)
    z, e = torch.randn(2, 3000, 5, generator=g, dtype=torch.float64)
    r = torch.tensor([0.8, 0.7, 0.6, 0.5, 0.4], dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=g, dtype=torch.float64)).Q
    x, y = (0.7 * z).exp() @ turn, r * z + (1 - r**2).sqrt() * e
    spaces = with_independent_components(prepared(x, y, 32), x, y, 32)
    truth = float(-0.5 * (1 - r**2).log().sum())
    ranks, unmixed = (closed_form(s.x, s.y, 5).nats for s in (spaces[RANKS], spaces[INDEPENDENT]))
    assert abs(unmixed - truth) < 0.06 and ranks < truth - 0.15
    assert torch.equal(spaces[INDEPENDENT].y, spaces[RANKS].y)  # a normal side stands by its normal scores
    assert INDEPENDENT not in with_independent_components(prepared(x, y, 4), x, y, 4)
    x = z @ turn
    assert INDEPENDENT not in with_independent_components(prepared(x, y, 32), x, y, 32)
