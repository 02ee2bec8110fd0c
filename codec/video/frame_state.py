"""What coder and decoder of frames share: their codecs and the reference state."""

from dataclasses import dataclass

from ncodec.arrays import Vectors
from ncodec.entropy.latents import SymbolContext
from ncodec.errors import ModelError
from ncodec.image.codec import ImageCodec
from ncodec.video.motion.field import Golden
from ncodec.video.skip import SkipBlocks


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
class ReferenceState:
    """What a decoder has of a predicted frame, repeated ones aside, that the next one is coded given."""

    context: SymbolContext | None = None
    """its symbols"""
    skip: SkipBlocks | None = None
    vectors: Vectors | None = None
    """as a decoder knows them, those of blocks that are not predicted included"""
    golden: Golden | None = None


NO_REFERENCE = ReferenceState()
