"""Frames → coded frames. The encoder keeps the reference frames and state that a decoder has."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ncodec.arrays import Mask, Pixels, Samples
from ncodec.container.records import Frame, Tag
from ncodec.entropy.latents import Symbols, bits_by_cell, next_context, push_symbols, zero_certain
from ncodec.errors import InputError
from ncodec.exact.outcome import Outcome, errors_of
from ncodec.image.error_weights import SUBSAMPLED
from ncodec.image.file import plain_layers
from ncodec.image.plan import Plan
from ncodec.image.tiles import pad_to_patches
from ncodec.picture import Picture, to_pixels
from ncodec.quality import DEFAULT_EFFORT, QP_COUNT
from ncodec.video.frame_cells import FrameCells, no_cells, pack_cells
from ncodec.video.frame_choice import FrameChooser, choose_scrolled, is_drawn
from ncodec.video.frame_state import NO_REFERENCE, FrameCodecs, ReferenceState
from ncodec.video.motion.field import without_motion
from ncodec.video.motion.golden_coding import group_golden
from ncodec.video.motion.predictor import FramePredictor
from ncodec.video.motion.search import MotionSearch
from ncodec.video.motion.vector_coding import group_motion
from ncodec.video.rounding import (
    INTRA_ROUNDING,
    PREDICTED_ROUNDING,
    choose_offsets,
    group_offsets,
    round_samples,
)
from ncodec.video.scroll import Scroll, find_scroll
from ncodec.video.skip import apply_skip, choose_skipped, group_skipped, skippable_cells

INTRA_EFFORT = 6
"""RDOQ effort of intra frames with predicted frames after them, as the whole GOP profits"""
LASTING_STEPS = 4
"""QPs between a predicted frame and the λ of its exact cells, because errors last"""
LEAST_SCROLLED = 0.02
"""share of pixels that must have changed before scrolling is looked for"""
LEAST_PREDICTED = 0.6
"""share of blocks that motion must predict; below it the scene is another one, and the frame intra
"""


@dataclass(frozen=True, eq=False)
class FrameDecision:
    """Type, motion and scroll of a frame, decided before its QP."""

    tag: Tag
    """type of the frame"""
    pixels: Pixels
    """(H, W, 3)"""
    search: MotionSearch | None = None
    """motion search of a predicted frame"""
    scroll: Scroll | None = None
    """scroll of a predicted frame, most of which is the last frame moved as one"""


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
        self._state = NO_REFERENCE
        """reference state but for the motion, which the predictor has"""

    @property
    def last(self) -> Pixels:
        """The last frame as a decoder has it, sides rounded up to multiples of 16."""
        if self._last is None:
            msg = "expected an encoded frame, got none yet"
            raise InputError(msg)
        return self._last

    def decide(self, pixels: Pixels, *, intra: bool = False) -> FrameDecision:
        """Decide type, motion and scroll of the next frame, (H, W, 3) uint8.

        A frame that equals the source frame before it is a duplicate, even if `intra` asks for an
        intra frame. It is intra if it is the first, if `intra`, without a model of predicted
        frames, or if neither a scroll nor motion of 60 % of its blocks is found; else predicted.
        Raises InputError for a size other than that of the frame before.
        """
        if self._source is None or self._last is None:
            return FrameDecision(Tag.INTRA, pixels)
        if pixels.shape != self._source.shape:
            msg = (
                f"expected frames of one size, got {pixels.shape[1]}×{pixels.shape[0]} after "
                f"{self._source.shape[1]}×"
            )
            msg += f"{self._source.shape[0]}"
            raise InputError(msg)
        if np.array_equal(pixels, self._source):
            return FrameDecision(Tag.DUPLICATE, pixels)
        if intra or self.codecs.frames is None:
            return FrameDecision(Tag.INTRA, pixels)
        search = MotionSearch(pad_to_patches(pixels), self._last)
        changed = (pixels != self._source).any(axis=2)
        if changed.mean() > LEAST_SCROLLED and is_drawn(pixels):
            scroll = find_scroll(pixels, self._source, changed)
            if scroll is not None:
                return FrameDecision(Tag.PREDICTED, pixels, search, scroll)
        if search.predictable < LEAST_PREDICTED:
            return FrameDecision(Tag.INTRA, pixels)
        return FrameDecision(Tag.PREDICTED, pixels, search)

    def encode(self, decision: FrameDecision, *, pts: int, qp: int) -> Frame:
        """Code the next frame by `decide`, the result of the last call of the method of that name.

        `pts` is its time stamp in units of the time base, `qp` 0 to 63, unchecked; intra frames of
        up to 4096 pixels may get another QP. Raises BackendError where ONNX Runtime fails.
        """
        self._source = decision.pixels.copy()  # the caller may fill the array anew
        if decision.tag == Tag.DUPLICATE:
            return Frame(Tag.DUPLICATE, pts)
        if decision.search is None or self._predictor is None:
            return self._encode_intra(decision.pixels, pts=pts, qp=qp)
        return self._encode_predicted(decision, decision.search, self._predictor, pts=pts, qp=qp)

    def _encode_intra(self, pixels: Pixels, *, pts: int, qp: int) -> Frame:
        codec = self.codecs.pictures
        effort = DEFAULT_EFFORT if self.codecs.frames is None else INTRA_EFFORT
        effort = codec.usual_effort(pixels.shape[0], pixels.shape[1], effort)
        padded = pad_to_patches(pixels)
        nothing = no_cells(*padded.shape[:2]).still
        payload, self._last = b"", np.empty_like(padded)
        if (plain := plain_layers(padded)) is not None:
            cells = FrameCells(nothing, plain)
        else:
            plan = codec.plan(
                Picture(padded), codec.price, qp=qp, with_latent=effort > 0, can_extend=False
            )
            cells, qp = FrameCells(nothing, plan.layers), plan.qp
            if not cells.known.all():
                payload, self._last = self._coded_intra(padded, plan, ~cells.known, effort=effort)
        cells.paint(self._last)
        self._predictor, self._state = FramePredictor(self._last), NO_REFERENCE
        return Frame(Tag.INTRA, pts, qp, payload, exact=pack_cells(cells, intra=True))

    def _coded_intra(
        self, padded: Pixels, plan: Plan, coded: Mask, *, effort: int
    ) -> tuple[bytes, Pixels]:
        """The payload of an intra frame's coded cells, (⌈H/64⌉, ⌈W/64⌉), and the frame that they
        give."""
        codec, symbols, qp = self.codecs.pictures, plan.initial.symbols, plan.qp
        if effort:
            symbols = codec.refine(
                padded, plan.initial, qp=qp, effort=effort, error_weights=SUBSAMPLED
            )
        samples = codec.render(symbols, qp=qp)
        offsets = choose_offsets(samples, INTRA_ROUNDING)
        coded_offsets = group_offsets(offsets[coded], codec.model.tables, INTRA_ROUNDING)
        payload = push_symbols(symbols, codec.model.tables, qp=qp, last=[coded_offsets]).payload()
        return payload, round_samples(samples, offsets, INTRA_ROUNDING)

    def _encode_predicted(
        self,
        decision: FrameDecision,
        search: MotionSearch,
        predictor: FramePredictor,
        *,
        pts: int,
        qp: int,
    ) -> Frame:
        codec = self.codecs.predicting()
        tables, pixels = codec.model.tables, pad_to_patches(decision.pixels)
        motion = predictor.choose(search, qp=qp)
        scrolled = no_cells(*pixels.shape[:2])
        if decision.scroll is not None:
            scrolled = choose_scrolled(
                pixels, predictor.compensate(self.last, motion), self.last, decision.scroll
            )
        if scrolled.scrolled is not None:
            motion = without_motion(motion, scrolled.scrolled)
        grouping = self._worker.submit(group_motion, motion, tables, before=predictor.vectors)
        predicted = scrolled.predict(
            predictor.compensate(self.last, scrolled.moved(motion)), self.last
        )
        cells, symbols, samples = self._coded(decision.pixels, predicted, qp=qp)
        cells = replace(cells, scroll=scrolled.scroll, scrolled=scrolled.scrolled)
        skip = choose_skipped(
            pixels, predicted, samples, skippable_cells(symbols.residual, motion, cells.known)
        )
        apply_skip(samples, skip)
        offsets = choose_offsets(samples, PREDICTED_ROUNDING, predicted=predicted)
        before = self._state
        last = [
            *group_skipped(skip, before=before.skip),
            group_offsets(offsets[~(skip.chosen | cells.known)], tables, PREDICTED_ROUNDING),
        ]
        pushing = self._worker.submit(
            push_symbols, symbols, tables, qp=qp, before=before.context, last=last
        )
        self._last = round_samples(samples, offsets, PREDICTED_ROUNDING, predicted=predicted)
        cells.paint(self._last, predicted=predicted)
        moved = grouping.result()
        known, golden = replace(motion, vectors=moved.vectors), predictor.golden
        groups = [
            *moved.groups,
            *group_golden(predictor.follow(known), tables, motion=known, before=golden),
        ]
        self._state = ReferenceState(
            next_context(symbols, tables, qp=qp, before=before.context), skip
        )
        packer = pushing.result()
        packer.push(groups)
        return Frame(Tag.PREDICTED, pts, qp, packer.payload(), exact=pack_cells(cells, intra=False))

    def _coded(
        self, frame: Pixels, predicted: Pixels, *, qp: int
    ) -> tuple[FrameCells, Symbols, Samples]:
        """Cells of a frame without a network, symbols of the others, and their samples."""
        codec = self.codecs.predicting()
        tables = codec.model.tables
        height, width, _ = frame.shape
        pixels = pad_to_patches(frame)

        def code(exact: Mask | None) -> tuple[Symbols, Samples]:
            if exact is not None and exact.all():
                return codec.nothing(predicted, exact=exact)
            symbols, samples = codec.code(pixels, qp=qp, predicted=predicted, exact=exact)
            if zero_certain(symbols, tables, qp=qp):
                samples = codec.render(symbols, qp=qp, predicted=predicted)
            return symbols, samples

        goal = self.codecs.pictures.price(min(qp + LASTING_STEPS, QP_COUNT - 1))
        if not is_drawn(frame):
            return no_cells(*pixels.shape[:2]), *code(None)
        # Nobody sees what is beyond the frame: there it is as predicted.
        target = predicted.copy()
        target[:height, :width] = frame
        chooser = FrameChooser(target, predicted, goal)
        known = chooser.sure()
        symbols, samples = code(known if known.any() else None)
        if (chooser.drawings & ~known).any():
            errors, blots = errors_of(frame, to_pixels(samples + predicted)[:height, :width])
            better = (
                chooser.better(Outcome(errors, bits_by_cell(symbols, tables, qp=qp), blots))
                & ~known
            )
            if better.any():
                known = known | better
                symbols, samples = code(known)
        return chooser.coded(known), symbols, samples
