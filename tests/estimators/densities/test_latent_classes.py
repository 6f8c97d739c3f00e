import math

import numpy as np
import torch

from lmi.estimators.densities.latent_classes import fit_latent_classes, merged_clusters
from lmi.sources.nonlinear.shared_latent import SharedLatent


def test_every_class_gets_a_centre():
    # k-means of as many clusters as there are classes gave one centre to two of them and two to one: 2.71 of 2.83 nats.
    source = SharedLatent("classes", 50, 0.6, 20, 121)
    g = torch.Generator().manual_seed(3000)
    pairs, fresh = source.sample(3000, g), source.sample(3000, g)
    classes = fit_latent_classes(pairs.x, pairs.y, 20, 1)
    assert float(classes.log_weights.exp().min()) > 0.03
    assert abs(float(classes.scores(fresh.x, fresh.y).diagonal().mean()) - source.truth) < 0.03


def test_clusters_are_merged_into_those_that_are_there():
    rng = np.random.default_rng(0)
    label = rng.integers(12, size=600)
    cluster = merged_clusters(8 * rng.standard_normal((12, 6))[label] + rng.standard_normal((600, 6)), 12, 0)
    table = np.zeros((12, 12))
    np.add.at(table, (label, cluster), 1)
    assert (table.max(1) == table.sum(1)).all() and (table.max(0) == table.sum(0)).all()


def test_rows_that_are_alike_leave_fewer_clusters():
    rows = np.repeat(np.eye(4), 50, 0)
    cluster = merged_clusters(rows, 10, 0)
    assert sorted(np.unique(cluster, return_counts=True)[1]) == [50] * 4
    z = torch.from_numpy(rows)
    both = fit_latent_classes(z, z, 10, 0).scores(z, z).diagonal().mean()
    assert abs(float(both) - math.log(4)) < 0.01
