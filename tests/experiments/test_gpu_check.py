import pytest
import torch

from lmi.experiments import gpu_check
from lmi.experiments.gpu_check import GpuCheck
from lmi.types import Context


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
