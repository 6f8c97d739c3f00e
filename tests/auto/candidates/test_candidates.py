"""Every candidate: its number on data of its kind, its null, its fit to other folds."""

import math
from dataclasses import replace

import pytest
import torch

import lmi
from lmi.auto.candidates import neural_critic
from lmi.auto.candidates.clusters import Clusters
from lmi.auto.candidates.dropout_normal import DropoutNormal
from lmi.auto.candidates.hidden_normal import HiddenNormal
from lmi.auto.candidates.independence import Independence
from lmi.auto.candidates.kernel_variates import KernelMixture
from lmi.auto.candidates.latent_class import LatentClass
from lmi.auto.candidates.neural_critic import NeuralCritic, calibration
from lmi.auto.candidates.normal import Normal
from lmi.auto.candidates.pair_densities import PairDensities, turns_to_pairs
from lmi.auto.candidates.predictive_variates import PredictiveVariates
from lmi.auto.candidates.t_density import TDensity
from lmi.auto.candidates.t_mixture import TMixture
from lmi.auto.candidates.variate_mixture import VariateMixture
from lmi.auto.choice.called_for import of_pairs
from lmi.auto.spaces import COLUMNS, LEVELS, PRESENT, Space
from lmi.estimators.folds import make_folds
from lmi.estimators.gaussian.intervals import intervals
from lmi.estimators.gaussian.missing import values_there
from lmi.neural.critic import CriticSettings, fit_critic
from lmi.sources.nonlinear.products import ProductsAndSigns
from lmi.sources.normal.coarse_normal import CoarseNormal
from lmi.types import Context

N, RHO = 600, 0.8
CONTEXT = Context(seed=1)
TRUTH = -0.5 * math.log(1 - RHO**2)


def normal_space(columns=4, rho=RHO, n=N, seed=0):
    """Columns of which the first pair is correlated."""
    g = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(n, columns, generator=g, dtype=torch.float64) for _ in range(2))
    y[:, 0] = rho * x[:, 0] + math.sqrt(1 - rho**2) * y[:, 0]
    return Space(COLUMNS, x, y)


def cluster_space(n=N, seed=0):
    """Four far clusters a side that meet with probability .7; their information is close to the labels'."""
    g = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (n,), generator=g)
    other = torch.where(torch.rand(n, generator=g) < 0.7, label, torch.randint(3, (n,), generator=g))
    centres = 8 * torch.eye(3, dtype=torch.float64)
    x, y = (centres[z] + torch.randn(n, 3, generator=g, dtype=torch.float64) for z in (label, other))
    p, q = 0.7 + 0.1, 0.1
    return Space(COLUMNS, x, y), math.log(3) + p * math.log(p) + 2 * q * math.log(q)


def folds(n=N):
    return make_folds(n, 3, CONTEXT.generator("folds"))


def fits(space):
    """Every candidate, on one space."""
    normal = Normal(space, False).fit(folds(space.num_samples))
    return {
        "normal": normal,
        "t mixture": TMixture(space, 1, CONTEXT).fit(folds(space.num_samples)),
        "t density": TDensity(space, 2, CONTEXT).fit(folds(space.num_samples)),
        "variates": VariateMixture(space, 1, normal.rank, CONTEXT).fit(folds(space.num_samples)),
        "clusters": Clusters(space, 3, CONTEXT).fit(folds(space.num_samples)),
        "kernel": KernelMixture(space, CONTEXT).fit(folds(space.num_samples)),
    }


@pytest.fixture(scope="module")
def dependent():
    return fits(normal_space())


@pytest.fixture(scope="module")
def independent():
    return fits(normal_space(rho=0.0, seed=3))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normal", "t mixture", "t density", "variates", "kernel"])
def test_number_of_normal_pairs(dependent, name):
    number = dependent[name].number()
    assert abs(number.nats - TRUTH) < 4 * number.error + 0.05
    assert dependent[name].bound < TRUTH + 0.05


@pytest.mark.parametrize("name", ["normal", "t mixture", "t density", "variates", "kernel"])
def test_null_stands_apart_from_dependence_and_covers_independence(dependent, independent, name):
    null = dependent[name].null(20, torch.Generator().manual_seed(0))
    assert null.p_value == pytest.approx(1 / 21)
    null = independent[name].null(20, torch.Generator().manual_seed(0))
    # Shuffled pairs share 0 at least, but a bound of three folds may lie below it: kernel variates' is -0.12 nats here.
    assert -0.15 < null.observed - null.mean < 0.05


@pytest.mark.parametrize("name", ["normal", "t mixture", "t density", "variates", "clusters", "kernel"])
def test_independence_finds_no_bound(independent, name):
    assert independent[name].bound < 0.03


@pytest.mark.parametrize("name", ["normal", "t mixture", "clusters"])
def test_fit_to_other_folds_is_another_fit_of_the_same(dependent, name):
    fitted = dependent[name]
    others = make_folds(N, 3, CONTEXT.generator("others"))
    again = fitted.candidate.fit(others)
    assert type(again) is type(fitted) and again.bound != fitted.bound
    assert abs(again.bound - fitted.bound) < 0.1


def test_clusters_are_measured_by_their_table():
    space, truth = cluster_space()
    fitted = Clusters(space, 3, CONTEXT).fit(folds())
    number = fitted.number()
    assert abs(number.nats - truth) < 3 * number.error + 0.03
    assert fitted.components == 0 and fitted.stand_in is fitted
    assert fitted.null(20, torch.Generator().manual_seed(0)).p_value == pytest.approx(1 / 21)


def test_latent_classes_of_both_sides():
    """Ten overlapping classes in 20 + 20 columns; the truth from posteriors under the densities that drew them."""
    g = torch.Generator().manual_seed(8)
    label = torch.randint(10, (1500,), generator=g)
    centres = [0.6 * torch.randn(10, 20, generator=g, dtype=torch.float64) for _ in range(2)]
    x, y = (m[label] + torch.randn(1500, 20, generator=g, dtype=torch.float64) for m in centres)
    given = [torch.log_softmax(z @ m.T - 0.5 * m.square().sum(1), 1) for z, m in zip((x, y), centres, strict=True)]
    truth = float((torch.logsumexp(given[0] + given[1], 1) + math.log(10)).mean())
    number = LatentClass(Space(COLUMNS, x, y), 10, CONTEXT).fit(folds(1500)).number()
    assert abs(number.nats - truth) < 0.15 and number.nats > 1.0
    shuffled = Space(COLUMNS, x, y[torch.randperm(1500, generator=g)])
    assert LatentClass(shuffled, 10, CONTEXT).fit(folds(1500)).bound < 0.03


def test_two_densities_of_all_components_see_a_sign_that_flips():
    g = torch.Generator().manual_seed(9)
    x = torch.randn(1500, 8, generator=g, dtype=torch.float64)
    sign = torch.randn(1500, 1, generator=g, dtype=torch.float64).sign()
    space = Space(COLUMNS, x, sign * x + torch.randn(1500, 8, generator=g, dtype=torch.float64))
    one, two = (TDensity(space, 8, CONTEXT, count).fit(folds(1500)) for count in (1, 2))
    assert one.bound < 0.4 and abs(two.number().nats - (4 * math.log(2) - 0.66)) < 0.15


def test_normal_is_refused_where_one_side_determines_the_other():
    space = normal_space()
    with pytest.raises(ValueError, match="infinitely many"):
        Normal(Space(COLUMNS, space.x, space.x), False).fit(folds())


def test_normal_takes_few_components_where_few_carry_anything():
    space = normal_space(columns=60)
    assert Normal(space, False).fit(folds()).rank < 60


def test_independence_steps_aside_for_a_clear_closed_form():
    """Thirty correlations of .15: none worth its parameters in fresh pairs, all of them plain together."""
    g = torch.Generator().manual_seed(5)
    x = torch.randn(N, 30, generator=g, dtype=torch.float64)
    y = 0.15 * x + math.sqrt(1 - 0.15**2) * torch.randn(N, 30, generator=g, dtype=torch.float64)
    for pair, steps_aside in (((x, y), True), ((x, y[torch.randperm(N, generator=g)]), False)):
        space = Space(COLUMNS, *pair)
        normal = Normal(space, False).fit(folds())
        independence = Independence(space, (normal,)).fit(folds())
        assert (independence.stand_in is normal) == steps_aside
        assert independence.number().nats == 0.0 and independence.bound == 0.0


def test_neural_critic_adds_to_its_base():
    space = normal_space()
    base = Normal(space, False).fit(folds())
    shared = base.cross_fit.folds
    fitted = NeuralCritic(space, base, CriticSettings(max_epochs=2), CONTEXT).fit(shared)
    gain = (fitted.cross_fit.terms - base.cross_fit.terms).nanmean()
    assert fitted.number().nats == pytest.approx(base.number().nats + float(gain))
    assert fitted.base is base and "over normal" in fitted.name
    unconfirmed = fitted.number().nats - fitted.bound - fitted.traits.expected_loss
    assert fitted.number().below == pytest.approx(max(unconfirmed, 0.0)) and unconfirmed > 0
    alone = NeuralCritic(space, None, CriticSettings(max_epochs=2), CONTEXT).fit(shared)
    assert alone.base is None and alone.bound < TRUTH + 0.05


@pytest.mark.parametrize(("curved", "networks"), [(False, 1), (True, 3)])
def test_networks_are_fitted_to_further_folds_only_where_the_first_one_gains(monkeypatch, curved, networks):
    space = normal_space(columns=2, seed=3)
    if curved:
        y = torch.cat((space.x[:, :1].square() - 1 + 0.3 * space.y[:, :1], space.y[:, 1:]), 1)
        space = Space(COLUMNS, space.x, y)
    base = Normal(space, False).fit(folds())
    calls = []

    def counted(*words):
        calls.append(words)
        return fit_critic(*words)

    monkeypatch.setattr(neural_critic, "fit_critic", counted)
    fitted = NeuralCritic(space, base, CriticSettings(max_epochs=6), CONTEXT).fit(base.cross_fit.folds)
    assert len(calls) == networks
    assert (fitted.bound > base.bound + 0.02) == curved


def test_calibration_turns_down_what_is_over_confident():
    space = normal_space(columns=1)
    precise = RHO / (1 - RHO**2)

    def ratio(a, b):
        return precise * a @ b.T - 0.5 * RHO * precise * (a.square() + b.square().T)

    assert calibration(ratio, space.x, space.y) in (0.9, 1.0, 1.1)
    assert calibration(lambda a, b: 3 * ratio(a, b), space.x, space.y) == 0.3


@pytest.mark.slow
def test_hidden_scores_behind_activations():
    """Six ReLU columns a side of correlation .7: .22992 nats each by quadrature; ranks alone say 15% more."""
    g = torch.Generator().manual_seed(11)
    x = torch.randn(1200, 6, generator=g, dtype=torch.float64)
    y = 0.7 * x + math.sqrt(0.51) * torch.randn(1200, 6, generator=g, dtype=torch.float64)
    sides = [intervals(z.clamp(min=0)) for z in (x, y)]
    fitted = HiddenNormal(Space(LEVELS, *sides), CONTEXT).fit(folds(1200))
    number = fitted.number()
    assert abs(number.nats - 6 * 0.22992) < 0.1 and 1.0 < fitted.bound < 6 * 0.22992 + 0.1
    assert number.above == pytest.approx(0.05 * number.nats)  # the end at zero may be soft
    rounded = [intervals((4 * z).round()) for z in (x, y)]
    assert HiddenNormal(Space(LEVELS, *rounded), CONTEXT).fit(folds(1200)).number().above == 0.0
    shuffled = Space(LEVELS, sides[0], sides[1][torch.randperm(1200, generator=g)])
    assert HiddenNormal(shuffled, CONTEXT).fit(folds(1200)).bound < 0.03


@pytest.mark.parametrize("shared", [False, True])
def test_zeros_by_dropout(shared):
    """Five columns a side of correlation .8: .511 nats wherever both are there, and the patterns' own where depth is shared."""
    g = torch.Generator().manual_seed(12)
    n, d, rows = 1500, 5, folds(1500)
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    y = 0.8 * x + 0.6 * torch.randn(n, d, generator=g, dtype=torch.float64)
    deep = torch.rand(n, 1, generator=g) < 0.5
    chance = torch.where(deep, 0.9, 0.3) if shared else torch.full((n, 1), 0.6)
    x, y = (torch.where(torch.rand(n, d, generator=g) < chance, (z + 1).exp(), 0.0) for z in (x, y))
    counts = torch.stack(
        [torch.distributions.Binomial(d, torch.tensor(p)).log_prob(torch.arange(d + 1.0)) for p in (0.9, 0.3)]
    )
    joint = 0.5 * (counts.exp()[:, :, None] * counts.exp()[:, None]).sum(0).double()
    patterns = float((joint * (joint / joint.sum(1, keepdim=True) / joint.sum(0)).log()).sum())
    truth = 5 * 0.5108 * 0.45 + patterns if shared else 5 * 0.5108 * 0.36
    fitted = DropoutNormal(Space(PRESENT, values_there(x), values_there(y)), CONTEXT).fit(rows)
    assert abs(fitted.number().nats - truth) < 0.12 and fitted.bound > 0.8 * truth
    shuffled = Space(PRESENT, values_there(x), values_there(y[torch.randperm(n, generator=g)]))
    assert DropoutNormal(shuffled, CONTEXT).fit(rows).bound < 0.03


@pytest.mark.slow
def test_auto_takes_zeros_for_missing_where_they_are():
    g = torch.Generator().manual_seed(13)
    x = torch.randn(900, 2, generator=g, dtype=torch.float64)
    y = 0.9 * x + math.sqrt(0.19) * torch.randn(900, 2, generator=g, dtype=torch.float64)
    x, y = (z.masked_fill(torch.rand(900, 2, generator=g) < 0.4, 0.0) for z in (x, y))
    estimate = lmi.estimate(x, y, permutations=0, neural=False)
    assert abs(estimate.nats - 0.72 * 0.8304) < 0.1 and "that are there" in estimate.choice


@pytest.mark.slow
def test_predictions_find_an_interaction_among_many_columns():
    """y = x1 + .5 x2 x3 + .5 e: 1/2 log 6 = .896 nats, were the product normal; a line finds .66."""
    g = torch.Generator().manual_seed(14)
    x = torch.randn(900, 6, generator=g, dtype=torch.float64)
    y = x[:, :1] + 0.5 * x[:, 1:2] * x[:, 2:3] + 0.5 * torch.randn(900, 1, generator=g, dtype=torch.float64)
    one, other = (
        PredictiveVariates(space, of_y, CONTEXT)
        for space, of_y in ((Space(COLUMNS, x, y), True), (Space(COLUMNS, y, x), False))
    )
    fitted, swapped = one.fit(folds(900)), other.fit(folds(900)[:1])
    assert fitted.number().above > 0.05  # a prediction is a lower bound
    assert 0.78 < fitted.number().nats < 0.95 and 0.7 < fitted.bound < 0.93
    assert abs(swapped.bound - fitted.bound) < 0.15
    shuffled = Space(COLUMNS, x, y[torch.randperm(900, generator=g)])
    assert PredictiveVariates(shuffled, True, CONTEXT).fit(folds(900)[:1]).bound < 0.03


@pytest.mark.slow
def test_a_wave_of_one_column_is_measured_in_that_column():
    """y = sin 3 x1 + .3 e among 10 columns: .862 nats by quadrature; no square and no product shows any of it."""
    g = torch.Generator().manual_seed(15)
    x = torch.randn(1200, 10, generator=g, dtype=torch.float64)
    y = (3 * x[:, :1]).sin() + 0.3 * torch.randn(1200, 1, generator=g, dtype=torch.float64)
    fitted = PredictiveVariates(Space(COLUMNS, x, y), True, CONTEXT).fit(folds(1200))
    assert 0.76 < fitted.number().nats < 0.93
    assert fitted.traits.approximate


def test_predictions_that_are_tied_do_not_look_like_more():
    """y = tanh 2 x1 + .5 e: .589 nats by quadrature. Trees of one column predict 74 values; neighbours said .70 of them."""
    numbers = []
    for seed in (0, 12):
        g = torch.Generator().manual_seed(seed)
        x = torch.randn(800, 1, generator=g, dtype=torch.float64)
        y = (2 * x).tanh() + 0.5 * torch.randn(800, 1, generator=g, dtype=torch.float64)
        space = Space(COLUMNS, x, y)
        fitted = PredictiveVariates(space, True, CONTEXT).fit(folds(800))
        steps = replace(fitted, predictors=[lambda a: (20 * (2 * a).tanh()).round() / 20] * 3)
        numbers.append(steps.number().nats)
    assert abs(sum(numbers) / 2 - 0.589) < 0.04


@pytest.mark.slow
def test_the_sign_of_a_product_of_two_columns_is_predicted_and_no_worse_than_by_neighbours():
    """Mixtures of densities in these three columns found .50 of .633 nats, and plain KSG .54."""
    pairs = ProductsAndSigns("sign", 2, 0.5).sample(1000, torch.Generator().manual_seed(16))
    estimate = lmi.estimate(pairs.x, pairs.y, permutations=0, seed=1)
    assert "took predictions of y from x" in estimate.choice
    assert abs(estimate.nats - pairs.truth) < 0.09 and estimate.interval[0] < pairs.truth < estimate.interval[1]
    assert estimate.nats > lmi.estimate(pairs.x, pairs.y, "ksg", permutations=0).nats


def test_pairs_that_are_not_normal_are_measured_one_by_one():
    # y turned and the noise uniform: sharp edges among 2 + 3 columns, one of which is nothing.
    g = torch.Generator().manual_seed(6)
    n, width = 600, 0.5
    x, e = torch.rand(2, n, 2, generator=g, dtype=torch.float64)
    y = torch.cat((x + width * e, torch.randn(n, 1, generator=g, dtype=torch.float64)), 1)
    y = y @ torch.linalg.qr(torch.randn(3, 3, generator=g, dtype=torch.float64)).Q
    candidate = PairDensities(Space(COLUMNS, x, y), ["columns", "columns of x"], CONTEXT)
    fitted = candidate.fit(make_folds(n, 2, CONTEXT.generator("folds")))
    truth = 2 * (0.5 * width - math.log(width))  # a trapezoid for x + width e
    number = fitted.number()
    assert fitted.name == "densities of pairs of columns of x"
    as_they_are = PairDensities(Space(COLUMNS, x, y), ["columns"], CONTEXT).fit(fitted.cross_fit.folds)
    assert fitted.traits.rises and not as_they_are.traits.rises  # a turn is learned
    assert number.nats - 2 * number.error < truth < number.nats + number.above + 2 * number.error


def test_columns_that_share_more_than_within_their_pairs_are_not_added_up():
    g = torch.Generator().manual_seed(7)
    scale, x, e = torch.randn(3, 600, 2, generator=g, dtype=torch.float64)
    fold = folds()[0]
    assert turns_to_pairs(Space(COLUMNS, x, (x**3 + e).abs()), fold, CONTEXT)
    assert not turns_to_pairs(Space(COLUMNS, scale[:, :1].exp() * x, scale[:, :1].exp() * (x + e)), fold, CONTEXT)


def test_corrections_that_are_faint_in_each_pair_and_plain_in_all_open_the_interval():
    pairs = CoarseNormal("gelu", 12, 0.5).sample(1200, torch.Generator().manual_seed(8))
    candidate = PairDensities(Space(COLUMNS, pairs.x.double(), pairs.y.double()), ["columns"], CONTEXT)
    number = candidate.fit(make_folds(1200, 2, CONTEXT.generator("folds"))).number()
    assert number.above > 0.1 * number.nats  # 8% is what densities of more than two components may lack
    assert number.nats - 2 * number.error < pairs.truth < number.nats + number.above


def test_zeros_that_pairs_share_are_set_apart():
    g = torch.Generator().manual_seed(7)
    there = torch.rand(2000, 3, generator=g) < 0.4
    x, y = (torch.where(there, torch.randn(2000, 3, generator=g, dtype=torch.float64), 0.0) for _ in range(2))
    split = make_folds(2000, 3, g)
    [candidate] = of_pairs((x, y), split, CONTEXT)
    number = candidate.fit(split).number()
    truth = -3 * (0.4 * math.log(0.4) + 0.6 * math.log(0.6))
    assert abs(number.nats - truth) < 0.25  # 1.5 where zeros are ranked beside small values
    assert number.nats + number.above + 1.64 * number.error > truth
