"""Paired encoders as a LightningModule: X and Y each to a few latents that say as much as they can of one another.

What is maximised is an objective of the latents of a batch (``lmi.latent.representation.objectives``); what ends the fit
is a lower bound on pairs that trained nothing, of weights that are averaged over the last steps (Polyak and Juditsky, 1992).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lmi.estimators.bounds.heldout import bound_influence
from lmi.estimators.columns import normal_scores_at
from lmi.estimators.gaussian.linear import LinearCritic, fit_linear
from lmi.latent.checkpoints import CurvedModule
from lmi.latent.datamodule import Batch
from lmi.latent.representation.encoders import build_encoder
from lmi.latent.representation.encoders.step_dropout import StepDropout
from lmi.latent.representation.gathering import gathered
from lmi.latent.representation.mirrors import mirror_count, mirrored
from lmi.latent.representation.objectives import ObjectiveName, build_objective
from lmi.latent.representation.settings import RepresentationSettings
from lmi.types import Context

CLIP = 10.0
FACTORS = (0.5, 0.8, 1.0)  # of the normal model's scores, which are too sure of themselves on fresh pairs
RANKS = (1, 2, 3, 4, 6, 16)  # canonical variates of the normal model
HELD_OUT = 700  # pairs at most that the bound is measured on
CLIP_NORM = 1.0


class PairedEncoders(CurvedModule):
    """Two encoders and the objective that ties them together.

    Args:
        shapes: of a sample of X and of Y.
        settings: what is built and how it is fitted.
        context: its stream ``weights`` draws the first weights.
    """

    x_mean: Tensor

    def __init__(
        self, shapes: tuple[tuple[int, ...], tuple[int, ...]], settings: RepresentationSettings, context: Context
    ) -> None:
        super().__init__()
        self.settings, self.context, self.shapes = settings, context, shapes
        self.automatic_optimization = False
        names = (settings.encoder, settings.encoder_y or settings.encoder)
        x, y = (
            build_encoder(name, shape, settings.latent_dim, settings.width, context.generator("weights", side))
            for name, shape, side in zip(names, shapes, "xy")
        )
        for name in ("objective", "augmentation", "dropout"):
            if getattr(settings, name) == "auto":
                raise ValueError(f"{name}='auto' fits several: name one of them to fit encoders by it")
        assert settings.objective != "auto" and settings.dropout != "auto"
        self.objective_name: ObjectiveName = settings.objective
        self.mirrors = mirror_count(*shapes) if settings.augmentation == "mirror" else 1
        objective = build_objective(
            settings.objective, settings.latent_dim, shapes, context.generator("weights", "objective")
        )
        self.trained = nn.ModuleDict({"x": x, "y": y, "objective": objective})
        self.dropouts = [layer for layer in self.trained.modules() if isinstance(layer, StepDropout)]
        if settings.dropout and not self.dropouts:
            raise ValueError(f"dropout={settings.dropout} is for encoder=conv1d (sequences); got encoders {names}")
        for layer in self.dropouts:
            layer.share = settings.dropout
        self.averaged = copy.deepcopy(self.trained).requires_grad_(False)
        for side, shape in zip("xy", shapes):
            size = shape if len(shape) == 1 else (shape[-1],) if len(shape) == 2 else (shape[0], 1, 1)
            self.register_buffer(f"{side}_mean", torch.zeros(size))
            self.register_buffer(f"{side}_scale", torch.ones(size))
        self.curves: dict[str, list[float]] = {"train_loss": [], "stop_loss": [], "stop_error": []}
        self.held_out = torch.empty(0, dtype=torch.int64)  # rows that were measured with these encoders
        self.seen: Batch | None = None  # scaled training pairs, to which the held-out bound's model is fitted
        self._steps, self._epoch_loss = 0, 0.0

    def learn_scale(self, x: Tensor, y: Tensor) -> None:
        """Mean and deviation of the training part: of each column; of sequences and pictures, of each channel.

        Args:
            x: (n, *shape of X).
            y: (n, *shape of Y).
        """
        for side, z in (("x", x), ("y", y)):
            over = {2: (0,), 3: (0, 1), 4: (0, 2, 3)}[z.ndim]
            mean, deviation = z.mean(over), z.std(over, correction=0)
            kept: Tensor = getattr(self, f"{side}_mean")
            kept.copy_(mean.reshape(kept.shape))
            scale = torch.where(deviation > 0, deviation, torch.inf)
            getattr(self, f"{side}_scale").copy_(scale.reshape(kept.shape))

    def scaled(self, x: Tensor, y: Tensor) -> Batch:
        """Samples (n, *shape) of both sides, z-scored by the training part and clipped to +-10."""
        mean_x, scale_x, mean_y, scale_y = (
            getattr(self, name) for name in ("x_mean", "x_scale", "y_mean", "y_scale")
        )  # fmt: skip
        x = (x.to(mean_x) - mean_x) / scale_x
        y = (y.to(mean_y) - mean_y) / scale_y
        return x.clamp(-CLIP, CLIP), y.clamp(-CLIP, CLIP)

    @torch.no_grad()
    def encode(self, x: Tensor, y: Tensor, rows: int = 2048) -> tuple[Tensor, Tensor]:
        """Latents (n, latent_dim) of samples (n, *shape) in their own units by the averaged weights, float64 on the CPU."""
        self.eval()
        parts = [
            self.latents(*self.scaled(torch.as_tensor(a), torch.as_tensor(b)))
            for a, b in zip(x.split(rows), y.split(rows))
        ]
        zx, zy = (torch.cat(side).double().cpu() for side in zip(*parts))
        return zx, zy

    @torch.no_grad()
    def fresh_objective(self, x: Tensor, y: Tensor) -> float:
        """The objective of samples x (n, *shape) and y (n, *shape) that trained nothing, by the averaged weights, nats."""
        self.eval()
        x, y = self.scaled(x, y)
        return float(self.averaged["objective"](*self.latents(x, y), x, y))

    def latents(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """(b, latent_dim) of each side, of scaled samples (b, *shape), by the averaged weights."""
        return self.averaged["x"](x), self.averaged["y"](y)

    def training_step(self, batches: Iterable[Batch], batch_idx: int) -> None:
        """A step for each batch of the group: the objective sees the latents of all processes."""
        optimiser: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        world = self.trainer.world_size
        for x, y in batches:
            if self.mirrors > 1:
                turn = torch.randint(self.mirrors, (), generator=self.context.generator("mirror", self.global_step))
                x, y = mirrored(x, y, int(turn))
            for place, layer in enumerate(self.dropouts):
                layer.generator = self.context.generator("dropout", place, self.global_step)
                layer.rank, layer.world = self.global_rank, world
            zx, zy = gathered(self.trained["x"](x), world), gathered(self.trained["y"](y), world)
            # Only cross-prediction looks at the samples themselves.
            seen = (gathered(x, world), gathered(y, world)) if self.objective_name == "cross" else (x, y)
            loss = -self.trained["objective"](zx, zy, *seen)
            optimiser.zero_grad()
            # Processes average their gradients, see ``gathered``.
            self.manual_backward(loss)
            nn.utils.clip_grad_norm_(self.trained.parameters(), CLIP_NORM)
            with torch.autocast(self.device.type, enabled=False):
                optimiser.step()
                schedule.step()
            torch.clear_autocast_cache()  # the weights have changed
            self._average()
            self._epoch_loss += float(loss.detach())
            self._steps += 1

    @torch.no_grad()
    def _average(self) -> None:
        """The averaged weights follow the trained ones, faster at first."""
        decay = min(self.settings.averaging, (1 + self.global_step) / (10 + self.global_step))
        for kept, now in zip(self.averaged.parameters(), self.trained.parameters()):
            kept.lerp_(now, 1 - decay)

    def validation_step(self, batches: Iterable[Batch], batch_idx: int) -> None:
        for x, y in batches:  # the whole stopping part at once, in every process
            nats, error = self.held_out_bound(x, y)
        self.log("stop_loss", -nats, prog_bar=True, batch_size=1)
        self.log("stop_error", error, batch_size=1)

    @torch.no_grad()
    def held_out_bound(self, x: Tensor, y: Tensor) -> tuple[float, float]:
        """InfoNCE of a normal model of the latents' normal scores on fresh scaled pairs (m, *shape); its error, nats.

        The model is fitted to latents of training pairs; it has as many canonical variates, and is turned down by as much, as
        serves it best: functions of one signal make all variates together too sure of themselves.
        """
        assert self.seen is not None
        seen = [z.double().cpu() for z in self.latents(*self.seen)]
        fresh = [z.double().cpu() for z in self.latents(x[:HELD_OUT], y[:HELD_OUT])]
        to_scores = [normal_scores_at(z) for z in seen]
        u, v = (to(z) for to, z in zip(to_scores, seen))
        model = fit_linear(u, v, self.settings.latent_dim)
        x, y = (to(z) for to, z in zip(to_scores, fresh))
        scores = [factor * leading(model, rank).scores(x, y) for rank in RANKS for factor in FACTORS]
        influence = max((bound_influence(f, "infonce") for f in scores), key=lambda terms: float(terms.mean()))
        return float(influence.mean()), float(influence.std()) / influence.numel() ** 0.5

    def on_train_epoch_start(self) -> None:
        self._steps, self._epoch_loss = 0, 0.0

    def on_train_epoch_end(self) -> None:
        train_loss = self._epoch_loss / max(self._steps, 1)
        self.log("train_loss", train_loss)
        self.curves["train_loss"].append(train_loss)
        for name in ("stop_loss", "stop_error"):
            self.curves[name].append(float(self.trainer.callback_metrics[name]))

    def configure_optimizers(self) -> Any:
        a = self.settings
        optimiser = torch.optim.AdamW(
            self.trained.parameters(), lr=a.learning_rate, weight_decay=a.weight_decay, fused=True
        )
        self.trainer.fit_loop.setup_data()
        batches: Any = self.trainer.train_dataloader
        assert self.trainer.max_epochs is not None
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=a.learning_rate, total_steps=batches.steps * self.trainer.max_epochs, pct_start=a.warm_up
        )
        return [optimiser], [schedule]


def leading(model: LinearCritic, rank: int) -> LinearCritic:
    """The same with its first ``rank`` canonical variates at most."""
    return replace(
        model, to_u=model.to_u[:, :rank], to_v=model.to_v[:, :rank], correlations=model.correlations[:rank]
    )  # fmt: skip
