"""Small networks on few threads: waking a second core for a product of half a millisecond costs more than it saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

FLOP_A_THREAD = 2e9  # of one training step; measured by ``experiment=throughput``


def step_flop(parameters: int, batch_size: int) -> float:
    """Floating-point operations of a training step: two a weight and sample forwards, four backwards."""
    return 6.0 * parameters * batch_size


@contextmanager
def threads_for(flop: float) -> Iterator[None]:
    """One thread for every two gigaflop of a step, at least one and never more than there were; afterwards as before.

    >>> before = torch.get_num_threads()
    >>> with threads_for(1e6):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    torch.set_num_threads(round(max(1.0, min(float(before), flop / FLOP_A_THREAD))))
    try:
        yield
    finally:
        torch.set_num_threads(before)
