import pytest
import torch

import lmi
from lmi.estimators.densities.bent_directions import bent_directions, jointly_diagonal

NOISE = 0.4


def folded(n, dx, dy, seed, lines=0):
    """Two directions of x passed on as absolute values, others as they are, with noise, all columns mixed; and these."""
    g = torch.Generator().manual_seed(seed)
    u, v = (torch.randn(n, d, generator=g, dtype=torch.float64) for d in (dx, dy))
    v[:, :2] = u[:, :2].abs() + NOISE * v[:, :2]
    v[:, 2 : 2 + lines] = u[:, 2 : 2 + lines] + NOISE * v[:, 2 : 2 + lines]
    mix_x, mix_y = (torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q for d in (dx, dy))
    return u @ mix_x, v @ mix_y, u[:, :2], v[:, :2]


def along(turned, hidden):
    """Correlation of the nearest of two turned columns with each hidden one."""
    both = torch.corrcoef(torch.cat((turned[:, :2], hidden), 1).T)
    return both[:2, 2:].abs().amax(0)


def test_directions_that_are_passed_on_as_absolute_values_are_recovered():
    x, y, of_x, of_y = folded(2000, 10, 8, 1)
    turn_x, turn_y = bent_directions(x, y)
    assert bool((along(x @ turn_x, of_x) > 0.97).all()) and bool((along(y @ turn_y, of_y) > 0.95).all())
    for turn, d in ((turn_x, 10), (turn_y, 8)):
        assert int(torch.linalg.matrix_rank(turn)) == d


def test_nothing_is_turned_where_nothing_is_shared_or_samples_are_few():
    x, y, *_ = folded(2000, 6, 6, 2)
    assert bent_directions(x, y.flip(0)) is None
    assert bent_directions(x[:100], y[:100]) is None


def test_squares_of_both_sides():
    # Only the size of one direction of y goes with the size of one of x.
    g = torch.Generator().manual_seed(3)
    x, y = torch.randn(2, 3000, 6, generator=g, dtype=torch.float64)
    y[:, 0] *= 0.3 + x[:, 0].abs()
    mix = torch.linalg.qr(torch.randn(6, 6, generator=g, dtype=torch.float64)).Q
    turn_x, turn_y = bent_directions(x @ mix, y @ mix)
    assert along(x @ mix @ turn_x, x[:, :1])[0] > 0.95 and along(y @ mix @ turn_y, y[:, :1])[0] > 0.95


def test_what_is_on_a_line_beside_it_is_paired_too():
    x, y, of_x, of_y = folded(2000, 6, 6, 4, lines=1)
    turn_x, turn_y = bent_directions(x, y)
    assert bool((along(x @ turn_x, of_x) > 0.95).all()) and bool((along(y @ turn_y, of_y) > 0.9).all())
    line = torch.corrcoef(torch.stack(((x @ turn_x)[:, 2], (y @ turn_y)[:, 2])))[0, 1]
    assert abs(float(line)) > 0.85


def test_matrices_that_share_no_axes_end_the_sweeps():
    matrices = torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turn = jointly_diagonal(matrices + matrices.transpose(1, 2))
    torch.testing.assert_close(turn.T @ turn, torch.eye(5, dtype=torch.float64))


@pytest.mark.slow
def test_folded_directions_among_mixed_columns_are_measured():
    # .85 of 1.14, doubtful, before.
    x, y, of_x, of_y = folded(2000, 10, 8, 6)
    whole = lmi.estimate(x, y, permutations=0, seed=0)
    pairs = [lmi.estimate(of_x[:, i : i + 1], of_y[:, i : i + 1], permutations=0, seed=0).nats for i in (0, 1)]
    assert whole.nats == pytest.approx(sum(pairs), abs=0.12)
    assert whole.interval[0] < sum(pairs) < whole.interval[1]
