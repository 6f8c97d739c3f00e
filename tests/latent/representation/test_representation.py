"""Learned representations: right on a known truth, the same for the same seed, honest about what they lack."""

import math
from itertools import cycle
from types import SimpleNamespace

import pytest
import torch

import lmi
from lmi.activations import LanguageModel
from lmi.estimators.folds import split_once
from lmi.latent.estimator import UNMEASURED_LOSS
from lmi.latent.representation import estimator as representation
from lmi.latent.representation import fold as fold_module
from lmi.latent.representation import leading as leading_module
from lmi.latent.representation.doubts import learned_doubts, raw_neighbours
from lmi.latent.representation.encoders import build_encoder, encoder_for
from lmi.latent.representation.encoders.pretrained import pretrained_features
from lmi.latent.representation.estimator import RepresentationEstimator, opened_upwards
from lmi.latent.representation.leading import leading_latents
from lmi.latent.representation.learning_curve import LearningCurve
from lmi.latent.representation.mirrors import mirror_count, mirrored
from lmi.latent.representation.objectives import build_objective
from lmi.latent.representation.objectives.cca import canonical_nats
from lmi.latent.representation.paired_encoders import PairedEncoders
from lmi.sources.normal.gaussian import LowRankGaussian
from lmi.sources.pictures.bumps import Bumps
from lmi.sources.pictures.digits_channel import DigitsChannel
from lmi.sources.pictures.rectangles import Rectangles
from lmi.sources.series.hidden_chain import HiddenChain
from lmi.types import Estimate

SMALL = {
    "objective": "cca",
    "augmentation": "none",
    "folds": 2,
    "max_epochs": 12,
    "permutations": 0,
    "learning_curve": False,
    "measure": "ksg",
}


def bumps(n=1200, bits=2.0, size=8, seed=0):
    return Bumps(size=size, bits=bits).sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["cca", "cross", "infonce", "mine", "smile"])
def test_each_objective_finds_what_pictures_share(objective):
    pairs = bumps()
    result = lmi.estimate(pairs.x, pairs.y, "representation", seed=1, **SMALL | {"objective": objective})
    assert 0.7 * pairs.truth < result.nats < pairs.truth + 0.1
    assert result.num_samples == 1200 and not bool(result.pointwise.isnan().any())


@pytest.mark.slow
def test_the_objective_is_chosen_by_its_bound_on_fresh_pairs():
    pairs = bumps(900)
    settings = SMALL | {"folds": 0, "objective": "auto", "encoder": "conv"}
    result = lmi.estimate(pairs.x, pairs.y, "representation", seed=1, **settings)
    named = {name: lmi.estimate(pairs.x, pairs.y, "representation", seed=1, **settings | {"objective": name})
             for name in ("cca", "infonce")}  # fmt: skip
    chosen = max(named, key=lambda name: named[name].details["fold_1_leading_bound_nats"])
    assert f"learned latents ({chosen}, 1 members)" in result.choice
    with pytest.raises(ValueError, match="name one of them"):
        PairedEncoders(((1,), (1,)), RepresentationEstimator(), lmi.types.Context(seed=0))


@pytest.mark.slow
def test_mirrored_pairs_say_more_and_are_kept_where_they_do():
    pairs = bumps(600)
    settings = SMALL | {"folds": 0, "augmentation": "auto"}
    result = lmi.estimate(pairs.x, pairs.y, "representation", seed=1, **settings)
    named = {way: lmi.estimate(pairs.x, pairs.y, "representation", seed=1, **settings | {"augmentation": way})
             for way in ("none", "mirror")}  # fmt: skip
    bounds = {way: each.details["fold_1_leading_bound_nats"] for way, each in named.items()}
    assert bounds["mirror"] > bounds["none"] + 0.05
    assert result.nats == named["mirror"].nats and "(cca, 1 members, mirrored pairs)" in result.choice
    columns = lmi.estimate(pairs.x.flatten(1), pairs.y.flatten(1), "representation", seed=1, **settings)
    assert "mirrored" not in columns.choice


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 3, 5), (6, 2)])
def test_mirrors_turn_both_sides_alike_and_none_is_another(shape):
    z = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    turned = [mirrored(z, 2 * z, which) for which in range(mirror_count(shape, shape))]
    assert torch.equal(turned[0][0], z) and all(torch.equal(2 * a, b) for a, b in turned)
    assert len({tuple(a.flatten().tolist()) for a, _ in turned}) == len(turned)
    assert all(torch.equal(a.flatten(1).sort(1).values, z.flatten(1).sort(1).values) for a, _ in turned)


def test_members_are_measured_together_and_differ():
    pairs = bumps(900)
    settings = SMALL | {"members": 2, "folds": 0}
    result = lmi.estimate(pairs.x, pairs.y, "representation", seed=1, **settings)
    assert len(result.model) == 2 and result.latents[0].shape == (900, 32) and "of 32 learned latents" in result.choice
    a, b = (model.encode(pairs.x.float(), pairs.y.float())[0] for model in result.model)
    assert float((a - b).abs().max()) > 0.1
    assert 0.65 * pairs.truth < result.nats < pairs.truth + 0.1


def test_independent_pictures_share_nothing():
    pairs = bumps(bits=0.0)
    result = lmi.estimate(pairs.x, pairs.y, "representation", **SMALL)
    assert abs(result.nats) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["auto", pytest.param("bounds", marks=pytest.mark.slow), "ksg"])
def test_each_measure_reads_the_latents(measure):
    pairs = bumps(bits=1.0)
    settings = SMALL | {"measure": measure, "permutations": 5, "folds": 0}
    result = lmi.estimate(pairs.x, pairs.y, "representation", **settings)
    assert abs(result.nats - pairs.truth) < 0.25
    assert result.interval[0] < result.nats < result.interval[1]
    assert result.null.nats.numel() == 5 and result.num_samples == 600
    assert result.choice.startswith(f"{measure} in") and "lower bound" in result.choice


@pytest.mark.parametrize(
    ("encoder", "shape"),
    [
        ("mlp", (7,)),
        ("residual", (7,)),
        ("conv", (2, 9, 13)),
        ("conv1d", (6, 2)),
        ("transformer", (6, 2)),
        ("mlp", (1, 4, 4)),
        ("pooled", (1, 8, 9)),
        ("pooled", (6, 2)),
    ],
)
def test_an_encoder_gives_latents_and_depends_on_its_generator_alone(encoder, shape):
    before = torch.get_rng_state()
    a, b, other = (build_encoder(encoder, shape, 3, 8, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    z = torch.randn(5, *shape, generator=torch.Generator().manual_seed(2))
    assert a(z).shape == (5, 3) and torch.equal(a(z), b(z)) and not torch.equal(a(z), other(z))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_encoder_follows_the_shape_and_refuses_another():
    assert [encoder_for("auto", shape) for shape in ((5,), (4, 2), (1, 8, 8))] == ["mlp", "conv1d", "conv"]
    with pytest.raises(ValueError, match=r"encoder='conv' takes pictures \(n, channels, height, width\); .*\(5,\)"):
        encoder_for("conv", (5,))
    with pytest.raises(ValueError, match=r"encoder='transformer' takes sequences"):
        lmi.estimate(bumps(600).x, bumps(600).y, "representation", encoder="transformer")


@pytest.mark.slow
def test_a_frozen_network_reads_tokens_once_and_what_it_says_is_kept(tmp_path, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    topic = torch.randint(2, (400, 1), generator=generator)
    x, y = (torch.randint(10, 14, (400, 6), generator=generator) + 300 * topic for _ in range(2))
    model = LanguageModel("tiny")
    features = pretrained_features(model, x, cache=str(tmp_path))
    monkeypatch.setattr(LanguageModel, "load_network", lambda *_: pytest.fail("the features are kept"))
    assert torch.equal(features, pretrained_features(model, x, cache=str(tmp_path)))
    monkeypatch.undo()
    monkeypatch.setattr(representation, "CACHE", str(tmp_path))
    settings = SMALL | {"encoder": "pretrained", "max_epochs": 20}
    result = lmi.estimate(x, y, "representation", **settings)
    assert abs(result.nats - math.log(2)) < 0.15
    for wrong, message in ((x + 0.5, "whole and not negative"), (x[:, :, None, None], "reads token numbers")):
        with pytest.raises(ValueError, match=message):
            lmi.estimate(wrong, y, "representation", **settings)


@pytest.mark.slow
def test_sequences_and_sides_of_different_kinds():
    pairs = HiddenChain(length=8, separation=1.0).sample(1500, torch.Generator().manual_seed(0))
    result = lmi.estimate(pairs.x, pairs.y.flatten(1), "representation", encoder_y="mlp", encoder="conv1d", **SMALL)
    assert 0.6 * pairs.truth < result.nats < pairs.truth + 0.15


@pytest.mark.slow
def test_small_encoders_with_dropout_compete_for_sequences(monkeypatch):
    """A choice by the bound on fresh pairs, after which every fold has the same encoders; pictures know no dropout."""
    monkeypatch.setattr(fold_module, "BESIDE_BELOW", 0)
    pairs = HiddenChain(length=8, separation=1.0).sample(600, torch.Generator().manual_seed(0))
    settings = SMALL | {"max_epochs": 4}
    wide = {"width": 16, "dropout": 0.0}
    chosen, *named = (
        lmi.estimate(pairs.x, pairs.y, "representation", seed=1, **settings | sizes)
        for sizes in ({}, wide, {"width": 8, "dropout": 0.3})
    )
    bounds = [each.details["fold_1_leading_bound_nats"] for each in named]
    assert bounds[0] != bounds[1]
    best = named[bounds[1] > bounds[0]]
    assert chosen.nats == best.nats and ("width 8, dropout 0.3" in chosen.choice) == (best is named[1])
    with pytest.raises(ValueError, match=r"dropout=0\.3 is for encoder=conv1d \(sequences\); got encoders"):
        lmi.estimate(*(bumps(400).x, bumps(400).y), "representation", **SMALL | {"dropout": 0.3})


def test_pooled_encoders_are_blind_to_places():
    z = torch.zeros(2, 60, 1)
    for row, start in enumerate((20, 31)):
        z[row, start : start + 5, 0] = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0])
    blind, seeing = (
        build_encoder(name, (60, 1), 3, 4, torch.Generator().manual_seed(0))(z) for name in ("pooled", "conv1d")
    )
    assert torch.allclose(blind[0], blind[1], atol=1e-5) and not torch.allclose(seeing[0], seeing[1], atol=0.1)


def test_pooled_encoders_find_how_strong_noise_is():
    """Pictures of white noise share its strength: no pixel's mean says anything. They compete where nothing is named."""
    generator = torch.Generator().manual_seed(0)
    strength, other = torch.randn(2, 600, 1, 1, 1, generator=generator)
    x, y = (z.exp() * torch.randn(600, 1, 6, 6, generator=generator) for z in (strength, 0.9 * strength + 0.4 * other))
    settings = SMALL | {"folds": 0, "max_epochs": 6}
    settings.pop("objective")
    result = lmi.estimate(x, y, "representation", seed=1, **settings)
    assert "pooled" in result.choice and result.nats > 0.3
    assert "pooled" not in lmi.estimate(x, y, "representation", objective="cca", **settings).choice


def test_skewed_latents_are_judged_by_their_ranks():
    z = torch.randn(2, 2000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, v = z[0], 0.9 * z[0] + 0.19**0.5 * z[1]
    fold = split_once(2000, 0.4, 0.3, torch.Generator().manual_seed(1))
    plain, skewed = (leading_latents(*sides, fold).bound for sides in ((u, v), ((2 * u).exp(), (2 * v).exp())))
    assert plain == pytest.approx(0.83, abs=0.1) and abs(skewed - plain) < 0.03


@pytest.mark.slow
def test_the_same_seed_gives_the_same_number_bit_for_bit():
    pairs = bumps(600)
    first, second, other = (
        lmi.estimate(pairs.x, pairs.y, "representation", seed=seed, **SMALL) for seed in (4, 4, 5)
    )  # fmt: skip
    assert first.nats == second.nats and torch.equal(first.latents[0], second.latents[0])
    assert first.nats != other.nats


def test_the_closed_form_is_the_one_of_canonical_correlations():
    pairs = LowRankGaussian(rank=2, bits=2.0, x_dim=4, y_dim=3).sample(2000, torch.Generator().manual_seed(0))
    result = lmi.estimate(pairs.x, pairs.y, "gaussian", permutations=0)
    plain = float(canonical_nats(pairs.x @ torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
                                 pairs.y[:, :2], 0.0))  # fmt: skip
    assert plain == pytest.approx(result.nats, abs=0.05)
    z = pairs.x[:, :2].clone().requires_grad_()
    canonical_nats(z, pairs.y[:, :2]).backward()
    assert bool(z.grad.isfinite().all()) and float(z.grad.norm()) > 0


def test_functions_of_one_signal_are_measured_once():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3000, 2, generator=generator, dtype=torch.float64)
    b = 0.95 * a + 0.3 * b
    latents = tuple(torch.cat((z, z**2, z[:, :1] * z[:, 1:]), 1) for z in (a, b))
    leading = leading_latents(*latents, split_once(3000, 0.4, 0.2, generator))
    assert leading.count == 2


def test_a_latent_is_kept_for_any_rise_of_the_bound(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1000, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(100, generator=generator, dtype=torch.float64)
    terms = cycle([torch.zeros(100, dtype=torch.float64), noise - noise.mean() + 0.02])  # a fifth of a standard error
    monkeypatch.setattr(leading_module, "bound_influence", lambda scores, bound: next(terms))
    leading = leading_latents(a, 0.9 * a + 0.4 * b, split_once(1000, 0.4, 0.1, generator))
    assert leading.count == 2 and leading.bound == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("nats", "missing"), [((0.5, 0.7, 0.8), 0.125), ((0.8, 0.8, 0.8), 0.0), ((0.9, 0.9, 0.8), 0.0), ((0, 0, 0.01), 0.0)]
)
def test_a_learning_curve_says_what_is_missing(nats, missing):
    assert LearningCurve((100, 200, 400), nats, nats[2]).missing == pytest.approx(missing)


def doubts_of(train, stop, folds, curve, raw=(0.0, 0.02)):
    whole = Estimate(sum(folds) / len(folds), "representation", 1000, details={"standard_error_nats": 0.01})
    model = SimpleNamespace(curves={"stop_loss": [0.0, -1.0], "train_loss": [0.0, -train]})
    leading = SimpleNamespace(count=1, nats=torch.tensor([1.0, 0.5]), kept=torch.tensor([0]))
    fits = [SimpleNamespace(models=(model,), fresh_nats=stop, leading=leading) for _ in folds]
    estimates = [Estimate(nats, "auto", 500, details={"standard_error_nats": 0.01}) for nats in folds]
    return learned_doubts(RepresentationEstimator(), fits, estimates, whole, curve, raw)


def test_each_doubt_comes_with_its_number():
    flat, rising = (LearningCurve((100, 200, 400), nats, nats[2]) for nats in ((1.0, 1.0, 1.0), (0.5, 0.7, 0.8)))
    assert doubts_of(1.0, 0.9, (1.0, 1.02), flat) == ()
    assert "was not asked (learning_curve=false" in doubts_of(1.0, 0.9, (1.0, 1.02), None)[0]
    assert "find nothing" in doubts_of(0.0, 0.0, (0.0, 0.01), flat)[0]
    assert "neighbours find 1.30 nats in the samples" in doubts_of(1.0, 0.9, (1.0, 1.0), flat, (1.3, 0.02))[0]
    reason = doubts_of(1.0, 0.9, (1.0, 1.0), rising)[0]
    assert (
        "find 0.50, 0.70 and 0.80 nats, and 0.80 with all that are measured together, "
        "which leaves about 0.13 nats to be found, 0.07 to 0.30" in reason
    )
    steep = LearningCurve((100, 200, 400), (0.1, 0.3, 0.9), 0.9)
    assert "measured together; it does not bend yet, so that no limit" in doubts_of(1.0, 0.9, (0.9, 0.9), steep)[0]
    assert opened_upwards(Estimate(0.9, "r", 9, interval=(0.8, 1.0)), steep, (0.6, 0.02)).interval[1] == 1.9
    falling = LearningCurve((100, 200, 400), (1.2, 1.4, 1.0), 1.0)
    assert "fewer samples find more in the same pairs (1.20 of 100, 1.40" in doubts_of(1.0, 0.9, (1.0, 1.0), falling)[0]
    assert opened_upwards(Estimate(1.0, "r", 9, interval=(0.9, 1.1)), falling, (0.6, 0.02)).interval[1] == 1.5
    assert doubts_of(1.0, 0.9, (0.8, 1.2), flat) == ("its folds disagree: 0.80 to 1.20 nats",)
    assert "2.00 nats on the training part and 0.90 on fresh pairs" in doubts_of(2.0, 0.9, (1.0, 1.0), flat)[0]


def test_the_interval_is_open_upwards_by_what_is_missing():
    estimate = Estimate(0.8, "representation", 1000, interval=(0.7, 0.9))
    rising = LearningCurve((100, 200, 400), (0.4, 0.6, 0.8), 0.8)
    low, high = opened_upwards(estimate, rising, (0.6, 0.02)).interval
    assert low == 0.7 and high == pytest.approx(0.9 + 0.2 * (0.5**0.5 / (1 - 0.5**0.5)))
    for flat in (None, LearningCurve((100, 200, 400), (0.8, 0.8, 0.8), 0.8)):
        assert opened_upwards(estimate, flat, (0.6, 0.02)).interval == pytest.approx((0.7, 0.9 + 0.3 * 0.8))
    assert opened_upwards(estimate, None, (1.3, 0.02)).interval == (0.7, 1.3)


def test_what_members_find_together_says_what_more_of_them_would():
    flat = (0.8, 0.8, 0.8)
    assert LearningCurve((100, 200, 400), flat, 1.0, members=2).missing == pytest.approx(0.2)
    assert LearningCurve((100, 200, 400), flat, 1.0, members=3).missing == pytest.approx(0.1)
    # What members found already does not wait for more samples: 0.1 of 0.1 + 0.1.
    assert LearningCurve((100, 200, 400), (0.5, 0.7, 0.8), 0.9, members=3).missing == pytest.approx(0.05 / 0.9)


def test_saturated_pixels_and_repeated_pictures_do_not_fool_neighbours():
    for source, n in ((Rectangles(16, bits=1.0), 2000), (DigitsChannel(0.5), 1500)):
        pairs = source.sample(n, torch.Generator().manual_seed(0))
        nats, error = raw_neighbours(pairs.x, pairs.y, torch.Generator().manual_seed(1))
        assert nats < pairs.truth + 3 * error


def test_what_the_closed_form_finds_beyond_the_encoders_is_a_doubt():
    pairs = LowRankGaussian(rank=4, bits=4.0, x_dim=6, y_dim=6).sample(800, torch.Generator().manual_seed(0))
    result = lmi.estimate(pairs.x, pairs.y, "representation", **SMALL | {"max_epochs": 1})
    assert result.nats < 0.7 * pairs.truth
    assert any("the normal closed form" in reason for reason in result.verdict.reasons)


def test_too_few_latents_are_a_doubt():
    pairs = LowRankGaussian(rank=4, bits=3.0, x_dim=6, y_dim=6).sample(1500, torch.Generator().manual_seed(0))
    result = lmi.estimate(pairs.x, pairs.y, "representation", latent_dim=1, **SMALL)
    assert any("a larger latent_dim may find more" in reason for reason in result.verdict.reasons)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 1}, "folds must be 0"),
        ({"train_share": 0.9}, "must leave samples to measure"),
        ({"folds": 10}, "300 samples are too few"),
    ],
)
def test_wrong_splits_are_refused(settings, message):
    pairs = bumps(300)
    with pytest.raises(ValueError, match=message):
        lmi.estimate(pairs.x, pairs.y, "representation", **settings)


def test_a_fit_is_kept_in_its_folder(tmp_path):
    pairs = bumps(400)
    contexts = [lmi.types.Context(seed=1, folder=tmp_path) for _ in range(2)]
    first, second = (lmi.estimate(pairs.x, pairs.y, "representation", context=c, **SMALL) for c in contexts)
    assert first.nats == second.nats
    assert len(list(tmp_path.rglob("model.safetensors"))) == 2
    assert first.model[0].curves.keys() == second.model[0].curves.keys()
    assert first.model[0].curves["stop_loss"] == pytest.approx(second.model[0].curves["stop_loss"])


@pytest.mark.parametrize("objective", ["cca", "infonce", "mine", "smile"])
def test_objectives_rise_with_dependence(objective):
    generator = torch.Generator().manual_seed(0)
    z, e = torch.randn(2, 400, 2, generator=generator)
    net = build_objective(objective, 2, ((2,), (2,)), generator)
    y = 0.8 * z + 0.6 * e
    if objective != "cca":
        optimiser = torch.optim.Adam(net.parameters(), 3e-2)
        for _ in range(150):
            optimiser.zero_grad()
            (-net(z, y, z, y)).backward()
            optimiser.step()
    with torch.no_grad():
        assert 0.7 < float(net(z, y, z, y)) < 1.5  # the truth is 1.02
        other = y[torch.randperm(400, generator=generator)]
        assert float(net(z, other, z, other)) < 0.1


@pytest.mark.slow
def test_cross_prediction_of_a_linear_map_leaves_the_noise_alone():
    generator = torch.Generator().manual_seed(0)
    z, e = torch.randn(2, 2000, 3, generator=generator)
    y = 0.8 * z + 0.6 * e
    net = build_objective("cross", 3, ((3,), (3,)), generator)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(300):
        optimiser.zero_grad()
        (-net(z, y, z, y)).backward()
        optimiser.step()
    # Normal errors of variance 0.36 on both sides: -1/4 (log 0.36 + log 0.36) nats per value.
    assert float(net(z, y, z, y)) == pytest.approx(-0.5 * math.log(0.36), abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["auto", "bounds"])
def test_latents_of_the_published_encoders_are_measured_by_the_best_there_is(measure):
    pairs = LowRankGaussian(rank=4, bits=2.0, x_dim=20, y_dim=20).sample(900, torch.Generator().manual_seed(0))
    settings = {"hidden": (32,), "max_epochs": 20, "permutations": 0, "folds": 2}
    result = lmi.estimate(pairs.x, pairs.y, "latent", measure=measure, **settings)
    neighbours = lmi.estimate(pairs.x, pairs.y, "latent", **settings)
    assert abs(result.nats - pairs.truth) < abs(neighbours.nats - pairs.truth)
    assert result.estimator == "latent" and result.num_samples == 900 and "lower bound" in result.choice
    assert result.verdict.level != "reliable" and UNMEASURED_LOSS in result.verdict.reasons
    assert any("normal model in fresh pairs" in reason for reason in neighbours.verdict.reasons) == (
        neighbours.nats < 0.9 * pairs.truth
    )
