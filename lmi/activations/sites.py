"""Where a transformer keeps its blocks, and in a block the MLP, its inner activations and the attention."""

from __future__ import annotations

from typing import Literal

from torch import nn

Site = Literal["mlp", "mlp_inner", "attention"]

# Names inside a block: GPT-2, Llama and most decoders; Mistral's and BERT's older relatives; DistilBERT; BERT; OPT.
MLP = ("mlp", "feed_forward", "ffn", "output", "fc2")
ATTENTION = ("attn", "self_attn", "self_attention", "attention")


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
            f"{type(network).__name__} keeps no list of {depth} blocks; choose its modules by name "
            "(what=modules, modules=...)"
        )
    outermost = min(lists, key=lambda name: name.count("."))
    return [f"{outermost}.{index}" for index in range(depth)]


def site_modules(network: nn.Module, site: Site, depth: int) -> list[str]:
    """The linear map in each of ``depth`` blocks with which the MLP or the attention ends.

    Its output is what that part adds to the residual stream. The *input* of the MLP's is the MLP's inner activations:
    behind the nonlinearity and, where the MLP is gated, behind the gate.

    Raises:
        ValueError: if a block has no such module under a known name.
    """
    sites = []
    for block_name in block_names(network, depth):
        block = network.get_submodule(block_name)
        names = dict(block.named_modules())
        part = next((name for name in (ATTENTION if site == "attention" else MLP) if name in names), None)
        linear = [] if part is None else [n for n, m in names[part].named_modules(prefix=part) if _is_linear(m)]
        if not linear:
            raise ValueError(
                f"block {block_name!r} of {type(network).__name__} has no {site} under a known name; choose its "
                f"modules by name (what=modules, modules=...); it has: {', '.join(name for name in names if name)}"
            )
        sites.append(f"{block_name}.{linear[-1]}")
    return sites


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"  # GPT-2's transposed linear map
