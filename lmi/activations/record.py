"""Activations of any torch network, batch after batch, onto the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lmi.activations.hooks import capture, matching
from lmi.activations.store import Chunk, Store, write_store
from lmi.arguments import checked_folder
from lmi.types import Context


def record(
    network: nn.Module,
    batches: Iterable[Tensor | Sequence[Any] | Mapping[str, Any]],
    modules: Sequence[str],
    folder: Path | str,
    context: Context | None = None,
) -> Store:
    """Run ``network`` on ``batches`` and write the named modules' outputs to ``folder``, one batch in memory at a time.

    The network runs in evaluation mode, without gradients, where it is; it is left in the mode it was in.

    Args:
        network: any module that takes its batch first.
        batches: each a tensor, a sequence of positional or a mapping of keyword arguments.
        modules: names or globs, see ``matching``.
        folder: where the activations go: (n, d) a module, what follows the batch flattened.
        context: for the progress bar.

    Raises:
        ValueError: for a name that matches nothing, an output whose first axis is not the batch, or NaN (with the
            layer).

    >>> import tempfile
    >>> network = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    >>> store = record(network, torch.randn(10, 4).split(5), ["1"], Path(tempfile.mkdtemp()) / "digits")
    >>> store.names, tuple(store.layer("1").shape)
    (('1',), (10, 3))
    """
    matching(network, modules)
    folder = checked_folder(folder)
    training = {module for module in network.modules() if module.training}
    network.eval()
    try:
        return write_store(folder, _chunks(network, batches, modules, context or Context()), {"modules": list(modules)})
    finally:
        for module in training:
            module.training = True


def _chunks(network: nn.Module, batches: Iterable[Any], modules: Sequence[str], context: Context) -> Iterator[Chunk]:
    for batch in context.bar(batches, "activations"):
        if not isinstance(batch, Tensor | Sequence | Mapping) or isinstance(batch, str):
            raise ValueError(
                f"a batch is a {type(batch).__name__}; expected a tensor, or a sequence or mapping of arguments"
            )
        args = (batch,) if isinstance(batch, Tensor) else () if isinstance(batch, Mapping) else tuple(batch)
        kwargs = dict(batch) if isinstance(batch, Mapping) else {}
        sizes = [len(value) for value in [*args, *kwargs.values()] if isinstance(value, Tensor) and value.ndim]
        if not sizes:
            raise ValueError(
                "a batch holds no tensor; expected a tensor, or a sequence or mapping of arguments with one"
            )
        size = sizes[0]
        with torch.no_grad(), capture(network, modules) as outputs:
            network(*args, **kwargs)
        for name, output in outputs.items():
            if output.ndim == 0 or len(output) != size:
                raise ValueError(
                    f"module {name!r} gives {tuple(output.shape)} for a batch of {size}; expected the batch first"
                )
        silent = [name for name in matching(network, modules) if name not in outputs]
        if silent:
            raise ValueError(f"module {silent[0]!r} is not called when {type(network).__name__} runs")
        yield (
            {name: outputs[name].flatten(1) if outputs[name].ndim > 1 else outputs[name][:, None] for name in outputs},
            {},
        )
