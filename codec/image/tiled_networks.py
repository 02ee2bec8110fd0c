"""A model's networks over a picture of any size: tile by tile, each with a halo."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ncodec.arrays import BoolArray, Pixels, Samples
from ncodec.entropy.latents import Symbols, zero_certain
from ncodec.grid import CELL, PATCH, Place
from ncodec.image.plan import RenderedSymbols
from ncodec.image.tiles import Tile, pad_to_patches, tiles
from ncodec.inference.model import Model
from ncodec.inference.protocol import Backend
from ncodec.picture import to_pixels


@dataclass(frozen=True)
class TiledNetworks:
    """A model on a backend, for pictures and frames of any size."""

    model: Model
    backend: Backend

    def analyze(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> Symbols:
        """Symbols of (H, W, 3) uint8 pixels at a QP of 0 to 63, 0 in `exact` cells and where the
        table is certain.

        `predicted`, (16·h, 16·w, 3) uint8, is the prediction, which models of frames need and
        models of pictures do not take. `exact` is (⌈H/64⌉, ⌈W/64⌉). Raises BackendError where ONNX
        Runtime fails.
        """

        def analyzed(tile: Tile) -> Symbols:
            known = None if predicted is None else predicted[tile.seen(1)]
            cells = None if exact is None else exact[tile.seen(CELL)]
            return self.backend.analyze(
                pad_to_patches(pixels[tile.seen(1)]), qp=qp, predicted=known, exact=cells
            )

        return self._assembled(analyzed, pixels.shape[0], pixels.shape[1], qp=qp, exact=exact)

    def quantize(
        self,
        pixels: Pixels,
        *,
        qp: int,
        exact: BoolArray | None = None,
        whole: bool = False,
        with_latent: bool = True,
    ) -> RenderedSymbols:
        """Initial symbols of (H, W, 3) uint8 pixels at a QP of 0 to 63, their latent y, and the
        pixels decoded from them.

        Symbols are 0 in `exact` cells, (⌈H/64⌉, ⌈W/64⌉), where the decoded pixels mean nothing.
        `whole` extends the picture to multiples of 64; `with_latent=False` leaves y empty, (C_y, 0,
        0). For models of pictures. Raises BackendError where ONNX Runtime fails.
        """
        padded = pad_to_patches(pixels, unit=CELL if whole else PATCH)
        high, wide = (side // PATCH if with_latent else 0 for side in padded.shape[:2])
        latent = np.zeros((self.model.tables.bias.shape[1], high, wide), np.float32)
        shown = padded.copy()

        def quantized(tile: Tile) -> Symbols:
            seen, cells = padded[tile.seen(1)], None if exact is None else exact[tile.seen(CELL)]
            if with_latent:
                made, samples = self.backend.quantize(seen, qp=qp, exact=cells)
                symbols = made.symbols
                latent[:, *tile.outer(PATCH)] = made.latent[:, *tile.inner(PATCH)]
            else:
                symbols, samples = self.backend.code(seen, qp=qp, exact=cells)
            shown[tile.outer(1)] = to_pixels(samples[tile.inner(1)])
            return symbols

        symbols = self._assembled(quantized, *padded.shape[:2], qp=qp, exact=exact)
        return RenderedSymbols(symbols, latent, shown[: pixels.shape[0], : pixels.shape[1]])

    def _assembled(
        self,
        symbols_of: Callable[[Tile], Symbols],
        height: int,
        width: int,
        *,
        qp: int,
        exact: BoolArray | None,
    ) -> Symbols:
        """Symbols of a picture, assembled from those of its tiles; 0 where cells are exact."""
        tables = self.model.tables
        high, wide = -(-height // PATCH), -(-width // PATCH)
        z_hat = np.zeros(
            (tables.z_rows.shape[1], -(-height // CELL), -(-width // CELL)), dtype=np.int8
        )
        residual = np.zeros((tables.bias.shape[1], high, wide), dtype=np.int16)
        for tile in tiles(PATCH * high, PATCH * wide, self.model.halo, needed=_others(exact)):
            seen = symbols_of(tile)
            z_hat[:, *tile.outer(CELL)] = seen.z_hat[:, *tile.inner(CELL)]
            residual[:, *tile.outer(PATCH)] = seen.residual[:, *tile.inner(PATCH)]
        symbols = Symbols(z_hat, residual, exact)
        zero_certain(symbols, tables, qp=qp)
        return symbols

    def code(
        self, pixels: Pixels, *, qp: int, predicted: Pixels, exact: BoolArray | None = None
    ) -> tuple[Symbols, Samples]:
        """Symbols of a frame at a QP of 0 to 63, 0 in `exact` cells, and samples of the frame less
        `predicted`.

        `pixels` and `predicted` are (H, W, 3) uint8 with H and W multiples of 16, `exact` (⌈H/64⌉,
        ⌈W/64⌉); the samples are (H, W, 3) float32 in 8-bit levels, not rounded. The caller must
        apply `zero_certain`, and where that changes symbols `render` them anew. Raises BackendError
        where ONNX Runtime fails.
        """
        height, width, _ = predicted.shape
        if len(list(tiles(height, width, self.model.halo))) == 1:
            symbols, samples = self.backend.code(pixels, qp=qp, predicted=predicted, exact=exact)
            return replace(symbols, exact=exact), samples
        symbols = self.analyze(pixels, qp=qp, predicted=predicted, exact=exact)
        return symbols, self.render(symbols, qp=qp, predicted=predicted)

    def nothing(self, predicted: Pixels, *, exact: BoolArray) -> tuple[Symbols, Samples]:
        """Result of `code` for a frame whose cells are all `exact`: no symbols."""
        high, wide = (side // PATCH for side in predicted.shape[:2])
        z_hat = np.zeros((self.model.tables.z_rows.shape[1], *exact.shape), dtype=np.int8)
        residual = np.zeros((self.model.tables.bias.shape[1], high, wide), dtype=np.int16)
        return Symbols(z_hat, residual, exact), np.zeros(predicted.shape, dtype=np.float32)

    def synthesize(self, symbols: Symbols, *, qp: int, height: int, width: int) -> Pixels:
        """Decode a picture's symbols at a QP of 0 to 63 to (height, width, 3) uint8, rounded and
        clipped.

        Pixels in exact cells are undefined. Raises BackendError where ONNX Runtime fails.
        """
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        for place, samples in self._rendered(symbols, qp=qp):
            target = pixels[place]
            target[...] = to_pixels(samples[: target.shape[0], : target.shape[1]])
        return pixels

    def render(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Samples:
        """Decode symbols at a QP of 0 to 63 to samples, (16·h, 16·w, 3) float32, neither rounded
        nor clipped.

        They are in 8-bit levels; with `predicted`, of that shape in uint8, they are the frame less
        the prediction. Samples outside the smallest box around all cells that are not exact are 0.
        Raises BackendError where ONNX Runtime fails.
        """
        samples = np.zeros(
            (*(PATCH * side for side in symbols.residual.shape[1:]), 3), dtype=np.float32
        )
        for place, tile in self._rendered(symbols, qp=qp, predicted=predicted):
            samples[place] = tile
        return samples

    def _rendered(
        self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None
    ) -> Iterator[tuple[Place, Samples]]:
        """Each tile's place and levels, of the smallest box around all cells that are not exact."""
        high, wide = (PATCH * side for side in symbols.residual.shape[1:])
        for tile in tiles(high, wide, self.model.decode_halo, needed=_others(symbols.exact)):
            seen = Symbols(
                symbols.z_hat[:, *tile.seen(CELL)], symbols.residual[:, *tile.seen(PATCH)]
            )
            known = None if predicted is None else predicted[tile.seen(1)]
            yield (
                tile.outer(1),
                self.backend.synthesize(seen, qp=qp, predicted=known)[tile.inner(1)],
            )


def _others(exact: BoolArray | None) -> BoolArray | None:
    """Cells beside those that are exact, if any are."""
    return None if exact is None else ~exact
