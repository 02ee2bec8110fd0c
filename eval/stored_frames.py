"""Clips as their frames were stored, in 4:2:0, and as RGB."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ncodec.arrays import Pixels
from ncodec.errors import InputError, sentence_of
from ncodec.media.colour import HD_HEIGHT, SCALING
from ncodec.picture import TimedFrame

Plane = npt.NDArray[np.uint8]
FORMAT = "yuv420p"


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames as they were stored, in 4:2:0."""

    name: str
    rate: Fraction
    frames: list[av.VideoFrame]

    @property
    def key(self) -> str:
        """A hash of the sides and samples."""
        digest = hashlib.sha256(
            repr((self.frames[0].width, self.frames[0].height, self.rate)).encode()
        )
        for frame in self.frames:
            for plane in planes_of(frame):
                digest.update(plane.tobytes())
        return digest.hexdigest()[:24]

    @property
    def gop(self) -> int:
        """Frames of two seconds, rounded, at least 1: the length of a GOP."""
        return max(1, round(2 * self.rate))


def read_clip(path: Path, *, most: int) -> Clip:
    """Decode the first `most` frames of a clip, their sides cut to even numbers.

    The clip takes its file's name without suffix; an unknown frame rate counts as 25 frames a
    second. Raises InputError for a file without video that can be decoded, and for a first frame
    that is not 8-bit 4:2:0.
    """
    try:
        with av.open(path, "r", metadata_errors="replace") as container:
            stream = container.streams.video[0]
            frames = [
                frame for frame, _ in zip(container.decode(stream), range(most), strict=False)
            ]
            rate = stream.average_rate or Fraction(25)
    except (av.FFmpegError, OSError, IndexError) as error:
        msg = f"{path}: expected a clip, got something else: {sentence_of(error)}"
        raise InputError(msg) from error
    if not frames or frames[0].format.name not in (FORMAT, "yuvj420p"):
        msg = (
            f"{path}: expected frames of 8-bit 4:2:0, got "
            f"{frames[0].format.name if frames else 'none'}"
        )
        raise InputError(msg)
    return Clip(path.stem, rate, [_from_planes(planes_of(frame), frame) for frame in frames])


def read_rgb(path: Path, *, most: int) -> list[Pixels]:
    """First frames of a clip as applications see them, (H, W, 3) uint8; raises InputError."""
    return [_to_rgb(frame) for frame in read_clip(path, most=most).frames]


def planes_of(frame: av.VideoFrame) -> list[Plane]:
    """Y, Cb and Cr of a 4:2:0 frame, its sides cut to even numbers."""
    high, wide = frame.height // 2, frame.width // 2
    sizes = ((2 * high, 2 * wide), (high, wide), (high, wide))
    return [
        np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:h, :w]
        for plane, (h, w) in zip(frame.planes, sizes, strict=True)
    ]


def _from_planes(planes: list[Plane], like: av.VideoFrame) -> av.VideoFrame:
    luma, *chroma = planes
    stacked = np.concatenate([luma.reshape(-1), *(plane.reshape(-1) for plane in chroma)])
    frame = av.VideoFrame.from_ndarray(stacked.reshape(-1, luma.shape[1]), FORMAT)
    frame.colorspace, frame.color_range = like.colorspace, like.color_range
    return frame


def crop(frame: av.VideoFrame, *, height: int, width: int) -> av.VideoFrame:
    """Middle of a 4:2:0 frame, at most `height` × `width` pixels, which are even.

    A smaller frame keeps its sides, cut to even numbers; colour space and range stay.
    """
    top, left = (
        max(0, (side - most) // 4) for side, most in ((frame.height, height), (frame.width, width))
    )
    luma, *chroma = planes_of(frame)
    cut = [plane[top : top + height // 2, left : left + width // 2] for plane in chroma]
    return _from_planes(
        [luma[2 * top : 2 * top + height, 2 * left : 2 * left + width], *cut], frame
    )


def _matrix(height: int) -> int:
    """The matrix that players assume, by swscale's number."""
    return 1 if height >= HD_HEIGHT else 5


def to_rgb(clip: Clip) -> list[TimedFrame]:
    """Convert a clip's frames to (H, W, 3) uint8 RGB, with time stamps 0, 1, ….

    The matrix is BT.709 from 720 rows on, else BT.601, as players assume; the range is that of each
    frame.
    """
    return [TimedFrame(pts, _to_rgb(frame)) for pts, frame in enumerate(clip.frames)]


def from_rgb(frames: Sequence[Pixels], like: Clip) -> Clip:
    """Convert (H, W, 3) uint8 RGB frames to 4:2:0, as a clip with the name and rate of `like`.

    The matrix is that of `to_rgb`, the range that of the frames of `like`, limited where they name
    none. Raises ValueError where the numbers of frames differ.
    """
    return replace(
        like, frames=[_from_rgb(*pair) for pair in zip(frames, like.frames, strict=True)]
    )


def _to_rgb(frame: av.VideoFrame) -> Pixels:
    rgb = frame.reformat(
        format="rgb24", src_colorspace=_matrix(frame.height), interpolation=SCALING
    )
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def _from_rgb(pixels: Pixels, like: av.VideoFrame) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    return frame.reformat(
        format=FORMAT,
        dst_colorspace=_matrix(frame.height),
        dst_color_range=like.color_range or 1,
        interpolation=SCALING,
    )
