"""What is left along a single column: waves, stairs and sizes that no square or product shows; nothing by chance."""

import pytest
import torch

from lmi.estimators.trust.by_column import by_column
from lmi.estimators.trust.left_over import left_over
from lmi.estimators.trust.row_order import random_orders
from lmi.estimators.trust.thresholds import BY_COLUMN, LEFT_OVER

FORMS = {
    "wave": lambda x, e: (3 * x[:, :1]).sin() + 0.5 * e,
    "stairs": lambda x, e: (2 * x[:, :1]).floor() / 2 + 0.1 * e,
    "size": lambda x, e: (x[:, :1] > 0).double() * e + 0.3 * e,
}


def draws(seed, n=1500, columns=10):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, columns, generator=g).double(), torch.randn(n, 1, generator=g).double()


@pytest.mark.parametrize("name", FORMS)
def test_what_depends_on_one_column_is_found_there(name):
    x, e = draws(1)
    left = by_column(x, FORMS[name](x, e))
    assert left.deviations > BY_COLUMN and left.words[-2:] in ("x1", "y1")
    assert left.words.startswith("the size") is (name == "size")


def test_squares_and_products_do_not_show_a_wave():
    x, e = draws(2)
    orders = random_orders(1500, 40, torch.Generator().manual_seed(0))
    assert left_over(x, FORMS["wave"](x, e), orders).deviations < LEFT_OVER


def test_a_line_with_any_noise_leaves_nothing():
    scores = []
    for seed in range(12):
        x, e = draws(10 + seed, n=(150, 600, 1500)[seed % 3])
        noise = (e, e.exp(), e / x[:, 9:].abs().clamp(min=0.05))[seed % 2]
        scores.append(
            by_column(x.exp(), x[:, :1] + noise).deviations if seed % 2 == 0 else by_column(x, noise).deviations
        )
    assert max(scores) < 3


def test_rare_counts_beside_anything_leave_nothing():
    """Most rows of such a column have one value; ranks of its residual among them would be those of the line itself."""
    g = torch.Generator().manual_seed(3)
    x = torch.poisson(torch.full((800, 12), 0.15, dtype=torch.float64), generator=g).log1p()
    y = torch.poisson(torch.full((800, 12), 0.3, dtype=torch.float64), generator=g).log1p()
    assert by_column(x, y).deviations < 2.5


def test_small_differences_of_normal_columns_tell_without_ranks():
    """y is a difference of x's columns that is a hundredth of them: ranks change each by more than its noise."""
    for seed in range(4):
        x, e = draws(20 + seed, n=3000, columns=2)
        x = x @ torch.tensor([[1.0, 1.0], [0.01, -0.01]]).double()
        y = 50 * (x[:, :1] - x[:, 1:]) + 0.05 * e
        assert by_column(x, y).deviations > BY_COLUMN
        assert by_column(x, y, by_ranks=False).deviations < 3
        wave = y + 0.3 * (3 * x[:, :1]).sin()
        assert by_column(x, wave, by_ranks=False).deviations > BY_COLUMN
