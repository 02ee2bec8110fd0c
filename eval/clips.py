"""Rate–distortion of clips: ncodec beside video encoders, by bits of elementary streams and PSNR 6:1:1."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import numpy.typing as npt

from ncodec.clip_api import open_frame_codecs
from ncodec.clip_reader import HD_HEIGHT, SCALING
from ncodec.control import ConstantQuality
from ncodec.errors import InputError
from ncodec.eval.metrics import LARGEST_DB
from ncodec.image import quality_to_qp
from ncodec.picture import TimedFrame
from ncodec.records import pack_record
from ncodec.sequence import Grouping, VideoEncoder
from ncodec.video import FrameCodecs

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

Plane = npt.NDArray[np.uint8]
PLANE_WEIGHTS = (6, 1, 1)
"""of Y, Cb and Cr in the mean of their PSNRs, as in the common test conditions of JVET"""
FORMAT = "yuv420p"


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames as they were stored, in 4:2:0."""

    name: str
    rate: Fraction
    frames: list[av.VideoFrame]

    @property
    def pixels(self) -> int:
        """Of all frames."""
        return sum(frame.width * frame.height for frame in self.frames)

    @property
    def gop(self) -> int:
        """Frames of two seconds."""
        return max(1, round(2 * self.rate))


def read_clip(path: Path, *, most: int) -> Clip:
    """The first frames of a clip, sides cut to even numbers; raises InputError where it is not 8-bit 4:2:0."""
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            frames = [frame for frame, _ in zip(container.decode(stream), range(most), strict=False)]
            rate = stream.average_rate or Fraction(25)
    except (av.FFmpegError, OSError, IndexError) as error:
        msg = f"{path}: expected a clip, got something else: {error}"
        raise InputError(msg) from error
    if not frames or frames[0].format.name not in (FORMAT, "yuvj420p"):
        msg = f"{path}: expected frames of 8-bit 4:2:0, got {frames[0].format.name if frames else 'none'}"
        raise InputError(msg)
    return Clip(path.stem, rate, [_from_planes(_planes(frame), frame) for frame in frames])


def _planes(frame: av.VideoFrame) -> list[Plane]:
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


def psnr_611(original: av.VideoFrame, decoded: av.VideoFrame) -> float:
    """Mean of the PSNRs of Y, Cb and Cr with weights 6, 1 and 1, of 8-bit 4:2:0 frames."""
    total = 0.0
    for weight, first, second in zip(PLANE_WEIGHTS, _planes(original), _planes(decoded), strict=True):
        error = float(np.square(first.astype(np.int32) - second).mean())
        total += weight * (LARGEST_DB if error == 0 else min(LARGEST_DB, 10 * math.log10(255**2 / error)))
    return total / sum(PLANE_WEIGHTS)


@dataclass(frozen=True)
class ClipCodec(ABC):
    """Codes a clip at one quality."""

    name: str
    qualities: tuple[float, ...]
    settings: str

    @abstractmethod
    def code(self, clip: Clip, quality: float) -> tuple[int, Iterator[av.VideoFrame]]:
        """Bytes of the elementary stream, and the decoded frames in 4:2:0."""

    def curve(self, clip: Clip) -> list[tuple[float, float]]:
        """(bits per pixel, mean PSNR 6:1:1) at every quality."""
        points = []
        for quality in self.qualities:
            size, decoded = self.code(clip, quality)
            psnrs = [psnr_611(*pair) for pair in zip(clip.frames, decoded, strict=True)]
            points.append((8 * size / clip.pixels, sum(psnrs) / len(psnrs)))
        return points


@dataclass(frozen=True)
class NcodecClips(ClipCodec):
    """This project's codec; bits are those of the frames' records."""

    intra_only: bool = False

    def code(self, clip: Clip, quality: float) -> tuple[int, Iterator[av.VideoFrame]]:
        """As an application would: RGB in, RGB out."""
        codecs = open_frame_codecs(threads=1)
        if self.intra_only:
            codecs = FrameCodecs(codecs.pictures, None)
        encoder = VideoEncoder(
            codecs,
            control=ConstantQuality(quality_to_qp(quality)),
            grouping=Grouping(1 if self.intra_only else clip.gop, len(clip.frames)),
        )
        size, decoded = 0, []
        matrix = 1 if clip.frames[0].height >= HD_HEIGHT else 5
        for pts, frame in enumerate(clip.frames):
            rgb = frame.reformat(format="rgb24", src_colorspace=matrix, interpolation=SCALING).to_ndarray()
            record = encoder.encode_frame(TimedFrame(pts, np.asarray(rgb, dtype=np.uint8)))
            size += len(pack_record(record, last_pts=pts - 1))
            back = av.VideoFrame.from_ndarray(np.ascontiguousarray(encoder.shown), "rgb24")
            decoded.append(back.reformat(format=FORMAT, dst_colorspace=matrix, interpolation=SCALING))
        return size, iter(decoded)


@dataclass(frozen=True)
class EncoderClips(ClipCodec):
    """A video encoder through PyAV, at constant rate factors, with intra frames every two seconds."""

    encoder: str = ""
    decoder: str = ""
    options: dict[str, str] = field(default_factory=dict)

    def code(self, clip: Clip, quality: float) -> tuple[int, Iterator[av.VideoFrame]]:
        """Packets of the frames as they were stored."""
        context = cast("VideoCodecContext", av.CodecContext.create(self.encoder, "w"))
        first = clip.frames[0]
        context.width, context.height, context.pix_fmt = first.width, first.height, FORMAT
        context.time_base, context.framerate = 1 / clip.rate, clip.rate
        context.gop_size, context.thread_count = clip.gop, 1
        context.options = {**self.options, "crf": f"{quality:g}"}
        packets = []
        for pts, frame in enumerate(clip.frames):
            frame.pts, frame.time_base = pts, context.time_base
            packets += context.encode(frame)
        packets += context.encode(None)
        return sum(packet.size for packet in packets), self._decode(packets)

    def _decode(self, packets: "Sequence[av.Packet[VideoStream]]") -> Iterator[av.VideoFrame]:
        context = cast("VideoCodecContext", av.CodecContext.create(self.decoder, "r"))
        for packet in packets:
            yield from context.decode(packet)
        yield from context.decode(None)


_CRFS = (18, 22, 26, 30, 34, 38, 42)
_LOW_DELAY_X265 = "bframes=0:rc-lookahead=0:scenecut=0:log-level=none:info=0:pools=none:frame-threads=1"
NCODEC_CLIPS = NcodecClips("ncodec", (8, 20, 32, 44, 56, 68, 80), "intra frames every two seconds")
INTRA_CLIPS = NcodecClips("ncodec intra", NCODEC_CLIPS.qualities, "intra frames alone", intra_only=True)
CLIP_ANCHORS = (
    EncoderClips(
        "x264 veryfast", _CRFS, "zerolatency", encoder="libx264", decoder="h264",
        options={"preset": "veryfast", "tune": "zerolatency"},
    ),
    EncoderClips(
        "x264 medium", _CRFS, "zerolatency", encoder="libx264", decoder="h264",
        options={"preset": "medium", "tune": "zerolatency"},
    ),
    EncoderClips(
        "x265 medium", _CRFS, "low delay: no B frames, no look-ahead", encoder="libx265", decoder="hevc",
        options={"preset": "medium", "x265-params": _LOW_DELAY_X265},
    ),
)  # fmt: skip
"""low-delay settings, as ncodec's own"""
