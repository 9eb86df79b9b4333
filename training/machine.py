"""What this machine computes best with: its device, its number format, and whether it can compile."""

import os
import shutil
import time

import torch

# The shape of a fused projection of a small core over a few rows.
_PROBE = (1536, 192, 1024)
_REPEATS = 12


def best_device() -> str:
    """Return `cuda` where there is one, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def best_precision(device: str) -> str:
    """Return bf16 or fp32, whichever multiplies matrices faster; measured on a CPU, known of a GPU.

    Half the bytes are not half the time everywhere: some CPUs multiply bfloat16 at half the rate of float32.
    """
    if device != "cpu":
        return "bf16"
    return min(("fp32", "bf16"), key=lambda name: _seconds(torch.float32 if name == "fp32" else torch.bfloat16))


def can_compile(device: str) -> bool:
    """Tell whether torch.compile finds what it needs: Triton on a GPU, a C++ compiler on a CPU."""
    if device != "cpu":
        return True
    return shutil.which(os.environ.get("CXX", "g++")) is not None or shutil.which("clang++") is not None


def _seconds(dtype: torch.dtype) -> float:
    rows, width, columns = _PROBE
    left, right = torch.ones(rows, width, dtype=dtype), torch.ones(width, columns, dtype=dtype)
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - began)
    return min(times)
