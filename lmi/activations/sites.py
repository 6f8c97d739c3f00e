"""Where a transformer keeps its blocks, and in a block the MLP, its inner activations and the attention."""

from __future__ import annotations

from typing import Literal

from torch import nn

Site = Literal["mlp", "mlp_inner", "attention"]

# Names inside a block, the more specific first: GPT-2, Llama and most decoders; BERT's family; DistilBERT; OPT.
MLP = ("mlp", "feed_forward", "ffn", "output.dense", "fc2")
ATTENTION = ("attention.output.dense", "attn", "self_attn", "self_attention", "attention")


def block_names(network: nn.Module, depth: int) -> list[str]:
    """The names of the ``depth`` blocks: the outermost module list that has as many entries.

    Raises:
        ValueError: if there is none.
    """
    lists = [
        name for name, module in network.named_modules() if isinstance(module, nn.ModuleList) and len(module) == depth
    ]
    if not lists:
        raise ValueError(
            f"{type(network).__name__} keeps no list of {depth} blocks; choose its modules by name (what=modules, modules=...)"
        )
    outermost = min(lists, key=lambda name: name.count("."))
    return [f"{outermost}.{index}" for index in range(depth)]


def site_modules(network: nn.Module, site: Site, depth: int) -> list[tuple[str, Literal["output", "input"]]]:
    """For each block the module to read and whether its output or its input is meant.

    The MLP's and the attention's outputs are what they add to the residual stream. The MLP's inner activations are
    the *input* of its last linear map: behind the nonlinearity, and for gated MLPs behind the gate.

    Raises:
        ValueError: if a block has no module of a known name.
    """
    found: list[tuple[str, Literal["output", "input"]]] = []
    for block_name in block_names(network, depth):
        block = network.get_submodule(block_name)
        names = dict(block.named_modules())
        candidates = ATTENTION if site == "attention" else MLP
        name = next((candidate for candidate in candidates if candidate in names), None)
        if site == "mlp_inner" and name is not None:
            linear = [inner for inner, module in names[name].named_modules(prefix=name) if _is_linear(module)]
            name = linear[-1] if linear else None
        if name is None:
            children = ", ".join(child for child in names if child)
            raise ValueError(
                f"block {block_name!r} of {type(network).__name__} has no {site} under a known name; "
                f"choose its modules by name (what=modules, modules=...); it has: {children}"
            )
        found.append((f"{block_name}.{name}", "input" if site == "mlp_inner" else "output"))
    return found


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"  # GPT-2's transposed linear map
