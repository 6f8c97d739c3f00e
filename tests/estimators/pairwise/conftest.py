import ctypes
import shutil
import subprocess
from functools import cache

import pytest
import torch

from lmi.estimators.pairwise import ksg_cuda


@pytest.fixture(scope="session")
def built_kernels(tmp_path_factory):
    """The GPU kernel built by g++, one thread a block: options -> launch."""
    if shutil.which("g++") is None:
        pytest.skip("no g++ here")

    @cache
    def build(options):
        folder = tmp_path_factory.mktemp("kernel")
        (folder / "kernel.cpp").write_text(ksg_cuda.source())
        command = ["g++", "-O1", "-shared", "-fPIC", "-ffp-contract=off", "-DEMULATE", *options]
        subprocess.run([*command, "-o", folder / "kernel.so", folder / "kernel.cpp"], check=True)
        function = ctypes.CDLL(str(folder / "kernel.so")).ksg_pairs

        def launch(blocks, threads, shared, *arguments):
            held = [getattr(a, "held", a) for a in arguments]  # of tensors on the made-up device
            function(*(ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in held))

        return launch

    return build


@pytest.fixture
def emulated(monkeypatch, built_kernels):
    """``KsgPairsCuda(k, "cpu")`` on the kernel built by g++."""
    monkeypatch.setattr(ksg_cuda, "kernel", lambda device, options: built_kernels(options))
    return ksg_cuda.KsgPairsCuda
