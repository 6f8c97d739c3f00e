"""Intervals open upwards where a choice was not clear, and where a side alone contradicts a density."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from lmi.auto.candidates.normal import Normal
from lmi.auto.candidates.t_mixture import TMixture
from lmi.auto.corrections.openings import as_a_lower_bound, open_to_more_densities, open_to_rivals, open_to_sides
from lmi.auto.protocol.candidate import Number, Traits
from lmi.auto.spaces import COLUMNS, Space
from lmi.estimators.columns import robust_scaled
from lmi.estimators.folds import make_folds
from lmi.estimators.trust.thresholds import NOT_ALONE, STILL_TO_MIX
from lmi.sources.nonlinear.gates import Gates
from lmi.sources.normal.student import StudentT
from lmi.types import Context

CONTEXT = Context(1)


def density_of(source, n=500):
    pairs = source.sample(n, torch.Generator().manual_seed(0))
    space = Space(COLUMNS, robust_scaled(pairs.x), robust_scaled(pairs.y))
    return TMixture(space, 1, CONTEXT).fit(make_folds(n, 2, CONTEXT.generator("folds")))


@pytest.mark.parametrize(("source", "exact"), [(Gates("growing", 3, 0.2), False), (StudentT(3, 3, 0.5), True)])
def test_a_side_alone_contradicts_a_density_that_stands_for_noise_that_grows(source, exact):
    fitted = density_of(source)
    number, alone = open_to_sides(Number(1.0, 0.02), fitted, [fitted], CONTEXT)
    assert (alone.twice <= NOT_ALONE) == exact
    assert number.above == pytest.approx(0.0 if exact else 0.08)


def test_only_densities_that_are_taken_for_exact_are_asked():
    space = density_of(StudentT(2, 3, 0.5)).cross_fit.space
    normal = Normal(space, True).fit(make_folds(500, 2, CONTEXT.generator("folds")))
    assert open_to_sides(Number(1.0, 0.02), normal, [normal], CONTEXT) == (Number(1.0, 0.02), None)


def test_what_rivals_find_more_opens_the_interval_though_it_is_not_clear():
    fitted = density_of(StudentT(2, 3, 0.5))
    more = replace(
        fitted,
        traits=replace(fitted.traits, complexity=9),
        cross_fit=replace(fitted.cross_fit, terms=fitted.cross_fit.terms + 0.03),
    )
    assert open_to_rivals(Number(1.0, 0.02), fitted, [fitted, more]).above == pytest.approx(0.03)
    assert open_to_rivals(Number(1.0, 0.02), more, [fitted, more]).above == 0.0
    assert open_to_rivals(Number(1.0, 0.02, above=0.2), fitted, [fitted, more]).above == 0.2


@pytest.mark.parametrize(("dim", "gain", "opens"), [(4, 0.05, True), (4, 0.01, False), (3, 0.05, False)])
def test_what_twice_as_many_densities_say_more_opens_the_interval_where_neighbours_do_not_correct(dim, gain, opens):
    fitted = density_of(StudentT(dim, 3, 0.5), 200)
    said = fitted.number()
    twice = SimpleNamespace(
        components=2, cross_fit=fitted.cross_fit, number=lambda: said._replace(nats=said.nats * (1 + gain))
    )
    number, more = open_to_more_densities(said, fitted, [fitted, twice])
    assert number.above == pytest.approx(STILL_TO_MIX * gain * said.nats if opens else 0.0)
    assert more == pytest.approx(0.0 if dim == 3 else gain * said.nats)


@pytest.mark.parametrize(
    ("dim", "kind", "share"),
    [
        (4, "", 0.18),
        (3, "", 0.08),
        (4, "learned", 0.18),
        (3, "learned", 0.08),
        (4, "exceeds_bound", 0.18),
        (4, "costly", 0.08),
        (4, "linear", 0.08),
        (4, "linear coarse", 0.18),
    ],
)
def test_lower_bounds_in_many_columns_lack_more_than_in_few(dim, kind, share):
    # Networks of a shared latent in 12 to 112 columns, mixtures of canonical variates and classes: .12 to .20 of the number.
    # Spirals in 8 to 25 columns, kernel variates: .06 to .20 of the number.
    # Six columns with noise that is large now and then: .14 of the number on two draws, one of them reliable and outside.
    # Four pairs of Clayton's copula, a network over a normal density: .10 to .19 of the number on eight draws.
    # Spikes that are there or not, one t density of 40 + 40 columns: .23 of the truth.
    kinds = kind.split()
    space = SimpleNamespace(columns=2 * dim, coarse="coarse" in kinds)
    chosen = SimpleNamespace(
        traits=replace(Traits(9, approximate=True), **{name: True for name in kinds if name != "coarse"}),
        cross_fit=SimpleNamespace(space=space),
    )
    assert as_a_lower_bound(Number(2.0, 0.02), chosen, 0.0).above == pytest.approx(2 * share)
