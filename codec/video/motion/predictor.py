"""Prediction of frames by an encoder: from the last frame and the golden frame."""

from dataclasses import replace

import numpy as np

from ncodec.arrays import Pixels, Vectors
from ncodec.video.motion.compensate import compensate
from ncodec.video.motion.field import Golden, Motion
from ncodec.video.motion.golden_coding import project
from ncodec.video.motion.golden_search import GoldenSearch
from ncodec.video.motion.search import MotionSearch


class FramePredictor:
    """Chooses the motion of the frames after an intra frame, (H, W, 3) uint8 as decoded, and
    predicts them."""

    def __init__(self, intra: Pixels) -> None:
        self._intra = intra
        self._golden_search: GoldenSearch | None = None
        self.vectors: Vectors | None = None
        """vectors of the last predicted frame, as of `follow`"""
        self.golden: Golden | None = None
        """blocks of that frame"""

    def choose(self, search: MotionSearch, *, qp: int) -> Motion:
        """The motion of the next frame that is worth its bits at a qp, golden blocks included."""
        motion = search.motion(qp=qp, before=self.vectors)
        if self.golden is None:
            return motion
        # Looked into once a predicted frame follows another.
        self._golden_search = self._golden_search or GoldenSearch(self._intra)
        return self._golden_search.motion(search, motion, qp=qp, before=self.golden)

    def compensate(self, last: Pixels, motion: Motion) -> Pixels:
        """The prediction of the next frame, given the last one as decoded."""
        return compensate(
            last, motion, intra=self._golden_search.planes if self._golden_search else None
        )

    def follow(self, motion: Motion) -> Golden:
        """Note the motion of the frame just coded for the next frame; returns its golden blocks as
        a decoder knows them.

        `motion` must have the vectors that a decoder knows. Blocks that are not golden get the
        projected MVs of these.
        """
        golden = project(motion, self.golden)
        if motion.golden is not None:
            chosen = motion.golden.chosen
            golden = replace(
                motion.golden, vectors=np.where(chosen, motion.golden.vectors, golden.vectors)
            )
        self.vectors, self.golden = motion.vectors, golden
        return golden
