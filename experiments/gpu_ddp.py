"""Steps of training spread over the devices of one machine: what ``gpu_check`` compares with one process on the CPU."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor


def spread_training(x: Tensor, devices: int, accelerator: Literal["cpu", "cuda"], steps: int = 20) -> Tensor:
    """Weights of a small network after ``steps`` of gradient descent in float64 with DDP over ``devices`` processes.

    Every rank takes an equal share of the rows, and DDP averages the gradients: the weights are those of one process.

    Args:
        x: (n, d) rows; as many are used as can be shared equally.
        devices: processes, each with a device of its own; 1 starts none.
        accelerator: where they compute.
        steps: of gradient descent.
    """
    from lightning.fabric import Fabric

    rows = x[: len(x) // devices * devices].double().cpu()
    fabric = Fabric(accelerator=accelerator, devices=devices, strategy="ddp_spawn" if devices > 1 else "auto")
    work = partial(_trained, x=rows, steps=steps)
    weights = fabric.launch(work) if devices > 1 else work(fabric)
    return torch.tensor(weights, dtype=torch.float64)


def _trained(fabric: Any, x: Tensor, steps: int) -> list[float]:
    """As numbers, since the memory of a tensor goes with the process that made it."""
    generator = torch.Generator().manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(x.shape[1], 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    model, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), lr=0.05))
    share = x[fabric.global_rank :: fabric.world_size].to(fabric.device)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (model(share)[:, 0] - share[:, 0].square()).square().mean()
        fabric.backward(loss)
        optimizer.step()
    return [value for parameter in network.parameters() for value in parameter.detach().flatten().tolist()]
