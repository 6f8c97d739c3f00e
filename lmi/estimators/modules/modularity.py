"""Finding modules: cut the graph of pairwise MI, and say in bits how much less the cut crosses than chance would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmi.arguments import checked_generator, whole
from lmi.estimators.modules.closed_form import gaussian_mi_samples
from lmi.estimators.modules.partition import PartitionLike, module_labels, partition_of
from lmi.inputs import read_matrices, read_matrix


@dataclass(frozen=True, eq=False)
class ModularityScore:
    """How modular a partition is, everything in nats.

    Args:
        between: total correlation between the modules: dependence that the partition cuts.
        total: total correlation of all single neurons: dependence that there is to cut.
        random: (r,) ``between`` for random partitions of the same sizes.
    """

    between: float
    total: float
    random: Tensor

    @property
    def cut(self) -> float:
        """between / total: the share of the dependence that crosses modules; 0 for independent modules."""
        return self.between / self.total

    @property
    def random_cut(self) -> float:
        """The same for random partitions, mean."""
        return float(self.random.mean()) / self.total

    @property
    def modularity(self) -> float:
        """mean(random) - between, nats: what the modules keep inside beyond chance."""
        return float(self.random.mean()) - self.between

    @property
    def p_value(self) -> float:
        """(1 + #{random <= between}) / (1 + r)."""
        return (1 + int((self.random <= self.between).sum())) / (1 + len(self.random))


def find_modules(pairwise: Any, num_modules: int, seed: int = 0) -> Any:
    """(d,) labels of modules that share much inside and little across: spectral clustering of the graph of MI.

    Args:
        pairwise: (d, d) MI of every two neurons (a DataFrame, tensor or array), symmetric; what is below zero counts as
            no edge, the diagonal too. From ``pairwise_mi``: weak dependence wants many neighbours (k = 30), whose
            estimates scatter less.
        num_modules: how many to find.
        seed: of the library's clustering.

    Returns:
        A Series that names the columns for a DataFrame, a tensor for a tensor, else an array.

    Raises:
        ValueError: for a matrix that is not square, symmetric and finite, fewer than two modules or more than neurons.

    >>> block = torch.ones(3, 3)
    >>> find_modules(torch.block_diag(block, block), 2).tolist() in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    True
    """
    side = read_matrix(pairwise, "pairwise", is_sample=False)
    pairwise = side.values
    d = len(pairwise)
    if pairwise.shape != (d, d) or not bool((torch.isfinite(pairwise.cpu()) | torch.eye(d, dtype=torch.bool)).all()):
        raise ValueError(f"pairwise of shape {tuple(pairwise.shape)}: expected a square matrix of finite numbers")
    pairwise = pairwise.detach().double().cpu().clone().fill_diagonal_(0.0)
    if not torch.allclose(pairwise, pairwise.T, atol=1e-6):
        raise ValueError("pairwise is not symmetric: expected MI of every two neurons")
    num_modules, seed = whole(num_modules, "num_modules", 2, d), whole(seed, "seed", 0, 2**32 - 1)
    from sklearn.cluster import SpectralClustering

    graph = pairwise.clamp(min=0)
    # An edge of nothing keeps the graph in one piece, which the library's eigensolver needs.
    graph = graph + 1e-6 * float(graph.max()) + 1e-12
    cluster = SpectralClustering(num_modules, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
    labels = cluster.fit_predict(graph.numpy())
    partition = module_labels(torch.from_numpy(labels).long(), d)
    if side.kind == "frame":
        import pandas

        return pandas.Series(partition.numpy(), index=pandas.Index(side.columns or range(d)), name="module")
    return partition if side.kind == "tensor" else partition.numpy()


def modularity_score(
    activations: Any, partition: PartitionLike, splits: int, generator: torch.Generator
) -> ModularityScore:
    """Score a partition by Gaussian total correlation against random partitions of the same sizes.

    Total correlation splits exactly: all of it = between modules + inside each module. All of them are closed forms of
    the sample covariance, debiased; they see linear dependence only.

    Args:
        activations: (n, d), more samples than neurons; for an honest score not those the partition was found on.
        partition: labels (d,) or boolean (modules, d).
        splits: how many random partitions.
        generator: draws them.

    Raises:
        ValueError: for a bad partition or too few samples.
    """
    splits, generator = whole(splits, "splits", 1), checked_generator(generator)
    (side,), _ = read_matrices(read_matrix(activations, "activations"))
    h, d = side.values, side.values.shape[1]
    labels = module_labels(partition_of(partition, side.columns), d)
    random = [gaussian_mi_samples(h, labels[torch.randperm(d, generator=generator)]) for _ in range(splits)]
    return ModularityScore(
        gaussian_mi_samples(h, labels),
        gaussian_mi_samples(h, torch.arange(d)),
        torch.tensor(random, dtype=torch.float64),
    )
