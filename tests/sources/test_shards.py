import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lmi.activations.store import write_store
from lmi.sources.files.rows import open_rows
from lmi.sources.files.shards import GaussianShards, Shards


def test_rows_are_the_same_whatever_the_format_and_however_they_are_cut(tmp_path):
    z = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "a-0.npy", z[:41].numpy())
    np.save(tmp_path / "a-1.npy", z[41:].numpy())
    for i, part in enumerate(z.split(13)):
        save_file({"rows": part.clone(), "other": part + 1}, tmp_path / f"b-{i}.safetensors")
    a, b = open_rows(str(tmp_path / "a-*.npy")), open_rows(str(tmp_path / "b-*.safetensors") + ":rows")
    assert a.shape == b.shape == (100, 3)
    for first, last in ((0, 100), (30, 60), (40, 42), (99, 100)):
        assert np.array_equal(a.read(first, last), z[first:last].numpy())
        assert np.array_equal(b.read(first, last), z[first:last].numpy())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_the_files_of_the_activation_cache_are_shards(tmp_path, monkeypatch, kind):
    rows = [torch.randn(n, 5, generator=torch.Generator().manual_seed(n)).to(kind) for n in (7, 9)]
    chunks = [({"first": z[:, :3], "last": z[:, 3:]}, {"documents": torch.zeros(len(z))}) for z in rows]
    store = write_store(tmp_path / "cache" / "key", chunks, {})
    monkeypatch.setenv("HOME", str(tmp_path))
    pairs = Shards("~/cache/key/layer_000.safetensors", "~/cache/key/layer_001.safetensors").open()
    for side, name in ((pairs.x, "first"), (pairs.y, "last")):
        assert torch.equal(torch.from_numpy(side.read(2, 15)), store.layer(name)[2:15].float())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_every_precision_is_read_as_torch_reads_it(tmp_path, kind):
    z = torch.randn(7, 2, generator=torch.Generator().manual_seed(0)).to(kind)
    save_file({"z": z}, tmp_path / "z.safetensors")
    read = torch.from_numpy(open_rows(str(tmp_path / "z.safetensors")).read(0, 7))
    assert torch.equal(read, z.to(read.dtype)) and read.dtype == (
        torch.float64 if kind == torch.float64 else torch.float32
    )


def test_bad_files_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file matches"):
        open_rows(str(tmp_path / "none-*.npy"))
    np.save(tmp_path / "ints.npy", np.arange(6).reshape(3, 2))
    with pytest.raises(ValueError, match="int64"):
        open_rows(str(tmp_path / "ints.npy"))
    (tmp_path / "junk.npy").write_bytes(b"not an array")
    with pytest.raises(ValueError, match=r"junk.npy as .npy"):
        open_rows(str(tmp_path / "junk.npy"))
    (tmp_path / "junk.safetensors").write_bytes(b"\xff" * 50)
    with pytest.raises(ValueError, match="header is damaged"):
        open_rows(str(tmp_path / "junk.safetensors"))
    save_file({"a": torch.zeros(50, 2)}, tmp_path / "cut.safetensors")
    whole = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-10])
    with pytest.raises(ValueError, match="ends early"):
        open_rows(str(tmp_path / "cut.safetensors"))
    np.save(tmp_path / "nan.npy", np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match="NaN or infinite in row 1"):
        open_rows(str(tmp_path / "nan.npy")).read(0, 2)
    np.save(tmp_path / "wide.npy", np.zeros((2, 5)))
    with pytest.raises(ValueError, match="5 columns"):
        open_rows(str(tmp_path / "[nw]*.npy"))
    np.save(tmp_path / "one.npy", np.zeros((1, 1)))
    with pytest.raises(ValueError, match="expected pairs"):
        Shards(str(tmp_path / "nan.npy"), str(tmp_path / "one.npy")).open()


def test_gaussian_shards_carry_the_information_that_they_claim_and_are_written_once(tmp_path):
    from lmi import estimate

    source = GaussianShards(str(tmp_path / "g"), 6000, 8, 7, rank=2, bits=1.0, nuisance_dims=2, shard_rows=2500)
    pairs = source.open()
    assert len(pairs.x.parts) == 3 and pairs.x.shape == (6000, 8)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "g").iterdir()}
    whole = source.sample(None, torch.Generator())
    # Eight noiseless mixtures of four signals are singular: four columns hold all of them.
    result = estimate(whole.x[:, :4], whole.y[:, :4], "gaussian")
    low, high = result.interval
    assert abs(result.nats - whole.truth) < 2 * (high - low)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "g").iterdir()}
    with pytest.raises(ValueError, match="other shards"):
        GaussianShards(str(tmp_path / "g"), 6000, 8, 7, rank=1).open()
