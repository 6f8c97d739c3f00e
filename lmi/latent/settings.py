"""Settings of encoders and of their fit: plain values, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from lmi.latent.trainer import TrainerSettings

Regulariser = Literal["cross", "mine", "infonce"]


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """What is built, how it is fitted, and how the samples are shared out.

    Args:
        latent_dim: latents on each side.
        hidden: widths of the encoders, mirrored in the decoders.
        regulariser: ``cross`` predicts each side from the other's latents; ``mine`` and ``infonce`` maximise a lower bound
            on I(Zx; Zy) with a small critic.
        cross_weight: weight of the regulariser (lam in the paper).
        self_weight: weight of each side's own reconstruction (alpha in the paper).
        cross_dropout: dropout in the cross-decoders.
        latent_activation: whether the latents pass the LeakyReLU too, as in the published code.
        optimiser: ``adamw`` with a one-cycle learning rate up to ``learning_rate``, or ``adam`` at a constant one.
        learning_rate: peak or constant rate.
        weight_decay: of AdamW.
        learning_rate_rule: what several processes, whose batches add up, do to the learning rate: ``none`` leaves it,
            ``sqrt`` (usual for Adam) and ``linear`` multiply it by that of their number.
        batch_size: samples a step and process.
        max_epochs: most passes over the training part.
        patience: epochs without a lower stopping loss before training ends.
        train_share: share of the samples that the encoders are fitted to.
        stop_share: share that decides when to stop; the rest is measured.
        folds: 0 for one fold; 2 or more for cross-fitting, so that every sample is measured by encoders that never saw it.
        trainer: devices, processes, precision.
    """

    latent_dim: Annotated[int, Field(ge=1)] = 8
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (256, 128)
    regulariser: Regulariser = "cross"
    cross_weight: Annotated[float, Field(ge=0)] = 1.0
    self_weight: Annotated[float, Field(ge=0)] = 1.0
    cross_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    latent_activation: bool = False
    optimiser: Literal["adamw", "adam"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    learning_rate_rule: Literal["none", "sqrt", "linear"] = "none"
    batch_size: Annotated[int, Field(ge=2)] = 256
    max_epochs: Annotated[int, Field(ge=1)] = 30
    patience: Annotated[int, Field(ge=1)] = 30
    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.4
    stop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    folds: Annotated[int, Field(ge=0)] = 0
    trainer: TrainerSettings = field(default_factory=TrainerSettings)


def scaled_learning_rate(settings: EncoderSettings, processes: int) -> float:
    """The learning rate with ``processes`` batches a step.

    >>> scaled_learning_rate(EncoderSettings(learning_rate=1e-3, learning_rate_rule="sqrt"), 4)
    0.002
    """
    factors = {"none": 1.0, "sqrt": processes**0.5, "linear": float(processes)}
    return settings.learning_rate * factors[settings.learning_rate_rule]
