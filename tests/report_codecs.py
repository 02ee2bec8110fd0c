"""Codecs that are slow or cost processes their lives, for tests of reports; workers of a cluster
call `register`."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from ncodec.arrays import Pixels
from ncodec.eval.codecs.pillow import PillowCodec
from ncodec.eval.codecs.registry import CODECS, JPEG_420

MARKS = "NCODEC_TEST_MARKS"
"""variable of the environment with a folder that remembers which codecs have run"""


@dataclass(frozen=True)
class KillerCodec(PillowCodec):
    """JPEG that kills the process that encodes, always or the first time."""

    once: bool = False

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        mark = Path(os.environ[MARKS]) / self.name
        is_first = not mark.exists()
        mark.touch()
        if is_first or not self.once:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(pixels, quality)


@dataclass(frozen=True)
class SlowCodec(PillowCodec):
    """JPEG that takes half a second and more to encode."""

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        time.sleep(0.5)
        return super().encode(pixels, quality)


KILLER = KillerCodec(**{**vars(JPEG_420), "name": "killer", "qualities": (10, 90)})
KILLER_ONCE = KillerCodec(
    **{**vars(JPEG_420), "name": "killer once", "qualities": (10, 90)}, once=True
)
SLOW = SlowCodec(**{**vars(JPEG_420), "name": "slow", "qualities": (10, 50, 90)})


def register() -> None:
    CODECS.update({codec.name: codec for codec in (KILLER, KILLER_ONCE, SLOW)})
