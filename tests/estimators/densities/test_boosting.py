"""Boosted trees: no worse than scikit-learn's on fresh rows, no trees where there is nothing to learn."""

import numpy as np
import pytest
import torch

from lmi.estimators.densities.boosting import fit_boosted_trees


@pytest.mark.parametrize(("n", "d"), [(400, 3), (700, 2)])
def test_they_predict_fresh_rows_as_well_as_those_of_scikit_learn(n, d):
    from sklearn.ensemble import HistGradientBoostingRegressor

    g = torch.Generator().manual_seed(n)
    mine, theirs = [], []
    for seed in range(3):
        x = torch.randn(n + 1000, d, generator=g, dtype=torch.float64)
        signal = (3 * x[:, 0]).sin() * x[:, 1].sign()
        y = signal + 0.4 * torch.randn(n + 1000, generator=g, dtype=torch.float64)
        reference = HistGradientBoostingRegressor(
            max_iter=200, max_leaf_nodes=15, early_stopping=True, validation_fraction=0.15, random_state=seed
        ).fit(x[:n].numpy(), y[:n].numpy())
        theirs.append(float(np.square(reference.predict(x[n:].numpy()) - signal[n:].numpy()).mean()))
        mine.append(float((fit_boosted_trees(x[:n], y[:n], seed)(x[n:]) - signal[n:]).square().mean()))
    assert sum(mine) < 1.1 * sum(theirs)


def test_noise_and_constant_columns_teach_nothing():
    g = torch.Generator().manual_seed(2)
    x = torch.cat((torch.randn(300, 2, generator=g, dtype=torch.float64), torch.ones(300, 1, dtype=torch.float64)), 1)
    y = torch.randn(300, generator=g, dtype=torch.float64)
    trees = fit_boosted_trees(x, y, 0)
    assert trees.column.shape[0] < 25 and float(trees(x).std()) < 0.5
    assert not (trees.column == 2).any()
    level = fit_boosted_trees(x[:, 2:], y, 0)(x[:, 2:])
    assert float(level.std()) < 1e-12 and abs(float(level[0] - y.mean())) < 0.2
    assert bool(torch.isfinite(fit_boosted_trees(x[:30], y[:30], 0)(x)).all())  # too few for a second leaf
