"""Settings of ``representation``: plain values, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from lmi.activations.model import LanguageModel
from lmi.evidence import Permutations
from lmi.latent.measures import Measure
from lmi.latent.representation.encoders import EncoderName
from lmi.latent.representation.mirrors import AugmentationName
from lmi.latent.representation.objectives import ObjectiveName
from lmi.latent.trainer import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class RepresentationSettings:
    """What is built, how it is fitted, how the samples are shared out, and what measures the latents.

    Args:
        encoder: ``mlp``, ``residual``, ``conv`` (pictures), ``conv1d``, ``transformer`` (sequences), ``pooled`` (both, blind to
            places), ``pretrained`` (a frozen network, then a perceptron), or ``auto``: by the shape of a sample, and of
            pictures and sequences with ``objective=auto`` those or ``pooled``, by the bound on the first fold's stopping part.
        encoder_y: of Y, where it is another than that of X.
        pretrained: the frozen network of ``encoder=pretrained``: "tiny", a local folder or a model on the Hugging Face hub.
            A text model reads token numbers (n, length), a vision model pictures.
        latent_dim: latents on each side: more than are measured, since functions of one signal take places, too.
        width: of the encoders: filters of the first layer, an eighth of a perceptron.
        dropout: share of what the last layers of ``conv1d`` see that each training step leaves out. ``auto`` is 0 but for
            sequences, where encoders of half the width with .3 compete for the first fold, too.
        objective: what the latents of a batch maximise: ``cca`` in closed form, ``cross`` (prediction of the other side),
            ``infonce``, ``mine``, ``smile``; ``auto`` fits ``cca`` and ``infonce`` to the first fold and keeps the one whose
            latents have the highest bound on its stopping part.
        augmentation: ``mirror`` turns each training batch of pictures, or of sequences, by a mirror of its own, both sides
            alike; ``none`` does not; ``auto`` keeps what has the higher bound on fresh pairs.
        learning_rate: of AdamW at its peak: it warms up linearly and then falls as a cosine.
        weight_decay: of AdamW.
        warm_up: share of the steps.
        averaging: decay per step of the averaged weights, which are the ones that measure; 0 takes the trained ones.
        batch_size: samples a step and process, ``None`` for what suits the objective; with several processes the objective
            sees the latents of all of them.
        max_epochs: passes over the training part, for which the schedule is made; 0 for 25, or 50 of mirrored pairs.
        patience: epochs without a higher bound on the stopping part before training ends.
        members: encoders per fold, from further first weights and batches, whose latents are measured together: what one of
            them has by chance the others do not share.
        restarts: fits from further first weights, of which the highest bound on the stopping part is kept.
        train_share: share of the samples that the encoders are fitted to.
        stop_share: share that decides when to stop and how many latents are measured; the rest is measured.
        folds: 0 for one split; 2 or more so that every sample is measured by encoders that never saw it.
        learning_curve: whether encoders are also fitted to a half and a quarter of the training part, to learn how much more
            data would find; costs three quarters of a fold's fit.
        measure: of the latents: ``auto``, ``bounds`` (as ``latent_bounds``) or ``ksg``.
        permutations: size of the permutation null of the measure; 0 leaves it out.
        trainer: devices, processes, precision.
    """

    encoder: EncoderName = "auto"
    encoder_y: EncoderName | None = None
    pretrained: LanguageModel = field(default_factory=LanguageModel)
    latent_dim: Annotated[int, Field(ge=1)] = 16
    width: Annotated[int, Field(ge=2)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] | Literal["auto"] = "auto"
    objective: ObjectiveName | Literal["auto"] = "auto"
    augmentation: AugmentationName = "auto"
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warm_up: Annotated[float, Field(gt=0, lt=1)] = 0.15
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.98
    batch_size: Annotated[int, Field(ge=8)] | None = None
    max_epochs: Annotated[int, Field(ge=0)] = 0
    patience: Annotated[int, Field(ge=1)] = 25
    members: Annotated[int, Field(ge=1)] = 1
    restarts: Annotated[int, Field(ge=0)] = 0
    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.4
    stop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    folds: Annotated[int, Field(ge=0)] = 3
    learning_curve: bool = True
    measure: Measure = "auto"
    permutations: Permutations = 20
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
