import json
import weakref

import pytest
import torch
from safetensors.torch import load_file

from lmi.activations.store import Store, StoreError, write_store


def chunks(count=4, rows=7, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    for number in range(count):
        layers = {
            "a.b": torch.randn(rows, 3, generator=generator).to(dtype),
            "c": torch.randn(rows, 5, generator=generator).to(dtype),
        }
        yield layers, {"documents": torch.full((rows,), number)}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_what_is_read_back_is_what_was_written(tmp_path, dtype):
    store = write_store(tmp_path / "entry", chunks(dtype=dtype), {"model": "tiny"})
    for name in ("a.b", "c"):
        expected = torch.cat([layers[name] for layers, _ in chunks(dtype=dtype)])
        assert torch.equal(store.layer(name), expected)
        assert store.layer(name).dtype == dtype
    assert store.index("documents").tolist() == [n for n in range(4) for _ in range(7)]
    assert store.facts == {"model": "tiny"}
    assert Store.open(tmp_path / "entry") == store


def test_the_files_are_safetensors_that_others_can_read(tmp_path):
    store = write_store(tmp_path / "entry", chunks(), {})
    assert torch.equal(load_file(tmp_path / "entry" / "layer_001.safetensors")["rows"], store.layer("c"))


def test_one_chunk_is_in_memory_at_a_time(tmp_path):
    alive, most = weakref.WeakSet(), []

    def watched():
        for number in range(6):
            most.append(len(alive))
            rows = torch.full((4, 2), float(number))
            alive.add(rows)
            yield {"layer": rows}, {}
            del rows

    write_store(tmp_path / "entry", watched(), {})
    assert max(most) <= 1


def test_changing_what_was_read_does_not_change_the_disk(tmp_path):
    store = write_store(tmp_path / "entry", chunks(), {})
    before = store.layer("c").clone()
    store.layer("c").zero_()
    assert torch.equal(store.layer("c"), before)


def test_half_written_folders_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        Store.open(tmp_path / "nothing")

    write_store(tmp_path / "cut", chunks(), {})
    file = tmp_path / "cut" / "layer_000.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(StoreError, match=r"half-written.*layer_000.safetensors has \d+ bytes; expected \d+"):
        Store.open(tmp_path / "cut")

    write_store(tmp_path / "gone", chunks(), {})
    (tmp_path / "gone" / "documents.safetensors").unlink()
    with pytest.raises(StoreError, match=r"documents.safetensors has 0 bytes"):
        Store.open(tmp_path / "gone")

    write_store(tmp_path / "unmarked", chunks(), {})
    (tmp_path / "unmarked" / "entry.json").unlink()
    with pytest.raises(StoreError, match=r"entry.json is missing or broken"):
        Store.open(tmp_path / "unmarked")

    write_store(tmp_path / "future", chunks(), {})
    entry = json.loads((tmp_path / "future" / "entry.json").read_text())
    (tmp_path / "future" / "entry.json").write_text(json.dumps({**entry, "format": 99}))
    with pytest.raises(StoreError, match="format 99"):
        Store.open(tmp_path / "future")


def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path):
    def failing():
        yield from chunks(2)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_store(tmp_path / "entry", failing(), {})
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_swept_away(tmp_path):
    partial = tmp_path / "entry.partial"
    partial.mkdir()
    (partial / "layer_000.safetensors").write_bytes(b"half of it")
    store = write_store(tmp_path / "entry", chunks(), {})
    assert not partial.exists()
    assert len(store.layer("c")) == 28


def test_values_that_are_not_finite_name_their_layer_and_row(tmp_path):
    def broken():
        yield from chunks(2)
        layers, index = next(chunks(1))
        layers["c"][3, 1] = float("nan")
        yield layers, index

    with pytest.raises(ValueError, match=r"layer 'c' has NaN.* in 1 of 7 rows of a batch, first in row 17"):
        write_store(tmp_path / "entry", broken(), {})


def test_no_chunks_at_all_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no batch"):
        write_store(tmp_path / "entry", iter(()), {})
