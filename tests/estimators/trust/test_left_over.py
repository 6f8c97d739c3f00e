"""What is left after a linear model, normality of a side, rows in time: silent where the model is exact, loud where not."""

import pytest
import torch

from lmi.estimators.columns import normal_scores
from lmi.estimators.trust.left_over import components, left_over
from lmi.estimators.trust.normality import faintest, mardia
from lmi.estimators.trust.row_order import random_orders, row_order, shifted_orders

N = 1500


def normal(g, *shape):
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def linear(g, columns, maps):
    """Columns of three shared normal directions, each through an increasing map."""
    z = normal(g, N, 3)
    x, y = z @ normal(g, 3, columns), (z + 0.5 * normal(g, N, 3)) @ normal(g, 3, columns)
    return (torch.tanh(x / 3), y**3) if maps else (x, y)


@pytest.mark.parametrize("columns", [1, 12, 120])
@pytest.mark.parametrize("maps", [False, True])
def test_nothing_is_left_where_the_closed_form_is_exact(columns, maps):
    g = torch.Generator().manual_seed(columns)
    x, y = (normal_scores(z) for z in linear(g, columns, maps))
    assert left_over(x, y, random_orders(N, 60, g)).deviations < 4
    assert max(abs(score) for z in (x, y) for score in mardia(z)) < 4


def test_a_scale_that_twenty_columns_share_counts_once():
    # Its square is in all 210 products of a side: their squared correlations came to 64, for a truth of .75 nats.
    g = torch.Generator().manual_seed(0)
    scale = (0.5 * normal(g, N, 1)).exp()
    x, y = (normal_scores(scale * normal(g, N, 20)) for _ in range(2))
    left = left_over(x, y, random_orders(N, 60, g))
    assert left.deviations > 10 and 0.1 < left.share < 2


def product(g):
    x = normal(g, N, 6)
    return x, 0.8 * x[:, :1] + 0.6 * x[:, 1:2] * x[:, 2:3] + 0.5 * normal(g, N, 1)


def sign(g):
    x = normal(g, N, 6)
    return x, x * torch.sign(normal(g, N, 1)) + normal(g, N, 6)


def volatility(g):
    scale = (0.7 * normal(g, N, 1)).exp()
    return scale * normal(g, N, 3), scale * normal(g, N, 3)


def uniform_noise(g):
    x = torch.rand(N, 2, generator=g, dtype=torch.float64)
    return x, x + 0.3 * torch.rand(N, 2, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("draw", [product, sign, volatility, uniform_noise], ids=lambda draw: draw.__name__)
def test_what_a_line_misses_is_left(draw):
    g = torch.Generator().manual_seed(3)
    x, y = (normal_scores(z) for z in draw(g))
    left = left_over(x, y, random_orders(N, 60, g))
    assert left.deviations > 10 and left.share > 0.1 and left.words


def test_the_features_that_stand_out_are_named():
    g = torch.Generator().manual_seed(4)
    x = normal(g, N, 2)
    y = components(x)[:, :1] ** 2 + 0.1 * normal(g, N, 1)
    assert "on x1 x1" in left_over(x, normal_scores(y), random_orders(N, 60, g)).words


def test_a_side_that_a_network_mixes_is_not_normal():
    g = torch.Generator().manual_seed(5)
    x = normal(g, N, 6)
    mixed = torch.cat((x, x[:, :1] * x[:, 1:2] + 0.5 * x[:, 2:3]), 1)
    assert max(abs(score) for score in mardia(normal_scores(mixed))) > 5


def series(g, memory, columns=1):
    noise, out = normal(g, N, columns), torch.zeros(N, columns, dtype=torch.float64)
    for i in range(1, N):
        out[i] = memory * out[i - 1] + noise[i]
    return out


@pytest.mark.parametrize("memory", [0.5, 0.9, 0.99])
def test_effective_samples_of_two_autoregressive_series(memory):
    """Bartlett: (1 - a b) / (1 + a b) of the samples count, for autocorrelations a^l and b^l."""
    g = torch.Generator().manual_seed(6)
    rows = row_order(series(g, memory, 3), series(g, memory, 3))
    expected = N * (1 - memory**2) / (1 + memory**2)
    assert rows.deviations > 10 and 0.5 * expected < rows.effective < 2.5 * expected + 10
    order = torch.randperm(N, generator=g)
    shuffled = row_order(series(g, memory)[order], series(g, memory)[order])
    assert abs(shuffled.deviations) < 4


def test_shifts_keep_the_order_of_rows_and_move_them_far():
    for order in shifted_orders(100, 20, torch.Generator().manual_seed(0)):
        assert set(order.diff().tolist()) <= {1, -99} and 10 <= int(order[0]) <= 90


def test_the_faintest_directions_show_what_leading_ones_hide():
    g = torch.Generator().manual_seed(4)
    z = normal(g, N, 2)
    late = normal(g, N, 30) / torch.arange(1, 31, dtype=torch.float64)
    curved = torch.cat((z, z[:, :1] + 0.01 * z[:, 1:] ** 2), 1)
    assert max(map(abs, mardia(faintest(late)))) < 4
    assert max(map(abs, mardia(curved))) < 4 < 10 < max(map(abs, mardia(faintest(curved))))
