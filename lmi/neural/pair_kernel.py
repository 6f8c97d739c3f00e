"""One hidden layer over all pairs of two batches, without ever holding it: compiled for the cores of a CPU.

s_ij = sum_k w_k max(a_ik + b_jk, 0) has b c h hidden units. Written with tensors, each of some ten passes over these
moves b c h floats through memory; here they stay in registers, forwards and backwards.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from lmi.compiled import kernel


def pair_scores(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """(n, m) sum_k w_k max(a_ik + b_jk, 0), with gradients for all three.

    Args:
        a: (n, h) the part of the hidden layer that x gives, float32 on a CPU.
        b: (m, h) that of y.
        weight: (h,) of the hidden units.

    >>> g = torch.Generator().manual_seed(0)
    >>> a, b = torch.randn(2, 5, 8, generator=g)
    >>> w = torch.randn(8, generator=g)
    >>> slow = (a[:, None] + b).relu() @ w
    >>> bool(torch.allclose(pair_scores(a, b, w), slow, atol=1e-5))
    True
    """
    return cast(Tensor, _PairScores.apply(a, b, weight))


class _PairScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, weight)
        out = torch.empty(a.shape[0], b.shape[0])
        _forward(*(z.detach().contiguous().numpy() for z in (a, b, weight)), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b, weight = (z.detach().contiguous() for z in ctx.saved_tensors)
        of_a, of_b = torch.zeros_like(a), torch.zeros_like(b)
        _backward(*(z.numpy() for z in (a, b, gradients[0].contiguous(), of_a, of_b)))
        return of_a * weight, of_b * weight, (a * of_a).sum(0) + (b * of_b).sum(0)


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _forward(a, b, weight, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = a[i, 0] * 0
            for k in range(weight.shape[0]):
                total += weight[k] * max(a[i, k] + b[j, k], a[i, 0] * 0)
            out[i, j] = total


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _backward(a, b, gradient, of_a, of_b):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Gradients summed over the pairs in which a hidden unit is above 0, before its weight."""
    zero = gradient[0, 0] * 0
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            g = gradient[i, j]
            for k in range(a.shape[1]):
                back = g if a[i, k] + b[j, k] > zero else zero
                of_a[i, k] += back
                of_b[j, k] += back
