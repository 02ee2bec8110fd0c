"""Intra frames of video codecs, through PyAV and FFmpeg."""

import io
import re
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

import av
import numpy as np

from ncodec.arrays import Pixels
from ncodec.eval.codecs.base import PictureCodec
from ncodec.media import ffmpeg_command as ffmpeg
from ncodec.media.colour import SCALING

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext


def missing_encoders(*names: str) -> str | None:
    """The encoders and decoders that PyAV's FFmpeg lacks."""
    lacking = [name for name in names if name not in av.codecs_available]
    return f"PyAV built with {' and '.join(lacking)}" if lacking else None


def without_messages(data: bytes, kind: int) -> bytes:
    """An H.264 stream (annex B) without the NAL units of type `kind`, 0 to 31.

    Type 6, supplemental information, is where x264 names itself. All start codes become three bytes
    long.
    """
    units = re.split(rb"\x00{2,3}\x01", data)[1:]  # ITU-T H.264, annex B
    return b"".join(b"\0\0\1" + unit for unit in units if unit[0] & 31 != kind)


def encoder_version(encoder: str) -> str:
    """Version of PyAV, whose wheels hold the encoders, and of FFmpeg's codecs."""
    library = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"av {version('av')} ({encoder}, libavcodec {library})"


@dataclass(frozen=True)
class IntraCodec(PictureCodec):
    """One intra frame of a video codec through PyAV, in full-range BT.709; its bits are those of
    the elementary stream.

    Messages in which an encoder names itself are left out. A picture with an odd side is padded by
    a line.
    """

    encoder: str = ""
    decoder: str = ""
    pixel_format: str = "yuv444p"
    options: dict[str, str] = field(default_factory=dict)
    message_unit: int | None = None
    """type of the NAL units in which the encoder names itself"""

    @property
    def missing(self) -> str | None:
        """The encoder or decoder that PyAV's FFmpeg lacks."""
        return missing_encoders(self.encoder, self.decoder)

    def version(self) -> str:
        """Version of PyAV, whose wheels hold the encoders, and of FFmpeg's codecs."""
        return encoder_version(self.encoder)

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """Encode (H, W, 3) uint8 RGB as one intra frame at a constant rate factor; returns its
        packets.

        The last column or row is repeated where a side is odd. `quality` is on the encoder's scale,
        larger for smaller files. Raises av.FFmpegError.
        """
        height, width = pixels.shape[:2]
        padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        context = cast("VideoCodecContext", av.CodecContext.create(self.encoder, "w"))
        context.width, context.height, context.pix_fmt = (
            padded.shape[1],
            padded.shape[0],
            self.pixel_format,
        )
        context.time_base, context.thread_count = Fraction(1), 1
        context.color_range, context.colorspace = 2, 1
        context.options = {**self.options, "crf": f"{quality:g}"}
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), "rgb24")
        frame = frame.reformat(
            format=self.pixel_format,
            dst_colorspace="ITU709",
            dst_color_range="JPEG",
            interpolation=SCALING,
            threads=1,
        )
        data = b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
        return data if self.message_unit is None else without_messages(data, self.message_unit)

    def decode(self, data: bytes) -> Pixels:
        """Packets → (H, W, 3) uint8 RGB."""
        context = cast("VideoCodecContext", av.CodecContext.create(self.decoder, "r"))
        context.thread_count = 1
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
        rgb = frames[0].reformat(
            format="rgb24",
            src_colorspace="ITU709",
            src_color_range="JPEG",
            interpolation=SCALING,
            threads=1,
        )
        return np.asarray(rgb.to_ndarray())


@dataclass(frozen=True)
class VvcCodec(PictureCodec):
    """One intra frame of VVC by vvenc, in full-range BT.709, 10 bits and 4:2:0; its bits are those
    of the stream.

    A picture is padded to sides that are multiples of 8.
    """

    preset: str = "fast"

    @property
    def in_process(self) -> bool:
        """False: another process, FFmpeg's command, encodes."""
        return False

    @property
    def missing(self) -> str | None:
        """The encoder's wheel, or the decoder that PyAV's FFmpeg lacks."""
        return missing_encoders("vvc") if ffmpeg.is_installed() else ffmpeg.DISTRIBUTION

    def version(self) -> str:
        """Versions of imageio-ffmpeg and of its FFmpeg, which encodes; raises InputError where
        FFmpeg fails."""
        return ffmpeg.ffmpeg_version()

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → the stream of one frame."""
        bottom, right = (-side % 8 for side in pixels.shape[:2])
        padded = np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), "rgb24")
        frame = frame.reformat(
            format="yuv420p10le",
            dst_colorspace="ITU709",
            dst_color_range="JPEG",
            interpolation=SCALING,
            threads=1,
        )
        size = f"{frame.width}x{frame.height}"
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", size, "-i", "-"]
        options = [
            "-c:v",
            "libvvenc",
            "-preset",
            self.preset,
            "-qp",
            f"{quality:g}",
            "-qpa",
            "0",
            "-threads",
            "1",
        ]
        return ffmpeg.run_ffmpeg([*raw, *options, "-f", "vvc", "-"], frame.to_ndarray().tobytes())

    def decode(self, data: bytes) -> Pixels:
        """The stream → (H, W, 3) uint8 RGB."""
        with av.open(io.BytesIO(data), "r", format="vvc") as container:
            frame = next(container.decode(video=0))
        rgb = frame.reformat(
            format="rgb24",
            src_colorspace="ITU709",
            src_color_range="JPEG",
            interpolation=SCALING,
            threads=1,
        )
        return np.asarray(rgb.to_ndarray())
