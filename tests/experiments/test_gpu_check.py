import pytest
import torch

from lmi.experiments import gpu_check
from lmi.experiments.gpu_check import GpuCheck
from lmi.experiments.gpu_ddp import spread_training
from lmi.types import Context

PEAKS = ("float64", "int8", "bytes", "ksg")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(ValueError, match="gpu_check found no CUDA device on this machine, so nothing was checked"):
        GpuCheck().run(Context())


def test_parity_of_what_runs_anywhere():
    result = GpuCheck("cpu", dims=12, rows=60, long_rows=200, repeats=1).run(Context())
    assert result.answer == "9 of 9 paths on CPU, no GPU give the CPU's numbers."
    assert all(row["equal"] and row["per_second"] > 0 for row in result.tables["paths"])


def test_a_wrong_number_is_told(monkeypatch):
    path = gpu_check.Path("wrong", "pairs", 1.0, lambda where: torch.tensor([float(where != "cpu")]))
    monkeypatch.setattr(GpuCheck, "_paths", lambda *_: [path])
    monkeypatch.setattr(gpu_check, "measured_peaks", lambda device: {})
    result = GpuCheck("meta", repeats=1)
    row = result._measured(path, "elsewhere")
    assert row["equal"] is False and row["difference"] == 1.0


def test_a_machine_with_several_gpus_has_a_row_for_ddp(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    calls = []
    monkeypatch.setattr(gpu_check, "spread_training", lambda *arguments: calls.append(arguments[1:]))
    paths = GpuCheck(dims=4, rows=61, long_rows=40, train=False)._paths(Context(), "cuda", dict.fromkeys(PEAKS, 1.0))
    path = next(path for path in paths if path.name.startswith("DDP, 2 GPUs"))
    path.work("cpu")
    path.work("cuda")
    assert calls == [(1, "cpu"), (2, "cuda")] and path.tolerance == 1e-9


def test_ddp_in_one_process_is_gradient_descent():
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    before, after = (spread_training(x, 1, "cpu", steps=steps) for steps in (0, 20))
    assert after.shape == (5 * 64 + 64 + 64 + 1,) and not torch.equal(before, after)
    assert torch.equal(after, spread_training(x, 1, "cpu"))


@pytest.mark.slow
def test_ddp_over_two_processes_gives_the_weights_of_one():
    x = torch.randn(61, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(spread_training(x, 2, "cpu"), spread_training(x[:60], 1, "cpu"), rtol=0, atol=1e-12)
