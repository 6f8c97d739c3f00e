"""Turns to pairs of columns."""

import torch

from lmi.estimators.densities.paired import beside_pairs, matched
from lmi.estimators.densities.turns import turns


def test_turns_are_invertible_and_one_of_them_finds_the_pairs():
    g = torch.Generator().manual_seed(0)
    x, e = torch.rand(2, 1500, 3, generator=g, dtype=torch.float64)
    mix = torch.randn(3, 3, generator=g, dtype=torch.float64)
    found = dict(turns(x @ mix, (x + e) @ mix))
    assert all(torch.linalg.matrix_rank(side) == 3 for turn in found.values() for side in turn)
    turn = found["independent components of x"]
    u, v = x @ mix @ turn.x, (x + e) @ mix @ turn.y
    assert sorted(matched(u, v)) == [(0, 0), (1, 1), (2, 2)]
    assert beside_pairs(u, v, matched(u, v)) < 5
    assert beside_pairs(x @ mix, (x + e) @ mix, [(0, 0), (1, 1), (2, 2)]) > 50


def test_columns_that_are_combinations_of_others_are_only_taken_as_they_are():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert [name for name, _ in turns(torch.cat((x, x[:, :1]), 1), torch.cat((x, x[:, 1:]), 1))] == ["columns"]
