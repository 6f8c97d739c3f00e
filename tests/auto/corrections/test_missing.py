"""What is known to be missing from the chosen number: late components, rows in time, moments left on fresh pairs."""

import math
from dataclasses import replace

import pytest
import torch

from lmi.auto.candidates.independence import Independence
from lmi.auto.candidates.normal import Normal
from lmi.auto.corrections.certified import or_certified
from lmi.auto.corrections.directions import open_to_directions
from lmi.auto.corrections.missing import (
    left_on_fresh_pairs,
    of_counted_rows,
    with_all_columns,
)
from lmi.auto.corrections.openings import as_a_lower_bound
from lmi.auto.nulls import closed_form_null
from lmi.auto.protocol.candidate import Number, Traits, score_folds
from lmi.auto.spaces import COLUMNS, Space, prepared, refuse_determined
from lmi.estimators.folds import make_folds
from lmi.estimators.trust.row_order import random_orders
from lmi.sources.normal.faint_linear import FaintLinear
from lmi.types import Context


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def fitted(space, scores, traits, n):
    """A candidate with these scores in every fold."""
    folds = make_folds(n, 2, seeded(1))
    return replace(
        Independence(space, ()).fit(folds), traits=traits, cross_fit=score_folds(space, folds, [scores, scores])
    )


def no_scores(x, y):
    return torch.zeros(len(x), len(y), dtype=torch.float64)


@pytest.mark.parametrize("linear", [True, False])
def test_a_late_component_is_found_by_all_columns(linear):
    source = FaintLinear("late", 150, 0.6, 130)
    pairs = source.sample(2000, seeded())
    spaces = prepared(pairs.x, pairs.y, 96)
    chosen = fitted(spaces["ranks"], no_scores, Traits(1, linear=linear), 2000)
    number, taken = with_all_columns(Number(0.0, 0.001), chosen, spaces)
    assert taken is not None and abs(number.nats - source.truth) < 3 * number.error < 0.12
    null = FaintLinear("late", 150, 0.0, 130).sample(2000, seeded(1))
    spaces = prepared(null.x, null.y, 96)
    chosen = fitted(spaces["ranks"], no_scores, Traits(1, linear=linear), 2000)
    assert with_all_columns(Number(0.0, 0.001), chosen, spaces)[1] is None


def test_all_columns_say_nothing_of_sides_that_are_not_normal():
    pairs = FaintLinear("late", 150, 0.6, 130).sample(2000, seeded())
    radius = torch.rand(2000, 1, generator=seeded(2), dtype=torch.float64) + 0.1
    spaces = prepared(pairs.x / radius, pairs.y, 96)
    chosen = fitted(spaces[COLUMNS], no_scores, Traits(1, linear=True), 2000)
    only = {COLUMNS: spaces[COLUMNS], "ranks": spaces[COLUMNS]}
    assert with_all_columns(Number(0.0, 0.001), chosen, only) == (Number(0.0, 0.001), None)


def test_all_columns_say_nothing_where_directions_of_little_variance_are_curved():
    x, noise = torch.randn(2, 2000, 6, generator=seeded(4), dtype=torch.float64)
    y = 0.7 * x + 0.7 * noise
    x, y = (torch.cat((z, z[:, :3] + 1e-3 * (z[:, 3:] ** 2 - z[:, :3] ** 2)), 1) for z in (x, y))
    spaces = prepared(x, y, 96)
    chosen = fitted(spaces[COLUMNS], no_scores, Traits(1, linear=True), 2000)
    only = {COLUMNS: spaces[COLUMNS], "ranks": spaces[COLUMNS]}
    assert with_all_columns(Number(0.0, 0.001), chosen, only)[1] is None


def test_all_columns_say_nothing_where_what_they_share_is_a_circle_in_noise():
    # Ranks of noisy pictures of one angle: brought to unit variance, any twenty directions look normal. 2.95 of 2.43 nats.
    g = seeded(5)
    angle = 2 * math.pi * torch.rand(2000, 1, generator=g, dtype=torch.float64)
    circle = torch.cat((angle.cos(), angle.sin()), 1)
    x, y = (
        1.5 * circle @ torch.randn(2, 60, generator=g, dtype=torch.float64)
        + torch.randn(2000, 60, generator=g, dtype=torch.float64)
        for _ in range(2)
    )
    spaces = prepared(x, y, 96)
    chosen = fitted(spaces["ranks"], no_scores, Traits(1, linear=True), 2000)
    assert with_all_columns(Number(0.0, 0.001), chosen, spaces) == (Number(0.0, 0.001), None)


def test_principal_directions_that_few_rows_show_open_the_interval():
    g = seeded(6)
    truths = torch.tensor([0.9, 0.8], dtype=torch.float64)
    lacking = []
    for _ in range(6):
        z, noise = torch.randn(2, 300, 2, generator=g, dtype=torch.float64)
        shared = z, truths * z + (1 - truths**2).sqrt() * noise
        x, y = (
            3 * u @ torch.linalg.qr(torch.randn(200, 2, generator=g, dtype=torch.float64)).Q.T
            + 1.5 * torch.randn(300, 200, generator=g, dtype=torch.float64)
            for u in shared
        )
        spaces = prepared(x, y, 96)
        chosen = Normal(spaces[COLUMNS], False).fit(make_folds(300, 3, g))
        number = chosen.number()
        opened = open_to_directions(number, chosen, (x, y))
        lacking.append((number.nats, opened.above))
    truth = float(-0.5 * torch.log1p(-((0.8 * truths) ** 2)).sum())  # a fifth of what varies along either is noise
    nats, above = torch.tensor(lacking).mean(0).tolist()
    assert nats < truth < nats + 1.5 * above < truth + 0.5, (nats, truth, above)
    many = torch.randn(2, 3000, 20, generator=g, dtype=torch.float64)
    spaces = prepared(*many, 96)
    chosen = Normal(spaces[COLUMNS], False).fit(make_folds(3000, 3, g))
    assert open_to_directions(Number(1.0, 0.1), chosen, tuple(many)) == Number(1.0, 0.1)


def test_rows_in_time_have_the_error_of_what_they_count_as():
    pairs = FaintLinear("pairs", 2, 0.5).sample(400, seeded(3))
    space = replace(prepared(pairs.x, pairs.y, 96)[COLUMNS], effective=100.0)
    line, other = (fitted(space, no_scores, Traits(1, linear=linear), 400) for linear in (True, False))
    assert of_counted_rows(Number(1.0, 0.01), other).error == pytest.approx(0.02)
    assert of_counted_rows(Number(1.0, 0.01), line).error == 0.01  # the closed form counts them itself


@pytest.mark.slow
def test_moments_that_scores_get_wrong_are_left_on_fresh_pairs():
    x, e = torch.randn(2, 2000, 3, generator=seeded(6), dtype=torch.float64)
    y = 0.6 * x + 0.8 * e
    spaces = prepared(x, y, 96)
    space = spaces[COLUMNS]
    x, y = space.x, space.y

    def line(a, b):  # the normal scores of these very components
        joint = torch.cov(torch.cat((x, y), 1).T)
        predicted = a @ torch.linalg.solve(joint[:3, :3], joint[:3, 3:])
        rest = joint[3:, 3:] - joint[3:, :3] @ torch.linalg.solve(joint[:3, :3], joint[:3, 3:])
        inverse, y_precision = torch.linalg.inv(rest), torch.linalg.inv(joint[3:, 3:])
        apart = b[None] - predicted[:, None]
        return 0.5 * ((b @ y_precision * b).sum(1) - torch.einsum("ijk,kl,ijl->ij", apart, inverse, apart))

    right = left_on_fresh_pairs(fitted(space, line, Traits(2), 2000), spaces, Context())
    wrong = left_on_fresh_pairs(fitted(space, no_scores, Traits(2), 2000), spaces, Context())
    assert right.deviations < 3 < 10 < wrong.deviations
    assert " with x" in wrong.words
    assert left_on_fresh_pairs(fitted(space, line, Traits(2, linear=True), 2000), spaces, Context()) is None


@pytest.mark.parametrize("n", [300, 2000])
def test_sixty_functions_of_one_factor_are_not_refused(n):
    pairs = FaintLinear("redundant", 60, 0.95).sample(n, seeded(7))
    refuse_determined(prepared(pairs.x, pairs.y, 96))
    refuse_determined(prepared(pairs.x.float(), pairs.y.float(), 96))


def test_a_space_with_open_ends_is_looked_at_by_its_ranks():
    x, e = torch.randn(2, 600, 2, generator=seeded(8), dtype=torch.float64)
    spaces = prepared(x, x + e, 96)
    open_ends = Space("intervals", x / 0.0, (x + e) / 0.0)
    chosen = fitted(open_ends, no_scores, Traits(2), 600)
    assert left_on_fresh_pairs(chosen, spaces, Context()).deviations > 5
    assert with_all_columns(Number(0.5, 0.01), chosen, spaces) == (Number(0.5, 0.01), None)


@pytest.mark.parametrize("curved", [False, True])
def test_an_exact_closed_form_takes_the_place_of_what_is_cheaper_to_fit(curved):
    x, e = torch.randn(2, 1500, 12, generator=seeded(8), dtype=torch.float64)
    y = torch.cat((0.8 * x[:, :2] + 0.6 * e[:, :2], e[:, 2:]), 1)
    if curved:
        y[:, 2] += x[:, 2] * x[:, 3]
    space = prepared(x, y, 96)[COLUMNS]
    folds = make_folds(1500, 3, seeded(1))
    normal = Normal(space, False).fit(folds)
    cheaper = fitted(space, no_scores, Traits(50, exceeds_bound=True, approximate=True), 1500)
    chosen, number = or_certified(cheaper, Number(1.0, 0.03), [normal], Context())
    assert (chosen is normal) is not curved
    assert number == (Number(1.0, 0.03) if curved else normal.number())


def test_the_interval_of_a_lower_bound_opens_upwards():
    space = prepared(*torch.randn(2, 200, 2, generator=seeded(9), dtype=torch.float64), 96)[COLUMNS]
    exact, bound = (fitted(space, no_scores, Traits(9, approximate=kind), 200) for kind in (False, True))
    assert as_a_lower_bound(Number(1.0, 0.02), exact, 0.1) == Number(1.0, 0.02)
    assert as_a_lower_bound(Number(1.0, 0.02), bound, 0.0).above == pytest.approx(0.08)
    assert as_a_lower_bound(Number(1.0, 0.02), bound, 0.1).above == pytest.approx(0.15)
    # Pairs of turned columns: three of 20 + 20 were 1.10 [1.06, 1.24] of 1.29, reliable.
    turned = replace(exact, traits=Traits(30, exceeds_bound=True))
    assert as_a_lower_bound(Number(1.0, 0.02), turned, 0.1).above == pytest.approx(0.15)


def test_the_null_of_all_columns_is_that_of_the_number():
    pairs = FaintLinear("late", 150, 0.6, 130).sample(1500, seeded())
    spaces = prepared(pairs.x, pairs.y, 96)
    number, columns = with_all_columns(
        Number(0.0, 0.001), fitted(spaces["ranks"], no_scores, Traits(1, linear=True), 1500), spaces
    )
    null = closed_form_null(*columns, random_orders(1500, 20, seeded(2)), 1500)
    assert null.p_value < 0.05 and abs(null.mean) < 0.03 < number.nats
