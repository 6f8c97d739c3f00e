import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from lmi.estimators.modules.closed_form import gaussian_mi
from lmi.estimators.modules.modularity import find_modules, modularity_score
from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.sources.normal.linear import LinearModules


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_planted_modules_are_recovered_and_score(seed: int) -> None:
    layer, labels = LinearModules(40, (6, 8, 10), coupling=0.1, weight_seed=seed, shuffled=True).build()
    y = layer(layer.inputs(4000, generator(seed)))
    modules = find_modules(pairwise_mi(y[:2000], k=30), 3)
    assert adjusted_rand_score(labels, modules) == 1.0
    score = modularity_score(y[2000:], modules, 20, generator(1))
    assert score.cut < 0.1 < score.random_cut
    assert score.p_value == pytest.approx(1 / 21)
    assert score.modularity == pytest.approx(float(score.random.mean()) - score.between)
    assert score.total == pytest.approx(gaussian_mi(layer.cov, torch.arange(24)), rel=0.1)


def test_a_random_partition_scores_like_random_partitions() -> None:
    layer, _ = LinearModules(40, (6, 6, 6)).build()
    y = layer(layer.inputs(2000, generator()))
    labels = torch.arange(18) % 3
    assert modularity_score(y, labels, 50, generator()).p_value > 0.02


def test_independent_neurons_and_dead_ones_do_not_break_the_search() -> None:
    assert len(find_modules(torch.zeros(6, 6), 2).unique()) <= 2
    graph = torch.block_diag(torch.ones(3, 3), torch.ones(3, 3), torch.zeros(1, 1))
    labels = find_modules(graph, 2)
    assert len(set(labels[:3].tolist())) == len(set(labels[3:6].tolist())) == 1


@pytest.mark.parametrize(
    ("matrix", "count", "words"),
    [
        (torch.ones(3, 2), 2, "square"),
        (torch.tensor([[0.0, 1.0], [0.0, 0.0]]), 2, "not symmetric"),
        (torch.full((3, 3), float("nan")), 2, "finite"),
        (torch.ones(3, 3), 1, "num_modules is 1; expected a whole number from 2 to 3"),
        (torch.ones(3, 3), 4, "num_modules is 4"),
    ],
)
def test_bad_graphs(matrix: torch.Tensor, count: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        find_modules(matrix, count)
