"""Reading what named modules of any torch network put out (or take in) while it runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, Literal

from torch import Tensor, nn

from lmi.settings import near


def matching(network: nn.Module, globs: Sequence[str]) -> list[str]:
    """The names of the modules that any of ``globs`` matches, in the network's own order.

    ``*`` matches across dots; a name without wildcards matches itself.

    Raises:
        ValueError: for a glob that matches nothing, with the nearest names.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> matching(network, ["[02]"])
    ['0', '2']
    >>> matching(network, ["3"])
    Traceback (most recent call last):
    ValueError: Sequential has no module that '3' matches; (valid: 0, 1, 2)
    """
    if not isinstance(network, nn.Module):
        raise ValueError(f"network is a {type(network).__name__}; expected a torch module")
    if isinstance(globs, str):
        raise ValueError(f"one string, {globs!r}, in place of names of modules; expected several: [{globs!r}]")
    names = [name for name, _ in network.named_modules() if name]
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            nearest = difflib.get_close_matches(glob, names, n=8, cutoff=0.3) or names[:20]
            raise ValueError(f"{type(network).__name__} has no module that {glob!r} matches; {near(glob, nearest)}")
    return [name for name in names if any(fnmatchcase(name, glob) for glob in globs)]


@contextmanager
def capture(
    network: nn.Module, globs: Sequence[str], take: Literal["output", "input"] = "output"
) -> Iterator[dict[str, Tensor]]:
    """Within the block, the mapping it yields holds each named module's latest output, batch first, detached.

    A module that returns several things gives the first tensor of them. The tensors are copies: an in-place
    operation further on does not reach them. The hooks go when the block ends, also when the forward pass fails.

    Args:
        network: any module.
        globs: names of its modules, see ``matching``.
        take: "output", or "input" for the module's first argument.

    Raises:
        ValueError: for a glob that matches nothing.
        TypeError: in the forward pass, for a module that gives no tensor.

    >>> import torch
    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> with capture(network, ["*"]) as outputs:
    ...     _ = network(torch.zeros(5, 2))
    >>> {name: tuple(output.shape) for name, output in outputs.items()}
    {'0': (5, 3), '1': (5, 3)}
    """
    captured: dict[str, Tensor] = {}
    chosen = matching(network, globs)
    modules = dict(network.named_modules())

    def hook_for(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            value = output if take == "output" else [*args, *kwargs.values()]
            captured[name] = _first_tensor(value, f"{take} of module {name!r}").detach().clone()

        return hook

    handles = []
    try:
        for name in chosen:
            handles.append(modules[name].register_forward_hook(hook_for(name), with_kwargs=True))
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _first_tensor(value: Any, what: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    items = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, (tuple, list)) else []
    for item in items:
        if isinstance(item, Tensor):
            return item
    raise TypeError(f"the {what} is a {type(value).__name__} without a tensor; expected a tensor with the batch first")
