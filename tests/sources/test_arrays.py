"""Every file format gives the array that was written; what cannot be read is refused by name."""

import numpy as np
import pandas
import pytest
import torch
from safetensors.torch import save_file

from lmi.sources.arrays import Arrays, read_array

VALUES = np.arange(12, dtype=np.float64).reshape(6, 2) / 7


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.savez(tmp_path / "a.npz", only=VALUES)
    np.savez(tmp_path / "two.npz", x=VALUES, y=VALUES + 1)
    np.savetxt(tmp_path / "a.csv", VALUES, delimiter=",", fmt="%.17g")
    pandas.DataFrame(VALUES, columns=["u", "v"]).to_csv(tmp_path / "head.csv", index=False, float_format="%.17g")
    pandas.DataFrame(VALUES, columns=["u", "v"]).to_parquet(tmp_path / "a.parquet")
    save_file({"z": torch.from_numpy(VALUES)}, tmp_path / "a.safetensors")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["a.npy", "a.npz", "two.npz:x", "a.csv", "head.csv", "a.parquet", "a.safetensors", "a.safetensors:z"]
)
def test_reads_back(files, name):
    np.testing.assert_allclose(read_array(str(files / name)).numpy(), VALUES, rtol=1e-15)


def test_a_column_by_name(files):
    np.testing.assert_allclose(read_array(f"{files / 'a.parquet'}:v").numpy()[:, 0], VALUES[:, 1])


def test_subset_is_drawn_and_paired(files):
    pairs = Arrays(str(files / "two.npz") + ":x", str(files / "two.npz") + ":y").sample(4, torch.Generator())
    torch.testing.assert_close(pairs.y, pairs.x + 1)
    assert pairs.truth is None
    assert pairs.x.shape == (4, 2)


def test_bad_files_are_named(files):
    (files / "broken.npy").write_bytes(b"\x93NUMPY but not really")
    (files / "broken.safetensors").write_bytes(b"xx")
    (files / "words.csv").write_text("a,b\n1,cat\n")
    (files / "x.txt").write_text("1 2 3")
    np.save(files / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    for name, message in {
        "broken.npy": "cannot read .*broken.npy",
        "broken.safetensors": "cannot read .*broken.safetensors",
        "words.csv": r"columns \['b'\] do not hold numbers",
        "x.txt": "suffix '.txt'; expected one of .npy",
        "objects.npy": "cannot read .*objects.npy",
        "two.npz": r"holds 2 arrays \(x, y\)",
        "two.npz:q": "no array 'q'; it has x, y",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_array(str(files / name))
    with pytest.raises(FileNotFoundError, match=r"no file at"):
        read_array(str(files / "nowhere.npy"))
    short = files / "short.npy"
    np.save(short, VALUES[:3])
    with pytest.raises(ValueError, match=r"6 rows and .* has 3"):
        Arrays(str(files / "a.npy"), str(short)).sample(None, torch.Generator())
    with pytest.raises(ValueError, match=r"num_samples=50, but"):
        Arrays(str(files / "a.npy"), str(files / "a.npy")).sample(50, torch.Generator())
