"""Frames ↔ coded frames; either side keeps the last frame, the last intra frame and what the next one is coded on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ncodec.bitstream import PATCH
from ncodec.distortion import SUBSAMPLED
from ncodec.effort import DEFAULT_EFFORT
from ncodec.entropy import Past, Symbols, Unpacker, follow, pop_symbols, push_symbols, zero_certain
from ncodec.errors import FormatError, InputError, ModelError
from ncodec.golden_frame import group_golden, pop_golden
from ncodec.image import ImageCodec
from ncodec.kept import Kept, choose_kept, group_kept, keep, pop_kept, possible_cells
from ncodec.motion import Golden, HalfPixelPlanes, Motion, Vectors, compensate
from ncodec.motion_search import MotionSearch
from ncodec.picture import Pixels
from ncodec.predictor import FramePredictor
from ncodec.records import Frame, Tag
from ncodec.rounding import (
    INTRA_ROUNDING,
    PREDICTED_ROUNDING,
    Shifts,
    cells_of,
    choose_shifts,
    group_shifts,
    pop_shifts,
    round_levels,
)
from ncodec.tables import Tables
from ncodec.tiles import pad_to_patches
from ncodec.vectors import group_motion, pop_motion

INTRA_EFFORT = 6
"""of intra frames that others are predicted from, whose quality and bits a whole group has a share in"""
LEAST_PREDICTED = 0.6
"""share of blocks that motion must predict; below it the scene is another one, and the frame intra"""


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


@dataclass(frozen=True, eq=False)
class Look:
    """What is known of a frame before its quality is chosen."""

    tag: Tag
    """how it will be coded"""
    pixels: Pixels
    """(H, W, 3)"""
    search: MotionSearch | None = None
    """of a predicted frame"""


@dataclass(frozen=True, eq=False)
class Known:
    """What a decoder has of a predicted frame, repeated ones aside, that the next one is coded given."""

    past: Past | None = None
    """its symbols"""
    kept: Kept | None = None
    vectors: Vectors | None = None
    """as a decoder knows them, those of blocks that are not predicted included"""
    golden: Golden | None = None


NOTHING = Known()


class FrameEncoder:
    """Codes frames of one size, one after the other, as a decoder will see them.

    Symbols are packed in a thread of their own.
    """

    def __init__(self, codecs: FrameCodecs) -> None:
        self.codecs = codecs
        self._worker = ThreadPoolExecutor(1)
        self._source: Pixels | None = None
        self._last: Pixels | None = None
        self._predictor: FramePredictor | None = None
        self._known = NOTHING
        """of the last frame but its motion, which the predictor has"""

    @property
    def last(self) -> Pixels:
        """The last frame as a decoder has it, sides rounded up to multiples of 16."""
        if self._last is None:
            msg = "expected an encoded frame, got none yet"
            raise InputError(msg)
        return self._last

    def look(self, pixels: Pixels, *, intra: bool = False) -> Look:
        """(H, W, 3) uint8 → how the next frame will be coded. Raises InputError where the size changes.

        A frame that equals the one before it becomes its copy, even where `intra` asks for an intra frame: that can
        wait until something moves. One that has little in common with the last one becomes intra.
        """
        if self._source is None or self._last is None:
            return Look(Tag.INTRA, pixels)
        if pixels.shape != self._source.shape:
            msg = f"expected frames of one size, got {pixels.shape[1]}×{pixels.shape[0]} after {self._source.shape[1]}×"
            msg += f"{self._source.shape[0]}"
            raise InputError(msg)
        if np.array_equal(pixels, self._source):
            return Look(Tag.COPY, pixels)
        if intra or self.codecs.frames is None:
            return Look(Tag.INTRA, pixels)
        search = MotionSearch(pad_to_patches(pixels), self._last)
        if search.predictable < LEAST_PREDICTED:
            return Look(Tag.INTRA, pixels)
        return Look(Tag.PREDICTED, pixels, search)

    def encode(self, look: Look, *, pts: int, qp: int) -> Frame:
        """Code the frame that was looked at last."""
        self._source = look.pixels.copy()  # the caller may fill the array anew
        if look.tag == Tag.COPY:
            return Frame(Tag.COPY, pts)
        if look.search is None or self._predictor is None:
            return self._encode_intra(look.pixels, pts=pts, qp=qp)
        return self._encode_predicted(pad_to_patches(look.pixels), look.search, self._predictor, pts=pts, qp=qp)

    def _encode_intra(self, pixels: Pixels, *, pts: int, qp: int) -> Frame:
        codec = self.codecs.pictures
        effort = DEFAULT_EFFORT if self.codecs.frames is None else INTRA_EFFORT
        if effort := codec.usual_effort(pixels.shape[0], pixels.shape[1], effort):
            symbols = codec.refine(pixels, qp=qp, effort=effort, form=SUBSAMPLED)
        else:
            symbols = codec.analyze(pixels, qp=qp)
        tables = codec.model.tables
        levels = codec.render(symbols, qp=qp)
        shifts = choose_shifts(levels, INTRA_ROUNDING)
        pushing = self._worker.submit(
            push_symbols, symbols, tables, qp=qp, last=[group_shifts(shifts, tables, INTRA_ROUNDING)]
        )
        self._last = round_levels(levels, shifts, INTRA_ROUNDING)
        self._predictor, self._known = FramePredictor(self._last), NOTHING
        return Frame(Tag.INTRA, pts, qp, pushing.result().payload())

    def _encode_predicted(
        self, pixels: Pixels, search: MotionSearch, predictor: FramePredictor, *, pts: int, qp: int
    ) -> Frame:
        codec = self.codecs.predicting()
        tables = codec.model.tables
        motion = predictor.choose(search, qp=qp)
        grouping = self._worker.submit(group_motion, motion, tables, before=predictor.vectors)
        predicted = predictor.compensate(self.last, motion)
        symbols, levels = codec.code(pixels, qp=qp, predicted=predicted)
        if zero_certain(symbols, tables, qp=qp):
            levels = codec.render(symbols, qp=qp, predicted=predicted)
        kept = choose_kept(pixels, predicted, levels, possible_cells(symbols.residual, motion))
        keep(levels, kept)
        shifts = choose_shifts(levels, PREDICTED_ROUNDING, predicted=predicted)
        before = self._known
        last = [
            *group_kept(kept, before=before.kept),
            group_shifts(shifts[~kept.chosen], tables, PREDICTED_ROUNDING),
        ]
        pushing = self._worker.submit(push_symbols, symbols, tables, qp=qp, before=before.past, last=last)
        self._last = round_levels(levels, shifts, PREDICTED_ROUNDING, predicted=predicted)
        moved = grouping.result()
        known, golden = replace(motion, vectors=moved.vectors), predictor.golden
        groups = [*moved.groups, *group_golden(predictor.follow(known), tables, motion=known, before=golden)]
        self._known = Known(follow(symbols, tables, qp=qp, before=before.past), kept)
        packer = pushing.result()
        packer.push(groups)
        return Frame(Tag.PREDICTED, pts, qp, packer.payload())


@dataclass(frozen=True, eq=False)
class Parsed:
    """A frame whose symbols are decoded."""

    tag: Tag
    pts: int
    qp: int = 0
    symbols: Symbols | None = None
    shifts: Shifts | None = None
    motion: Motion | None = None
    kept: Kept | None = None


class FrameDecoder:
    """Decodes the frames of a stream, from any intra frame on."""

    def __init__(self, codecs: FrameCodecs, *, height: int, width: int) -> None:
        self.codecs = codecs
        self.height = height
        self.width = width
        self._last: Pixels | None = None
        self._intra: HalfPixelPlanes | None = None
        self._known = NOTHING
        self._begun = False
        """whether an intra frame was parsed"""

    def parse(self, frame: Frame) -> Parsed:
        """Decode the symbols of the next frame, without a network, from any intra frame on.

        Frames are parsed in their order, however far ahead of `decode`. Raises FormatError for damage.
        """
        if frame.tag == Tag.COPY and self._begun:
            return Parsed(frame.tag, frame.pts)
        intra = frame.tag == Tag.INTRA
        tables = (self.codecs.pictures if intra else self.codecs.predicting()).model.tables
        if not (intra or self._begun):
            raise _no_intra_frame()
        high, wide = -(-self.height // PATCH), -(-self.width // PATCH)
        unpacker = Unpacker(frame.payload)
        before = NOTHING if intra else self._known
        motion = None if intra else _pop_motion(unpacker, tables, high=high, wide=wide, before=before)
        symbols = pop_symbols(unpacker, tables, qp=frame.qp, height=high, width=wide, before=before.past)
        shifts = np.zeros(cells_of(high * PATCH, wide * PATCH), dtype=np.int16)
        self._known, kept = NOTHING, None
        if motion is None:
            shifts[...] = pop_shifts(unpacker, tables, INTRA_ROUNDING, shifts.size).reshape(shifts.shape)
        else:
            kept = pop_kept(unpacker, possible_cells(symbols.residual, motion), before=before.kept)
            shifts[~kept.chosen] = pop_shifts(unpacker, tables, PREDICTED_ROUNDING, int((~kept.chosen).sum()))
            past = follow(symbols, tables, qp=frame.qp, before=before.past)
            self._known = Known(past, kept, motion.vectors, motion.golden)
        unpacker.finish()
        self._begun = True
        return Parsed(frame.tag, frame.pts, frame.qp, symbols, shifts, motion, kept)

    def decode(self, parsed: Parsed) -> Pixels:
        """The next frame → (height, width, 3) uint8; raises FormatError where it needs one that was not decoded."""
        if parsed.symbols is not None and parsed.shifts is not None:
            self._last = self._rendered(parsed, parsed.symbols, parsed.shifts)
        shown = self._reference()[: self.height, : self.width]
        shown.flags.writeable = False  # the next frame is predicted from it
        return shown

    def _rendered(self, parsed: Parsed, symbols: Symbols, shifts: Shifts) -> Pixels:
        """The whole padded frame."""
        if parsed.motion is None or parsed.kept is None:
            levels = self.codecs.pictures.render(symbols, qp=parsed.qp)
            pixels = round_levels(levels, shifts, INTRA_ROUNDING)
            self._intra = HalfPixelPlanes(pixels)
            return pixels
        predicted = compensate(self._reference(), parsed.motion, intra=self._intra)
        if parsed.kept.chosen.all():
            return predicted
        levels = self.codecs.predicting().render(symbols, qp=parsed.qp, predicted=predicted)
        keep(levels, parsed.kept)
        return round_levels(levels, shifts, PREDICTED_ROUNDING, predicted=predicted)

    def _reference(self) -> Pixels:
        if self._last is None:
            raise _no_intra_frame()
        return self._last

    def forget(self) -> None:
        """Decode nothing more before the next intra frame."""
        self._last = self._intra = None
        self._known, self._begun = NOTHING, False


def _no_intra_frame() -> FormatError:
    return FormatError("expected an intra frame first, got one that needs the frame before it")


def _pop_motion(unpacker: Unpacker, tables: Tables, *, high: int, wide: int, before: Known) -> Motion:
    motion = pop_motion(unpacker, tables, high=high, wide=wide, before=before.vectors)
    return replace(motion, golden=pop_golden(unpacker, tables, motion=motion, before=before.golden))
