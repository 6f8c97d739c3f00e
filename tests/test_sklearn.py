"""scikit-learn's values with its noise off, its own tests of the two functions, and a place in its pipelines."""

import importlib
import inspect

import numpy as np
import pandas
import pytest
from sklearn import feature_selection
from sklearn.feature_selection import SelectKBest, _mutual_info

from lmi.sklearn import mutual_info_classif, mutual_info_regression

THEIRS = importlib.import_module("sklearn.feature_selection.tests.test_mutual_info")


class Noiseless(np.random.RandomState):
    def standard_normal(self, size=None):
        return np.zeros(size)


def mixed_columns(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1, 100, 1e-3]
    y = X[:, 0] + np.abs(X[:, 1]) / 100 + rng.normal(size=n)
    return np.column_stack([X, rng.integers(0, 4, n)]), y


@pytest.mark.parametrize("k", [1, 3])
def test_values_are_scikit_learns_with_its_noise_off(k):
    X, y = mixed_columns()
    options = {"discrete_features": [3], "n_neighbors": k}
    expected = feature_selection.mutual_info_regression(X, y, random_state=Noiseless(0), **options)
    np.testing.assert_allclose(mutual_info_regression(X, y, **options), expected, rtol=0, atol=1e-12)
    labels = np.digitize(y, [-1, 0, 1.5])
    expected = feature_selection.mutual_info_classif(X, labels, random_state=Noiseless(0), **options)
    np.testing.assert_allclose(mutual_info_classif(X, labels, **options), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["mutual_info_regression", "mutual_info_classif"])
def test_signatures_are_scikit_learns(name):
    ours, theirs = (
        inspect.signature(getattr(module, name)) for module in (importlib.import_module("lmi.sklearn"), _mutual_info)
    )
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


THEIR_TESTS = {
    "test_mutual_info_classif_discrete": [{"global_dtype": np.float64}, {"global_dtype": np.float32}],
    "test_mutual_info_regression": [{"global_dtype": np.float64}, {"global_dtype": np.float32}],
    "test_mutual_info_classif_mixed": [{"global_dtype": np.float64}],
    "test_mutual_info_options": [
        {"global_dtype": np.float64, "csr_container": container} for container in THEIRS.CSR_CONTAINERS
    ],
    "test_mutual_information_symmetry_classif_regression": [
        {"correlated": correlated, "global_random_seed": 3} for correlated in (True, False)
    ],
    "test_mutual_info_regression_X_int_dtype": [{"global_random_seed": 3}],
    "test_mutual_info_n_jobs": [
        {"global_random_seed": 3, "mutual_info_func": function, "data_generator": data}
        for function, data in (
            (mutual_info_regression, THEIRS.make_regression),
            (mutual_info_classif, THEIRS.make_classification),
        )
    ],
}


@pytest.mark.parametrize(("name", "values"), [(name, v) for name, many in THEIR_TESTS.items() for v in many])
def test_scikit_learns_own_tests_pass(monkeypatch, name, values):
    monkeypatch.setattr(THEIRS, "mutual_info_regression", mutual_info_regression)
    monkeypatch.setattr(THEIRS, "mutual_info_classif", mutual_info_classif)
    getattr(THEIRS, name)(**values)


def test_every_public_test_of_theirs_is_run():
    public = {name for name in vars(THEIRS) if name.startswith("test_mutual_info")}
    assert public == set(THEIR_TESTS)


def test_in_a_pipeline_with_frames_integers_and_text():
    X, y = mixed_columns(300)
    frame = pandas.DataFrame({"a": X[:, 0], "noise": X[:, 2], "whole": X[:, 3].astype(int)})
    chosen = SelectKBest(mutual_info_regression, k=1).set_output(transform="pandas").fit_transform(frame, y)
    assert list(chosen) == ["a"]
    words = np.where(y > 0.5, "high", "low")
    assert list(SelectKBest(mutual_info_classif, k=1).set_output(transform="pandas").fit_transform(frame, words)) == [
        "a"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors is 0"),
        ({"n_neighbors": 2.5}, "n_neighbors is 2.5"),
        ({"n_neighbors": 300}, "n_neighbors is 300; expected a whole number from 1 to 299"),
        ({"discrete_features": "some"}, "discrete_features is 'some'"),
        ({"X": np.full((300, 1), np.nan)}, "NaN"),
    ],
)
def test_bad_arguments_are_named(change, message):
    X, y = mixed_columns(300)
    with pytest.raises(ValueError, match=message):
        mutual_info_regression(**({"X": X, "y": y} | change))
