"""Every file format gives the array that was written; what cannot be read is refused by name."""

import re

import numpy as np
import pandas
import pytest
import torch
from safetensors.torch import save_file

import lmi
from lmi.estimators.neighbors.ksg import KSGEstimator
from lmi.experiments.estimate import EstimateExperiment
from lmi.experiments.pairwise import Pairwise
from lmi.inputs import Matrix
from lmi.sources.files.array_layers import ArrayLayers
from lmi.sources.files.arrays import Arrays
from lmi.sources.files.tables import read_file, read_label_file
from lmi.types import Context


def read_array(location):
    matrix, _ = read_file(location)
    assert isinstance(matrix, Matrix)
    return matrix.values


VALUES = np.arange(12, dtype=np.float64).reshape(6, 2) / 7


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.savez(tmp_path / "a.npz", only=VALUES)
    np.savez(tmp_path / "two.npz", x=VALUES, y=VALUES + 1)
    np.savetxt(tmp_path / "a.csv", VALUES, delimiter=",", fmt="%.17g")
    pandas.DataFrame(VALUES, columns=["u", "v"]).to_csv(tmp_path / "head.csv", index=False, float_format="%.17g")
    pandas.DataFrame(VALUES, columns=["u", "v"]).to_parquet(tmp_path / "a.parquet")
    np.savetxt(tmp_path / "a.txt", VALUES, fmt="%.17g")
    pandas.read_csv(tmp_path / "head.csv", float_precision="round_trip").to_csv(
        tmp_path / "packed.tsv.gz", sep="\t", index=False, float_format="%.17g"
    )
    save_file({"z": torch.from_numpy(VALUES)}, tmp_path / "a.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "a.npy",
        "a.npz",
        "two.npz:x",
        "a.csv",
        "head.csv",
        "a.txt",
        "packed.tsv.gz",
        "a.parquet",
        "a.safetensors",
        "a.safetensors:z",
    ],
)
def test_reads_back(files, name):
    np.testing.assert_allclose(read_array(str(files / name)).numpy(), VALUES, rtol=1e-15)


def test_a_column_by_name(files):
    np.testing.assert_allclose(read_array(f"{files / 'a.parquet'}:v").numpy()[:, 0], VALUES[:, 1])


def test_labels_and_picked_columns_may_stand_beside_text(files):
    table = pandas.DataFrame(VALUES, columns=["u", "v"]).assign(subject=["b", "b", "a", "a", "c", "c"])
    table.to_csv(files / "people.csv", index=False, float_format="%.17g")
    torch.testing.assert_close(read_array(f"{files / 'people.csv'}:v")[:, 0], torch.from_numpy(VALUES[:, 1]))
    labels, words = read_label_file(f"{files / 'people.csv'}:subject")
    assert labels.values[:, 0].tolist() == [1, 1, 0, 0, 2, 2]
    assert words.endswith("3 labels")
    with pytest.raises(ValueError, match="it has 3 columns; expected one of labels: path:name picks it"):
        read_label_file(str(files / "people.csv"))
    layers = ArrayLayers((str(files / "a.npy"),), documents=f"{files / 'people.csv'}:subject")
    ((_, _, documents),) = layers.layers(Context())
    assert documents.tolist() == [1, 1, 0, 0, 2, 2]


def test_groups_of_a_file_are_respected(tmp_path):
    """Rows of one subject resemble themselves: the run's number is that of ``groups=``, and it says what was read."""
    g = torch.Generator().manual_seed(0)
    subject = torch.arange(600) // 20
    x = torch.randn(30, 1, generator=g, dtype=torch.float64)[subject] + 0.3 * torch.randn(600, 1, generator=g)
    y = x + torch.randn(600, 1, generator=g)
    names = [f"s{number:02d}" for number in subject]
    np.save(tmp_path / "x.npy", x.numpy())
    np.save(tmp_path / "y.npy", y.numpy())
    pandas.DataFrame({"subject": names}).to_csv(tmp_path / "subjects.csv", index=False)
    source = Arrays(str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), groups=str(tmp_path / "subjects.csv"))
    assert len(source.input_files()) == 3
    result = EstimateExperiment(source, KSGEstimator()).run(Context())
    assert result.metrics["estimate_nats"] == lmi.estimate(x, y, "ksg", groups=names).nats
    assert result.metrics["interval_low_nats"] == lmi.estimate(x, y, "ksg", groups=names).interval[0]
    assert result.metrics["interval_low_nats"] != lmi.estimate(x, y, "ksg").interval[0]
    assert any("30 labels" in note for note in result.notes)


def test_subset_is_drawn_and_paired(files):
    pairs = Arrays(str(files / "two.npz") + ":x", str(files / "two.npz") + ":y").sample(4, torch.Generator())
    torch.testing.assert_close(pairs.y, pairs.x + 1)
    assert pairs.truth is None
    assert pairs.x.shape == (4, 2)


def test_bad_files_are_named(files):
    (files / "broken.npy").write_bytes(b"\x93NUMPY but not really")
    (files / "broken.safetensors").write_bytes(b"xx")
    (files / "words.csv").write_text("a,b\n1,cat\n")
    (files / "x.xlsx").write_text("1 2 3")
    (files / "mixed.csv").write_text("a,b\n1,2\n3,n/a?\n")
    (files / "packed.csv.gz").write_text("a,b\n1,2\n")
    np.save(files / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    for name, message in {
        "broken.npy": "cannot read .*broken.npy",
        "broken.safetensors": "cannot read .*broken.safetensors",
        "words.csv": r"column 'b' does not hold numbers \(such as 'cat'\)",
        "x.xlsx": "suffix '.xlsx'; expected one of .npy",
        "mixed.csv": r"column 'b' does not hold numbers \(such as 'n/a\?'\)",
        "packed.csv.gz": "cannot read .*packed.csv.gz as .csv.gz: Not a gzipped file",
        "objects.npy": "cannot read .*objects.npy",
        "two.npz": r"holds 2 arrays \(x, y\)",
        "a.npy:b": "cannot read .*a.npy as .npy: it holds one array, without names; .* got :b behind it",
        "a.npy:": "it holds one array, without names",
        "two.npz:q": "no array 'q'; it has x, y",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_array(str(files / name))
    with pytest.raises(FileNotFoundError, match=r"no file at"):
        read_array(str(files / "nowhere.npy"))
    short = files / "short.npy"
    np.save(short, VALUES[:3])
    with pytest.raises(ValueError, match="paired row by row: got 6 and 3 samples"):
        Arrays(str(files / "a.npy"), str(short)).sample(None, torch.Generator())
    with pytest.raises(ValueError, match=r"num_samples=50, but"):
        Arrays(str(files / "a.npy"), str(files / "a.npy")).sample(50, torch.Generator())


TEXTS = {  # what is in the file -> the values that are read, or what is said
    "index": (",u,v\n7,1.5,2\n9,0.5,3\n8,2.5,1\n", [[1.5, 2.0], [0.5, 3.0], [2.5, 1.0]], "labels of the rows"),
    "numbers above decimals": ("2001,2002\n0.5,1.5\n2.5,3.5\n", [[0.5, 1.5], [2.5, 3.5]], r"2 columns \(2001, 2002\)"),
    "whole rows": ("3,2\n5,1\n7,0\n", [[3, 2], [5, 1], [7, 0]], "2 columns without names"),
    "decimal commas": ("u;v\n1,5;2\n0,5;3\n", [[1.5, 2.0], [0.5, 3.0]], "commas as decimal points"),
    "tabs": ("u\tv\n1.5\t2\n0.5\t3\n", [[1.5, 2.0], [0.5, 3.0]], r"2 columns \(u, v\)"),
    "byte order mark": ("\ufeffu,v\n1.5,2\n0.5,3\n", [[1.5, 2.0], [0.5, 3.0]], r"2 columns \(u, v\)"),
    "comment": ("# made by hand\n1.5,2\n0.5,3\n", [[1.5, 2.0], [0.5, 3.0]], "2 columns without names"),
    "counter": (
        "id,v\n1,0.5\n2,0.25\n3,0.75\n",
        [[1, 0.5], [2, 0.25], [3, 0.75]],
        "column 'id', which counts the rows",
    ),
    "short first line": ("u\n1,0.5\n2,0.25\n", None, "line 1 has 1 fields and line 2 has 2"),
    "long later line": ("u,v\n1,0.5\n2,0.25,9\n", None, "line 1 has 2 fields and line 3 has 3"),
    "names or a row": ("0,1\n5,1\n7,0\n", None, r"line 1 \(0, 1\) may be names or a row"),
    "names or a row, mixed": ("2,1\n5,0.5\n7,1.5\n", None, r"line 1 \(2, 1\) may be names or a row"),
    "spaces": ("# x y\n1.5  2\n0.5 3\n", [[1.5, 2.0], [0.5, 3.0]], "2 columns without names"),
    "spaces in one name": ("body weight\n1.5\n0.5\n", [[1.5], [0.5]], r"1 columns \(body weight\)"),
    "spaces, a short line": ("1.5 2 4\n0.5 3\n", None, "does not hold numbers"),
    "quoted decimal commas": ('u,v\n"1,5",2\n"0,5",3\n', None, "column 'u' does not hold numbers.*semicolon"),
    "empty": ("", None, "it is empty"),
}


@pytest.mark.parametrize("what", TEXTS)
def test_csv_is_read_right_and_said_or_refused(tmp_path, what):
    text, values, message = TEXTS[what]
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    if values is None:
        with pytest.raises(ValueError, match=message):
            read_file(str(path))
        return
    matrix, words = read_file(str(path))
    np.testing.assert_array_equal(matrix.values.numpy(), values)
    assert re.search(message, words)


def test_a_file_with_spaces_that_was_cut_off_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("1.5 2\n" * 150 + "0.5\n")
    with pytest.raises(ValueError, match="line 1 has 2 fields and line 151 has 1"):
        read_file(str(tmp_path / "a.txt"))


def test_what_pandas_writes_is_read_back_and_paired_by_label(tmp_path):
    frame = pandas.DataFrame(VALUES, columns=["u", "v"], index=list("abcdef"))
    frame.to_csv(tmp_path / "x.csv")
    frame.iloc[::-1].to_csv(tmp_path / "y.csv")
    pairs = Arrays(str(tmp_path / "x.csv"), str(tmp_path / "y.csv")).sample(None, torch.Generator())
    torch.testing.assert_close(pairs.x, pairs.y)
    assert any("put in the order" in note for note in pairs.notes)
    frame.iloc[:5].to_csv(tmp_path / "y.csv")
    with pytest.raises(ValueError, match="got 6 and 5 samples"):
        Arrays(str(tmp_path / "x.csv"), str(tmp_path / "y.csv")).sample(None, torch.Generator())


def test_missing_values_are_refused_by_file_and_column_or_dropped(tmp_path):
    (tmp_path / "x.csv").write_text("u,v\n1.5,2\n,3\n2.5,1\n")
    locations = (str(tmp_path / "x.csv"), str(tmp_path / "x.csv"))
    with pytest.raises(ValueError, match=r"x.csv has 1 value.* row 1, column 'u'.*missing='drop'"):
        Arrays(*locations).sample(None, torch.Generator())
    pairs = Arrays(*locations, missing="drop").sample(None, torch.Generator())
    assert len(pairs.x) == 2
    assert any("1 of 3 rows were dropped" in note for note in pairs.notes)


def test_layers_of_own_matrices_have_names(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(80, 3))
    frame = pandas.DataFrame(values, columns=["height", "weight", "age"]).assign(
        weight=values[:, 0] + 0.1 * values[:, 1]
    )
    frame.to_parquet(tmp_path / "people.parquet")
    np.savez(tmp_path / "two.npz", a=values, b=values)
    np.save(tmp_path / "who.npy", np.arange(80) // 10)
    files = (str(tmp_path / "people.parquet"), str(tmp_path / "two.npz"))
    source = ArrayLayers(files, str(tmp_path / "who.npy"))
    assert [name for name, *_ in source.layers(Context())] == ["people", "two.a", "two.b"]
    result = Pairwise(source, draws=4, atlas=False).run(Context())
    assert "columns height and weight of people" in result.captions["pair"]
    first = result.tables["strongest"][0]
    assert (first["layer"], first["column_a"], first["column_b"]) == ("people", "height", "weight")
    assert "pairs share more than chance" in result.answer
    assert "people.parquet: 80 rows of 3 columns (height, weight, age)" in result.tables["source"][0]["read"]
