"""Interface of the libraries that run the networks."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Int16Array, Pixels, Samples
from ncodec.entropy.latents import Symbols
from ncodec.grid import CELL


@dataclass(frozen=True, eq=False)
class InitialSymbols:
    """Symbols of a picture that are not final, and what they round."""

    symbols: Symbols
    latent: FloatArray
    """y, (C_y, h, w), in units of its step; (C_y, 0, 0) where nobody needs it"""


@dataclass(frozen=True, eq=False)
class RdGradient:
    """Gradient and curvature of the cost of errors, in bits of the picture, by latent."""

    residual: Int16Array
    """(C_y, h, w) for which this holds"""
    gradient: FloatArray
    """(C_y, h, w), of a step of quantization up"""
    curvature: FloatArray
    """(C_y,), about the second derivative"""
    cost: FloatArray
    """(h, w), of the errors as they are"""


class Backend(Protocol):
    """Runs a model's networks on one tile."""

    def analyze(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> Symbols:
        """(H, W, 3) with H and W multiples of 16 → symbols; models of frames want the prediction
        too, of that shape.

        Symbols are 0 in cells of 64×64 pixels that are `exact`, (⌈H/64⌉, ⌈W/64⌉).
        """

    def code(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> tuple[Symbols, Samples]:
        """Symbols as of `analyze`, and what `synthesize` makes of them but for rounding errors."""

    def synthesize(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Samples:
        """Symbols of a latent of h × w → (16·h, 16·w, 3); from models of frames, what the
        prediction lacks."""

    def quantize(
        self, pixels: Pixels, *, qp: int, exact: BoolArray | None = None
    ) -> tuple[InitialSymbols, Samples]:
        """A picture → symbols as of `analyze`, what they round, and the levels that they give."""

    def rd_gradient(
        self,
        pixels: Pixels,
        initial: InitialSymbols,
        coded: BoolArray,
        *,
        qp: int,
        error_weights: FloatArray,
        requantize: bool,
    ) -> RdGradient:
        """Rate–distortion gradient of every latent whose table is not certain: where `coded`, (C_y,
        h, w), is true.

        `error_weights` are those of `ncodec.image.error_weights`. With `requantize`, symbols of the
        second half are first rounded anew from the latent. Models of pictures alone have one.
        """

    def cost(
        self,
        pixels: Pixels,
        initial: InitialSymbols,
        coded: BoolArray,
        *,
        qp: int,
        error_weights: FloatArray,
    ) -> FloatArray:
        """The cost of the errors alone, (h, w)."""


def exact_cells(pixels: Pixels, exact: BoolArray | None) -> BoolArray:
    """Exact cells of (H, W, 3) pixels, (⌈H/64⌉, ⌈W/64⌉); none where `exact` is None."""
    if exact is not None:
        return exact
    height, width, _ = pixels.shape
    return np.zeros((-(-height // CELL), -(-width // CELL)), dtype=np.bool_)
