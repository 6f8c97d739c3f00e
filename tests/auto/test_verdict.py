"""The verdict: every doubt fires on evidence made for it, none on evidence that is clean."""

import math
from dataclasses import replace

import pytest
import torch

from lmi.auto.candidates.independence import Independence
from lmi.auto.doubt import Evidence
from lmi.auto.protocol.candidate import CrossFit, Traits
from lmi.auto.spaces import COLUMNS, Space
from lmi.auto.verdict import DOUBTS, verdict_of
from lmi.estimators.folds import Fold
from lmi.estimators.trust.left_over import LeftOver
from lmi.estimators.trust.sides_alone import SidesAlone
from lmi.estimators.trust.thresholds import TABLE

N = 2000


def chosen(bound=0.5, traits=Traits(1), apart=0.0, n=N, effective=math.inf):  # noqa: B008  (frozen)
    """A fitted candidate with this bound, whose two folds differ by ``apart``."""
    half = n // 2
    wave = 0.1 * torch.sin(torch.arange(half).double())
    terms = torch.cat((bound + wave - apart / 2, bound + wave + apart / 2))
    empty = torch.zeros(n, 1)
    folds = [Fold(torch.empty(0), torch.empty(0), rows) for rows in torch.arange(n).split(half)]
    space = Space(COLUMNS, empty, empty, effective=effective)
    fitted = Independence(space, ()).fit([])
    return replace(fitted, traits=traits, cross_fit=CrossFit(space, folds, [], terms, []))


def clean(**changes):
    evidence = Evidence(
        nats=0.52, error=0.02, chosen=chosen(), candidates=[chosen(0.0, Traits(0)), chosen()], columns=4
    )
    return replace(evidence, **changes)


FIRING = {
    "near_the_limit": (clean(nats=5.0, chosen=chosen(4.9)), "near what 2000 samples can show"),
    "neighbours_disagree": (clean(correction=-0.05), "disagree by 0.05"),
    "not_confirmed": (clean(nats=0.8), "fresh pairs confirm only 0.50 of 0.80"),
    "only_learned": (
        clean(chosen=chosen(0.5, Traits(100, learned=True)), candidates=[chosen(0.4)]),
        "only a neural critic",
    ),
    "only_a_bound": (
        clean(chosen=chosen(0.5, Traits(50, approximate=True)), columns=20),
        "may miss a part",
    ),
    "still_rising": (clean(rising=0.1), "0.10 nats less"),
    "unfinished": (clean(more_densities=0.05), "0.05 nats more"),
    "could_hide": (clean(nats=0.0, chosen=chosen(0.0, Traits(0)), columns=200), "could hide"),
    "noisy": (clean(error=0.2), "standard error is 0.20"),
    "copied": (clean(copies=30), "30 pairs are copies"),
    "nearly_copied": (clean(near_copies=5.0), "groups of near copies"),
    "folds_disagree": (clean(chosen=chosen(apart=0.2)), "folds disagree"),
    "something_left": (
        clean(chosen=chosen(traits=Traits(1, linear=True)), left=LeftOver(30.0, 0.4, "ry1 on x1 x2")),
        "after the linear model (30 standard deviations)",
    ),
    "left_along_a_column": (clean(along=LeftOver(9.0, 0.4, "ry1 along x3")), "9 standard deviations): ry1 along x3"),
    "left_unexplained": (
        clean(left=LeftOver(9.0, 0.4, "ry1 on x1 x2")),
        "leaves about 0.20 nats unexplained (9 standard deviations): ry1 on x1 x2",
    ),
    "sides_not_normal": (clean(not_normal=12.0), "not jointly normal (12 standard errors)"),
    "sides_unlike_the_density": (clean(alone=SidesAlone(40.0, 0.02)), "of its own (0.020 nats a sample)"),
    "rows_in_time": (clean(chosen=chosen(effective=200.0), in_time=9.0), "2000 of them count as about 200"),
}


def test_the_table_is_walked_whole():
    assert {doubt.__name__ for doubt in DOUBTS} == set(FIRING)


@pytest.mark.parametrize("doubt", DOUBTS, ids=lambda doubt: doubt.__name__)
def test_a_doubt_fires_on_its_evidence_and_on_no_other(doubt):
    assert doubt(clean()) is None
    evidence, words = FIRING[doubt.__name__]
    assert words in doubt(evidence).words
    verdict = verdict_of(evidence)
    assert verdict.level == ("abstain" if doubt(evidence).weight >= 3 else "doubtful")
    assert any(words in reason for reason in verdict.reasons)


def test_clean_evidence_is_reliable():
    assert verdict_of(clean()).level == "reliable" and verdict_of(clean()).reasons == ()


def test_all_columns_count_where_nothing_was_found_in_a_few_components_of_them():
    nothing = clean(nats=0.0, chosen=chosen(0.0, Traits(0)), columns=20)
    assert verdict_of(nothing).level == "reliable"
    assert (
        "in 300 dimensions could hide a dependence that is not linear"
        in verdict_of(replace(nothing, all=300)).reasons[0]
    )
    assert verdict_of(replace(nothing, all=3000)).reasons[0].endswith("could hide a dependence")


def test_in_few_columns_a_bound_says_so_and_stays_reliable():
    verdict = verdict_of(clean(chosen=chosen(0.5, Traits(50, approximate=True))))
    assert verdict.level == "reliable" and "interval opens upwards" in verdict.reasons[0]


def test_what_the_density_of_kernel_variates_does_not_confirm_does_not_excuse_itself():
    variates = chosen(0.5, Traits(50, approximate=True, exceeds_bound=True))
    assert verdict_of(clean(nats=0.7, error=0.06, chosen=variates)).level == "doubtful"
    predictions = chosen(0.5, Traits(60, approximate=True, exceeds_bound=True, costly=True))
    assert verdict_of(clean(nats=0.7, error=0.06, chosen=predictions)).level == "reliable"


def test_weights_add_up_to_abstaining():
    assert verdict_of(clean(nats=2.5)).level == "abstain"  # fresh pairs confirm a fifth
    assert verdict_of(clean(rising=0.3, correction=0.3, copies=300)).level == "abstain"
    # What neighbours have corrected is not counted twice.
    assert verdict_of(clean(not_normal=12.0, correction=0.3, copies=300)).level == "doubtful"
    along, line = LeftOver(9.0, 0.4, "ry1 along x3"), chosen(traits=Traits(1, linear=True))
    assert verdict_of(clean(correction=-0.3, along=along, left=along, chosen=line)).level == "doubtful"
    # Nor is one curve that squares and single columns both show: a parabola in two columns was right to .002 nats.
    assert verdict_of(clean(along=along, left=along, chosen=line, not_normal=12.0)).level == "doubtful"
    assert verdict_of(clean(dropped=["one candidate was dropped"])).level == "reliable"
    assert verdict_of(clean(dropped=["one", "two"])).level == "doubtful"
    assert verdict_of(clean(unsteady=["twice as many neighbours say more"])).level == "doubtful"


def test_what_a_fit_is_known_to_cost_is_no_doubt():
    evidence = clean(nats=0.8, chosen=chosen(0.5, Traits(1, expected_loss=0.25)))
    assert verdict_of(evidence).level == "reliable"


def test_every_threshold_has_a_unit_and_a_reason():
    assert len(TABLE) > 30
    for name, threshold in TABLE.items():
        assert name.isupper() and threshold.unit and len(threshold.reason) > 10


def test_what_fitting_leaves_unexplained_is_no_doubt():
    assert verdict_of(clean(left=LeftOver(30.0, 0.035, ""))).level == "reliable"
    assert verdict_of(clean(left=LeftOver(3.0, 0.4, ""))).level == "reliable"


def test_a_number_of_all_columns_needs_no_fresh_pairs():
    assert verdict_of(clean(nats=0.8, all_columns=True)).level == "reliable"
    assert verdict_of(clean(chosen=chosen(apart=0.2), all_columns=True)).level == "reliable"


def test_a_bound_that_nothing_could_ask_is_doubted_where_neighbours_do_not_correct_it():
    asked = LeftOver(0.0, 0.0, "")
    evidence = clean(chosen=chosen(0.5, Traits(5, approximate=True)), columns=8)
    assert verdict_of(evidence).level == "doubtful"
    assert (
        verdict_of(replace(evidence, left=asked)).level == verdict_of(replace(evidence, columns=6)).level == "reliable"
    )


def test_a_number_just_below_zero_is_no_unfinished_mixture():
    assert not any("densities" in reason for reason in verdict_of(clean(nats=-0.002)).reasons)


def test_what_neighbours_add_needs_no_confirmation_by_the_density():
    alone = clean(nats=0.64, columns=2)
    assert verdict_of(alone).level == "doubtful"
    assert verdict_of(replace(alone, correction=0.14)).level == "reliable"
