import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr

from lmi.estimators.pairwise.dependence import dependence, measures
from lmi.sources.shapes import SHAPES, noisy_shape


def by_definition(a: np.ndarray, b: np.ndarray) -> float:
    """Distance correlation by doubly centred matrices of distances."""
    u, v = (np.abs(z[:, None] - z) for z in (a, b))
    u, v = (d - d.mean(0) - d.mean(1, keepdims=True) + d.mean() for d in (u, v))
    return float(np.sqrt((u * v).mean() / np.sqrt((u * u).mean() * (v * v).mean())))


@pytest.mark.slow
def test_measures_equal_their_libraries() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 3, 80))
    y += x**2
    for row, (a, b) in enumerate(zip(x, y)):
        mine = measures(x, y)[row]
        peers = [
            pearsonr(a, b)[0],
            spearmanr(a, b)[0],
            by_definition(a, b),
        ]
        np.testing.assert_allclose(mine[:3], peers, atol=1e-10)


def test_covariance_misses_the_circle_and_mi_sees_it() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = noisy_shape("circle", 300, 0.1, generator)
    measures = dependence(x, y, 99, generator)
    assert measures.p_values[0] > 0.05
    assert measures.p_values[3] == 0.01


def test_p_values_of_independent_columns_are_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    p = np.stack(
        [dependence(*noisy_shape("independent", 60, 0.0, generator), 19, generator).p_values for _ in range(200)]
    )
    assert np.all(np.abs((p <= 0.05).mean(axis=0) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 200))
    assert np.all(np.abs(p.mean(axis=0) - 0.525) < 4 * 0.29 / np.sqrt(200))


def test_mirrored_shapes_have_no_covariance() -> None:
    generator = torch.Generator().manual_seed(0)
    for name in ("parabola", "cosine", "circle", "cross", "checkerboard", "independent"):
        x, y = noisy_shape(name, 40000, 0.0, generator)
        assert abs(float((x * y).mean())) < 0.03, name
    assert len(SHAPES) == 12
