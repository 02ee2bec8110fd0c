"""Codecs of the default models whose networks give grey, so that frames decode in no time."""

from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np

from ncodec.arrays import Pixels, Samples
from ncodec.container.records import StreamHeader
from ncodec.entropy.latents import Symbols
from ncodec.grid import PATCH
from ncodec.image.codec import ImageCodec
from ncodec.inference.model import FRAME, PICTURE
from ncodec.inference.zoo import load_model
from ncodec.video.frame_state import FrameCodecs

if TYPE_CHECKING:
    from ncodec.inference.protocol import Backend


class Blank:
    """Backend without networks."""

    def synthesize(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Samples:
        high, wide = (PATCH * side for side in symbols.residual.shape[1:])
        return np.full((high, wide, 3), qp, dtype=np.float32)


@cache
def blank_codec(model: int, kind: str = PICTURE) -> ImageCodec:
    """Codec of an installed model, by its id; raises ModelError."""
    return ImageCodec(load_model(model, kind=kind), cast("Backend", Blank()))


def blank_codecs(header: StreamHeader) -> FrameCodecs:
    """Codecs of a stream."""
    frames = blank_codec(header.frame_model, FRAME) if header.frame_model else None
    return FrameCodecs(blank_codec(header.picture_model), frames)
