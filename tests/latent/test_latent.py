"""The latent estimator: right on a known truth, the same for the same seed, honest about what it was trained on."""

import math
import threading

import numpy as np
import pytest
import torch

import lmi
from lmi.estimators.folds import split_folds, split_once
from lmi.latent import LatentEstimator, TrainerSettings
from lmi.latent.autoencoder import PairedAutoencoder
from lmi.latent.fitting import SMALLEST_PART, fit_encoders
from lmi.latent.training import three_way_folds
from lmi.settings import SettingsError
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.normal.pushforward import Pushforward
from lmi.types import Context

SMALL = {"hidden": (32,), "max_epochs": 12, "permutations": 5}


def draw(n=1500, bits=1.0, seed=0, **settings):
    source = LowRankGaussian(rank=1, bits=bits, x_dim=20, y_dim=15, **settings)
    return source.sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("regulariser", ["cross", "mine", "infonce"])
@pytest.mark.parametrize("bits", [0.0, 1.0])
def test_each_regulariser_finds_the_truth(regulariser, bits):
    pairs = draw(3000, bits)
    estimate = lmi.estimate(pairs.x, pairs.y, "latent", seed=1, regulariser=regulariser, **SMALL)
    assert abs(estimate.bits - bits) < max(0.15, 3 * (estimate.interval[1] - estimate.nats) / math.log(2))


@pytest.mark.slow
def test_a_nonlinear_signal_is_found_where_the_gaussian_form_is_blind():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(3000, 1, generator=generator, dtype=torch.float64)
    x = torch.cat((z, torch.randn(3000, 3, generator=generator, dtype=torch.float64)), 1)
    y = torch.cat((z**2 + 0.1 * torch.randn(3000, 1, generator=generator, dtype=torch.float64), x[:, 1:2] * 0), 1)
    blind = lmi.estimate(x, y, "gaussian").bits
    seen = lmi.estimate(x, y, "latent", seed=0, max_epochs=40).bits
    assert blind < 0.05
    assert seen > 0.8


def test_the_same_seed_gives_the_same_number_bit_for_bit():
    pairs = draw()
    first, second = (lmi.estimate(pairs.x, pairs.y, "latent", seed=4, **SMALL) for _ in range(2))
    assert first.nats == second.nats
    assert torch.equal(first.latents[0], second.latents[0])
    assert torch.equal(first.null.nats, second.null.nats)
    assert first.nats != lmi.estimate(pairs.x, pairs.y, "latent", seed=5, **SMALL).nats


def test_the_global_random_states_are_left_alone():
    pairs = draw(400)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    lmi.estimate(pairs.x, pairs.y, "latent", **SMALL)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002


def test_pointwise_is_nan_exactly_where_samples_were_trained_on():
    pairs = draw()
    estimate = lmi.estimate(pairs.x, pairs.y, "latent", train_share=0.5, stop_share=0.2, **SMALL)
    assert int(estimate.pointwise.isnan().sum()) == 1050
    assert estimate.num_samples == 450
    assert float(estimate.pointwise.nanmean()) == pytest.approx(estimate.nats, abs=1e-12)
    assert estimate.latents[0].shape == (1500, 8)


def test_cross_fitting_measures_every_sample():
    pairs = draw()
    estimate = lmi.estimate(pairs.x, pairs.y, "latent", folds=3, **SMALL)
    assert not bool(estimate.pointwise.isnan().any())
    assert estimate.num_samples == 1500
    assert len(estimate.model) == 3
    assert estimate.interval[0] < estimate.nats < estimate.interval[1]
    assert estimate.null.nats.numel() == 5


def test_encode_gives_new_samples_their_place():
    pairs = draw()
    estimate = lmi.estimate(pairs.x, pairs.y, "latent", **SMALL)
    again = estimate.model.encode(pairs.x[:10], pairs.y[:10])
    torch.testing.assert_close(again[0], estimate.latents[0][:10], atol=1e-6, rtol=1e-5)


def test_units_of_the_columns_do_not_matter():
    pairs = draw()
    scale = torch.logspace(-3, 3, 20, dtype=torch.float64)
    plain = lmi.estimate(pairs.x, pairs.y, "latent", **SMALL)
    scaled = lmi.estimate(pairs.x * scale + 7, pairs.y, "latent", **SMALL)
    assert scaled.nats == pytest.approx(plain.nats, abs=0.03)


def test_the_weights_kept_are_those_of_the_best_epoch():
    pairs = draw(400, bits=0.0)
    settings = LatentEstimator(hidden=(64,), max_epochs=40, learning_rate=1e-2, optimiser="adam")
    context = Context(seed=2)
    fold = three_way_folds(settings, 400, SMALLEST_PART, context)[0]
    model, _ = fit_encoders(settings, pairs.x.float(), pairs.y.float(), fold, context)
    stop = model.scaled(pairs.x[fold.stop], pairs.y[fold.stop])
    model.eval()
    with torch.no_grad():
        kept = float(model.loss(*stop))
    curve = model.curves["stop_loss"]
    assert kept == pytest.approx(min(curve), abs=1e-5)
    assert kept < curve[-1] - 1e-4


def test_training_stops_early():
    pairs = draw(400, bits=0.0)
    estimate = lmi.estimate(pairs.x, pairs.y, "latent", patience=2, hidden=(64,), max_epochs=100, learning_rate=1e-2,
                         optimiser="adam", permutations=0)  # fmt: skip
    assert estimate.details["epochs"] < 100


def test_scale_is_learned_from_the_training_part_alone():
    pairs = draw(600)
    settings = LatentEstimator(**SMALL)
    context = Context()
    fold = three_way_folds(settings, 600, SMALLEST_PART, context)[0]
    x = pairs.x.float()
    x[fold.test] += 1000
    model, _ = fit_encoders(settings, x, pairs.y.float(), fold, context)
    torch.testing.assert_close(model.x_mean, x[fold.train].mean(0))


def test_the_reference_setting_is_the_published_network():
    settings = LatentEstimator(hidden=(1024, 512, 256), latent_activation=True, optimiser="adam", learning_rate=1e-4)
    model = PairedAutoencoder(100, 50, settings, Context())
    widths = [layer.out_features for layer in model.x_encoder if isinstance(layer, torch.nn.Linear)]
    assert widths == [1024, 512, 256, 8]
    assert isinstance(model.x_encoder[-1], torch.nn.LeakyReLU)
    assert model.x_encoder[-1].negative_slope == 0.2
    out = [layer.out_features for layer in model.x_to_y if isinstance(layer, torch.nn.Linear)]
    assert out == [256, 512, 1024, 50]
    model.trainer = TrainerSettings(accelerator="cpu").build(Context(), 1, [])
    optimiser = model.configure_optimizers()
    assert (optimiser.defaults["lr"], optimiser.defaults["eps"]) == (1e-4, 1e-7)


def test_splits_are_disjoint_and_complete():
    generator = torch.Generator().manual_seed(0)
    for split in [split_once(101, 0.4, 0.1, generator), *split_folds(101, 4, 0.4, 0.1, generator)]:
        together = torch.cat((split.train, split.stop, split.test))
        assert torch.equal(together.sort().values, torch.arange(101))
    folds = split_folds(101, 4, 0.4, 0.1, generator)
    assert torch.equal(torch.cat([split.test for split in folds]).sort().values, torch.arange(101))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_share": 0.8, "stop_share": 0.3}, "leave samples to measure"),
        ({"folds": 1}, "folds must be 0"),
        ({"train_share": 0.98, "stop_share": 0.01}, "too few to be split: the stop part would have 1"),
    ],
)
def test_impossible_splits_are_refused(settings, message):
    pairs = draw(100)
    with pytest.raises(ValueError, match=message):
        lmi.estimate(pairs.x, pairs.y, "latent", **settings)


def test_wrong_settings_name_the_place_and_the_choices():
    pairs = draw(100)
    with pytest.raises(SettingsError, match=r"latent.latnt_dim.*did you mean 'latent_dim'"):
        lmi.estimate(pairs.x, pairs.y, "latent", latnt_dim=3)
    with pytest.raises(SettingsError, match=r"latent.regulariser: got 'none'.*'cross', 'mine' or 'infonce'"):
        lmi.estimate(pairs.x, pairs.y, "latent", regulariser="none")


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that must not be there")
def test_a_device_that_is_not_there_is_said():
    pairs = draw(100)
    with pytest.raises(ValueError, match=r"no CUDA device"):
        lmi.estimate(pairs.x, pairs.y, "latent", trainer={"accelerator": "gpu"})


@pytest.mark.slow
def test_nonlinear_twin_costs_little():
    plain = LowRankGaussian(rank=1, bits=1.0, x_dim=20, y_dim=20)
    bent = Pushforward(plain, ("coordinates",)).sample(4000, torch.Generator().manual_seed(0))
    estimate = lmi.estimate(bent.x, bent.y, "latent", seed=0, permutations=0)
    assert estimate.bits == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_steps_are_the_same_however_many_a_call_takes(monkeypatch, precision):
    pairs = draw(600)
    curves = []
    for steps in (1, 8):
        monkeypatch.setattr("lmi.latent.datamodule.STEPS_A_CALL", steps)
        trainer = TrainerSettings(accelerator="cpu", precision=precision)
        estimate = LatentEstimator(
            hidden=(16,), latent_dim=2, batch_size=16, max_epochs=3, permutations=0, trainer=trainer
        ).estimate(pairs.x, pairs.y, Context())
        curves.append(estimate.model.curves)
    assert curves[0]["stop_loss"] == pytest.approx(curves[1]["stop_loss"], rel=1e-6)
    assert curves[0]["stop_loss"][-1] < curves[0]["stop_loss"][0]


def test_two_threads_train_the_halves_to_the_weights_of_one(monkeypatch):
    """The halves of x and of y share no weight; a half that waits for nothing gives the same number, and errors come out."""
    pairs, seen = draw(800), []
    half_loss = PairedAutoencoder.half_loss

    def watched(self, side, x, y):
        seen.append((side, threading.current_thread().name.startswith("half-of-y"), torch.is_grad_enabled()))
        return half_loss(self, side, x, y)

    monkeypatch.setattr(PairedAutoencoder, "half_loss", watched)
    settings = {"hidden": (256, 128), "max_epochs": 2, "permutations": 0}
    before = torch.get_num_threads()
    try:
        for precision in ("32-true", "bf16-mixed"):
            estimate = []
            for threads in (1, 2):
                torch.set_num_threads(threads)
                seen.clear()
                trainer = TrainerSettings(accelerator="cpu", precision=precision)
                estimate.append(lmi.estimate(pairs.x, pairs.y, "latent", seed=3, trainer=trainer, **settings))
                assert {(side, second) for side, second, _ in seen} == {("x", False), ("y", threads == 2)}
                assert {grad for _, _, grad in seen} == {True, False}
            assert estimate[0].nats == estimate[1].nats
            assert torch.equal(estimate[0].latents[1], estimate[1].latents[1])

        def failing(self, side, x, y):
            if side == "y":
                raise FloatingPointError("the half of y")
            return half_loss(self, side, x, y)

        monkeypatch.setattr(PairedAutoencoder, "half_loss", failing)
        with pytest.raises(FloatingPointError, match="the half of y"):
            lmi.estimate(pairs.x, pairs.y, "latent", seed=3, **settings)
    finally:
        torch.set_num_threads(before)


def test_more_processes_than_cores_are_refused():
    settings = TrainerSettings(accelerator="cpu", devices=10**4, strategy="ddp")
    with pytest.raises(ValueError, match=r"trainer.devices=10000 processes but this machine has \d+ cores"):
        settings.build(Context(), 1, [])
