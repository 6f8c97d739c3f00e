import numpy as np
import pytest

from lmi.experiments.covariance import Covariance
from lmi.results import Result
from lmi.types import Context

SMALL = Covariance(sweep_points=20, sweep_samples=200, gallery_samples=120, noises=(0.1,), permutations=19)


@pytest.fixture(scope="module")
def result() -> Result:
    return SMALL.run(Context(seed=1))


@pytest.mark.slow
def test_every_figure_has_its_caption(result: Result) -> None:
    expected = {"relations", "sweep", "against", "bias", "gallery_shapes", "gallery"}
    assert set(result.figures) == set(result.captions) == expected


def test_covariance_misses_what_mi_sees(result: Result) -> None:
    rows = {row["relation"]: row for row in result.tables["relations"]}
    assert rows["linear"]["covariance"] > 0.2 > -0.2 > rows["negative linear"]["covariance"]
    for name in ("parabola", "cosine"):
        assert abs(rows[name]["covariance"]) < 0.1
        assert rows[name]["ksg_nats"] > 0.3
    assert result.metrics["gallery_seen_by_mi_count"] > result.metrics["gallery_seen_by_covariance_count"]


def test_sweep_knows_the_analytic_value(result: Result) -> None:
    r = result.arrays["sweep_correlation"]
    np.testing.assert_allclose(result.arrays["sweep_truth_nats"], -0.5 * np.log(1 - r**2))
    rows = {(row["estimator"], row["kind"]): row for row in result.tables["sweep"]}
    histogram = rows["histogram", "as defined"]["bias_nats"], rows["histogram", "corrected"]["bias_nats"]
    assert histogram[0] > histogram[1] > abs(rows["ksg", "as defined"]["bias_nats"])


def test_same_seed_same_numbers(result: Result) -> None:
    again = SMALL.run(Context(seed=1))
    for name, values in result.arrays.items():
        np.testing.assert_array_equal(values, again.arrays[name])


@pytest.mark.parametrize("bad", [{"largest_correlation": 1.0}, {"sweep_points": 1}, {"noises": (-1.0,)}])
def test_bad_settings_are_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        Covariance(**bad).run(Context())
