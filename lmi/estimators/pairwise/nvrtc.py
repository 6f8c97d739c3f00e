"""CUDA C++ compiled at run time and launched on torch's stream: NVRTC and the driver through ctypes.

torch's CUDA wheels bring NVRTC, so nobody needs a CUDA toolkit. ``torch.cuda._compile_kernel`` does the same from torch
2.9 on but is private; this file is all that would change.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Launch = Callable[..., None]
MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


def compile_cuda(source: str, options: tuple[str, ...], architecture: str) -> bytes:
    """Machine code (cubin) of CUDA C++ ``source``; needs NVRTC but no GPU.

    Args:
        source: CUDA C++ with ``extern "C"`` kernels.
        options: of the compiler, such as "-DK=3".
        architecture: such as "sm_90".

    Raises:
        RuntimeError: where NVRTC is missing or the source does not compile, with the compiler's log.
    """
    nvrtc = _nvrtc()
    program = ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None), "NVRTC")
    arguments = [option.encode() for option in (f"--gpu-architecture={architecture}", "--std=c++17", *options)]
    code = nvrtc.nvrtcCompileProgram(program, len(arguments), (ctypes.c_char_p * len(arguments))(*arguments))
    if code:
        raise RuntimeError(f"NVRTC refused the kernel: {_read(nvrtc, 'ProgramLog', program).decode()}")
    cubin = _read(nvrtc, "CUBIN", program)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return cubin


@cache
def load_kernel(source: str, name: str, options: tuple[str, ...], index: int) -> Launch:
    """Kernel ``name`` of ``source``, compiled for CUDA device ``index``: launch(blocks, threads, shared bytes, *arguments).

    Arguments are tensors on that device, whole numbers (int32) and ``None`` (a null pointer). It runs on torch's
    current stream and does not wait.
    """
    device = torch.device("cuda", index)
    major, minor = torch.cuda.get_device_capability(device)
    cubin = compile_cuda(source, options, f"sm_{major}{minor}")
    driver = ctypes.CDLL("libcuda.so.1")
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    with torch.cuda.device(device):
        torch.zeros(1, device=device)  # makes torch's context current in this thread
        _check(driver.cuModuleLoadData(ctypes.byref(module), cubin), "the CUDA driver")
    _check(driver.cuModuleGetFunction(ctypes.byref(function), module, name.encode()), "the CUDA driver")

    def launch(blocks: int, threads: int, shared: int, *arguments: Tensor | int | None) -> None:
        values = [_argument(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        with torch.cuda.device(device):
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            _check(driver.cuFuncSetAttribute(function, MAX_DYNAMIC_SHARED, shared), "the CUDA driver")
            grid = (blocks, 1, 1, threads, 1, 1)
            _check(driver.cuLaunchKernel(function, *grid, shared, stream, pointers, None), "the CUDA driver")

    return launch


def _argument(value: Tensor | int | None) -> Any:
    if isinstance(value, Tensor):
        return ctypes.c_void_p(value.data_ptr())
    return ctypes.c_void_p() if value is None else ctypes.c_int(value)


def _read(nvrtc: Any, what: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)), "NVRTC")
    buffer = ctypes.create_string_buffer(size.value)
    _check(getattr(nvrtc, f"nvrtcGet{what}")(program, buffer), "NVRTC")
    return buffer.raw


@cache
def _nvrtc() -> Any:
    """The library: what torch has loaded, what the ``nvidia`` wheels hold, or the system's."""
    wheels = find_spec("nvidia")
    places = [Path(place) for place in (wheels.submodule_search_locations or [])] if wheels else []
    held = [str(path) for place in places for path in sorted(place.glob("*/lib/libnvrtc.so.*"))]
    for name in ("libnvrtc.so.13", "libnvrtc.so.12", *held, "libnvrtc.so"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise RuntimeError(
        "no libnvrtc found, which compiles GPU kernels; expected torch with CUDA or nvidia-cuda-nvrtc-cu12"
    )


def _check(code: int, who: str) -> None:
    if code:
        raise RuntimeError(f"{who} answered with error {code}")
