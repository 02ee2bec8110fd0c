"""Frames ↔ coded frames, with one decoded frame of state on either side."""

from dataclasses import dataclass

import numpy as np

from ncodec.bitstream import PATCH
from ncodec.entropy import Symbols, pack_symbols, unpack_symbols
from ncodec.errors import FormatError, InputError, ModelError
from ncodec.image import ImageCodec, pad_to_patches
from ncodec.motion import compensate, estimate
from ncodec.picture import Pixels
from ncodec.records import Frame, Tag
from ncodec.vectors import pack_motion, unpack_motion


@dataclass(frozen=True)
class FrameCodecs:
    """What codes the frames of a stream."""

    pictures: ImageCodec
    """intra frames"""
    frames: ImageCodec | None
    """predicted frames; None where there are none"""

    def predicting(self) -> ImageCodec:
        """What codes predicted frames; raises ModelError where there is no model of them."""
        if self.frames is None:
            msg = "expected a model of predicted frames, got a stream of intra frames alone"
            raise ModelError(msg)
        return self.frames


class FrameEncoder:
    """Codes frames of one size, one after the other, as a decoder will see them."""

    def __init__(self, codecs: FrameCodecs) -> None:
        self.codecs = codecs
        self._source: Pixels | None = None
        self._last: Pixels | None = None

    @property
    def last(self) -> Pixels:
        """The last frame as a decoder has it, sides rounded up to multiples of 16."""
        if self._last is None:
            msg = "expected an encoded frame, got none yet"
            raise InputError(msg)
        return self._last

    def encode(self, pixels: Pixels, *, pts: int, qp: int, intra: bool = False) -> Frame:
        """(H, W, 3) uint8 → a frame that is intra where that is asked for or nothing came before.

        A frame that equals the one before it is coded as its copy. Raises InputError where the size changes.
        """
        if self._source is not None and pixels.shape != self._source.shape:
            msg = f"expected frames of one size, got {pixels.shape[1]}×{pixels.shape[0]} after {self._source.shape[1]}×"
            msg += f"{self._source.shape[0]}"
            raise InputError(msg)
        repeated = self._source is not None and np.array_equal(pixels, self._source)
        self._source = pixels
        if intra or self._last is None or self.codecs.frames is None:
            return self._intra(pixels, pts=pts, qp=qp)
        if repeated:
            return Frame(Tag.COPY, pts)
        return self._predicted(pad_to_patches(pixels), self._last, pts=pts, qp=qp)

    def _intra(self, pixels: Pixels, *, pts: int, qp: int) -> Frame:
        codec = self.codecs.pictures
        symbols = codec.analyze(pixels, qp=qp)
        self._last = _synthesize(codec, symbols, qp=qp)
        return Frame(Tag.INTRA, pts, qp, b"", pack_symbols(symbols, codec.model.tables, qp=qp))

    def _predicted(self, pixels: Pixels, last: Pixels, *, pts: int, qp: int) -> Frame:
        codec = self.codecs.predicting()
        tables = codec.model.tables
        motion = estimate(pixels, last)
        predicted = compensate(last, motion)
        symbols = codec.analyze(pixels, qp=qp, predicted=predicted)
        self._last = _synthesize(codec, symbols, qp=qp, predicted=predicted)
        return Frame(Tag.PREDICTED, pts, qp, pack_motion(motion, tables), pack_symbols(symbols, tables, qp=qp))


class FrameDecoder:
    """Decodes the frames of a stream, from any intra frame on."""

    def __init__(self, codecs: FrameCodecs, *, height: int, width: int) -> None:
        self.codecs = codecs
        self.height = height
        self.width = width
        self._last: Pixels | None = None

    def decode(self, frame: Frame) -> Pixels:
        """A frame → (height, width, 3) uint8; raises FormatError for damage, or where the one before it is missing."""
        if frame.tag == Tag.INTRA:
            self._last = self._intra(frame)
        elif self._last is None:
            msg = "expected an intra frame first, got one that needs the frame before it"
            raise FormatError(msg)
        elif frame.tag == Tag.PREDICTED:
            self._last = self._predicted(frame, self._last)
        return self._last[: self.height, : self.width]

    def _intra(self, frame: Frame) -> Pixels:
        codec = self.codecs.pictures
        return _synthesize(codec, self._symbols(codec, frame), qp=frame.qp)

    def _predicted(self, frame: Frame, last: Pixels) -> Pixels:
        codec = self.codecs.predicting()
        high, wide = self._latent
        motion = unpack_motion(frame.motion, codec.model.tables, high=high, wide=wide)
        symbols = self._symbols(codec, frame)
        return _synthesize(codec, symbols, qp=frame.qp, predicted=compensate(last, motion))

    def _symbols(self, codec: ImageCodec, frame: Frame) -> Symbols:
        high, wide = self._latent
        return unpack_symbols(frame.symbols, codec.model.tables, qp=frame.qp, height=high, width=wide)

    @property
    def _latent(self) -> tuple[int, int]:
        return -(-self.height // PATCH), -(-self.width // PATCH)


def _synthesize(codec: ImageCodec, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Pixels:
    """Symbols → the whole padded frame."""
    height, width = (PATCH * side for side in symbols.residual.shape[1:])
    return codec.synthesize(symbols, qp=qp, height=height, width=width, predicted=predicted)
