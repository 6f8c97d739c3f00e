"""The correction by neighbours: sides on something thinner than their columns, and what a correction not made opens."""

import math
from dataclasses import replace

import pytest
import torch

import lmi
import lmi.auto.corrections.control as control
from lmi.auto.candidates.normal import Normal
from lmi.auto.candidates.t_mixture import TMixture
from lmi.auto.protocol.candidate import Number, Traits
from lmi.auto.spaces import COLUMNS, Space, prepared
from lmi.estimators.densities.mixture import fit_mixture
from lmi.estimators.folds import make_folds
from lmi.estimators.neighbors.control import Controlled, controlled_ksg
from lmi.estimators.neighbors.residuals import residual_ksg
from lmi.sources.nonlinear.edges import Edges
from lmi.types import Context

CONTEXT = Context(3)


def on_a_circle(n=800):
    pairs = Edges("circle", 1, 0.3).sample(n, torch.Generator().manual_seed(1))
    return pairs.x.double(), pairs.y.double(), pairs.truth


def mixture_of(x, y, count):
    return TMixture(Space(COLUMNS, x, y), count, CONTEXT).fit(make_folds(len(x), 2, CONTEXT.generator("folds")))


def test_neighbours_on_a_circle_are_held_against_matchings_of_its_points():
    x, y, truth = on_a_circle()
    fitted = mixture_of(x, y, 4)
    number = control.controlled(fitted.number(), fitted, [fitted], False, CONTEXT).number
    drawn = controlled_ksg(x, y, fitted.density([fitted], x, y, CONTEXT), 5, CONTEXT.generator("draws"))
    assert abs(number.nats - truth) < 0.06 < abs(drawn.nats - truth) - 0.1


def on_a_sphere(n, g):
    x, noise = torch.randn(2, n, 3, generator=g, dtype=torch.float64)
    x = x / x.norm(dim=1, keepdim=True)
    y = x + 0.4 * noise
    return x, y / y.norm(dim=1, keepdim=True)


def test_on_a_sphere_a_network_is_held_against_matchings_as_well():
    """Draws from a density do not lie on the sphere, and neighbours held against them lead too high."""
    g = torch.Generator().manual_seed(1)
    x, y = on_a_sphere(1200, g)
    # Of a uniform x, p(y | x) / p(y) is twice the density of the cosine between both.
    a, b = on_a_sphere(400_000, g)
    density = torch.histc((a * b).sum(1), 400, -1, 1) / 400_000
    truth = math.log(2) + float(torch.special.xlogy(density, density * 200).sum())
    fitted = mixture_of(x, y, 1)
    learned = replace(fitted, traits=replace(fitted.traits, learned=True))
    held = control.controlled(fitted.number(), learned, [fitted], False, CONTEXT)
    assert held.is_thin and fitted.number().nats > truth + 0.2
    assert abs(held.number.nats - truth) < 0.1 and held.number.nats >= fitted.bound


def test_only_a_side_that_fills_less_than_its_columns_is_thin():
    x, y, _ = on_a_circle()
    g = CONTEXT.generator("thin")
    assert control.is_thin(x, y, fit_mixture(x, y, 1, g), g)
    z = torch.randn(2, 800, 2, generator=g, dtype=torch.float64)
    assert not control.is_thin(z[0], z[1], fit_mixture(z[0], z[1], 1, g), g)


@pytest.mark.parametrize(("correction", "above"), [(0.06, 0.06), (0.02, 0.0)])
def test_a_correction_that_is_not_sure_opens_the_interval(monkeypatch, correction, above):
    g = CONTEXT.generator("line")
    x, e = torch.randn(2, 200, 1, generator=g, dtype=torch.float64)
    fitted = mixture_of(x, x + e, 1)
    held = Controlled(0.5 + correction, correction, 0.03, 0.03)
    monkeypatch.setattr(control, "residual_ksg", lambda *_: held)
    number = control.controlled(Number(0.5, 0.02), fitted, [fitted], False, CONTEXT).number
    assert number.nats == 0.5 and math.isclose(number.above, above, abs_tol=1e-12) and number.below == 0.0
    corrected = control.controlled(Number(0.5, 0.02), fitted, [fitted], True, CONTEXT)
    assert (
        corrected.correction == correction and corrected.number.nats > number.nats
    )  # its own tests contradict the density


def test_a_sharp_edge_that_two_densities_hide_from_neighbours_is_seen_in_residuals():
    """Uniform noise of width .5: 2.122 nats, of which two t densities, and KSG held against them, said 2.03."""
    pairs = Edges("normal_uniform", 1, 0.5).sample(1000, torch.Generator().manual_seed(11))
    fitted = mixture_of(pairs.x.double(), pairs.y.double(), 2)
    held = control.controlled(fitted.number(), fitted, [fitted], False, CONTEXT)
    assert fitted.number().nats + 2 * fitted.number().error < pairs.truth
    assert abs(held.number.nats - pairs.truth) < 2 * held.number.error and held.number.error < 0.06 and not held.doubt


def test_neighbours_lead_no_number_above_what_the_samples_resolve():
    """9 nats behind maps that no rank shows: spacings of 500 rows said 16 to 19."""
    g = torch.Generator().manual_seed(2)
    x, e = torch.randn(2, 500, 1, generator=g, dtype=torch.float64)
    estimate = lmi.estimate(torch.tanh(x), (x + math.exp(-9) * e) ** 3, seed=2)
    assert 5 < estimate.nats < 9.5 and estimate.verdict.level == "abstain"
    assert any("more than 500 samples resolve (6.2)" in reason for reason in estimate.verdict.reasons)


def test_ranks_that_nearly_determine_each_other_stay_so_where_quantiles_are_redrawn():
    """3.45 nats behind a monotone map, of which ranks lose .11 at 1,000 samples; redrawn apart they said 2.4."""
    g = torch.Generator().manual_seed(4)
    z, e = torch.randn(2, 1000, 1, generator=g, dtype=torch.float64)
    truth = -0.5 * math.log(1 - 0.9995**2)
    x, y = z, (0.9995 * z + math.sqrt(1 - 0.9995**2) * e).exp()
    estimate = lmi.estimate(x, y, seed=0)
    assert abs(estimate.nats - truth) < 0.1 and estimate.interval[0] < truth < estimate.interval[1]
    # What ranks lose is simulated and added, or neighbours in the plane have seen it.
    assert max(estimate.details[name] for name in ("maps_correction_nats", "ksg_correction_nats")) > 0.03


def test_edges_along_columns_that_were_turned_are_seen_in_residuals_of_the_columns():
    """Uniform columns and noise: 1.886 nats, of which a normal density says 1.65, and neighbours no more."""
    pairs = Edges("uniform", 2, 0.5).sample(1500, torch.Generator().manual_seed(12))
    space = prepared(pairs.x.double(), pairs.y.double(), 96)[COLUMNS]
    said = []
    for sides in (space, replace(space, axes=None)):
        fitted = TMixture(sides, 1, CONTEXT).fit(make_folds(1500, 2, CONTEXT.generator("folds")))
        said.append(control.controlled(fitted.number(), fitted, [fitted], True, CONTEXT).number.nats)
    assert abs(said[0] - pairs.truth) < 0.06 and said[1] < pairs.truth - 0.2


@pytest.mark.slow
def test_of_thin_sides_in_many_columns_only_what_fresh_pairs_confirm_is_taken():
    """Three angles a side, as cosines and sines: 2.33 nats, of which the closed form says 2.8."""
    pairs = Edges("circle", 3, 0.7).sample(1500, torch.Generator().manual_seed(2))
    space = Space(COLUMNS, pairs.x, pairs.y)
    fitted = Normal(space, True).fit(make_folds(1500, 2, CONTEXT.generator("folds")))
    number = control.of_thin_sides(fitted.number(), fitted, CONTEXT)
    assert number is not None and number.nats < pairs.truth + 0.1 < fitted.number().nats - 0.2
    assert number.nats + number.above + 1.645 * number.error > pairs.truth
    filled = Normal(
        Space(COLUMNS, *torch.randn(2, 1500, 4, dtype=torch.float64, generator=CONTEXT.generator("full"))), True
    )
    fitted = filled.fit(make_folds(1500, 2, CONTEXT.generator("folds")))
    assert control.of_thin_sides(fitted.number(), fitted, CONTEXT) is None


def test_a_wave_that_the_density_has_not_learned_is_seen_in_the_plane_and_not_among_residuals():
    """Nine teeth of a saw with noise of .05, 1.67 nats: with eight densities residuals find .5 of it."""
    g = torch.Generator().manual_seed(5)
    x = torch.rand(1000, 1, generator=g, dtype=torch.float64)
    y = (9 * x) % 1 + 0.05 * torch.randn(1000, 1, generator=g, dtype=torch.float64)
    fitted = mixture_of(x, y, 8)
    held = control.controlled(fitted.number(), fitted, [fitted], False, CONTEXT)
    residuals = residual_ksg(x, y, fitted.density([fitted], x, y, CONTEXT), 10)
    assert residuals.nats + 0.1 < held.number.nats < 1.7


def test_of_variates_and_the_best_density_that_neighbours_correct_the_larger_is_taken():
    g = torch.Generator().manual_seed(6)
    x, e = torch.randn(2, 800, 2, generator=g, dtype=torch.float64)
    fitted = mixture_of(x, x + e, 1)
    variates = replace(fitted, traits=Traits(50, exceeds_bound=True, approximate=True))
    held = control.or_density(Number(0.4, 0.02), variates, [fitted], CONTEXT)
    assert abs(held.number.nats - math.log(2)) < 0.1 and not held.correction
    assert math.isclose(held.number.nats - held.number.below, 0.4)
    assert control.or_density(Number(0.9, 0.02), variates, [fitted], CONTEXT).number.nats == 0.9
    assert control.or_density(Number(0.4, 0.02), fitted, [fitted], CONTEXT).number.nats == 0.4


def test_where_a_side_is_thin_matchings_are_taken_before_variates():
    """Predictions of a circle said .15 nats too much, held against draws that do not lie on it."""
    x, y, truth = on_a_circle()
    fitted = mixture_of(x, y, 4)
    variates = replace(fitted, traits=Traits(50, exceeds_bound=True, approximate=True))
    held = control.or_density(Number(truth + 0.2, 0.02), variates, [fitted], CONTEXT)
    assert abs(held.number.nats - truth) < 0.06
    assert math.isclose(held.number.nats + held.number.above, truth + 0.2)
