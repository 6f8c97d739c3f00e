"""Small networks on few threads: waking a second core for a product of half a millisecond costs more than it saves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

FLOP_A_THREAD = 2e9  # of one training step; measured by ``experiment=throughput``
FLOP_A_HALF = 5e7  # of each half of a step, from which on two halves are faster on two threads

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """``work`` of each item, in their order, on as many threads as compiled code may use.

    Args:
        work: needs nothing of the others, runs no threads of its own, and leaves the interpreter to others: compiled code
            without its lock, and tensor operations that are not tiny.
        items: what it is asked.

    >>> side_by_side(lambda n: n * n, [1, 2, 3])
    [1, 4, 9]
    """
    import numba

    threads = min(numba.get_num_threads(), len(items))
    if threads < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


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
