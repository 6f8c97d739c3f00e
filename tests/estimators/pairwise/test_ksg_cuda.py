"""The GPU kernel without a GPU: its source built by g++ gives the CPU's numbers, and NVRTC compiles it for sm_90."""

import pytest
import torch

from lmi.estimators.pairwise import ksg_cuda
from lmi.estimators.pairwise.ksg import KsgPairs
from lmi.estimators.pairwise.nvrtc import compile_cuda


def columns(n, seed=0):
    """Mixed, heavy-tailed, rounded and half-zero columns, (n, 8)."""
    z = torch.randn(n, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mixed = [z[:, 0], z[:, 0] + z[:, 1], z[:, 2] ** 3, (z[:, 0] + z[:, 3]).exp()]
    tied = [(3 * z[:, 4]).round() / 3, (2 * (z[:, 0] + z[:, 5])).round(), z[:, 6].relu(), (z[:, 0] - z[:, 7]).relu()]
    return torch.stack([*mixed, *tied], 1)


@pytest.mark.parametrize(("n", "k"), [(17, 3), (64, 1), (103, 3), (103, 7), (1024, 3), (4096, 3)])
def test_the_kernel_gives_the_numbers_of_the_cpu(emulated, n, k):
    h = columns(n)
    gpu, cpu = emulated(k, "cpu"), KsgPairs(k)
    expected = cpu.tile(cpu.prepare(h), cpu.prepare(h))
    torch.testing.assert_close(gpu.tile(gpu.prepare(h), gpu.prepare(h)), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(gpu.diagonal(gpu.prepare(h)), cpu.diagonal(cpu.prepare(h)), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("limit", "value"), [("SHARED_ROWS", 100), ("NARROW_ROWS", 100)])
def test_keys_in_global_memory_and_of_64_bits_change_nothing(emulated, monkeypatch, limit, value):
    h, gpu = columns(300), emulated(3, "cpu")
    expected = gpu.tile(gpu.prepare(h), gpu.prepare(h), upper=True)
    monkeypatch.setattr(ksg_cuda, "SHARED_ROWS", 100)
    monkeypatch.setattr(ksg_cuda, limit, value)
    assert torch.equal(gpu.tile(gpu.prepare(h), gpu.prepare(h), upper=True), expected)


def test_moved_rows_need_no_sorting(emulated):
    h, gpu = columns(200), emulated(3, "cpu")
    rows, which = torch.randperm(200, generator=torch.Generator().manual_seed(1)), torch.tensor([5, 0, 6])
    prepared = gpu.prepare(h)
    values = prepared.sorted.gather(1, prepared.rank.long())[which][:, rows]
    moved = gpu.rank(values)
    for x, y in ((prepared, gpu.take(prepared, which, rows)), (gpu.take(prepared, which, rows), prepared)):
        slow = (prepared, moved) if x is prepared else (moved, prepared)
        torch.testing.assert_close(gpu.tile(x, y), gpu.tile(*slow), rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", [("-DLOGS=6",), ("-DLOGS=7", "-DSCRATCH"), ("-DLOGS=9", "-DSCRATCH", "-DWIDE")])
def test_nvrtc_compiles_it_without_a_gpu(options):
    pytest.importorskip("nvidia.cuda_nvrtc")
    assert compile_cuda(ksg_cuda.source(), ("-DK=3", *options), "sm_90")[:4] == b"\x7fELF"


def test_what_does_not_compile_is_said_in_the_compilers_words():
    pytest.importorskip("nvidia.cuda_nvrtc")
    with pytest.raises(RuntimeError, match="expected a"):
        compile_cuda("extern int a b;", (), "sm_90")
