"""Selection: the simplest that nothing clearly beats; which candidates are fitted where."""

import math
from dataclasses import replace

import pytest
import torch

from lmi.auto.candidates.independence import Independence
from lmi.auto.choice.called_for import of_correlated, of_leftovers, of_lines, of_pairs, of_products
from lmi.auto.choice.selection import fit_candidates, select, without_the_worse
from lmi.auto.protocol.candidate import CrossFit, Traits
from lmi.auto.spaces import COLUMNS, INDEPENDENT, RANKS, Space, prepared, with_independent_components, with_maps
from lmi.estimators.folds import make_folds
from lmi.sources.nonlinear.interactions import Interactions
from lmi.types import Context

CONTEXT = Context(seed=2)


def candidate(name, traits, terms):
    """Anything with these held-out terms."""
    empty = torch.zeros(terms.numel(), 1)
    fitted = Independence(Space(COLUMNS, empty, empty), ()).fit([])
    return replace(fitted, name=name, traits=traits, cross_fit=CrossFit(fitted.cross_fit.space, [], [], terms, []))


def terms(mean, spread=0.2, n=400, seed=0):
    noise = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return mean + spread * (noise - noise.mean()) / noise.std()


def test_a_more_complex_candidate_must_win_by_two_and_a_half_errors():
    simple = candidate("simple", Traits(0), torch.zeros(400, dtype=torch.float64))
    error = 0.2 / 20
    for gain, chosen in ((2.4, "simple"), (2.6, "complex")):
        rival = candidate("complex", Traits(1), terms(gain * error))
        assert select([simple, rival]).name == chosen


def test_of_equally_complex_candidates_the_better_bound_is_chosen():
    zero = candidate("zero", Traits(0), torch.zeros(400, dtype=torch.float64))
    one, two = (candidate(name, Traits(1), terms(mean, seed=1)) for name, mean in (("one", 0.500), ("two", 0.501)))
    assert select([zero, one, two]).name == "two"


def test_a_margin_is_a_share_of_the_rivals_bound():
    base = candidate("base", Traits(1), terms(1.0))
    for gain, chosen in ((0.02, "base"), (0.04, "learned")):
        learned = candidate("learned", Traits(100, margin=0.03), terms(1.0) + gain)
        assert select([candidate("zero", Traits(0), terms(0.0)), base, learned]).name == chosen


def fitted_names(dx, dy, neural=None):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(400, dx, generator=g, dtype=torch.float64)
    y = 0.7 * x[:, :1] + torch.randn(400, dy, generator=g, dtype=torch.float64)
    context = Context(seed=2)
    spaces = with_maps(prepared(x, y, 96), x, y, 96)
    contest = fit_candidates(spaces, make_folds(400, 2, context.generator("folds")), neural, context)
    assert not contest.dropped
    return [c.name for c in contest.fitted]


@pytest.mark.slow
def test_few_columns_get_mixtures_of_the_variables_and_nothing_for_many():
    names = fitted_names(1, 2)
    assert names[0] == "independence" and any("t density on" in name for name in names)
    assert not any("clusters" in name or "kernel" in name or "canonical" in name for name in names)


@pytest.mark.slow
def test_many_columns_get_clusters_variates_and_kernels():
    names = " ".join(fitted_names(10, 10))
    for words in ("3 clusters", "t density of", "canonical variates", "kernel variates"):
        assert words in names


@pytest.mark.slow
def test_names_are_unique_and_ranks_or_maps_stand_beside_the_columns():
    names = fitted_names(10, 10)
    assert len(set(names)) == len(names)
    assert any(COLUMNS in name for name in names) and any(RANKS in name for name in names)


def test_columns_that_are_collinear_do_not_call_for_predictions():
    """The line of normal scores lacks what a difference of two columns says; the line of the columns leaves nothing."""
    g = torch.Generator().manual_seed(0)
    factor, noise, e = (torch.randn(1500, k, generator=g, dtype=torch.float64) for k in (1, 3, 1))
    x = factor + 0.03 * noise
    y = x[:, :1] - x[:, 1:2] + 0.01 * e
    spaces = prepared(x, y, 96)
    lines = [of_leftovers((x, y), spaces[name], CONTEXT) for name in (RANKS, COLUMNS)]
    assert [len(candidates) for candidates in lines] == [1, 0]
    contest = fit_candidates(spaces, make_folds(1500, 2, CONTEXT.generator("folds")), None, CONTEXT, (x, y))
    assert not any("predictions" in c.name for c in contest.fitted)


def test_a_product_among_too_many_columns_is_predicted_from_the_columns_that_it_names():
    source = Interactions(columns=40, count=1)
    pairs = source.sample(900, torch.Generator().manual_seed(0))
    folds = make_folds(900, 2, CONTEXT.generator("folds"))
    (candidate,) = of_products((pairs.x, pairs.y), folds, CONTEXT)
    assert (candidate.space.x.shape[1], candidate.space.y.shape[1], candidate.of_y) == (2, 1, True)
    assert abs(candidate.fit(folds[:1]).number().nats - source.truth()) < 0.15
    assert of_products((pairs.x, pairs.x.flip(0)), folds, CONTEXT) == []
    (back,) = of_products((pairs.y, pairs.x), folds, CONTEXT)
    assert not back.of_y


def test_the_columns_that_go_together_are_asked_alone_where_there_are_more_columns_than_samples():
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(300, d, generator=g, dtype=torch.float64) for d in (900, 40))
    y[:, 5] += 1.2 * x[:, 7] + 0.9 * x[:, 30]
    folds = make_folds(300, 3, CONTEXT.generator("folds"))
    (candidate,) = of_correlated((x, y), folds, CONTEXT)
    fitted = candidate.fit(folds)
    assert abs(fitted.number().nats - 0.5 * math.log(1 + 1.2**2 + 0.9**2)) < 0.1 and fitted.traits.approximate
    bent = y.clone()
    bent[:, 5] = (2 * x[:, 7]).cos() + x[:, 7] + x[:, 30] + 0.3 * y[:, 6]
    assert len(of_correlated((x, bent[:, 5:6]), folds, CONTEXT)) == 2  # predictions as well
    assert of_correlated((x, y.flip(0)), folds, CONTEXT) == []
    assert of_correlated((x[:, :20], y[:, :20]), folds, CONTEXT) == []


def test_a_line_through_hundreds_of_columns_predicts_what_is_any_function_of_it():
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(1500, d, generator=g, dtype=torch.float64) for d in (60, 1))
    bent = (x.sum(1, keepdim=True) / 60**0.5).clamp(min=0) + 0.3 * y
    (candidate,) = of_lines((x, bent), CONTEXT)
    fitted = candidate.fit(make_folds(1500, 2, CONTEXT.generator("folds")))
    number = fitted.number()
    assert (
        0.45 < number.nats < 0.652 < number.nats + number.above + 2 * number.error
    )  # by a histogram of 3 million draws
    (back,) = of_lines((bent, x), CONTEXT)
    assert (candidate.of_y, back.of_y) == (True, False)
    assert of_lines((x[:, :40], bent), CONTEXT) == [] and of_lines((x, x), CONTEXT) == []


def test_several_columns_are_predicted_together_and_those_that_are_noise_left_out():
    g = torch.Generator().manual_seed(3)
    x, e = (
        torch.randn(1500, 12, generator=g, dtype=torch.float64),
        torch.randn(1500, 6, generator=g, dtype=torch.float64),
    )
    y = 0.5 * e + torch.cat((x[:, :3] * x[:, 3:6], torch.zeros(1500, 3)), 1)
    spaces = prepared(x, y, 32)
    [candidate] = of_leftovers((x, y), spaces[RANKS], Context(0))
    fitted = candidate.fit(make_folds(1500, 3, g))
    assert fitted.predicts.tolist() == [0, 1, 2]
    number = fitted.number()
    assert 1.9 < number.nats < 2.2 < number.nats + number.above + 1.64 * number.error  # 2.20 = 3 x .733


def test_of_ranks_maps_and_independent_components_the_best_stands_beside_the_columns():
    g = torch.Generator().manual_seed(4)
    z, e = torch.randn(2, 1500, 4, generator=g, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=g, dtype=torch.float64)).Q
    x, y = z.exp() @ turn, z + e
    spaces = with_independent_components(with_maps(prepared(x, y, 32), x, y, 32), x, y, 32)
    contest = fit_candidates(spaces, make_folds(1500, 3, g), None, Context(0))
    assert set(without_the_worse(spaces, contest.normals)) == {COLUMNS, INDEPENDENT}


def test_pairs_of_counts_get_densities():
    g = torch.Generator().manual_seed(6)
    rate = (1 + 0.6 * torch.randn(1500, 6, generator=g, dtype=torch.float64)).exp()
    x, y = (torch.poisson(rate, generator=g) for _ in range(2))
    folds = make_folds(1500, 3, g)
    [candidate] = of_pairs((x, y), folds, Context(0))
    assert candidate.names == ["columns", "independent components", "independent components of y"]
    number = candidate.fit(folds).number()
    assert abs(number.nats - 6 * 0.1668) < 1.64 * number.error + 0.03
    assert not of_pairs((x, y[torch.randperm(1500, generator=g)]), folds, Context(0))
