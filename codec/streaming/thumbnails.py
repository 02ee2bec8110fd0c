"""Thumbnails at even distances: sheets of them, and which frame makes a poster."""

import io
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import av
import numpy as np
from PIL import Image

from ncodec.arrays import Pixels
from ncodec.container.records import Colour
from ncodec.media.colour import is_hdr, to_rgb
from ncodec.media.display_matrix import Matrix, upright
from ncodec.media.scaling import FrameScaler, FrameSize, Shown
from ncodec.streaming.contents import Sheets
from ncodec.streaming.work import write_file

_SIDE = 192
"""longer side of a thumbnail, in pixels"""
_MOST = 200
"""thumbnails of a clip"""
_COLUMNS = 10
_QUALITY = 72
_EDGE = 0.05
"""part of a clip at its start and end that makes no poster"""


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of a frame, as it is stored."""

    frame: int
    """the frame's number"""
    pixels: Pixels
    """(H, W, 3) uint8 RGB"""


class ThumbnailCollector:
    """Keeps a small picture of a frame every second, or at twice the distance whenever there are
    200, so that clips of any length take bounded memory."""

    def __init__(self, colour: Colour) -> None:
        self._small = _SmallPictures(colour)
        self.interval = Fraction(1)
        """seconds from one thumbnail to the next"""
        self.thumbnails: list[Thumbnail] = []
        self._frames = 0
        self._before: av.VideoFrame | None = None

    def add(self, frame: av.VideoFrame, seconds: Fraction) -> None:
        """Take the next frame of the clip, which is shown at `seconds`."""
        number, before = self._frames, self._before
        self._frames, self._before = number + 1, frame
        while seconds >= len(self.thumbnails) * self.interval:
            if before is None or seconds == len(self.thumbnails) * self.interval:
                self.thumbnails.append(Thumbnail(number, self._small.of(frame)))
            else:  # the frame before is still shown then
                self.thumbnails.append(Thumbnail(number - 1, self._small.of(before)))
            if len(self.thumbnails) > _MOST:
                self.thumbnails = self.thumbnails[::2]
                self.interval *= 2

    def poster(self) -> int:
        """Number of the frame with the most contrast and colour, not near an end of the clip."""
        count = len(self.thumbnails)
        edge = ceil(count * _EDGE) if count > 2 else 0
        return max(self.thumbnails[edge : count - edge], key=_interest).frame


def write_sheets(
    collector: ThumbnailCollector, folder: Path, *, matrix: Matrix, size: FrameSize
) -> Sheets:
    """Write sheets of thumbnails, upright and of the shape of `size`, as JPEG into the folder
    thumbnails, and thumbnails.vtt, which says where each one is."""
    scale = min(1.0, _SIDE / max(size.width, size.height))
    wide, high = (max(2, round(side * scale)) for side in (size.width, size.height))
    upright_ones = (_turned(small.pixels, matrix) for small in collector.thumbnails)
    pictures = [
        Image.fromarray(pixels).resize((wide, high), Image.Resampling.LANCZOS)
        for pixels in upright_ones
    ]
    columns = min(_COLUMNS, len(pictures))
    rows = min(_COLUMNS, -(-len(pictures) // columns))
    names, largest = [], 0
    for number, first in enumerate(range(0, len(pictures), columns * rows), 1):
        sheet = Image.new("RGB", (wide * columns, high * rows))
        for place, picture in enumerate(pictures[first : first + columns * rows]):
            sheet.paste(picture, (place % columns * wide, place // columns * high))
        data = io.BytesIO()
        sheet.save(data, "JPEG", quality=_QUALITY)
        names.append(f"thumbnails/{number}.jpg")
        largest = max(largest, len(data.getvalue()))
        write_file(folder / names[-1], data.getvalue())
    sheets = Sheets(
        tuple(names), columns, rows, wide, high, collector.interval, len(pictures), largest
    )
    write_file(folder / "thumbnails.vtt", thumbnail_text(sheets).encode())
    return sheets


def thumbnail_text(sheets: Sheets) -> str:
    """WebVTT whose cues name the part of a sheet that is shown while they last."""
    cues = ["WEBVTT", ""]
    for number in range(sheets.count):
        sheet, place = divmod(number, sheets.columns * sheets.rows)
        x, y = place % sheets.columns * sheets.width, place // sheets.columns * sheets.height
        start, end = (_clock(sheets.interval * n) for n in (number, number + 1))
        cues += [
            f"{start} --> {end}",
            f"{sheets.names[sheet]}#xywh={x},{y},{sheets.width},{sheets.height}",
            "",
        ]
    return "\n".join(cues)


def _clock(seconds: Fraction) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"


class _SmallPictures:
    """Maker of small pictures of frames, in the colours of SDR."""

    def __init__(self, colour: Colour) -> None:
        self._shown = Shown(colour=colour, tone_map=True) if is_hdr(colour) else None
        self._scaler: FrameScaler | None = None

    def of(self, frame: av.VideoFrame) -> Pixels:
        """RGB picture, (H, W, 3) uint8, of a frame, at most 384 pixels wide and high, neither
        turned nor enlarged; raises InputError for a frame that cannot be scaled."""
        scale = min(1.0, 2 * _SIDE / max(frame.width, frame.height))
        wide, high = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        if self._shown is None:
            return to_rgb(frame, size=(wide, high))
        # One for all frames: the table of a tone map takes seconds to make.
        self._scaler = self._scaler or FrameScaler(self._shown, [FrameSize(wide, high)])
        ((mapped,),) = self._scaler.push(frame)
        return to_rgb(mapped)


def _turned(pixels: Pixels, matrix: Matrix) -> Pixels:
    turned = upright(pixels, matrix)
    return np.ascontiguousarray(pixels if turned is None else turned)


def _interest(thumbnail: Thumbnail) -> float:
    pixels = thumbnail.pixels.astype(np.float32)
    spread = float((pixels.max(2) - pixels.min(2)).mean())
    return float(pixels.mean(2).std()) * (32 + spread)
