"""Kernels: functions that numba compiles when they first run, and whose machine code is kept."""

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numba

inlined = numba.njit(nogil=True, inline="always")
"""decorator of functions that become a part of the kernels which call them"""


def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel of whole numbers when it first runs, and keep the machine code where a
    folder can be written."""
    return _kept(kernel, "python")


def exact_kernel(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel of floating-point numbers, as `compiled` does.

    The error model is that of numpy: a check for a division by zero would keep loops from becoming
    vectors.
    """
    return _kept(kernel, "numpy")


def _kept(
    kernel: Callable[..., Any], error_model: Literal["python", "numpy"]
) -> Callable[..., Any]:
    try:
        made = numba.njit(cache=True, nogil=True, error_model=error_model)(kernel)
    except RuntimeError:  # neither the package's folder nor a home can be written
        made = numba.njit(nogil=True, error_model=error_model)(kernel)
    # Numba looks at the file of a kernel alone, not at those of the functions that it calls.
    index = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if index is not None:
        index._source_stamp = _sources(), int(getattr(numba.config, "OPT", 3))
    dispatcher: Callable[..., Any] = made
    return dispatcher


@cache
def _sources() -> str:
    """Digest of all modules of this folder and of the networks."""
    folder = files("ncodec.lossless")
    digest = hashlib.sha256()
    for place in (folder, folder / "neural"):
        for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                digest.update(entry.name.encode() + entry.read_bytes())
    return digest.hexdigest()
