import numpy as np
import pytest

from lmi.sources.planted.planted_columns import PlantedColumns
from lmi.types import Context


def test_columns_have_the_autocorrelation_and_the_dependence_that_were_planted():
    source = PlantedColumns(dims=20, num_layers=2, num_documents=4, tokens=4000, autocorrelation=0.6, correlation=0.8)
    *_, (_, h, documents) = source.layers(Context(seed=5))
    assert documents.bincount().tolist() == [4000] * 4
    x = h.view(4, 4000, 20)[:, :, 0]
    assert np.corrcoef(x[:, 1:].flatten(), x[:, :-1].flatten())[0, 1] == pytest.approx(0.6, abs=0.03)
    assert np.corrcoef(h[:, 0], h[:, 1])[0, 1] == pytest.approx(0.8, abs=0.03)
    assert np.corrcoef(h[:, 8], h[:, 9])[0, 1] == pytest.approx(0.0, abs=0.08)
    assert np.corrcoef(h[:, 8] ** 2, h[:, 9])[0, 1] == pytest.approx(0.8, abs=0.05)


def test_too_many_pairs_are_refused():
    with pytest.raises(ValueError, match="more than dims=4"):
        next(PlantedColumns(dims=4).layers(Context()))
