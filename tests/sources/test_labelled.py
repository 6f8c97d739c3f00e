import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lmi.sources.planted.labelled import Labelled, PlantedNeurons, ShiftedClasses
from lmi.types import Context


def test_truth_is_what_the_exact_likelihood_ratio_tells() -> None:
    source = PlantedNeurons(num_tokens=200_000, num_neurons=4, num_informative=4, shift=0.6)
    data = source.labelled(Context())
    label = data.labels == "second half"
    ratio = (0.6 * data.h - 0.18).sum(axis=1)
    information = 1 - np.logaddexp(0, np.where(label, -ratio, ratio)).mean() / np.log(2)
    assert data.truth_bits == pytest.approx(information, abs=0.005)


def test_copies_add_nothing() -> None:
    data = PlantedNeurons(4000, 20, 2, 1.0, num_copies=2).labelled(Context())
    label = data.labels == "second half"
    model = LinearDiscriminantAnalysis().fit(data.h, label)
    weights = np.abs(model.coef_[0])
    assert np.sort(weights[data.informative]).min() > 5 * np.delete(weights, data.informative).max()


def test_same_seed_same_rows() -> None:
    first, again, other = (ShiftedClasses(20, 5).labelled(Context(seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.h, again.h)
    assert not np.array_equal(first.h, other.h)
    assert abs((first.h[10:] - first.h[:10]).mean() - 5) < 1


@pytest.mark.parametrize(
    ("labels", "words"),
    [(["a"] * 4, "one class only"), (["a", "b", "a"], "labels do not match rows")],
)
def test_bad_labels_are_refused(labels: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Labelled(np.random.default_rng(0).standard_normal((4, 2)), np.array(labels), np.arange(4), "rows")
