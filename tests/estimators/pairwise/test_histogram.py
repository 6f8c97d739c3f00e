import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from lmi.estimators.pairwise.histogram import bin_codes, g_test, histogram_mi, table_mi
from lmi.estimators.pairwise.histogram_pairs import HistogramPairs, g_test_columns


def test_equal_mass_bins_hold_equal_counts():
    x = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)).double() ** 4
    codes = bin_codes(x, 15, "mass")
    assert torch.equal(torch.bincount(codes[0], minlength=15), torch.full((15,), 20))


def test_identical_columns_share_their_entropy_and_constants_nothing():
    assert float(table_mi(torch.diag(torch.tensor([1, 1, 2])))) == pytest.approx(1.5 * torch.tensor(2.0).log().item())
    assert float(table_mi(torch.tensor([[3, 0], [5, 0]]))) == pytest.approx(0.0, abs=1e-12)


def test_miller_madow_takes_out_the_bias_of_independence():
    generator = torch.Generator().manual_seed(0)
    pairs = [torch.rand(2, 400, generator=generator) for _ in range(200)]
    plain = torch.tensor([histogram_mi(x, y, 6) for x, y in pairs])
    corrected = torch.tensor([histogram_mi(x, y, 6, correction="miller_madow") for x, y in pairs])
    assert float(plain.mean()) == pytest.approx(25 / 800, rel=0.15)
    assert abs(float(corrected.mean())) < 4 * float(corrected.std()) / 200**0.5 + 0.001


def test_g_test_is_uniform_under_independence_with_full_cells():
    generator = torch.Generator().manual_seed(1)
    nats = torch.tensor([histogram_mi(*torch.rand(2, 2000, generator=generator), bins=4) for _ in range(400)])
    p = g_test(nats, 2000, 9)
    for level in (0.05, 0.25, 0.5):
        share = float((p <= level).double().mean())
        assert share == pytest.approx(level, abs=4 * (level * (1 - level) / 400) ** 0.5)


def test_g_test_of_columns_is_scipys():
    x = torch.rand(400, 3, generator=torch.Generator().manual_seed(2))
    x[:, 1] = x[:, 0] + x[:, 1]
    x[:, 2] = x[:, 2].round()  # two occupied bins of five
    codes = bin_codes(x, 5).numpy()
    nats = torch.tensor([[histogram_mi(x[:, a], x[:, b], 5) for b in range(3)] for a in range(3)])
    occupied = HistogramPairs(5).occupied(HistogramPairs(5).prepare(x))
    assert occupied.tolist() == [5, 5, 2]
    p = g_test_columns(nats, occupied, 400)
    assert p.diagonal().eq(1).all()
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        counts = np.histogram2d(codes[a], codes[b], bins=5, range=[[-0.5, 4.5]] * 2)[0]
        counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
        expected = chi2_contingency(counts, correction=False, lambda_="log-likelihood").pvalue
        assert float(p[a, b]) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert (g_test_columns(nats, occupied, 200) >= p).all(), "fewer effective rows, less evidence"
