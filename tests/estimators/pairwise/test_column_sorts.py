import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata

from lmi.estimators.pairwise import column_sorts
from lmi.estimators.pairwise.column_sorts import binned_columns, column_rows, sort_columns
from lmi.estimators.pairwise.gaussian import rank_normal
from lmi.estimators.pairwise.histogram import bin_codes


def columns(n):
    """Smooth, half zero, rounded, with both zeros, huge, tiny, single precision and constant columns, (n, 8)."""
    h = torch.randn(n, 8, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    h[:, 1], h[:, 2], h[:, 3] = h[:, 1].relu(), (2 * h[:, 2]).round(), -h[:, 3].relu()
    h[: n // 2, 3] += 0.0  # 0.0 beside -0.0
    h[:, 4], h[:, 5], h[:, 6], h[:, 7] = h[:, 4].exp() * 1e300, h[:, 5] * 1e-310, h[:, 6].float().double(), 2.5
    return h


@pytest.mark.parametrize("n", [2, 3, 50, 2500])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_one_sort_gives_ties_scores_and_bins(n, dtype):
    h = columns(n).clamp(max=1e30).to(dtype)
    sorts = sort_columns(h, 3, with_scores=True, bins=5)
    ranks = rankdata(h.numpy(), axis=0)
    np.testing.assert_allclose(sorts.scores.T, norm.ppf((ranks - 0.5) / n), atol=1e-12)
    repeats = [np.unique(column, return_counts=True)[1] for column in h.numpy().T]
    assert sorts.tied.tolist() == [int(counts[counts > 3].sum()) for counts in repeats]
    assert np.array_equal(sorts.codes, bin_codes(h, 5, "mass").numpy())
    assert np.array_equal(rank_normal(h).numpy(), sorts.scores.T)


@pytest.mark.parametrize("binning", ["width", "mass"])
@pytest.mark.parametrize("bins", [1, 2, 15, 40])
def test_compiled_bins_are_those_of_torch_and_numpy(binning, bins):
    h = columns(700)
    codes = binned_columns(h, bins, binning)
    assert np.array_equal(codes, bin_codes(h, bins, binning).numpy())
    if binning == "width":
        expected = [np.histogram(column, bins)[0] for column in h[:, :4].numpy().T]
        assert [np.bincount(row, minlength=bins).tolist() for row in codes[:4]] == np.array(expected).tolist()


def test_blocks_of_columns_change_nothing(monkeypatch):
    h = torch.randn(90, 100, generator=torch.Generator().manual_seed(0))
    expected = sort_columns(h, 3, True, 4)
    monkeypatch.setattr(column_sorts, "BLOCK_VALUES", 1)
    for table in (h, h.T.contiguous().T, torch.cat([h, h], 1)[:, :100]):
        again = sort_columns(table, 3, True, 4)
        assert np.array_equal(again.scores, expected.scores) and np.array_equal(again.codes, expected.codes)
        assert np.array_equal(column_rows(table), h.T.double().numpy())


def test_columns_with_many_equal_values_are_named():
    assert sort_columns(columns(100), 3).mostly_tied() == [1, 2, 3, 7]
