"""What goes into ``lmi.estimate`` and what is refused; invariances on any finite input."""

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import lmi


def correlated(n=300, r=0.8, seed=0, dims=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dims, generator=generator, dtype=torch.float64)
    return x, r * x + (1 - r**2) ** 0.5 * torch.randn(n, dims, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("estimator", ["ksg", "gaussian"])
def test_every_container_gives_the_same_number(estimator):
    x, y = correlated()
    expected = lmi.estimate(x, y, estimator).nats
    frames = (pandas.DataFrame(x.numpy()), pandas.Series(y[:, 0].numpy()))
    for a, b in ((x.numpy(), y.numpy()), (x[:, 0], y[:, 0]), frames, (x.tolist(), y.tolist())):
        assert lmi.estimate(a, b, estimator).nats == expected


def test_print_reads_well():
    x, y = correlated()
    text = str(lmi.estimate(x, y, "ksg"))
    assert text.startswith("I(X; Y) = ")
    for word in ("bits", "nats", "ksg1", "300 samples", "90% interval", "shuffled", "ceiling"):
        assert word in text


def test_units():
    x, y = correlated()
    estimate = lmi.estimate(x, y, "ksg")
    assert estimate.bits == pytest.approx(estimate.nats / np.log(2))


GOOD = np.random.default_rng(0).normal(size=(30, 2))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            np.where(np.eye(30, 2) > 0, np.nan, GOOD),
            GOOD,
            r"x has 2 value\(s\) that are NaN or infinite.*row 0, column 0",
        ),
        (GOOD, np.where(np.eye(30, 2) > 0, np.inf, GOOD), "y has 2 value"),
        (GOOD, GOOD[:20], "30 and 20 samples"),
        (GOOD.astype(complex), GOOD, "dtype complex128; expected real"),
        (GOOD.astype(object), GOOD, "dtype object; expected real"),
        (np.array(["a", "b"]), GOOD, "dtype <U1; expected real"),
        (np.empty((0, 2)), np.empty((0, 2)), "x is empty"),
        (GOOD[:, :0], GOOD, "x is empty"),
        (GOOD[None], GOOD, r"shape \(1, 30, 2\); expected \(n,\) or \(n, d\)"),
        (GOOD[:1], GOOD[:1], r"got 1 sample\(s\)"),
        (GOOD[:3], GOOD[:3], "k=3 neighbours need at least 4 samples; got 3"),
    ],
)
def test_bad_samples_say_what_came(x, y, message):
    with pytest.raises(ValueError, match=message):
        lmi.estimate(x, y, "ksg")


@pytest.mark.parametrize("seed", ["abc", 1.5, None, True])
def test_a_seed_is_a_whole_number(seed):
    x, y = correlated()
    with pytest.raises(ValueError, match="expected a whole number"):
        lmi.estimate(x, y, "ksg", seed=seed)
    assert lmi.estimate(x, y, "ksg", seed=np.int64(3)).null.mean == lmi.estimate(x, y, "ksg", seed=3).null.mean


def test_bad_settings_say_what_is_valid():
    with pytest.raises(ValueError, match=r"ksg.k: got True \(bool\)"):
        lmi.estimate([[1.0], [2.0]], [1.0, 2.0], "ksg", k=True)
    with pytest.raises(ValueError, match=r"ksg.k: got 0.*greater than or equal to 1"):
        lmi.estimate(GOOD, GOOD, "ksg", k=0)
    with pytest.raises(ValueError, match=r"no estimator is called 'kgs'; did you mean 'ksg'.*gaussian.*latent"):
        lmi.estimate(GOOD, GOOD, "kgs")


def test_constant_columns_are_said_and_count_nothing():
    x, y = correlated()
    padded = torch.cat((x, torch.full_like(x, 3.0)), 1)
    estimate = lmi.estimate(padded, y, "ksg")
    assert estimate.nats == lmi.estimate(x, y, "ksg").nats
    assert any("1 constant column(s) of 2" in warning for warning in estimate.warnings)
    nothing = lmi.estimate(torch.ones(50), torch.randn(50, generator=torch.Generator()), "ksg")
    assert nothing.nats == 0
    assert any("no column of x varies" in warning for warning in nothing.warnings)


@pytest.mark.parametrize("estimator", ["ksg", "gaussian", "latent", "auto"])
def test_a_constant_is_an_estimate_like_any_other(estimator):
    varies = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    for x, y, side in ((torch.ones(50, 3), varies, "x"), (varies, torch.zeros(50), "y")):
        estimate = lmi.estimate(x, y, estimator)
        assert (estimate.nats, estimate.interval, float(estimate.pointwise.abs().sum())) == (0.0, (0.0, 0.0), 0.0)
        assert estimate.verdict == lmi.Verdict("reliable")
        assert f"no column of {side} varies" in estimate.choice
        assert "verdict: reliable" in str(estimate)


def test_integers_are_not_truncated_and_ties_are_said():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 5, (400,), generator=generator)
    estimate = lmi.estimate(x, x, "ksg", permutations=0)
    p = torch.bincount(x) / 400
    assert estimate.nats == pytest.approx(float(-(p * p.log()).sum()), abs=0.01)
    assert any("looks discrete" in warning for warning in estimate.warnings)
    booleans = lmi.estimate((x > 2).numpy(), x.to(torch.float16), "ksg", permutations=0)
    assert booleans.nats > 0.3


finite = arrays(
    np.float64, st.tuples(st.integers(8, 40), st.integers(1, 3)), elements=st.floats(-1e6, 1e6, allow_subnormal=False)
)


@given(x=finite, seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_no_finite_input_crashes_ksg(x, seed):
    y = np.random.default_rng(seed).normal(size=(x.shape[0], 2))
    estimate = lmi.estimate(x, y, "ksg", permutations=2)
    assert np.isfinite(estimate.nats)


@given(seed=st.integers(0, 10_000), r=st.floats(0, 0.95), dims=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_ksg_is_symmetric_and_blind_to_order_and_units(seed, r, dims):
    x, y = correlated(120, r, seed, dims)
    options = {"permutations": 0}
    estimate = lmi.estimate(x, y, "ksg", **options).nats
    order = torch.randperm(120, generator=torch.Generator().manual_seed(seed))
    assert lmi.estimate(y, x, "ksg", **options).nats == pytest.approx(estimate, abs=1e-12)
    assert lmi.estimate(x[order], y[order], "ksg", **options).nats == pytest.approx(estimate, abs=1e-12)
    assert lmi.estimate(1000 * x - 5, -0.01 * y, "ksg", **options).nats == pytest.approx(estimate, abs=0.03)


@pytest.mark.slow
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_monotone_maps_and_an_independent_column_stay_within_the_interval(seed):
    x, y = correlated(600, 0.7, seed)
    estimate = lmi.estimate(x, y, "ksg", permutations=0)
    width = estimate.interval[1] - estimate.interval[0]
    bent = lmi.estimate(torch.exp(x), y**3, "ksg", permutations=0).nats
    assert abs(bent - estimate.nats) < max(width, 0.12)
    extra = torch.randn(600, 1, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    wider = lmi.estimate(torch.cat((x, extra), 1), y, "ksg", permutations=0).nats
    assert wider < estimate.nats + max(width, 0.1)
    assert wider > 0.3 * estimate.nats


@pytest.mark.parametrize("estimator", ["auto", "ksg", "gaussian"])
def test_numbers_whose_squares_are_no_floats_are_refused(estimator):
    x, y = correlated(300, 0.5, 0)
    with pytest.raises(ValueError, match=r"y reaches .*e.20.*, whose square is no float"):
        lmi.estimate(x, 1e200 * y, estimator)
