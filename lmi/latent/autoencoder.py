"""Paired encoders as a LightningModule: X and Y each to a few latents, held together by a regulariser.

Gowri, Lun, Klein, Yin, Approximating mutual information of high-dimensional variables using learned representations,
NeurIPS (2024).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from lmi.estimators.bounds.bounds import donsker_varadhan, infonce
from lmi.latent.checkpoints import CurvedModule
from lmi.latent.datamodule import Batch
from lmi.latent.settings import EncoderSettings, scaled_learning_rate
from lmi.neural.nets import JointCritic, SeededDropout, perceptron
from lmi.types import Context

Side = Literal["x", "y"]
CLIP = 10.0


class PairedAutoencoder(CurvedModule):
    """Encoders of both sides, decoders, and cross-decoders or a critic.

    Args:
        x_dim: columns of X.
        y_dim: columns of Y.
        settings: what is built and how it is fitted.
        context: its streams draw the initial weights and the dropout masks.
    """

    x_mean: Tensor
    x_scale: Tensor
    y_mean: Tensor
    y_scale: Tensor

    def __init__(self, x_dim: int, y_dim: int, settings: EncoderSettings, context: Context) -> None:
        super().__init__()
        self.settings, self.context = settings, context
        self.automatic_optimization = False
        a, generator = settings, context.generator("weights")
        down_x, down_y = (x_dim, *a.hidden, a.latent_dim), (y_dim, *a.hidden, a.latent_dim)
        up_x, up_y = down_x[::-1], down_y[::-1]
        self.x_encoder = perceptron(down_x, generator, last_activation=a.latent_activation)
        self.y_encoder = perceptron(down_y, generator, last_activation=a.latent_activation)
        self.x_decoder = perceptron(up_x, generator)
        self.y_decoder = perceptron(up_y, generator)
        if a.regulariser == "cross":
            self.x_to_y = perceptron(up_y, generator, dropout=a.cross_dropout)
            self.y_to_x = perceptron(up_x, generator, dropout=a.cross_dropout)
        else:
            self.critic = JointCritic(a.latent_dim, 4 * a.latent_dim, generator)
        for side, dim in (("x", x_dim), ("y", y_dim)):
            self.register_buffer(f"{side}_mean", torch.zeros(dim))
            self.register_buffer(f"{side}_scale", torch.ones(dim))
        self.curves: dict[str, list[float]] = {"train_loss": [], "stop_loss": []}
        self.held_out = torch.empty(0, dtype=torch.int64)  # rows that were measured with these encoders
        self.second: ThreadPoolExecutor | None = None  # computes the half of y while this thread computes that of x

    def learn_scale(self, x: Tensor, y: Tensor) -> None:
        """Take mean and deviation of the columns from the training part x (n, dx), y (n, dy); a constant one becomes 0."""
        for side, z in (("x", x), ("y", y)):
            self.set_scale(side, z.mean(0), z.std(0, correction=0))

    def set_scale(self, side: str, mean: Tensor, deviation: Tensor) -> None:
        """Mean and standard deviation (dim,) of the columns of one side."""
        getattr(self, f"{side}_mean").copy_(mean)
        getattr(self, f"{side}_scale").copy_(torch.where(deviation > 0, deviation, torch.inf))

    def scaled(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Columns of x (n, dx) and y (n, dy) z-scored by the training part's statistics and clipped to +-10."""
        x = (x.to(self.x_mean) - self.x_mean) / self.x_scale
        y = (y.to(self.y_mean) - self.y_mean) / self.y_scale
        return x.clamp(-CLIP, CLIP), y.clamp(-CLIP, CLIP)

    @torch.no_grad()
    def encode(self, x: Tensor, y: Tensor, rows: int = 16384) -> tuple[Tensor, Tensor]:
        """Latents of samples in their original units: (n, dx), (n, dy) -> (n, latent_dim) each, float64 on the CPU."""
        self.eval()
        x, y = torch.as_tensor(x), torch.as_tensor(y)
        parts = [
            (self.x_encoder(scaled_x).double().cpu(), self.y_encoder(scaled_y).double().cpu())
            for scaled_x, scaled_y in (
                self.scaled(x[i : i + rows], y[i : i + rows]) for i in range(0, x.shape[0], rows)
            )
        ]
        return torch.cat([zx for zx, _ in parts]), torch.cat([zy for _, zy in parts])

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """self_weight * reconstruction + cross_weight * regulariser, for scaled x (b, dx) and y (b, dy)."""
        a = self.settings
        if a.regulariser == "cross":
            return torch.add(*self.on_both(lambda side: self.half_loss(side, x, y)))
        zx, zy = self.x_encoder(x), self.y_encoder(y)
        reconstruction = mse_loss(self.x_decoder(zx), x) + mse_loss(self.y_decoder(zy), y)
        bound = (donsker_varadhan if a.regulariser == "mine" else infonce)(self.critic(zx, zy))
        return a.self_weight * reconstruction - a.cross_weight * bound

    def half_loss(self, side: Side, x: Tensor, y: Tensor) -> Tensor:
        """What one side's encoder adds to the loss with ``cross``: its own reconstruction and that of the other side.

        Args:
            side: whose encoder.
            x: (b, dx) scaled.
            y: (b, dy) scaled.
        """
        a = self.settings
        z, other = (x, y) if side == "x" else (y, x)
        encoder, decoder, across = (
            (self.x_encoder, self.x_decoder, self.x_to_y)
            if side == "x"
            else (self.y_encoder, self.y_decoder, self.y_to_x)
        )
        latent = encoder(z)
        return a.self_weight * mse_loss(decoder(latent), z) + a.cross_weight * mse_loss(across(latent), other)

    def on_both(self, work: Callable[[Side], Tensor]) -> tuple[Tensor, Tensor]:
        """``work`` for both sides: side by side where a second thread is there, which takes over this thread's modes."""
        if self.second is None:
            return work("x"), work("y")
        grad, device = torch.is_grad_enabled(), self.device.type
        low, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)

        def second() -> Tensor:
            with torch.set_grad_enabled(grad), torch.autocast(device, dtype, enabled=low):
                return work("y")

        pending = self.second.submit(second)
        try:
            return work("x"), pending.result()
        finally:
            pending.exception()  # whatever happened here, the other half has ended

    def on_fit_start(self) -> None:
        streams = {side: torch.Generator(device=self.device) for side in ("x", "y")}
        if self.settings.regulariser == "cross":
            for side, across in (("x", self.x_to_y), ("y", self.y_to_x)):
                for module in across.modules():
                    if isinstance(module, SeededDropout):
                        module.generator = streams[side]
        self._dropout_streams = streams
        self.on_train_epoch_start()  # a fit that goes on inside an epoch does not start it

    def training_step(self, batches: Iterable[Batch], batch_idx: int) -> None:
        """A step for each batch of the group; what is summed here is logged once an epoch."""
        optimiser: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        for x, y in batches:
            for side, stream in self._dropout_streams.items():
                stream.manual_seed(self.context.derive("dropout", side, self.global_step, self.global_rank))
            optimiser.zero_grad()
            loss = self.descend(x, y)
            with torch.autocast(self.device.type, enabled=False):
                optimiser.step()
                if schedule is not None:
                    schedule.step()
            # Autocast keeps its low-precision copies of the weights until the call returns; these have just changed.
            torch.clear_autocast_cache()
            self._epoch_loss += loss * x.shape[0]
            self._epoch_samples += x.shape[0]

    def descend(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss of x (b, dx) and y (b, dy), whose gradients are left in the weights.

        The halves share no weight, so each goes back on its own.
        """
        if self.second is None:
            loss = self.loss(x, y)
            with torch.autocast(self.device.type, enabled=False):
                self.manual_backward(loss)
            return loss.detach()

        def back(side: Side) -> Tensor:
            loss = self.half_loss(side, x, y)
            with torch.autocast(self.device.type, enabled=False):
                loss.backward()  # Lightning's own way there is not made for two threads
            return loss.detach()

        return torch.add(*self.on_both(back))

    def validation_step(self, batches: Iterable[Batch], batch_idx: int) -> None:
        total, samples = torch.zeros((), device=self.device), 0
        for x, y in batches:
            total += self.loss(x, y) * x.shape[0]
            samples += x.shape[0]
        self.log("stop_loss", total / samples, prog_bar=True, batch_size=samples, sync_dist=True)

    def on_train_epoch_start(self) -> None:
        self._epoch_loss = torch.zeros((), device=self.device)
        self._epoch_samples = 0

    def on_train_epoch_end(self) -> None:
        # Every process has as many samples, so the mean over processes is the mean over samples.
        train_loss = self.trainer.strategy.reduce(self._epoch_loss / max(self._epoch_samples, 1), reduce_op="mean")
        self.log("train_loss", train_loss)
        self.curves["train_loss"].append(float(train_loss))
        self.curves["stop_loss"].append(float(self.trainer.callback_metrics["stop_loss"]))

    def configure_optimizers(self) -> Any:
        a = self.settings
        rate = scaled_learning_rate(a, self.trainer.world_size)
        if a.optimiser == "adam":
            return torch.optim.Adam(self.parameters(), lr=rate, eps=1e-7, fused=True)
        optimiser = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=a.weight_decay, fused=True)
        self.trainer.fit_loop.setup_data()
        batches: Any = self.trainer.train_dataloader
        assert self.trainer.max_epochs is not None
        steps = batches.steps * self.trainer.max_epochs
        return [optimiser], [torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps)]
