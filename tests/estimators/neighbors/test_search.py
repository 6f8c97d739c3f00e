"""Every way to the neighbours gives the same numbers as the definition written out."""

import pytest
import torch

from lmi.estimators.neighbors.search import count_inside, nearest

WAYS = ("tree", "brute", "chunked")


def points(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def all_distances(query, reference, metric):
    gap = (query[:, None] - reference[None]).abs()
    return gap.amax(-1) if metric == "chebyshev" else gap.square().sum(-1).sqrt()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize(("n", "d", "k"), [(50, 1, 1), (300, 3, 5), (700, 12, 10)])
def test_neighbours_are_those_of_the_full_distance_matrix(way, metric, n, d, k):
    z = points(n, d)
    full = all_distances(z, z, metric).fill_diagonal_(torch.inf)
    expected = full.sort(dim=1).values[:, :k]
    distances, indices = nearest(z, k, metric=metric, way=way)
    torch.testing.assert_close(distances, expected, rtol=1e-14, atol=0)
    torch.testing.assert_close(full.gather(1, indices), distances, rtol=1e-14, atol=0)


@pytest.mark.parametrize("way", WAYS)
def test_neighbours_of_new_points_may_be_at_distance_zero(way):
    z = points(200, 4)
    distances, indices = nearest(z, 2, query=z[:7], way=way)
    assert torch.equal(indices[:, 0], torch.arange(7))
    assert bool((distances[:, 0] == 0).all())


@pytest.mark.parametrize("way", WAYS)
def test_duplicates_do_not_hide_one_another(way):
    z = points(40, 2).repeat(4, 1)
    distances, indices = nearest(z, 3, way=way)
    assert bool((distances == 0).all())
    assert not bool((indices == torch.arange(160)[:, None]).any())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("d", [1, 2, 9])
def test_counts_are_strictly_inside_and_include_the_point(way, metric, d):
    z = points(400, d)
    # The fourth neighbour stands on the border: three others and the point itself are inside. In Chebyshev distance the
    # border is exact; squares and roots round, so there it is moved inwards.
    radius = nearest(z, 4, metric=metric)[0][:, -1] * (1 if metric == "chebyshev" else 1 - 1e-12)
    assert bool((count_inside(z, radius, metric=metric, way=way) == 4).all())
    wide = 1.7 * radius
    expected = (all_distances(z, z, metric) < wide[:, None]).sum(1)
    assert torch.equal(count_inside(z, wide, metric=metric, way=way), expected)


def test_more_neighbours_than_points_is_refused():
    with pytest.raises(ValueError, match=r"between 1 and 4.*k=5"):
        nearest(points(5, 2), 5)
    with pytest.raises(ValueError, match=r"k=0"):
        nearest(points(5, 2), 0)
