"""Random matchings of rows to partners, by how likely scores say they are: a chain of swaps, compiled.

Each swap is a few operations, and a draw takes some thirty thousand of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmi.compiled import kernel

SWEEPS = 60  # of proposed swaps, b / 2 each: from the observed matching to the hub, and from the hub to each draw


def drawn_matchings(f: Tensor, generator: torch.Generator, draws: int) -> Tensor:
    """(draws, b) matchings p of probability proportional to exp sum_i f[i, p(i)], exchangeable with the identity.

    Swaps of random pairs of rows are accepted by Metropolis' rule; from the identity to a hub, and from there to each draw.
    Berrett, Wang, Barber, Samworth, The conditional permutation test, J. R. Stat. Soc. B 82 (2020).

    Args:
        f: (b, b) scores.
        generator: draws.
        draws: how many matchings.

    >>> g = torch.Generator().manual_seed(0)
    >>> certain = torch.full((50, 50), -100.0).fill_diagonal_(0.0)
    >>> drawn_matchings(certain, g, 2).eq(torch.arange(50)).all().item()
    True
    >>> free = drawn_matchings(torch.zeros(1000, 1000), g, 2)
    >>> free.eq(torch.arange(1000)).double().mean().item() < 0.01, free.sort(1).values.eq(torch.arange(1000)).all().item()
    (True, True)
    """
    b = f.shape[0]
    seeds = torch.randint(1, 2**62, (1 + draws,), generator=generator).numpy()
    scores = np.ascontiguousarray(f.double().numpy())
    hub = np.arange(b)
    _swapped(scores, hub, SWEEPS * (b // 2), seeds[0])
    out = np.tile(hub, (draws, 1))
    for matching, seed in zip(out, seeds[1:], strict=True):
        _swapped(scores, matching, SWEEPS * (b // 2), seed)
    return torch.from_numpy(out)


@kernel()
def _swapped(scores: np.ndarray[Any, Any], matching: np.ndarray[Any, Any], swaps: int, seed: int) -> None:
    """Propose ``swaps`` of two random rows' partners in ``matching`` (b,), and take those that ``scores`` (b, b) favour.

    Random numbers are Marsaglia's xorshift64* (Vigna 2016) from ``seed``, which is not 0.
    """
    b, state = matching.size, np.uint64(seed)
    for _ in range(swaps):
        i = j = 0
        chance = 0.0
        for which in range(3):
            state ^= state >> np.uint64(12)
            state ^= state << np.uint64(25)
            state ^= state >> np.uint64(27)
            share = ((state * np.uint64(2685821657736338717)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
            if which == 0:
                i = int(share * b)
            elif which == 1:
                j = int(share * b)
            else:
                chance = share
        p, q = matching[i], matching[j]
        gain = scores[i, q] + scores[j, p] - scores[i, p] - scores[j, q]
        if gain >= 0.0 or chance < math.exp(gain):
            matching[i], matching[j] = q, p
