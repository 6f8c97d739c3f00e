"""First weights from a generator: building a network leaves the global random state alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def seeded(build: Callable[[], nn.Module], generator: torch.Generator) -> nn.Module:
    """The network that ``build`` makes, with Xavier-uniform matrices and filters, unit scales and zero offsets.

    It is built without memory first, so that its own first weights are never drawn.

    >>> a, b = (seeded(lambda: nn.Linear(3, 2), torch.Generator().manual_seed(0)) for _ in range(2))
    >>> bool((a.weight == b.weight).all()), a.bias.tolist()
    (True, [0.0, 0.0])
    """
    with torch.device("meta"):
        net = build()
    net = net.to_empty(device="cpu")
    for name, weight in net.named_parameters():
        if weight.ndim > 1:
            nn.init.xavier_uniform_(weight, generator=generator)
        elif name.endswith("weight"):
            nn.init.ones_(weight)
        else:
            nn.init.zeros_(weight)
    return net
