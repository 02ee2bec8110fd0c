"""Coded frames → frames."""

from dataclasses import dataclass, replace

import numpy as np

from ncodec.arrays import Mask, Pixels
from ncodec.container.records import Frame, Tag
from ncodec.entropy.ans import Unpacker
from ncodec.entropy.latents import Symbols, next_context, pop_symbols
from ncodec.entropy.tables import Tables
from ncodec.errors import FormatError
from ncodec.grid import PATCH
from ncodec.video.frame_cells import FrameCells, unpack_cells
from ncodec.video.frame_state import NO_REFERENCE, FrameCodecs, ReferenceState
from ncodec.video.motion.compensate import compensate
from ncodec.video.motion.field import Motion
from ncodec.video.motion.golden_coding import pop_golden
from ncodec.video.motion.interpolate import HalfPixelPlanes
from ncodec.video.motion.vector_coding import pop_motion
from ncodec.video.rounding import (
    INTRA_ROUNDING,
    PREDICTED_ROUNDING,
    Offsets,
    pop_offsets,
    round_samples,
)
from ncodec.video.skip import SkipBlocks, apply_skip, pop_skipped, skippable_cells


@dataclass(frozen=True, eq=False)
class Parsed:
    """A frame whose symbols are decoded."""

    tag: Tag
    pts: int
    qp: int = 0
    symbols: Symbols | None = None
    offsets: Offsets | None = None
    motion: Motion | None = None
    skip: SkipBlocks | None = None
    cells: FrameCells | None = None


class FrameDecoder:
    """Decodes the frames of a stream, from any intra frame on."""

    def __init__(self, codecs: FrameCodecs, *, height: int, width: int) -> None:
        self.codecs = codecs
        self.height = height
        self.width = width
        self._last: Pixels | None = None
        self._intra: HalfPixelPlanes | None = None
        self._state = NO_REFERENCE
        self._begun = False
        """whether an intra frame was parsed"""

    def parse(self, frame: Frame) -> Parsed:
        """Decode symbols, vectors and cells of the stream's next frame for `decode`, without a
        network.

        Frames are parsed in stream order, however far ahead of `decode`. Raises FormatError for
        damage and for another frame before the first intra frame, ModelError for a predicted frame,
        or a duplicate before the first intra frame, without a model of predicted frames.
        """
        if frame.tag == Tag.DUPLICATE and self._begun:
            return Parsed(frame.tag, frame.pts)
        intra = frame.tag == Tag.INTRA
        tables = (self.codecs.pictures if intra else self.codecs.predicting()).model.tables
        if not (intra or self._begun):
            raise _no_intra_frame()
        high, wide = -(-self.height // PATCH), -(-self.width // PATCH)
        cells = unpack_cells(frame.exact, high * PATCH, wide * PATCH, intra=intra)
        known = cells.known
        if intra and known.all() and not frame.payload:
            self._state, self._begun = NO_REFERENCE, True
            return Parsed(frame.tag, frame.pts, frame.qp, cells=cells)
        exact = known if known.any() else None
        unpacker = Unpacker(frame.payload)
        before = NO_REFERENCE if intra else self._state
        motion = (
            None if intra else _pop_motion(unpacker, tables, high=high, wide=wide, before=before)
        )
        symbols = pop_symbols(
            unpacker,
            tables,
            qp=frame.qp,
            height=high,
            width=wide,
            before=before.context,
            exact=exact,
        )
        offsets = np.zeros(known.shape, dtype=np.int16)
        self._state, skip = NO_REFERENCE, None
        if motion is None:
            offsets[~known] = pop_offsets(unpacker, tables, INTRA_ROUNDING, int((~known).sum()))
        else:
            skip = pop_skipped(
                unpacker, skippable_cells(symbols.residual, motion, known), before=before.skip
            )
            coded = ~(skip.chosen | known)
            offsets[coded] = pop_offsets(unpacker, tables, PREDICTED_ROUNDING, int(coded.sum()))
            context = next_context(symbols, tables, qp=frame.qp, before=before.context)
            self._state = ReferenceState(context, skip, motion.vectors, motion.golden)
        unpacker.finish()
        self._begun = True
        return Parsed(frame.tag, frame.pts, frame.qp, symbols, offsets, motion, skip, cells)

    def decode(self, parsed: Parsed) -> Pixels:
        """Decode the next parsed frame to (height, width, 3) uint8, read-only; a duplicate gives
        the frame before.

        Frames must come in stream order. Raises FormatError for damaged exact cells and for a frame
        whose reference frame was not decoded, BackendError where ONNX Runtime fails.
        """
        if parsed.cells is not None:
            self._last = self._rendered(parsed, parsed.cells)
        shown = self._reference()[: self.height, : self.width]
        shown.flags.writeable = False  # the next frame is predicted from it
        return shown

    def _rendered(self, parsed: Parsed, cells: FrameCells) -> Pixels:
        """The whole padded frame."""
        if parsed.motion is None:
            pixels = self._rendered_intra(parsed)
            cells.paint(pixels)
            self._intra = HalfPixelPlanes(pixels)
            return pixels
        reference = self._reference()
        moved = compensate(reference, cells.moved(parsed.motion), intra=self._intra)
        predicted = cells.predict(moved, reference)
        pixels = self._rendered_predicted(parsed, predicted, known=cells.known)
        cells.paint(pixels, predicted=predicted)
        return pixels

    def _rendered_intra(self, parsed: Parsed) -> Pixels:
        """The network's frame, undefined in exact cells."""
        if parsed.symbols is None or parsed.offsets is None:
            return np.empty(
                (*(-(-side // PATCH) * PATCH for side in (self.height, self.width)), 3),
                dtype=np.uint8,
            )
        samples = self.codecs.pictures.render(parsed.symbols, qp=parsed.qp)
        return round_samples(samples, parsed.offsets, INTRA_ROUNDING)

    def _rendered_predicted(self, parsed: Parsed, predicted: Pixels, *, known: Mask) -> Pixels:
        """The network's frame over a prediction, which stays in skip blocks; undefined in exact
        cells."""
        if parsed.symbols is None or parsed.offsets is None or parsed.skip is None:
            return predicted.copy()
        if (parsed.skip.chosen | known).all():
            return predicted.copy()
        samples = self.codecs.predicting().render(parsed.symbols, qp=parsed.qp, predicted=predicted)
        apply_skip(samples, parsed.skip)
        return round_samples(samples, parsed.offsets, PREDICTED_ROUNDING, predicted=predicted)

    def _reference(self) -> Pixels:
        if self._last is None:
            raise _no_intra_frame()
        return self._last

    def forget(self) -> None:
        """Decode nothing more before the next intra frame."""
        self._last = self._intra = None
        self._state, self._begun = NO_REFERENCE, False


def _no_intra_frame() -> FormatError:
    return FormatError("expected an intra frame first, got one that needs the frame before it")


def _pop_motion(
    unpacker: Unpacker, tables: Tables, *, high: int, wide: int, before: ReferenceState
) -> Motion:
    motion = pop_motion(unpacker, tables, high=high, wide=wide, before=before.vectors)
    return replace(motion, golden=pop_golden(unpacker, tables, motion=motion, before=before.golden))
