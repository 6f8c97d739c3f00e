"""Latent classes: X and Y are independent given a class that nobody sees, p(x, y) = sum_c pi_c p(x | c) p(y | c).

Each p(. | c) is normal with a diagonal covariance, which all classes share or each has of its own. Fitted by expectation
maximisation from clusters of both sides together. Lazarsfeld and Henry, Latent structure analysis (1968); Dempster, Laird and
Rubin (1977).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

STEPS = 40
SPLIT = 3  # k-means clusters a class, to merge: k-means alone often gives one centre to two classes and two to one
PRIOR = 5.0  # samples with which the variances of all classes count beside those of each
LEAST_VARIANCE = 1e-4  # of a column within a class, as a share of all of it


@dataclass(frozen=True, eq=False)
class LatentClasses:
    """``count`` classes.

    Args:
        log_weights: (c,) log pi.
        centres_x: (c, dx).
        centres_y: (c, dy).
        variances_x: (1, dx) within every class, or (c, dx) of each.
        variances_y: (1, dy) or (c, dy).
    """

    log_weights: Tensor
    centres_x: Tensor
    centres_y: Tensor
    variances_x: Tensor
    variances_y: Tensor

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) log density ratio of every x (n, dx) with every y (m, dy): log sum_c p(c | x) p(c | y) / pi_c, nats."""
        given_x = torch.log_softmax(self.log_weights + _log_normal(x, self.centres_x, self.variances_x), 1)
        given_y = torch.log_softmax(self.log_weights + _log_normal(y, self.centres_y, self.variances_y), 1)
        return ((given_x - self.log_weights).exp() @ given_y.exp().T).clamp(min=1e-300).log()

    def memberships(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, c) probability of each class given both sides x (n, dx) and y (n, dy)."""
        logs = _log_normal(x, self.centres_x, self.variances_x) + _log_normal(y, self.centres_y, self.variances_y)
        return torch.softmax(self.log_weights + logs, 1)


def fit_latent_classes(x: Tensor, y: Tensor, count: int, seed: int, alike: bool = True) -> LatentClasses:
    """Expectation maximisation from merged k-means clusters of the columns of both sides together.

    Args:
        x: (n, dx) of comparable scale.
        y: (n, dy).
        count: classes.
        seed: of k-means.
        alike: whether all classes have the same variances.

    Raises:
        ValueError: for fewer than three samples a class.

    >>> g = torch.Generator().manual_seed(0)
    >>> label = torch.randint(4, (800,), generator=g)
    >>> x, y = (4 * torch.eye(4)[label] + torch.randn(800, 4, generator=g) for _ in range(2))
    >>> classes = fit_latent_classes(x.double(), y.double(), 4, 0)
    >>> 0.9 < float(classes.scores(x.double(), y.double()).diagonal().mean()) < 1.39
    True
    """
    n = x.shape[0]
    if n < SPLIT * count:
        raise ValueError(f"{n} samples are too few for {count} latent classes; expected at least {SPLIT * count}")
    both = torch.cat((x / x.std(0).max(), y / y.std(0).max()), 1)
    share = torch.nn.functional.one_hot(torch.from_numpy(merged_clusters(both.numpy(), count, seed)), count).to(x)
    floors = [LEAST_VARIANCE * z.var(0).clamp(min=1e-300) for z in (x, y)]
    for _ in range(STEPS):
        mass = share.sum(0).clamp(min=1e-9)
        centres = [share.T @ z / mass[:, None] for z in (x, y)]
        # The mean square within classes is that of all rows minus that of the centres.
        variances = [
            torch.maximum((z.square().sum(0) - (mass[:, None] * centre.square()).sum(0)) / n, floor)[None]
            for z, centre, floor in zip((x, y), centres, floors, strict=True)
        ]
        if not alike:
            variances = [
                (share.T @ z.square() - mass[:, None] * centre.square() + PRIOR * every).clamp(min=0)
                / (mass[:, None] + PRIOR)
                for z, centre, every in zip((x, y), centres, variances, strict=True)
            ]
            variances = [torch.maximum(of_each, floor) for of_each, floor in zip(variances, floors, strict=True)]
        fitted = LatentClasses((mass / n).log(), *centres, *variances)
        share = fitted.memberships(x, y)
    return fitted


def merged_clusters(z: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(n,) which of ``count`` clusters: ``SPLIT`` times as many by k-means, the nearest merged one by one.

    Two clusters of a and b samples are a b / (a + b) times their squared distance apart. There are fewer where fewer rows
    are distinct. Ward, Hierarchical grouping to optimize an objective function (1963).

    Args:
        z: (n, d).
        count: of clusters.
        seed: of k-means.
    """
    from sklearn.cluster import KMeans

    splits = min(SPLIT * count, np.unique(z, axis=0).shape[0])
    split = KMeans(splits, n_init=1, random_state=seed).fit(z)
    centre, size = split.cluster_centers_, np.bincount(split.labels_, minlength=splits).astype(float)
    cluster = np.arange(size.size)  # that each of the split ones went into

    def costs(one: int) -> np.ndarray:
        """(clusters,) of merging this one with every other."""
        return np.square(centre[one] - centre).sum(1) * size[one] * size / np.maximum(size[one] + size, 1)

    cost = np.stack([costs(one) for one in range(size.size)])
    np.fill_diagonal(cost, np.inf)
    for _ in range(size.size - count):
        kept, gone = divmod(int(cost.argmin()), size.size)
        both = size[kept] + size[gone]
        centre[kept] = (size[kept] * centre[kept] + size[gone] * centre[gone]) / max(both, 1)
        size[kept] = both
        cluster[cluster == gone] = kept
        cost[gone] = cost[:, gone] = np.inf
        cost[kept] = cost[:, kept] = np.where(np.isinf(cost[kept]), np.inf, costs(kept))
    return np.unique(cluster[split.labels_], return_inverse=True)[1]


def _log_normal(z: Tensor, centres: Tensor, variances: Tensor) -> Tensor:
    """(n, c) log density of z (n, d) around centres (c, d), without what all classes have alike; variances (1, d) or (c, d)."""
    across = z @ (centres / variances).T - 0.5 * (centres.square() / variances).sum(1)
    if variances.shape[0] == 1:
        return across
    return across - 0.5 * z.square() @ (1 / variances).T - 0.5 * variances.log().sum(1)
