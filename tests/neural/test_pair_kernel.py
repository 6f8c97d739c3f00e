"""The compiled hidden layer of all pairs: its scores and gradients are those of tensors, whatever the shapes."""

import pytest
import torch

from lmi.neural.nets import JointCritic
from lmi.neural.pair_kernel import pair_scores


@pytest.mark.parametrize(("n", "m", "h"), [(7, 7, 64), (5, 9, 3), (1, 4, 16)])
def test_scores_and_gradients_are_those_of_tensors(n, m, h):
    g = torch.Generator().manual_seed(n)
    a, b, w = (torch.randn(*shape, generator=g, requires_grad=True) for shape in ((n, h), (m, h), (h,)))
    upstream = torch.randn(n, m, generator=g)
    slow = (a[:, None] + b).relu() @ w
    torch.testing.assert_close(pair_scores(a, b, w), slow, atol=1e-4, rtol=1e-4)
    fast, known = (torch.autograd.grad(s, (a, b, w), upstream) for s in (pair_scores(a, b, w), slow))
    for one, other in zip(fast, known, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_compiled_critic_has_the_weights_and_scores_of_another():
    one, other = (JointCritic(4, 16, torch.Generator().manual_seed(0), compiled=way) for way in (False, True))
    zx, zy = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(one(zx, zy), other(zx, zy), atol=1e-5, rtol=1e-5)
