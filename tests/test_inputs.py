"""The door: every public function takes every kind of container with the same numbers, or refuses it by name in one line."""

import re
from pathlib import Path

import anndata
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
import torch

import lmi
import lmi.sklearn
from lmi.activations.text import read_documents
from lmi.estimators.modules.closed_form import gaussian_mi_samples
from lmi.estimators.pairwise.matrix import pairwise_measure

ROWS, NAMES = 120, ["u", "v", "w", "x"]


def samples(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, 4)).round(6)
    x[:, 2] = x[:, 0] + 0.5 * x[:, 2]
    return x.round(6)


X = samples()
Y = (X[:, :2] + 0.5 * samples(1)[:, :2]).round(6)
GROUPS = np.arange(ROWS) // 15
MEASURE = pairwise_measure("gaussian")
OBSERVED = lmi.pairwise_mi(torch.from_numpy(X), estimator="gaussian")


def random():
    return torch.Generator().manual_seed(0)


def values(result):
    return np.asarray(result, dtype=np.float64)


def edges(found):
    return np.concatenate([found.a, found.b, found.nats, found.q])


EVERY = lmi.pairwise_edges(X, "gaussian", rate=1.0, draws=4)
FUNCTIONS = {  # each of samples (n, 4) in some container -> numbers
    "estimate x": lambda x: lmi.estimate(x, Y, "ksg", permutations=0).nats,
    "estimate y": lambda x: lmi.estimate(Y, x, "gaussian").nats,
    "estimate given": lambda x: lmi.estimate(Y[:, :1], Y[:, 1:], "ksg", given=x).nats,
    "pairwise": lambda x: lmi.pairwise(x, "gaussian", documents=GROUPS, draws=4).q,
    "pairwise_mi x": lmi.pairwise_mi,
    "pairwise_mi y": lambda x: lmi.pairwise_mi(Y, x, "histogram"),
    "pairwise_significance": lambda x: lmi.pairwise_significance(OBSERVED, x, MEASURE, GROUPS, random(), draws=4).p,
    "effective_samples": lambda x: lmi.effective_samples(x, GROUPS),
    "nonlinearity": lmi.nonlinearity,
    "gaussian_mi_samples": lambda x: gaussian_mi_samples(x, [0, 0, 1, 1]),
    "modularity_score": lambda x: lmi.modularity_score(x, [0, 0, 1, 1], 3, random()).modularity,
    "quantized_mi": lambda x: lmi.quantized_mi(x, [0, 0, 1, 1], 4, permutations=1).nats,
    "jacobian_mi": lambda x: lmi.jacobian_mi(lambda h: h.double() ** 2 + 1, x, [0, 0, 1, 1], noise=1.0).nats,
    "pairwise_edges": lambda x: edges(lmi.pairwise_edges(x, "gaussian", rate=1.0, documents=GROUPS, draws=4)),
    "consensus_edges": lambda x: edges(lmi.consensus_edges(x, "gaussian", resamples=2, rate=1.0, draws=4)),
    "direct_edges": lambda x: edges(lmi.direct_edges(EVERY, x, rate=None)),
    "cofiring": lambda x: edges(lmi.cofiring(x, rate=1.0)),
    "mutual_info_regression": lambda x: lmi.sklearn.mutual_info_regression(x, Y[:, 0], discrete_features=False),
    "mutual_info_classif": lambda x: lmi.sklearn.mutual_info_classif(x, GROUPS, discrete_features=False),
}
FIRING = {"cofiring"}  # a feature fires where it is not 0
SQUARE = {  # each of a table (4, 4) in some container -> numbers
    "gaussian_mi": lambda s: lmi.gaussian_mi(s, [0, 0, 1, 1]),
    "find_modules": lambda s: values(lmi.find_modules(s, 2)),
    "g_test": lambda s: lmi.g_test(s, 120, 4),
    "benjamini_hochberg": lambda s: lmi.benjamini_hochberg(s),
    "pairwise_significance nats": lambda s: lmi.pairwise_significance(s, X, MEASURE, GROUPS, random(), draws=4).p,
}
ONE_COLUMN = {
    "histogram_mi x": lambda x: lmi.histogram_mi(x, Y[:, 0]),
    "histogram_mi y": lambda x: lmi.histogram_mi(Y[:, 0], x),
    "estimate label": lambda x: lmi.estimate(Y, x, "ksg", y_is_label=True).nats,
}


def frame(x):
    return pandas.DataFrame(x, columns=NAMES[: x.shape[1]])


KINDS = {
    "array": lambda x: x,
    "list": lambda x: x.tolist(),
    "tensor": torch.from_numpy,
    "tensor with gradients": lambda x: torch.from_numpy(x).requires_grad_(),
    "sparse tensor": lambda x: torch.from_numpy(x).to_sparse(),
    "frame": frame,
    "frame of nullable": lambda x: frame(x).convert_dtypes(),
    "polars": lambda x: polars.DataFrame(x, schema=NAMES[: x.shape[1]]),
    "sparse matrix": scipy.sparse.csr_matrix,
    "sparse array": scipy.sparse.coo_array,
    "anndata": lambda x: anndata.AnnData(x, var=pandas.DataFrame(index=NAMES[: x.shape[1]])),
    "anndata sparse": lambda x: anndata.AnnData(scipy.sparse.csr_matrix(x)),
    "big-endian": lambda x: x.astype(">f8"),
    "long double": lambda x: x.astype(np.longdouble),
    "reversed strides": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "Fortran order": np.asfortranarray,
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "masked, nothing hidden": lambda x: np.ma.MaskedArray(x, mask=np.zeros(x.shape, bool)),
    "single": lambda x: x.astype(np.float32),
    "half tensor": lambda x: torch.from_numpy(x).half(),
    "bfloat16 tensor": lambda x: torch.from_numpy(x).bfloat16(),
    "frame of mixed precision": lambda x: frame(x).astype({"u": np.float32}),
}
DIGITS = ("pairwise", "pairwise_significance", "quantized_mi", "pairwise_edges", "consensus_edges")
PRECISION = {"single": 5e-4, "frame of mixed precision": 5e-4, "half tensor": 0.05, "bfloat16 tensor": 0.2}


@pytest.mark.filterwarnings("ignore:.*lost its digits")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_takes_every_container_with_the_same_number(function, kind):
    if function == "jacobian_mi" and kind == "sparse tensor":
        pytest.skip("a tensor goes to the function as it is")
    samples = np.where(X > 0.5, X, 0.0) if function in FIRING else X
    given = KINDS[kind](samples)
    if function.startswith("mutual_info") and kind in ("sparse matrix", "sparse array"):
        pytest.skip("columns of sparse matrices are discrete there")
    expected = values(FUNCTIONS[function](torch.from_numpy(samples)))
    tolerance = PRECISION.get(kind, 1e-12)
    if kind == "bfloat16 tensor" and function in ("pairwise_mi x", "nonlinearity", "estimate x", "estimate given"):
        tolerance = 0.6  # of values with three digits
    tolerance = max(tolerance, 1e-5) if function == "jacobian_mi" else tolerance
    if function in DIGITS and kind in PRECISION:
        tolerance = 1.0  # p-values and cluster borders follow the digits; that it runs is what is asked
    np.testing.assert_allclose(values(FUNCTIONS[function](given)), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "mixed" not in kind])  # of which no table is symmetric
@pytest.mark.parametrize("function", SQUARE)
def test_every_function_of_a_table_takes_every_container(function, kind):
    if function == "benjamini_hochberg":
        if "anndata" in kind or "sparse" in kind or kind in ("list", "polars"):
            pytest.skip("p is one column")
        table = np.linspace(0.0, 1.0, 8) ** 2
        make = lambda z: (lambda held: getattr(held, "iloc", held)[:, 0])(KINDS[kind](z[:, None]))  # noqa: E731
    else:
        table, make = np.abs(np.corrcoef(X.T)).round(6) / 2 + np.eye(4) / 2, KINDS[kind]
    expected = values(SQUARE[function](table))
    given = make(table)
    if isinstance(given, anndata.AnnData):
        given.obs_names = given.var_names
    elif hasattr(given, "iloc") and given.ndim == 2:
        given.index = given.columns
    tolerance = 0.1 if kind in PRECISION else 1e-12
    np.testing.assert_allclose(values(SQUARE[function](given)), expected, rtol=0, atol=tolerance)


def test_the_table_has_every_public_function():
    classes = {"Activations", "Context", "Estimate", "LanguageModel", "Result", "Verdict", "__version__"}
    of_models = {"capture", "record"}  # take a network and texts or batches
    tested = {name.split()[0] for name in (*FUNCTIONS, *ONE_COLUMN, *SQUARE)}
    assert {*lmi.__all__} - classes - of_models <= tested


class Seen:
    """An estimator that keeps what reaches it."""

    def estimate(self, x, y, context):
        self.x, self.y = x, y
        return lmi.Estimate(0.5, "seen", len(x))

    estimate_shaped = estimate


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_reach_every_estimator(kind):
    seen = Seen()
    lmi.estimate(KINDS[kind](X), Y, seen)
    np.testing.assert_allclose(seen.x, X, atol=PRECISION.get(kind, 0.0))
    assert seen.x.shape == (ROWS, 4) and seen.y.shape == (ROWS, 2)


def test_sequences_reach_estimators_that_take_them():
    seen = Seen()
    stacked = X.reshape(ROWS, 2, 2)
    for given in (stacked, torch.from_numpy(stacked), stacked.tolist(), stacked.astype(">f8")):
        lmi.estimate(given, Y, seen)
        np.testing.assert_array_equal(seen.x, stacked)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "mixed" not in kind])
@pytest.mark.parametrize("function", ONE_COLUMN)
def test_one_column_in_every_container(function, kind):
    column = (X[:, :1] > 0).astype(float) if "label" in function else X[:, :1]
    if "label" in function and kind in ("anndata", "anndata sparse", "sparse matrix", "sparse array", "sparse tensor"):
        pytest.skip("labels come as columns")
    expected = ONE_COLUMN[function](column[:, 0])
    assert ONE_COLUMN[function](KINDS[kind](column)) == pytest.approx(expected, abs=PRECISION.get(kind, 1e-12))


SPOILED = {  # what is brought -> what is said
    "NaN": (lambda x: np.where(np.eye(*x.shape) > 0, np.nan, x), r"4 value\(s\) that are NaN.*row 0, column 0"),
    "infinity": (lambda x: np.where(np.eye(*x.shape) > 0, np.inf, x), "4 value.*inf at row 0"),
    "NaN in a frame": (lambda x: frame(np.where(np.eye(*x.shape) > 0, np.nan, x)), "row 0, column 'u'"),
    "hidden by a mask": (lambda x: np.ma.MaskedArray(x, mask=np.eye(*x.shape) > 0), "4 value.*nan at row 0"),
    "complex": (lambda x: x + 0j, "dtype complex128; expected real numbers"),
    "complex tensor": (lambda x: torch.from_numpy(x + 0j), "dtype torch.complex128; expected real numbers"),
    "objects": (lambda x: x.astype(object), "dtype object; expected real numbers"),
    "words": (lambda x: x.astype(str), "expected real numbers and got text"),
    "words in a frame": (lambda x: frame(x).assign(v="a"), "column 'v'.*expected real numbers"),
    "categories": (lambda x: frame(x).assign(v=pandas.Categorical(["a", "b"] * 60)), "column 'v' is category.*'a'"),
    "dates": (lambda x: frame(x).assign(v=pandas.Timestamp("2020-01-01")), "column 'v'.*turn dates into numbers"),
    "empty": (lambda x: x[:0], r"is empty: shape \(0, 4\)"),
    "three axes": (lambda x: x[None], r"shape \(1, 120, 4\); expected"),
    "a dict": (lambda x: {"a": x}, "is a dict; expected a matrix"),
    "nothing": (lambda x: None, "is a NoneType; expected a matrix"),
    "a word": (lambda x: "samples", "is a str; expected a matrix"),
    "ragged": (lambda x: [[1.0, 2.0], [3.0]], "is a list that is no matrix"),
    "lazy": (lambda x: polars.DataFrame(x).lazy(), r"polars LazyFrame; expected.*collect\(\)"),
    "too large": (lambda x: x * 1e160, r"reaches .*whose square is no float, in column \d"),
    "meta tensor": (lambda x: torch.from_numpy(x).to("meta"), "meta tensor; expected values"),
}
ARGUMENT = {
    "estimate y": "y", "estimate given": "given", "pairwise_mi y": "y", "gaussian_mi_samples": "activations",
    "modularity_score": "activations", "quantized_mi": "activations", "mutual_info_regression": "X",
    "mutual_info_classif": "X",
}  # fmt: skip


@pytest.mark.parametrize("spoiled", SPOILED)
@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "jacobian_mi"])
def test_what_cannot_be_measured_is_refused_in_one_line_that_names_the_argument(function, spoiled):
    spoil, message = SPOILED[spoiled]
    if function == "pairwise_mi y" and spoiled == "nothing":
        pytest.skip("y=None is x against itself")
    if function == "estimate given" and spoiled == "nothing":
        pytest.skip("given=None is no condition")
    with pytest.raises(ValueError, match=message) as error:
        FUNCTIONS[function](spoil(X))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(ARGUMENT.get(function, "x"))


@pytest.mark.slow
def test_rows_are_paired_by_label_or_refused():
    x, y = frame(X), pandas.DataFrame(Y)
    x.index = y.index = [f"s{i}" for i in range(ROWS)]
    expected = lmi.estimate(X, Y, "ksg").nats
    shuffled = y.sample(frac=1.0, random_state=0)
    value = lmi.estimate(x, shuffled, "ksg")
    assert value.nats == expected
    assert any("put in the order of x's labels" in warning for warning in value.warnings)
    assert lmi.estimate(x, shuffled, "quantized", bins=2).verdict == lmi.estimate(X, Y, "quantized", bins=2).verdict
    padded = lmi.estimate(x.assign(same=1.0), y, "ksg")
    assert any("x has 1 constant column(s) of 5 ('same')" in warning for warning in padded.warnings)
    with pytest.warns(UserWarning, match="rows of y were put in the order"):
        np.testing.assert_array_equal(lmi.pairwise_mi(x, shuffled), lmi.pairwise_mi(X, Y))
    for other in (y.reset_index(drop=True), y.rename(index={"s0": "t0"}), y.set_axis(["s0"] * ROWS)):
        with pytest.raises(ValueError, match=r"the rows of x and y have different labels.*reset_index"):
            lmi.estimate(x, other, "ksg")
    groups = pandas.Series(GROUPS, index=x.index)
    mixed = groups.sample(frac=1.0, random_state=0)
    np.testing.assert_array_equal(lmi.effective_samples(x, mixed), lmi.effective_samples(X, GROUPS))
    fires = x > 0.5
    for found in (lmi.cofiring(fires, documents=mixed, rate=1.0), lmi.cofiring(fires, documents=groups, rate=1.0)):
        np.testing.assert_array_equal(found.q, lmi.cofiring(X > 0.5, documents=GROUPS, rate=1.0).q)
        assert found.names == tuple(NAMES)
    with pytest.raises(ValueError, match="the rows of x and documents have different labels"):
        lmi.effective_samples(x, pandas.Series(GROUPS))
    cells = anndata.AnnData(Y, obs=pandas.DataFrame(index=x.index))
    assert lmi.estimate(x, cells[::-1], "ksg").nats == expected


@pytest.mark.parametrize(
    "whole",
    [
        2**60 + np.arange(300),
        np.uint64(2**63) + np.arange(300, dtype=np.uint64) * np.uint64(7),
        -(2**62) + np.arange(300, dtype=np.int64) * 3,
        torch.arange(300) + 2**60,
        pandas.Series(2**60 + np.arange(300), dtype="Int64"),
        np.longdouble(1e18) + np.arange(300),
    ],
)
def test_large_whole_numbers_keep_their_differences(whole):
    y = np.random.default_rng(0).normal(size=300) + np.arange(300) / 100
    expected = lmi.estimate(np.arange(300), y, "ksg").nats
    assert lmi.estimate(whole, y, "ksg").nats == pytest.approx(expected, abs=0.05)  # a grid has equal distances


def test_whole_numbers_that_no_float_tells_apart_are_refused():
    with pytest.raises(ValueError, match=r"x column 0: 300 distinct values of uint64 are .* in float64"):
        lmi.estimate(np.concatenate([[-(2**62)], 2**62 + np.arange(299)]), np.arange(300), "ksg")


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e-20, 1e20, 1e140])
def test_units_do_not_matter(factor):
    expected = lmi.pairwise_mi(X)
    np.testing.assert_allclose(lmi.pairwise_mi(X * factor), expected, atol=0.03)
    assert lmi.estimate(X * factor, Y, "ksg").nats == pytest.approx(lmi.estimate(X, Y, "ksg").nats, abs=0.01)
    assert lmi.estimate(X * factor, Y, "gaussian").nats == pytest.approx(lmi.estimate(X, Y, "gaussian").nats)


def test_digits_lost_to_an_offset_are_said():
    shifted = (X + 1e6).astype(np.float32)
    verdict = lmi.estimate(shifted, Y, "ksg").verdict
    assert verdict.level != "reliable"
    assert any("x column 0 (and 3 more) has lost its digits" in reason for reason in verdict.reasons)
    with pytest.warns(UserWarning, match="has lost its digits to an offset: float32"):
        lmi.pairwise_mi(shifted)


def test_missing_rows_are_dropped_and_counted():
    holes = np.where(np.arange(ROWS)[:, None] % 10 == 0, np.nan, X)
    kept = np.arange(ROWS) % 10 != 0
    value = lmi.estimate(holes, Y, "ksg", missing="drop")
    assert value.nats == lmi.estimate(X[kept], Y[kept], "ksg").nats
    assert any("12 of 120 rows were dropped" in warning for warning in value.warnings)
    with pytest.warns(UserWarning, match="12 of 120 rows were dropped"):
        np.testing.assert_array_equal(lmi.pairwise_mi(holes, missing="drop"), lmi.pairwise_mi(X[kept]))
    result = lmi.pairwise(holes, "gaussian", documents=GROUPS, missing="drop", draws=4)
    assert result.num_samples == 108
    with pytest.raises(ValueError, match="got 0 sample"):
        lmi.estimate(np.full((9, 1), np.nan), np.arange(9), "ksg", missing="drop")
    with pytest.raises(ValueError, match="missing is 'mean'"):
        lmi.estimate(X, Y, "ksg", missing="mean")


def test_labels_of_any_kind_are_classes():
    numbers = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
    words = np.array(["low", "mid", "top"])[numbers]
    expected = lmi.estimate(Y, numbers, "ksg", y_is_label=True).nats
    kinds = (words, words.tolist(), pandas.Series(words), pandas.Categorical(words), torch.from_numpy(numbers) + 2**60)
    for labels in (*kinds, polars.Series("c", words), words.astype(object), words[:, None], numbers / 7):
        assert lmi.estimate(Y, labels, "ksg", y_is_label=True).nats == expected
    absent = pandas.Series(words).mask(np.arange(ROWS) < 3)
    with pytest.raises(ValueError, match="y has 3 value"):
        lmi.estimate(Y, absent, "ksg", y_is_label=True)
    assert lmi.estimate(Y, absent, "ksg", y_is_label=True, missing="drop").num_samples == 117
    with pytest.raises(ValueError, match=r"a label is one column; y has shape \(120, 2\)"):
        lmi.estimate(Y, Y, "ksg", y_is_label=True)
    share = lmi.estimate(Y, words, "ksg", y_is_label=True).normalised
    assert set(share) == {"of_y"}
    assert 0 < share["of_y"] < 1


def test_tables_come_back_in_what_was_brought():
    labelled = lmi.pairwise_mi(frame(X))
    assert list(labelled.index) == list(labelled.columns) == NAMES
    across = lmi.pairwise_mi(frame(X), Y)
    assert (list(across.index), list(across.columns)) == (NAMES, [0, 1])
    assert list(lmi.pairwise_mi(polars.DataFrame(X, schema=NAMES)).columns) == NAMES
    assert list(lmi.effective_samples(frame(X)).columns) == list(lmi.nonlinearity(frame(X)).columns) == NAMES
    assert isinstance(lmi.pairwise_mi(torch.from_numpy(X)), torch.Tensor)
    assert isinstance(lmi.pairwise_mi(X), np.ndarray)
    modules = lmi.find_modules(labelled, 2)
    assert (list(modules.index), modules["u"] == modules["w"]) == (NAMES, True)
    turned = frame(X)[NAMES[::-1]]
    assert gaussian_mi_samples(turned, modules) == pytest.approx(gaussian_mi_samples(frame(X), modules))
    with pytest.raises(ValueError, match="partition names"):
        gaussian_mi_samples(frame(X).rename(columns={"u": "q"}), modules)
    p = pandas.Series([0.01, 0.04, 0.03], index=["a", "b", "c"])
    assert lmi.benjamini_hochberg(p).to_dict() == pytest.approx({"a": 0.03, "b": 0.04, "c": 0.04})
    assert lmi.g_test(labelled.clip(upper=1), 100, 4).loc["u", "w"] < 0.05


def test_all_pairs_have_names_and_survive():
    value = lmi.pairwise(frame(X), documents=pandas.Series(GROUPS).map("text{}".format))
    best = value.strongest(1).iloc[0]
    assert (best["a"], best["b"]) == ("u", "w")
    assert value.q.loc["u", "w"] < 0.05 < value.q.loc["u", "x"]
    assert value.effective.loc["u", "w"] > 80
    assert repr(value) == "<AllPairs of 4 columns by ksg on 120 rows: 1 of 6 pairs at q <= 0.05>"
    assert "<table" in value._repr_html_()
    cells = anndata.AnnData(X * 0, layers={"real": X}, var=pandas.DataFrame(index=NAMES))
    assert list(lmi.pairwise(cells, "gaussian", layer="real", draws=4).nats.columns) == NAMES


def drifting(seed, rows=40, groups=20):
    """A column that stays near where it was along each group."""
    steps = np.random.default_rng(seed).normal(size=(groups, rows))
    return np.stack([np.convolve(row, np.ones(12), "same") for row in steps]).reshape(-1)


@pytest.mark.parametrize("estimator", ["ksg", "gaussian"])
def test_groups_are_respected_by_interval_and_null(estimator):
    names = np.array([f"subject {i}" for i in np.arange(800) // 40])
    misled, aware = 0, 0
    for seed in range(6):
        x, y = drifting(2 * seed), drifting(2 * seed + 1)
        misled += lmi.estimate(x, y, estimator, permutations=39).null.p_value < 0.06
        aware += lmi.estimate(x, y, estimator, groups=names, permutations=39).null.p_value < 0.06
    assert aware <= 1 < misled
    together = drifting(0) + drifting(1)
    value = lmi.estimate(drifting(0), together, estimator, groups=names)
    assert value.null.p_value < 0.06
    assert value.interval[0] > value.null.mean
    plain = lmi.estimate(drifting(0), together, estimator)
    assert value.nats == plain.nats
    assert value.interval[1] - value.interval[0] > plain.interval[1] - plain.interval[0]


NET = torch.nn.Sequential(torch.nn.Linear(2, 2))


class Own:
    def estimate(self, x, y, context):
        return 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lmi.estimate(X, Y, Own()), "Own returned a float; expected lmi.Estimate"),
        (lambda: lmi.estimate(X, Y, Own), "estimator is <class .*; expected a name or an object"),
        (lambda: lmi.estimate(X, Y, 3), "estimator is 3; expected a name or an object"),
        (lambda: lmi.estimate(X, Y, "ksg", k=ROWS), "k=120 neighbours need at least 121 samples"),
        (lambda: lmi.estimate(X, Y, "ksg", k=2.5), "ksg.k: got 2.5"),
        (lambda: lmi.pairwise_mi(X, k=2.5), "k is 2.5; expected a whole number of at least 1"),
        (lambda: lmi.pairwise_mi(X, k=True), "k is True; expected a whole number"),
        (lambda: lmi.pairwise_mi(X, k=ROWS), "got 120 sample.*expected at least 121: k \\+ 1 for k = 120"),
        (lambda: lmi.pairwise_mi(X, estimator="histogram", bins=10**6), "bins is 1000000; expected .* from 2 to 4096"),
        (lambda: lmi.pairwise_mi(X, device="gpu"), "device is 'gpu'; expected 'cpu'"),
        (lambda: lmi.histogram_mi(X[:, 0], Y[:, 0], bins=10**6), "bins is 1000000"),
        (lambda: lmi.histogram_mi(X, Y[:, 0]), "x has 4 columns; expected one"),
        (lambda: lmi.histogram_mi(X[:, 0], np.full(ROWS, np.nan)), "y has 120 value"),
        (lambda: lmi.benjamini_hochberg([0.1, 2.0]), r"p\[1\] is 2.0; expected probabilities"),
        (lambda: lmi.benjamini_hochberg([0.1, np.nan]), r"p\[1\] is NaN"),
        (lambda: lmi.benjamini_hochberg([[0.1]]), r"p has shape \(1, 1\); expected \(m,\)"),
        (lambda: lmi.g_test([0.1], 0, 3), "num_samples has 0; expected positive"),
        (lambda: lmi.g_test([0.1], [1, 2], 3), r"num_samples has shape \(2,\)"),
        (lambda: lmi.effective_samples(X, GROUPS[:5]), "documents has 5 labels for 120 rows"),
        (lambda: lmi.effective_samples(np.ones((9, 2))), r"x has 2 constant column\(s\), the first of them 0, 1"),
        (lambda: lmi.pairwise_significance(OBSERVED, X, "ksg", GROUPS, random()), "measure is a str"),
        (lambda: lmi.pairwise(X, documents=GROUPS, draws=1), "draws is 1; expected a whole number from 2 to 100000"),
        (lambda: lmi.pairwise(X[:, :1]), "x has 1 column; pairs need two"),
        (lambda: lmi.pairwise(X, layer="counts"), "layer='counts' belongs to an AnnData; x is a ndarray"),
        (lambda: lmi.find_modules(X, 2), "pairwise of shape"),
        (lambda: lmi.find_modules(lmi.pairwise_mi(X), 2.5), "num_modules is 2.5"),
        (lambda: lmi.jacobian_mi(3, X, [0, 1]), "fn is a int; expected a function"),
        (lambda: lmi.jacobian_mi(torch.tanh, X, [0, 0, 1, 1], noise="a"), "noise is 'a'; expected positive standard dev"),
        (lambda: lmi.jacobian_mi(torch.tanh, X, [0, 0, 1, 1], dtype="float64"), "dtype is 'float64'; expected torch.float64"),
        (lambda: lmi.jacobian_mi(torch.tanh, X, [0, 0, 1, 1], max_bytes=0), "max_bytes is 0; expected a whole number"),
        (lambda: lmi.jacobian_mi(torch.tanh, X * np.nan, [0, 0, 1, 1]), r"x\[0, 0\] is nan; expected finite numbers"),
        (lambda: lmi.jacobian_mi(torch.tanh, torch.arange(8)[:, None], [0]), "x of type torch.int64: expected floating"),
        (lambda: lmi.jacobian_mi(torch.nn.Linear(3, 4), X, [0, 0, 1, 1]), r"fn failed on an input of shape \(1, 4\): Runt"),
        (lambda: lmi.jacobian_mi(lambda h: h * h.sum().item(), X, [0, 1]), "fn cannot be differentiated for many samples"),
        (lambda: lmi.gaussian_mi(np.eye(4), [0.0, 0.0, 1.0, 1.0]), "partition labels of type torch.float64: expected int"),
        (lambda: lmi.gaussian_mi(np.eye(4), np.eye(4, dtype=int)), "partition matrix of type torch.int64: expected a bool"),
        (lambda: lmi.quantized_mi(X, [0, 0, 1, 1], 4, generator=3), r"generator is 3; expected .*manual_seed\(3\)"),
        (lambda: lmi.modularity_score(X, [0, 0, 1, 1], 2, 3), "generator is 3; expected a torch.Generator"),
        (lambda: lmi.find_modules(np.eye(4), 2, seed="a"), "seed is 'a'; expected a whole number from 0"),
        (lambda: lmi.estimate(X, Y, "ksg", context="here"), "context is a str; expected lmi.Context"),
        (lambda: lmi.estimate(X, GROUPS, "ksg", y_is_label="yes"), "y_is_label is 'yes'; expected True or False"),
        (lambda: lmi.estimate(X, polars.DataFrame({"a": [{"b": 1.0}] * ROWS})), "y column 'a' is Struct.*; expected real"),
        (lambda: lmi.pairwise(X, seed="abc"), "seed is 'abc'; expected a whole number"),
        (lambda: lmi.cofiring(X > 0, seed=0.5), "seed is 0.5; expected a whole number"),
        (lambda: lmi.pairwise_edges(X, rate="low"), "rate is 'low'; expected a false-discovery rate above 0, at most 1"),
        (lambda: lmi.cofiring(X > 0, rate=None), "rate is None; expected a false-discovery rate"),
        (lambda: lmi.pairwise_edges(X, folder=__file__), "folder is '.*test_inputs.py', where a file is; expected the path"),
        (lambda: lmi.cofiring(X > 0, folder=f"{__file__}/deeper"), "folder is '.*deeper', where a file is"),
        (lambda: lmi.direct_edges(3, X), "edges is a int; expected those of lmi.pairwise_edges"),
        (lambda: lmi.sklearn.mutual_info_regression(X, Y[:, 0], n_jobs="all"), "n_jobs is 'all'; expected a whole number"),
        (lambda: lmi.capture(X, ["0"]).__enter__(), "network is a ndarray; expected a torch module"),
        (lambda: lmi.record(NET, [torch.zeros(2, 2)], "0", "nowhere"), r"one string, '0', .*; expected several: \['0'\]"),
        (lambda: lmi.record(NET, [X], ["0"], "nowhere"), "a batch is a ndarray; expected a tensor, or a sequence or mapping"),
        (lambda: lmi.record(NET, [[3]], ["0"], "nowhere"), "a batch holds no tensor; expected a tensor"),
        (lambda: lmi.record(NET, [torch.zeros(2, 2)], ["0"], __file__), "folder is '.*test_inputs.py', where a file is"),
        (lambda: lmi.LanguageModel(3).folder, "model.name is 3; expected 'tiny', a folder, or the id of a model"),
        (lambda: read_documents(texts=(3,)), "texts holds a int, 3; expected strings"),
        (lambda: read_documents(texts="Mutual"), "texts is one string, 'Mutual'; expected several"),
        (lambda: lmi.estimate(X, Y, "mine", groups=GROUPS), "MINEEstimator does not take groups; .* ksg, gaussian and auto"),
        (lambda: lmi.estimate(X, Y, "ksg", groups=GROUPS // 3), "groups has 3 groups; expected at least 6"),
        (lambda: lmi.estimate(X, Y, "ksg", groups=GROUPS[:9]), "x and groups must be paired row by row"),
        (lambda: lmi.estimate(X, Y, "ksg", groups=GROUPS, given=X), "groups with a label or something given"),
        (lambda: lmi.estimate(X[:3, 0], Y[:3, 0], "gaussian"), "got 3 samples; the Gaussian closed form and its doubts need"),
        (lambda: lmi.sklearn.mutual_info_regression(X, Y), "y has 2 columns; expected one"),
        (lambda: lmi.sklearn.mutual_info_classif(X, Y[:, 0]), "which names no class; expected classes"),
        (lambda: lmi.sklearn.mutual_info_classif(frame(X), pandas.Series(GROUPS[:9])), "X and y must be paired row by row"),
        (lambda: lmi.cofiring(X > 0, documents="abc"), r"documents is a str; expected labels \(n,\), one a row"),
        (lambda: lmi.estimate(X, Y[:9]), "x and y must be paired row by row: got 120 and 9"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_an_estimate_shows_itself():
    value = lmi.estimate(X, Y, "ksg")
    assert repr(value).startswith("<Estimate ")
    assert value.verdict.level in repr(value)
    assert "\n" not in repr(value)
    card = value._repr_html_()
    assert f"{value.bits:.4f} bits" in card
    assert value.verdict.level in card
    assert all(reason.split("(")[0] in card for reason in value.verdict.reasons)
    assert "<script" not in lmi.Estimate(0.1, "<script>", 3)._repr_html_()
    assert value.to_dict()["bits"] == value.bits
    assert len(value.plot().axes) == 1 and value.plot()._repr_png_().startswith(b"\x89PNG")


def test_the_page_about_inputs_runs():
    page = (Path(__file__).parents[1] / "docs" / "inputs.md").read_text(encoding="utf-8")
    names = {}
    for body in re.findall(r"```python\n(.*?)```", page, flags=re.S):
        exec(compile(body, "inputs.md", "exec"), names)
    assert names["pairs"].strongest(1).loc[0, ["a", "b"]].tolist() == ["height", "weight"]
