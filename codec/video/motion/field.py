"""The motion of a frame: a vector for each block of 16×16 pixels."""

from dataclasses import dataclass, replace

import numpy as np

from ncodec.arrays import Mask, Vectors

MAX_VECTOR = 140
"""largest component, in quarter pixels"""


@dataclass(frozen=True, eq=False)
class Motion:
    """Where each block of a frame comes from."""

    vectors: Vectors
    """(2, h, w) rows and columns in quarter pixels, from a block to its place in the last frame"""
    used: Mask
    """(h, w) whether the block is predicted at all"""
    golden: "Golden | None" = None


@dataclass(frozen=True, eq=False)
class Golden:
    """Blocks predicted from the long-term reference, the last intra frame: the golden frame of IETF
    RFC 6386."""

    chosen: Mask
    """(h, w)"""
    vectors: Vectors
    """(2, h, w) in quarter pixels, from each block to its place in the intra frame, as far as that
    is known"""


def without_motion(motion: Motion, blocks: Mask) -> Motion:
    """The motion with zero vectors from the last frame in some blocks, (h, w)."""
    golden = motion.golden
    if golden is not None:
        golden = replace(golden, chosen=golden.chosen & ~blocks)
    return Motion(
        np.where(blocks, 0, motion.vectors).astype(np.int16), motion.used | blocks, golden
    )
