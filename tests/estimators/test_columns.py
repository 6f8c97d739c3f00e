"""What is done to each side alone keeps the information and ignores what it should."""

import torch
from scipy.stats import rankdata

from lmi.estimators.columns import mean_ranks, normal_scores, normal_scores_at, principal_components, robust_scaled


def draw(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_normal_scores_ignore_increasing_maps():
    z = draw(200, 3)
    assert torch.equal(normal_scores(z), normal_scores(z**3)) and torch.equal(normal_scores(z), normal_scores(z.exp()))
    assert abs(float(normal_scores(z).mean())) < 1e-12


def test_robust_scale_is_not_moved_by_an_outlier():
    z = draw(1001, 1)
    spoiled = z.clone()
    spoiled[0] = 1e9
    assert torch.allclose(robust_scaled(z)[1:], robust_scaled(spoiled)[1:], atol=0.05)
    assert abs(float(robust_scaled(z).std()) - 1) < 0.1


def test_components_keep_distances_both_ways_round():
    for n, d in ((60, 8), (8, 60)):
        z = draw(n, d, seed=1)
        kept = principal_components(z, 100)
        assert torch.allclose(torch.cdist(z, z), torch.cdist(kept, kept), atol=1e-6)
        assert (kept.std(0).diff() <= 1e-9).all()


def test_redundant_columns_are_left_out():
    z = draw(100, 3)
    assert principal_components(torch.cat((z, z @ draw(3, 20, 2)), 1), 50).shape[1] == 3


def test_ranks_are_those_of_scipy_with_and_without_ties():
    plain = draw(300, 4, seed=2)
    for z in (plain, plain.round(), torch.ones(5, 2, dtype=torch.float64)):
        assert torch.equal(mean_ranks(z), torch.from_numpy(rankdata(z.numpy(), axis=0)))


def test_scores_by_the_ranks_of_others():
    reference, fresh = draw(500, 2, seed=3), draw(50, 2, seed=4)
    at = normal_scores_at(reference)
    assert torch.allclose(at(reference), normal_scores(reference), atol=1e-12)  # their own ranks
    assert torch.allclose(at(fresh), fresh, atol=0.5)  # normal already
    assert float(at(1e9 * fresh).abs().max()) == float(at(reference).abs().max())
