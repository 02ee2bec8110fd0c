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
        """Symbols of (H, W, 3) uint8 pixels, H and W multiples of 16, at a QP of 0 to 63.

        Models of frames need the prediction, `predicted`, of the shape and type of `pixels`; others
        do not take it. Symbols are 0 in `exact` cells, (⌈H/64⌉, ⌈W/64⌉), None for no such cells.
        """

    def code(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> tuple[Symbols, Samples]:
        """Symbols of (H, W, 3) uint8 pixels, H and W multiples of 16, and the samples decoded from
        them.

        Samples are (H, W, 3) float32 in 8-bit levels, not rounded; for models of frames, the frame
        less `predicted`, which these need. `qp` is 0 to 63; symbols are 0 in `exact` cells,
        (⌈H/64⌉, ⌈W/64⌉), None for no such cells.
        """

    def synthesize(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Samples:
        """Decode symbols of a latent of h × w at a QP of 0 to 63 to samples, (16·h, 16·w, 3)
        float32.

        They are in 8-bit levels, neither rounded nor clipped; for models of frames, the frame less
        `predicted`, (16·h, 16·w, 3) uint8, which these need.
        """

    def quantize(
        self, pixels: Pixels, *, qp: int, exact: BoolArray | None = None
    ) -> tuple[InitialSymbols, Samples]:
        """Initial symbols of a picture, their latent y, and the samples decoded from them.

        `pixels` are (H, W, 3) uint8 with H and W multiples of 16, samples (H, W, 3) float32 in
        8-bit levels, not rounded. `qp` is 0 to 63; symbols are 0 in `exact` cells, (⌈H/64⌉,
        ⌈W/64⌉), None for no such cells. For models of pictures alone.
        """

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
        """Rate–distortion gradient of a picture at given symbols: derivatives of λ·D, in bits, by
        ŷ.

        `pixels` are (H, W, 3) uint8 with H and W multiples of 16, `initial` has symbols and y, `qp`
        is 0 to 63, `error_weights` a (48, 48) form of `ncodec.image.error_weights`. With
        `requantize`, the second half of r is first rounded anew from y, and 0 where `coded`, (C_y,
        h, w), is false. For models of pictures alone.
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
        """λ·D of a picture's errors at given symbols, (h, w) float32, in bits of each 16×16 pixels.

        Arguments are like those of `rd_gradient`; nothing is requantized, so `coded` has no effect.
        """


def exact_cells(pixels: Pixels, exact: BoolArray | None) -> BoolArray:
    """Exact cells of (H, W, 3) pixels, (⌈H/64⌉, ⌈W/64⌉); none where `exact` is None."""
    if exact is not None:
        return exact
    height, width, _ = pixels.shape
    return np.zeros((-(-height // CELL), -(-width // CELL)), dtype=np.bool_)
