"""How much do modules of an MLP block's outputs share, token by token? Jacobian I(sigma) for each layer of a GPT-2."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from lmi.activations import LanguageModel, block_names, capture
from lmi.activations.model import require_vocabulary
from lmi.activations.text import read_documents, text_files
from lmi.estimators.modules.jacobian import jacobian_mi
from lmi.estimators.modules.modularity import find_modules
from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.estimators.trust.uncertainty import Z_90
from lmi.report.modules import LEGEND, noise_curves_figure
from lmi.results import Result, Scalar
from lmi.types import NATS_PER_BIT, Context


@dataclass(frozen=True)
class ModulesGPT2:
    """Local information between modules of each MLP block's outputs, at real tokens.

    Args:
        model: a GPT-2; its blocks must have an ``mlp``.
        num_modules: modules to find among each block's output neurons.
        neighbours: of KSG, for the graph of neurons.
        texts: documents, as they are.
        files: paths of documents.
        folder: every ``*.txt`` and ``*.md`` below it is a document; without texts, files and folder: those that come
            with lmi.
        tokens: tokens the Jacobian is taken at, drawn from the documents.
        noise: output noise, as a share of the root mean square of the block's output.
        depths: which blocks; ``None`` is all.
    """

    model: LanguageModel = field(default_factory=LanguageModel)
    texts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    folder: str | None = None
    num_modules: Annotated[int, Field(ge=2)] = 4
    neighbours: Annotated[int, Field(ge=1)] = 30
    tokens: Annotated[int, Field(ge=2)] = 32
    noise: tuple[Annotated[float, Field(gt=0)], ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    depths: tuple[Annotated[int, Field(ge=0)], ...] | None = None

    def input_files(self) -> list[Path]:
        """The documents: a run that goes on wants them as they were."""
        return text_files(self.files, self.folder)

    def run(self, context: Context) -> Result:
        """Find modules of each block, then the curve I(sigma) of each, against a random partition of the same sizes."""
        network: Any = self.model.load_network()
        names = [f"{name}.mlp" for name in block_names(network, network.config.num_hidden_layers)]
        names = [names[depth] for depth in (range(len(names)) if self.depths is None else self.depths)]
        inputs, outputs = self._read(network, names)
        rows: list[dict[str, Scalar]] = []
        curves: dict[str, np.ndarray] = {}
        slopes: dict[str, np.ndarray] = {}
        labels: dict[str, np.ndarray] = {}
        for name in context.bar(names, "MLP blocks"):
            block = network.get_submodule(name)
            chosen = torch.randperm(len(inputs[name]), generator=context.generator("tokens"))[: self.tokens]
            x = inputs[name][chosen].float()
            partition = find_modules(
                pairwise_mi(outputs[name].float(), k=self.neighbours, name=name), self.num_modules, 0
            )
            shuffled = partition[torch.randperm(len(partition), generator=context.generator("random modules", name))]
            scale = float(outputs[name].double().pow(2).mean().sqrt())
            sigmas = torch.tensor(sorted(self.noise), dtype=torch.float64) * scale
            result = jacobian_mi(block, x, partition, noise=sigmas)
            random = jacobian_mi(block, x, shuffled, noise=sigmas)
            curves[name], slopes[name] = result.curve.numpy(), result.pointwise_slopes.mean(dim=0).numpy()
            labels[name] = partition.numpy()
            for place, share in enumerate(sorted(self.noise)):
                rows.append(
                    {
                        "block": name,
                        "noise / output": share,
                        "I (bits)": float(result.curve[place]) / NATS_PER_BIT,
                        "90% over tokens (bits)": _half_width(result.pointwise_curve[:, place]) / NATS_PER_BIT,
                        "random modules (bits)": float(random.curve[place]) / NATS_PER_BIT,
                        "shared directions": float(slopes[name][place]),
                    }
                )
        return Result(
            "modules_gpt2",
            answer=_answer(rows, min(self.noise, key=lambda share: abs(share - 0.1))),
            legend=LEGEND,
            metrics={"tokens_count": self.tokens, "blocks_count": len(names)},
            arrays={
                "noise_ratio": np.array(sorted(self.noise)),
                **{f"{name} curve_nats": curve for name, curve in curves.items()},
                **{f"{name} slope_count": slope for name, slope in slopes.items()},
                **{f"{name} labels": label for name, label in labels.items()},
            },
            tables={"I(sigma) of each block": rows},
            figures={"noise": noise_curves_figure(np.array(sorted(self.noise)), curves, slopes)},
            captions={
                "noise": "Mean over tokens of the local information between the modules found among each MLP block's "
                "outputs, against noise on them in units of the block's output; and how many directions the modules "
                "share at that resolution."
            },
            notes=(
                "The Jacobian treats the block's input as Gaussian with unit variance around each token: the numbers "
                "say what the weights mix, not what the distribution of texts does.",
            ),
        )

    def _read(self, network: Any, names: list[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Inputs and outputs (tokens, width) of the named modules over the documents."""
        tokenizer = self.model.load_tokenizer()
        window = int(network.config.max_position_embeddings)
        inputs: dict[str, list[Tensor]] = {name: [] for name in names}
        outputs: dict[str, list[Tensor]] = {name: [] for name in names}
        for document in read_documents(self.texts, self.files, self.folder):
            ids = torch.tensor(tokenizer(document.text)["input_ids"][:window])
            require_vocabulary(network, [ids], self.model.name)
            with torch.no_grad(), capture(network, names, "input") as taken, capture(network, names) as given:
                network(ids[None])
            for name in names:
                inputs[name].append(taken[name][0])
                outputs[name].append(given[name][0])
        return _joined(inputs), _joined(outputs)


def _joined(parts: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat(tensors) for name, tensors in parts.items()}


def _answer(rows: list[dict[str, Scalar]], share: float) -> str:
    ours, random = (
        [float(str(row[name])) for row in rows if row["noise / output"] == share]
        for name in ("I (bits)", "random modules (bits)")
    )
    return (
        f"With noise of {share:g} of a block's output, the modules found share {min(ours):.1f} to {max(ours):.1f} bits over "
        f"blocks, random modules {min(random):.1f} to {max(random):.1f}."
    )


def _half_width(pointwise: Tensor) -> float:
    return Z_90 * float(pointwise.std()) / len(pointwise) ** 0.5
