"""Codecs and reference state of frame encoders and decoders."""

from dataclasses import dataclass

from ncodec.arrays import Vectors
from ncodec.entropy.latents import SymbolContext
from ncodec.errors import ModelError
from ncodec.image.codec import ImageCodec
from ncodec.video.motion.field import Golden
from ncodec.video.skip import SkipBlocks


@dataclass(frozen=True)
class FrameCodecs:
    """Codecs of intra and predicted frames of a stream."""

    pictures: ImageCodec
    """intra frames"""
    frames: ImageCodec | None
    """predicted frames; None where there are none"""

    def predicting(self) -> ImageCodec:
        """Codec of predicted frames; raises ModelError where there is no model of them."""
        if self.frames is None:
            msg = "expected a model of predicted frames, got a stream of intra frames alone"
            raise ModelError(msg)
        return self.frames


@dataclass(frozen=True, eq=False)
class ReferenceState:
    """Reference state, which the next predicted frame's entropy coding depends on."""

    context: SymbolContext | None = None
    """its symbols"""
    skip: SkipBlocks | None = None
    vectors: Vectors | None = None
    """vectors as a decoder has them, those of unpredicted blocks included"""
    golden: Golden | None = None


NO_REFERENCE = ReferenceState()
