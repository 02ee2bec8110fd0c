"""Animated pictures that Pillow reads → clips."""

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from PIL import Image, ImageOps

from ncodec.arrays import Pixels
from ncodec.container.records import Companion, LastDuration
from ncodec.errors import InputError
from ncodec.media.arrays import ArrayReader
from ncodec.media.demux import ClipSize
from ncodec.media.file_parts import left_out_parts
from ncodec.media.leftovers import leftovers
from ncodec.media.numbered import frame_rate
from ncodec.media.pictures import MOTION_FORMATS, from_pil, to_pil
from ncodec.media.stated_colours import has_wide_tiles, head_of, stated_bits
from ncodec.media.streams import readable
from ncodec.picture import TimedFrame

SHORTEST_S = Fraction(1, 100)
"""a shorter frame is shown for `_REPLACED_S`, as browsers do"""
_REPLACED_S = Fraction(1, 10)
_BACKGROUND = (255, 255, 255)
"""colour behind transparent pixels, as of a page"""
_FORMATS = tuple(sorted(MOTION_FORMATS | {"TIFF"}))


class AnimationReader(ArrayReader):
    """Clip from an animated GIF, PNG, WebP or AVIF, or the pages of a TIFF; a context manager.

    A frame lasts as long as the file says, 1/10 s if that is less than 1/100 s; pages last as long
    as frames at `rate`, 25 a second if None. Transparent pixels are put on white. Raises InputError
    where the file cannot be decoded, and for a `rate` of an animation.
    """

    def __init__(
        self, image: Image.Image, *, name: str, rate: float | Fraction | None = None
    ) -> None:
        """`image` is opened, and has several frames."""
        self._image = image
        self._lengths: list[Fraction] = []
        self._path = name
        timed = image.format in MOTION_FORMATS
        if timed and rate is not None:
            msg = f"{name}: expected no rate for an animation, which has its own times, got {rate}"
            raise InputError(msg)
        parts = left_out_parts(image)
        is_deep = stated_bits(image, head_of(image)) > 8 or has_wide_tiles(image)
        with readable(name):
            super().__init__(self._timed_frames() if timed else self._pages(), rate=rate)
        self.name = name
        self.frames = getattr(image, "n_frames", 1)
        if timed:
            self.rate = frame_rate(1 / self._lengths[0])
        if timed and image.info.get("loop") is not None:
            self._notice("that the animation is repeated was left out")
        if timed:
            self._notice_metadata(*(image.info.get(key) for key in ("icc_profile", "exif", "xmp")))
            for notice in (*leftovers(image), *parts):
                self._notice(notice)
        if timed and is_deep:
            self._notice("samples of more than 8 bits were reduced to 8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._image.close()

    def records(self) -> Iterator[TimedFrame | Companion]:
        """The frames, as they come, and how long the last one is shown."""
        with readable(self._path):
            yield from super().records()
        if self._lengths:
            yield LastDuration(max(1, round(self._lengths[-1] / self.time_base)))

    def measure(self) -> ClipSize:
        """Count frames and seconds; the reader is used up by it."""
        frames = sum(isinstance(record, TimedFrame) for record in self.records())
        seconds = sum(self._lengths) or frames / self.rate
        return ClipSize(frames, float(seconds), media_packets=0, media_size=0)

    def _timed_frames(self) -> Iterator[tuple[Fraction, Pixels]]:
        start = Fraction(0)
        for pixels in self._pages():
            length = Fraction(self._image.info.get("duration", 0)).limit_denominator(10**6) / 1000
            self._lengths.append(length if length >= SHORTEST_S else _REPLACED_S)
            yield start, pixels
            start += self._lengths[-1]

    def _pages(self) -> Iterator[Pixels]:
        for number in range(getattr(self._image, "n_frames", 1)):
            self._image.seek(number)
            yield self._flat(self._frame())

    def _frame(self) -> Image.Image:
        """The current frame, upright."""
        if self._image.format in MOTION_FORMATS:
            return ImageOps.exif_transpose(self._image)
        picture = from_pil(self._image, first_only=True)
        for notice in picture.notices:
            self._notice(notice)
        if picture.deep is not None:
            self._notice("samples of more than 8 bits were reduced to 8")
        self._notice_metadata(picture.icc, picture.exif, picture.xmp)
        return to_pil(picture)

    def _notice_metadata(self, icc: object, exif: object, xmp: object) -> None:
        """Say what clips do not hold."""
        if icc:
            self._notice("the ICC profile was left out, and colours were taken for sRGB")
        if exif:
            self._notice("EXIF was left out")
        if xmp:
            self._notice("XMP was left out")

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)

    def _flat(self, image: Image.Image) -> Pixels:
        """Pixels of a frame, on white where they are transparent."""
        if not image.has_transparency_data:
            return np.asarray(image.convert("RGB"))
        shown = image.convert("RGBA")
        if shown.getchannel("A").getextrema() != (255, 255):
            self._notice("transparent pixels were put on white")
        ground = Image.new("RGBA", shown.size, (*_BACKGROUND, 255))
        return np.asarray(Image.alpha_composite(ground, shown).convert("RGB"))


def open_animation(
    file: BinaryIO, *, name: str, rate: float | Fraction | None = None
) -> AnimationReader | None:
    """Reader of an animated picture in a file that can seek, or None for another file, which is
    left at its start.

    `name` is for messages. Raises InputError for an animation that cannot be decoded.
    """
    try:
        image = Image.open(file, formats=_FORMATS)
        several = getattr(image, "n_frames", 1) > 1
    except Exception:  # whatever a damaged or a huge file makes Pillow raise; FFmpeg may read it
        several = False
    if several:
        return AnimationReader(image, name=name, rate=rate)
    file.seek(0)
    return None
