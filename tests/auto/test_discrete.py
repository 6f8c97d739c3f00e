"""What repeats: tables, rare levels, copies."""

import math

import pytest
import torch

from lmi.auto.discrete import entered_once, estimate_levels, few_levels, table_information, tied
from lmi.types import Context

CONTEXT = Context(seed=0)


def levels(n, count, same, seed=0):
    """Two codes that are equal with probability ``same`` and else independent, and their MI in nats."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(count, (n, 1), generator=g)
    y = torch.where(torch.rand(n, 1, generator=g) < same, x, torch.randint(count, (n, 1), generator=g))
    p, q = same + (1 - same) / count, (1 - same) / count
    truth = math.log(count) + p * math.log(p) + ((count - 1) * q * math.log(q) if q else 0.0)
    return x.double(), y.double(), truth


@pytest.mark.parametrize("same", [0.0, 0.5, 1.0])
def test_tables(same):
    x, y, truth = levels(3000, 4, same)
    estimate = table_information(x, y, 20, CONTEXT)
    assert abs(estimate.nats - truth) < 0.03
    assert estimate.interval[0] - 1e-9 <= truth <= estimate.interval[1] + 1e-9
    assert (estimate.null.p_value < 0.06) == (same > 0)


@pytest.mark.parametrize(("n", "count", "same"), [(60, 3, 0.8), (100, 4, 0.9), (600, 10, 0.9), (1500, 14, 0.5)])
def test_intervals_of_small_tables_hold_the_truth(n, count, same):
    held = 0
    for seed in range(80):
        x, y, truth = levels(n, count, same, seed)
        low, high = table_information(x, y, 0, CONTEXT).interval
        held += low < truth < high
    assert held >= 0.8 * 80  # 90% less three standard errors; without half counts two of the four fail


def test_a_thin_table_is_none():
    x, y, _ = levels(300, 30, 0.5)
    assert table_information(x, y, 5, CONTEXT) is None


def test_quantities_are_left_to_others():
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    assert not tied(x) and estimate_levels(x, x, 5, CONTEXT) is None


def test_rare_rows_join_the_nearest_level_unless_there_are_many():
    common = torch.arange(3.0).repeat_interleave(100)[:, None]
    assert few_levels(torch.cat((common, torch.tensor([[1.1]])))).tolist()[-1] == 1
    assert few_levels(torch.cat((common, torch.linspace(5, 9, 20)[:, None]))) is None
    assert few_levels(torch.arange(30.0).repeat_interleave(10)[:, None]) is None


def test_copies_are_pairs_that_occur_a_few_times_and_nowhere_else():
    x = torch.tensor([[0.1], [0.2], [0.2], [0.3]])
    stands, copies = entered_once(x, 2 * x)
    assert stands.tolist() == [0, 1, 1, 3] and copies == 2
    stands, copies = entered_once(x, torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
    assert stands.tolist() == [0, 1, 2, 3] and copies == 0
    level = torch.zeros(40, 1)
    assert entered_once(level, level)[1] == 0
