"""Kernel variates: they find what lines do not, look only at their own samples, and stay calm where nothing is."""

import pytest
import torch

from lmi.estimators.densities.kernel_variates import fit_kernel_variates


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def circle(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A point on a circle and the square of one of its coordinates, with noise: uncorrelated, dependent."""
    angle = 6.283185 * torch.rand(n, 1, generator=generator(seed), dtype=torch.float64)
    y = (2 * angle).cos() + 0.1 * torch.randn(n, 1, generator=generator(seed + 1), dtype=torch.float64)
    return torch.cat((angle.cos(), angle.sin()), 1), y


def test_fresh_variates_are_correlated_where_columns_are_not() -> None:
    x, y = circle(3000)
    variates = fit_kernel_variates(x, y, torch.arange(1000), 3, generator())
    u, v = variates.x(x[1000:])[:, 0], variates.y(y[1000:])[:, 0]
    assert torch.corrcoef(torch.stack((u, v)))[0, 1] > 0.95
    assert torch.corrcoef(torch.cat((x, y), 1).T)[:2, 2].abs().max() < 0.1
    assert 0.8 < u.std() < 1.2


def test_samples_outside_the_fitting_part_change_nothing() -> None:
    x, y = circle(900)
    fit = torch.arange(600)
    first = fit_kernel_variates(x, y, fit, 2, generator(3))
    x[600:], y[600:] = 100.0, -100.0
    again = fit_kernel_variates(x, y, fit, 2, generator(3))
    torch.testing.assert_close(first.x(x[:600]), again.x(x[:600]))
    assert set(first.rest.tolist()) <= set(range(600))


def test_independent_sides_share_nothing_in_fresh_variates() -> None:
    x = torch.randn(3000, 5, generator=generator(), dtype=torch.float64)
    y = torch.randn(3000, 4, generator=generator(1), dtype=torch.float64)
    variates = fit_kernel_variates(x, y, torch.arange(1000), 1, generator())
    u, v = variates.x(x[1000:])[:, 0], variates.y(y[1000:])[:, 0]
    assert abs(float(torch.corrcoef(torch.stack((u, v)))[0, 1])) < 4 / 2000**0.5


def test_too_few_samples_are_refused() -> None:
    x, y = circle(30)
    with pytest.raises(ValueError, match="19 samples are too few"):
        fit_kernel_variates(x, y, torch.arange(19), 1, generator())


def test_what_turns_with_the_distance_from_the_centre_is_found_in_many_columns() -> None:
    x, y = (torch.randn(1500, 8, generator=generator(seed), dtype=torch.float64) for seed in (0, 1))
    y[:, :2] = 0.8 * x[:, :2] + 0.6 * y[:, :2]
    angle = 0.3 * x.square().sum(1)
    x[:, 0], x[:, 4] = angle.cos() * x[:, 0] - angle.sin() * x[:, 4], angle.sin() * x[:, 0] + angle.cos() * x[:, 4]
    variates = fit_kernel_variates(x, y, torch.arange(1000), 2, generator())
    u, v = variates.x(x[1000:]), variates.y(y[1000:])
    assert all(torch.corrcoef(torch.stack(pair))[0, 1] > 0.6 for pair in zip(u.T, v.T, strict=True))
