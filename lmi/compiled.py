"""Kernels that Numba compiles once for all processes: who starts beside another on a cold cache waits for it and loads."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

LOCK = Path(tempfile.gettempdir()) / f"lmi-kernels-{os.getuid()}.lock"
_depth = 0  # a kernel that calls others compiles them while it is compiled


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit(cache=True, **options)``, of which one process at a time compiles, reads and writes the cache on disk.

    Numba reads the index of its cache, adds to it and writes it back. Two processes that do so at the same moment leave
    an index that names the other's machine code, which can crash whoever loads it.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(cache=True, **options)(function)
        compile_now = dispatcher.compile

        def compile_alone(signature: Any) -> Any:
            with global_compiler_lock, _alone():
                return compile_now(signature)

        dispatcher.compile = compile_alone
        return dispatcher

    return decorate


@contextmanager
def _alone() -> Iterator[None]:
    """One compilation at a time among all processes of this user; those of kernels that it calls go on inside it."""
    global _depth
    if _depth:
        yield
        return
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1
