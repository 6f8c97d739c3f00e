"""Independent components are told apart by their own shapes, also where these are skewed."""

import pytest
import torch

from lmi.estimators.densities.unmixing import independent_components


def leak(turn, mixing):
    """Root mean square of what a component has of sources that are not its own."""
    both = (mixing @ turn).abs()
    both = both / both.amax(0, keepdim=True)
    return float(((both.square().sum() - len(both)) / (len(both) * (len(both) - 1))).sqrt())


def sources(kind, n, g):
    e = -torch.rand(n, 6, generator=g, dtype=torch.float64).log()
    if kind == "skewed":
        return e.sqrt() ** torch.tensor([1.0, 1.4, 1.8, 2.2, 2.6, 3.0])
    return e * torch.where(torch.rand(n, 6, generator=g) < 0.5, -1, 1)


@pytest.mark.parametrize(("kind", "most"), [("skewed", 0.02), ("double exponential", 0.025)])
def test_little_of_a_component_is_another_s(kind, most):
    """By tanh alone .05 of a skewed component is another's, and .02 of a symmetric one."""
    leaks = []
    for seed in range(3):
        g = torch.Generator().manual_seed(seed)
        s = sources(kind, 3000, g)
        mixing = torch.randn(6, 6, generator=g, dtype=torch.float64)
        leaks.append(leak(independent_components((s - s.mean(0)) / s.std(0) @ mixing), mixing))
    assert sum(leaks) / len(leaks) < most


def test_normal_columns_give_way_to_one_with_a_shape():
    g = torch.Generator().manual_seed(0)
    s = torch.randn(3000, 5, generator=g, dtype=torch.float64)
    s[:, 2] = s[:, 2].abs()
    s = (s - s.mean(0)) / s.std(0)
    mixing = torch.randn(5, 5, generator=g, dtype=torch.float64)
    components = s @ mixing @ independent_components(s @ mixing)
    shared = torch.corrcoef(torch.cat((components, s[:, 2:3]), 1).T)[-1, :-1].abs()
    assert shared.max() > 0.99
