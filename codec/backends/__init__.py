"""What runs the networks: one interface, several libraries behind it."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Int16Array, Levels, Pixels
from ncodec.entropy import Symbols
from ncodec.errors import BackendError
from ncodec.grid import CELL
from ncodec.model import Model

BACKENDS = ("onnx", "torch")
MAX_THREADS = 256


@dataclass(frozen=True, eq=False)
class Draft:
    """Symbols of a picture that are not final, and what they round."""

    symbols: Symbols
    latent: FloatArray
    """y, (C_y, h, w), in units of its step; (C_y, 0, 0) where nobody needs it"""


@dataclass(frozen=True, eq=False)
class Slopes:
    """How the cost of errors, in bits of the picture, changes with each latent."""

    residual: Int16Array
    """(C_y, h, w) for which this holds"""
    slope: FloatArray
    """(C_y, h, w), of a step of quantization up"""
    curvature: FloatArray
    """(C_y,), about the second derivative"""
    cost: FloatArray
    """(h, w), of the errors as they are"""


def exact_cells(pixels: Pixels, exact: BoolArray | None) -> BoolArray:
    """Which cells of (H, W, 3) pixels are exact, (⌈H/64⌉, ⌈W/64⌉): none where nothing is said."""
    if exact is not None:
        return exact
    height, width, _ = pixels.shape
    return np.zeros((-(-height // CELL), -(-width // CELL)), dtype=np.bool_)


class Backend(Protocol):
    """Runs a model's networks on one tile."""

    def analyze(
        self, pixels: Pixels, *, qp: int, predicted: Pixels | None = None, exact: BoolArray | None = None
    ) -> Symbols:
        """(H, W, 3) with H and W multiples of 16 → symbols; models of frames want the prediction too, of that shape.

        Symbols are 0 in cells of 64×64 pixels that are `exact`, (⌈H/64⌉, ⌈W/64⌉).
        """

    def code(
        self, pixels: Pixels, *, qp: int, predicted: Pixels | None = None, exact: BoolArray | None = None
    ) -> tuple[Symbols, Levels]:
        """Symbols as of `analyze`, and what `synthesize` makes of them but for rounding errors."""

    def synthesize(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Levels:
        """Symbols of a latent of h × w → (16·h, 16·w, 3); from models of frames, what the prediction lacks."""

    def draft(self, pixels: Pixels, *, qp: int, exact: BoolArray | None = None) -> tuple[Draft, Levels]:
        """A picture → symbols as of `analyze`, what they round, and the levels that they give."""

    def slopes(
        self, pixels: Pixels, draft: Draft, coded: BoolArray, *, qp: int, form: FloatArray, reround: bool
    ) -> Slopes:
        """What moving symbols of a picture would do, whose table is not certain where `coded`, (C_y, h, w), is true.

        What of errors counts is a form of `ncodec.distortion`. With `reround`, symbols of the second half are first
        rounded anew from the latent. Models of pictures alone know.
        """

    def cost(self, pixels: Pixels, draft: Draft, coded: BoolArray, *, qp: int, form: FloatArray) -> FloatArray:
        """The cost of the errors alone, (h, w)."""


def check_backend(name: str) -> None:
    """Raise BackendError unless there is such a backend."""
    if name not in BACKENDS:
        msg = f"expected a backend among {', '.join(BACKENDS)}, got {name!r}"
        raise BackendError(msg)


def open_backend(
    model: Model,
    name: str = "onnx",
    *,
    threads: int | None = None,
    precision: str = "float32",
    device: str | None = None,
) -> Backend:
    """Load a model's networks into the named backend.

    `threads` is the number of CPU threads, None for the library's choice. `precision` (float32 or bfloat16) and
    `device` (None for a GPU if there is one) are the torch backend's. Raises BackendError when it is not installed.
    """
    check_backend(name)
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        msg = f"expected 1 to {MAX_THREADS} threads, got {threads}"
        raise BackendError(msg)
    if name == "onnx":
        if precision != "float32" or device is not None:
            msg = f"the onnx backend runs in float32 on the CPU, got precision {precision} and device {device}"
            raise BackendError(msg)
        from ncodec.backends.onnx import OnnxBackend

        return OnnxBackend(model, threads=threads)
    if find_spec("torch") is None or find_spec("safetensors") is None:
        msg = "the torch backend needs PyTorch and safetensors: pip install 'ncodec[torch]'"
        raise BackendError(msg)
    from ncodec.backends.torch import TorchBackend

    return TorchBackend(model, threads=threads, precision=precision, device=device)
