"""Which GPUs a trial sees, where several trials run on one machine at a time: those that the fewest others have."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> list[str]:
    """The GPUs of this process, by the names that ``CUDA_VISIBLE_DEVICES`` gives them; none where there are none."""
    if names := os.environ.get(VISIBLE):
        return [name.strip() for name in names.split(",")]
    import torch  # a sweep of trials one after the other does not wait for it

    return [str(number) for number in range(torch.cuda.device_count())]


@contextmanager
def own_gpus(folder: Path, gpus: list[str], trials: int, count: int) -> Iterator[dict[str, str]]:
    """Variables that show a trial ``count`` of the ``gpus``; they are its own for as long as the block lasts.

    A GPU has places, each a locked file of ``folder``: first places are taken first, so that GPUs are shared only where
    there are more trials than GPUs. The locks are the kernel's and end with this process, however that ends. A trial that
    is to have more GPUs than there are sees them all, and says so itself.

    Args:
        folder: of the sweep.
        gpus: their names; none gives no variables.
        trials: how many run at a time.
        count: of GPUs for each trial.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with own_gpus(folder, ["0", "1"], 3, 1) as first, own_gpus(folder, ["0", "1"], 3, 1) as second:
    ...     print(first, second)
    {'CUDA_VISIBLE_DEVICES': '0'} {'CUDA_VISIBLE_DEVICES': '1'}
    """
    if not gpus:
        yield {}
        return
    taken: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as places:
        for place in range(trials):
            for gpu in gpus:
                if len(taken) < count and gpu not in taken:
                    file = places.enter_context((folder / f"gpu-{gpu}-{place}.lock").open("w"))
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        continue
                    taken.append(gpu)
        taken += [gpu for gpu in gpus if gpu not in taken][: count - len(taken)]  # another sweep has all places
        yield {VISIBLE: ",".join(taken)}
