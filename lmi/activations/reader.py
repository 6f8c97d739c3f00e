"""One forward pass of a transformer, and the layers that were asked for."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from lmi.activations.hooks import capture, matching
from lmi.activations.sites import site_modules

What = Literal["hidden", "mlp", "mlp_inner", "attention", "modules"]


class Reader:
    """Runs a transformer and reads the chosen layers, (b, t, d) each.

    Args:
        network: a Hugging Face model that reads one text.
        what: which activations.
        modules: with what=modules, names or globs.
        depths: which layers; ``None`` is all.

    Raises:
        ValueError: for layers or modules that the network does not have.
    """

    def __init__(
        self, network: nn.Module, what: What, modules: tuple[str, ...], depths: tuple[int, ...] | None
    ) -> None:
        self.network, self.what = network, what
        self.sites: list[tuple[str, str]]
        if what == "modules":
            self.sites = [(name, name) for name in matching(network, modules)]
            return
        config: Any = network.config
        blocks = config.get_text_config().num_hidden_layers
        count = blocks + 1 if what == "hidden" else blocks
        for depth in depths or ():
            if not -count <= depth < count:
                raise ValueError(f"depths: there is no {what} layer {depth}; expected {-count} to {count - 1}")
        chosen = range(count) if depths is None else sorted({depth % count for depth in depths})
        places = [""] * count
        if what == "mlp" or what == "mlp_inner" or what == "attention":
            places = site_modules(network, what, blocks)
        self.sites = [(f"{what}.{depth}", places[depth]) for depth in chosen]

    def read(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Layer name -> (b, t, d) for token ids (b, t) and the mask (b, t) of those that are not padding."""
        hidden = self.what == "hidden"
        modules = [] if hidden else [module for _, module in self.sites]
        take: Literal["output", "input"] = "input" if self.what == "mlp_inner" else "output"
        with torch.no_grad(), capture(self.network, modules, take) as captured:
            output = self.network(input_ids=ids, attention_mask=mask, output_hidden_states=hidden, use_cache=False)
        if hidden:
            return {name: output.hidden_states[int(name.rpartition(".")[2])] for name, _ in self.sites}
        layers = {}
        for name, module in self.sites:
            if module not in captured:
                raise ValueError(f"module {module!r} is not called when {type(self.network).__name__} reads a text")
            layer = captured[module]
            if len(layer) == ids.numel():  # some models lay the tokens of a batch end to end
                layer = layer.unflatten(0, ids.shape)
            if layer.ndim < 3 or layer.shape[:2] != ids.shape:
                raise ValueError(
                    f"module {module!r} gives {tuple(layer.shape)} for a batch {tuple(ids.shape)}; expected (b, t, d)"
                )
            layers[name] = layer.flatten(2)
        return layers
