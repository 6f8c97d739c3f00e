"""Small networks on few threads: waking a second core for a product of half a millisecond costs more than it saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

FLOP_A_THREAD = 2e9  # of one training step; measured by ``experiment=throughput``
FLOP_A_HALF = 5e7  # of each half of a step, from which on two halves are faster on two threads


def step_flop(parameters: int, batch_size: int) -> float:
    """Floating-point operations of a training step: two a weight and sample forwards, four backwards."""
    return 6.0 * parameters * batch_size


@contextmanager
def threads_for(flop: float, halves: bool = False) -> Iterator[bool]:
    """One thread for every two gigaflop of a step, at least one and never more than there were; afterwards as before.

    Args:
        flop: of a step.
        halves: whether a step is two halves that need nothing of each other. Where both are worth a thread and there are
            two, the block is told to use two, and each half has its share of the others.

    >>> before = torch.get_num_threads()
    >>> with threads_for(1e6, halves=True) as side_by_side:
    ...     torch.get_num_threads(), side_by_side
    (1, False)
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    side_by_side = halves and before >= 2 and flop >= 2 * FLOP_A_HALF
    with at_most(min(before, flop / FLOP_A_THREAD) / (2 if side_by_side else 1)):
        yield side_by_side


@contextmanager
def at_most(threads: float) -> Iterator[None]:
    """So many threads, rounded, at least one and never more than there were; afterwards as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, round(threads))))
    try:
        yield
    finally:
        torch.set_num_threads(before)
