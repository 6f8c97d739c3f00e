"""Does training make a network's neurons modular? Modules of each layer of a digits MLP, before and after training."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import numpy as np
import torch
from lightning.pytorch import LightningModule
from pydantic import Field
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lmi.estimators.modules.jacobian import jacobian_mi
from lmi.estimators.modules.modularity import ModularityScore, find_modules, modularity_score
from lmi.estimators.pairwise.matrix import pairwise_mi
from lmi.latent.trainer import TrainerSettings, quiet_lightning
from lmi.report.modules import LEGEND, graphs_figure, modularity_figure
from lmi.results import Result, Scalar
from lmi.types import NATS_PER_BIT, Context


class DigitsMLP(LightningModule):
    """Tanh layers of equal width and a linear read-out of the ten digits.

    Args:
        width: neurons of each hidden layer.
        depth: hidden layers.
        learning_rate: of Adam.
        generator: draws the initial weights.
    """

    def __init__(self, width: int, depth: int, learning_rate: float, generator: torch.Generator) -> None:
        super().__init__()
        widths = (64, *(width for _ in range(depth)))
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.readout = nn.Linear(width, 10)
        self.learning_rate = learning_rate
        for layer in (*self.hidden, self.readout):
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)

    def layers(self, x: Tensor) -> list[Tensor]:
        """Activations (n, width) of each hidden layer."""
        hidden = []
        for layer in self.hidden:
            x = torch.tanh(layer(x))
            hidden.append(x)
        return hidden

    def layer(self, place: int, x: Tensor) -> Tensor:
        """Activations (n, width) of one hidden layer."""
        return self.layers(x)[place]

    def forward(self, x: Tensor) -> Tensor:
        """(n, 64) pixels to (n, 10) scores."""
        return self.readout(self.layers(x)[-1])

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


@dataclass(frozen=True)
class ModulesMLP:
    """Train, find modules in every layer on one half of the images, score them on the other.

    Args:
        width: neurons of each hidden layer.
        depth: hidden layers.
        num_modules: modules to find in each layer.
        neighbours: of KSG, for the graph of neurons.
        splits: random partitions of the same sizes to score against.
        max_epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: of Adam.
        noise: output noise of the Jacobian MI between the modules found.
        jacobian_samples: images the Jacobian is taken at.
        trainer: devices, processes, precision.
    """

    width: Annotated[int, Field(ge=4)] = 64
    depth: Annotated[int, Field(ge=1)] = 2
    num_modules: Annotated[int, Field(ge=2)] = 4
    neighbours: Annotated[int, Field(ge=1)] = 30
    splits: Annotated[int, Field(ge=1)] = 100
    max_epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    noise: Annotated[float, Field(gt=0)] = 0.1
    jacobian_samples: Annotated[int, Field(ge=1)] = 64
    trainer: TrainerSettings = field(default_factory=lambda: TrainerSettings(accelerator="cpu"))

    def run(self, context: Context) -> Result:
        """Rows for each layer before and after, the sorted graphs and the scores."""
        pixels, digits = load_digits(return_X_y=True)
        order = torch.randperm(len(pixels), generator=context.generator("halves"))
        x = torch.from_numpy(pixels).float()[order] / 8 - 1
        y = torch.from_numpy(digits).long()[order]
        half = len(x) // 2
        model = DigitsMLP(self.width, self.depth, self.learning_rate, context.generator("weights"))
        rows: list[dict[str, Scalar]] = []
        graphs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        scores: dict[str, ModularityScore] = {}
        accuracy = {}
        for stage in ("before", "after"):
            if stage == "after":
                self._train(model, x[:half], y[:half], context)
            model.eval()
            with torch.no_grad():
                accuracy[stage] = float((model(x[half:]).argmax(dim=1) == y[half:]).double().mean())
                layers = model.layers(x)
            for place, activations in enumerate(layers):
                title = f"layer {place + 1}, {stage} training"
                pairwise = pairwise_mi(activations[:half], k=self.neighbours).fill_diagonal_(0.0)
                labels = find_modules(pairwise, self.num_modules, context.derive("spectral") % 2**31)
                score = modularity_score(activations[half:], labels, self.splits, context.generator("splits"))
                local = jacobian_mi(
                    partial(model.layer, place),
                    x[half : half + self.jacobian_samples],
                    labels,
                    noise=self.noise,
                )
                graphs[title], scores[title] = (pairwise.numpy(), labels.numpy()), score
                rows.append(_row(place + 1, stage, labels, score, local.nats, accuracy[stage]))
        kept = [f"{score.modularity / NATS_PER_BIT:.2f} ({title})" for title, score in scores.items()]
        return Result(
            "modules_mlp",
            legend=LEGEND,
            answer=f"Modules keep inside them, beyond what random modules do, {', '.join(kept)} bits.",
            metrics={
                **{f"accuracy_{stage}_ratio": value for stage, value in accuracy.items()},
                **{
                    f"{t.replace(', ', '_').replace(' ', '_')}_modularity_bits": s.modularity / NATS_PER_BIT
                    for t, s in scores.items()
                },
            },
            arrays={
                **{f"{title} pairwise_nats": matrix for title, (matrix, _) in graphs.items()},
                **{f"{title} labels": labels for title, (_, labels) in graphs.items()},
            },
            tables={"modules of each layer": rows},
            figures={
                "graphs": graphs_figure(graphs),
                "modularity": modularity_figure(
                    list(scores),
                    np.array([score.between for score in scores.values()]) / NATS_PER_BIT,
                    np.stack([score.random.numpy() for score in scores.values()]) / NATS_PER_BIT,
                ),
            },
            captions={
                "graphs": "Pairwise MI of the neurons of each layer (KSG), sorted by module; lines are "
                "module borders. One colour scale.",
                "modularity": "Total correlation between modules on images they were not found on: the modules found "
                "(points) and random modules of the same sizes (ticks). The gap is the modularity, in bits.",
            },
            notes=(
                "Modules are found by KSG of every two neurons and scored by Gaussian total correlation: what modules share "
                "beyond linear dependence is not counted in the score.",
            ),
        )

    def _train(self, model: DigitsMLP, x: Tensor, y: Tensor, context: Context) -> None:
        loader = DataLoader(TensorDataset(x, y), self.batch_size, shuffle=True, generator=context.generator("batches"))
        model.train()
        with quiet_lightning():
            self.trainer.build(context, self.max_epochs, []).fit(model, loader)
        model.cpu()


def _row(
    layer: int, stage: str, labels: Tensor, score: ModularityScore, local_nats: float, accuracy: float
) -> dict[str, Scalar]:
    return {
        "layer": layer,
        "training": stage,
        "accuracy": accuracy,
        "sizes": " ".join(str(count) for count in labels.bincount().tolist()),
        "all neurons (bits)": score.total / NATS_PER_BIT,
        "between modules (bits)": score.between / NATS_PER_BIT,
        "random modules (bits)": float(score.random.mean()) / NATS_PER_BIT,
        "modularity (bits)": score.modularity / NATS_PER_BIT,
        "cut": score.cut,
        "random cut": score.random_cut,
        "p": score.p_value,
        "Jacobian between (bits)": local_nats / NATS_PER_BIT,
    }
