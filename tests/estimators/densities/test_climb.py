"""The compiled climb: its arithmetic is exact, and what it cannot fit it says."""

import numpy as np
import pytest
import torch
from numba import njit

from lmi.estimators.densities.climb import MOST_DEGREES, _expected
from lmi.estimators.densities.mixture import _t_of_square, fit_mixture
from lmi.estimators.densities.polynomials import exponential, logarithm


@njit
def mapped(function, numbers):
    out = np.empty_like(numbers)
    for i in range(numbers.size):
        out[i] = function(numbers[i])
    return out


def test_exponentials_and_logarithms_are_exact():
    x = np.linspace(-700, 700, 20_001)
    np.testing.assert_allclose(mapped(exponential, x), np.exp(x), rtol=1e-15)
    x = np.concatenate((np.linspace(1, 4, 10_000), np.geomspace(1, 1e300, 10_000), [1.0, np.nextafter(1.0, 2.0)]))
    np.testing.assert_allclose(mapped(logarithm, x), np.log(x), rtol=1e-15, atol=1e-16)


def test_memberships_are_those_of_the_densities():
    """The kernel inlines its exponential: what it may do to floats must leave that exact."""
    g = torch.Generator().manual_seed(0)
    squares, weights = 9 * torch.rand(5, 700, generator=g, dtype=torch.float64), torch.rand(5, generator=g).double()
    volumes, share = torch.randn(5, generator=g).double(), np.empty((5, 700))
    for degrees in (4.0, MOST_DEGREES):
        logs = weights.log()[:, None] + _t_of_square(squares, volumes, degrees, 3)
        likelihood = _expected(squares.numpy(), volumes.numpy(), weights.numpy(), degrees, 3, share)
        np.testing.assert_allclose(share, logs.softmax(0), rtol=1e-12)
        assert likelihood == pytest.approx(float(logs.logsumexp(0).mean()), rel=1e-12)


@pytest.mark.parametrize("n", [255, 256, 257, 1000])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_one_component_of_any_size_is_the_mean_and_covariance(n, dim):
    """Samples are worked on in tiles and columns in twos: no remainder is left out."""
    z = torch.randn(n, 2 * dim, generator=torch.Generator().manual_seed(n), dtype=torch.float64) + 3
    fitted = fit_mixture(z[:, :dim], z[:, dim:], 1, torch.Generator(), heavy=False)
    torch.testing.assert_close(fitted.centres[0], z.mean(0))
    torch.testing.assert_close(fitted.scales[0], torch.cov(z.T, correction=0))


def test_columns_that_depend_on_others_are_refused():
    x = torch.ones(100, 1, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="singular scale: some columns depend on others"):
        fit_mixture(x, x, 1, torch.Generator().manual_seed(0))
