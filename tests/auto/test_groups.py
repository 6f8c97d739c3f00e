import pytest
import torch

import lmi
from lmi.auto.estimator import AutoEstimator
from lmi.estimators.folds import make_folds
from lmi.types import Context


def grouped(seed, groups=40, rows=15):
    """Two independent sides whose rows share an offset with their group, in no order."""
    g = torch.Generator().manual_seed(seed)
    numbers = torch.arange(groups).repeat_interleave(rows)[torch.randperm(groups * rows, generator=g)]
    x, y = (
        torch.randn(groups, 2, generator=g)[numbers] + 0.7 * torch.randn(groups * rows, 2, generator=g) for _ in "xy"
    )
    return x, y, numbers


@pytest.mark.slow
def test_what_groups_share_by_themselves_is_no_dependence():
    x, y, groups = grouped(1)
    plain, aware = lmi.estimate(x, y, seed=1), lmi.estimate(x, y, groups=groups, seed=1)
    assert plain.interval[0] > 0.02 and plain.null.p_value < 0.05  # false, and sure of itself
    assert aware.interval[0] < 0 < aware.interval[1] and aware.null.p_value > 0.05


@pytest.mark.slow
def test_dependence_inside_groups_is_measured_and_rows_keep_their_places():
    x, _, groups = grouped(2)
    y = x[:, :1] + 0.9 * torch.randn(x.shape[0], 1, generator=torch.Generator().manual_seed(9))
    estimate = lmi.estimate(x, y, groups=[f"s{number}" for number in groups.tolist()], seed=1)
    truth = 0.5 * torch.log1p(torch.tensor((1 + 0.7**2) / 0.9**2))
    assert estimate.interval[0] < truth < estimate.interval[1] and estimate.null.p_value < 0.05
    far = (x[:, 0].abs() > 2).nonzero().flatten()
    assert estimate.pointwise[far].mean() > estimate.nats + 0.3  # far values tell most about their partners


def test_no_group_is_in_two_folds():
    groups = torch.tensor([5, 1, 9, 2, 7, 3]).repeat_interleave(torch.tensor([1, 30, 4, 9, 12, 4]))
    folds = make_folds(60, 3, None, groups)
    tested = [set(groups[fold.test].tolist()) for fold in folds]
    assert sum(map(len, tested)) == 6 and set.union(*tested) == {1, 2, 3, 5, 7, 9}
    assert torch.cat([fold.test for fold in folds]).sort().values.tolist() == list(range(60))


def test_groups_that_cannot_be_measured_are_refused():
    x, y, groups = grouped(3)
    with pytest.raises(ValueError, match="groups has 3 groups; expected at least 6"):
        lmi.estimate(x, y, groups=groups % 3)
    with pytest.raises(ValueError, match="auto takes groups of quantities only"):
        AutoEstimator().estimate_groups((x > 0).float(), y, groups, Context())
