"""Codecs and metrics of clips, by the bits of elementary streams and the stored frames."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import av
import numpy as np

from ncodec.api.codecs import open_frame_codecs
from ncodec.api.streaming import Packet, StreamDecoder, StreamEncoder
from ncodec.arrays import Pixels
from ncodec.errors import InputError
from ncodec.eval.codecs.base import Codec, Coded
from ncodec.eval.codecs.ffmpeg import encoder_version, missing_encoders, without_messages
from ncodec.eval.codecs.ncodec import ncodec_version
from ncodec.eval.codecs.registry import H264_MESSAGES
from ncodec.eval.metrics import LARGEST_DB, Metric
from ncodec.eval.stored_frames import FORMAT, Clip, from_rgb, planes_of, to_rgb
from ncodec.media.ffmpeg_command import DISTRIBUTION
from ncodec.media.vmaf import vmaf_report
from ncodec.picture import TimedFrame

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

PLANE_WEIGHTS = (6, 1, 1)
"""weights of Y, Cb and Cr in the mean PSNR, as in the common test conditions of JVET"""


def mean_psnr_611(original: Clip, decoded: Clip) -> float:
    """Mean of PSNR 6:1:1 over the frames of two clips, in dB, at most 100.

    Raises ValueError where the clips differ in size or number of frames.
    """
    return fmean(psnr_611(*pair) for pair in zip(original.frames, decoded.frames, strict=True))


def _vmaf(original: Clip, decoded: Clip) -> float:
    """Netflix's default model; raises InputError where the numbers of frames differ."""
    first = original.frames[0]
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{first.width}x{first.height}"]
    with TemporaryDirectory() as folder:
        inputs: list[list[str | Path]] = []
        for name, clip in (("decoded", decoded), ("original", original)):
            path = Path(folder) / name
            path.write_bytes(b"".join(p.tobytes() for f in clip.frames for p in planes_of(f)))
            inputs.append([*raw, "-r", str(original.rate), "-i", path])
        report = vmaf_report(*inputs)
    if not report.frames == len(original.frames) == len(decoded.frames):
        msg = (
            f"expected VMAF of {len(original.frames)} frames, got {report.frames} of "
            f"{len(decoded.frames)}"
        )
        raise InputError(msg)
    return report.means["vmaf"]


def psnr_611(original: av.VideoFrame, decoded: av.VideoFrame) -> float:
    """PSNR 6:1:1 of a frame, in dB: the mean of the PSNRs of Y, Cb and Cr, weighted 6, 1 and 1.

    Both frames are 8-bit 4:2:0 of one size; an odd last row or column is left out. Each plane
    counts at most 100 dB, so that identical frames have 100.
    """
    total = 0.0
    for weight, first, second in zip(
        PLANE_WEIGHTS, planes_of(original), planes_of(decoded), strict=True
    ):
        error = float(np.square(first.astype(np.int32) - second).mean())
        total += weight * (
            LARGEST_DB if error == 0 else min(LARGEST_DB, 10 * math.log10(255**2 / error))
        )
    return total / sum(PLANE_WEIGHTS)


@dataclass(frozen=True)
class Packets:
    """A clip as this project's streams hold it."""

    header: bytes
    packets: list[Packet]


@dataclass(frozen=True)
class NcodecClips(Codec[Clip]):
    """ncodec as a codec of clips, on one thread; `intra_only` codes every frame as an intra frame.

    `Coded.size` counts the packets without the stream's header, and without the time stamps and
    checksums that other codecs' packets do not hold. Quality is 0 to 100.
    """

    intra_only: bool = False

    def version(self) -> str:
        """Versions of the package and of ONNX Runtime, and a hash of the code and the models."""
        codecs = open_frame_codecs(threads=1)
        return ncodec_version(codecs.pictures.model.name, codecs.predicting().model.name)

    def run(self, content: Clip, quality: float) -> Coded[Clip]:
        """Code a clip's frames as RGB at a quality of 0 to 100, decode them, and convert them back
        to 4:2:0.

        The GOP is two seconds, unless `intra_only`. Times are seconds a frame, without the
        conversions. Raises InputError for another quality, ModelError or BackendError.
        """
        frames, count = to_rgb(content), len(content.frames)
        start = time.perf_counter()
        coded = self.encode(frames, quality, gop=content.gop)
        middle = time.perf_counter()
        decoded = self.decode(coded)
        end = time.perf_counter()
        size = sum(packet.coded_size for packet in coded.packets)
        return Coded(
            size, from_rgb(decoded, content), (middle - start) / count, (end - middle) / count
        )

    def encode(self, frames: Sequence[TimedFrame], quality: float, *, gop: int) -> Packets:
        """Code RGB frames, (H, W, 3) uint8, at a quality of 0 to 100, to the packets of one stream.

        `gop` is the largest distance of intra frames, in frames; with `intra_only` it counts as 1.
        Raises InputError for another quality, frames of several sizes or time stamps that do not
        ascend, ModelError or BackendError.
        """
        height, width, _ = frames[0].pixels.shape
        gop = 1 if self.intra_only else gop
        encoder = StreamEncoder(width, height, quality=quality, gop=gop, threads=1)
        return Packets(
            encoder.header, [encoder.encode(frame.pixels, frame.pts) for frame in frames]
        )

    def decode(self, coded: Packets) -> list[Pixels]:
        """Packets → RGB."""
        decoder = StreamDecoder(coded.header, threads=1)
        return [decoder.decode(packet.data).pixels for packet in coded.packets]


@dataclass(frozen=True)
class EncoderClips(Codec[Clip]):
    """A video encoder through PyAV, at constant rate factors, a GOP of two seconds."""

    encoder: str = ""
    decoder: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> str | None:
        """The encoder or decoder that PyAV's FFmpeg lacks."""
        return missing_encoders(self.encoder, self.decoder)

    def version(self) -> str:
        """Versions of PyAV and FFmpeg's codecs."""
        return encoder_version(self.encoder)

    def run(self, content: Clip, quality: float) -> Coded[Clip]:
        """Encode a clip at a constant rate factor and decode it; times are seconds a frame.

        `Coded.size` is that of all packets, for libx264 without the messages in which it names
        itself. Raises InputError where another number of frames comes back, av.FFmpegError where
        the encoder or decoder fails.
        """
        start = time.perf_counter()
        packets = self._encode(content, quality)
        middle = time.perf_counter()
        context = cast("VideoCodecContext", av.CodecContext.create(self.decoder, "r"))
        context.thread_count = 1
        decoded = [frame for packet in (*packets, None) for frame in context.decode(packet)]
        end = time.perf_counter()
        if len(decoded) != len(content.frames):
            msg = f"expected {len(content.frames)} frames back, got {len(decoded)}"
            raise InputError(msg)
        count = len(decoded)
        whole = self.encoder != "libx264"
        size = sum(
            p.size if whole else len(without_messages(bytes(p), H264_MESSAGES)) for p in packets
        )
        return Coded(
            size, replace(content, frames=decoded), (middle - start) / count, (end - middle) / count
        )

    def _encode(self, clip: Clip, quality: float) -> "list[av.Packet[VideoStream]]":
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
        return [*packets, *context.encode(None)]


_CRFS = (42, 38, 34, 30, 26, 22, 18)
_QUIET_X265 = "log-level=none:info=0:pools=none:frame-threads=1"
_LOW_DELAY_X265 = f"bframes=0:rc-lookahead=0:scenecut=0:{_QUIET_X265}"
NCODEC_CLIPS = NcodecClips(
    "ncodec", (0, 8, 20, 32, 44, 56, 68, 80), "low delay, an intra frame every two seconds"
)
INTRA_CLIPS = NcodecClips(
    "ncodec intra", NCODEC_CLIPS.qualities, "intra frames alone", intra_only=True
)
X264_FAST = EncoderClips(
    "x264 veryfast, low delay",
    _CRFS,
    "preset veryfast, tune zerolatency",
    encoder="libx264",
    decoder="h264",
    options={"preset": "veryfast", "tune": "zerolatency"},
)
X264_LOW_DELAY = EncoderClips(
    "x264 medium, low delay",
    _CRFS,
    "preset medium, tune zerolatency",
    encoder="libx264",
    decoder="h264",
    options={"preset": "medium", "tune": "zerolatency"},
)
X265_LOW_DELAY = EncoderClips(
    "x265 medium, low delay",
    _CRFS,
    "preset medium; no B frames, no look-ahead",
    encoder="libx265",
    decoder="hevc",
    options={"preset": "medium", "x265-params": _LOW_DELAY_X265},
)
X264 = EncoderClips(
    "x264 medium", _CRFS, "preset medium: B frames, look-ahead", encoder="libx264", decoder="h264",
    options={"preset": "medium"},
)  # fmt: skip
X265 = EncoderClips(
    "x265 medium", _CRFS, "preset medium: B frames, look-ahead", encoder="libx265", decoder="hevc",
    options={"preset": "medium", "x265-params": _QUIET_X265},
)  # fmt: skip
AV1_CLIPS = EncoderClips(
    "SVT-AV1",
    (58, 52, 46, 40, 34, 28, 22),
    "preset 8: B frames, look-ahead",
    encoder="libsvtav1",
    decoder="libdav1d",
    options={"preset": "8", "svtav1-params": "lp=1"},
)
CLIP_CODECS: dict[str, Codec[Clip]] = {
    codec.name: codec
    for codec in (
        NCODEC_CLIPS,
        INTRA_CLIPS,
        X264_FAST,
        X264_LOW_DELAY,
        X265_LOW_DELAY,
        X264,
        X265,
        AV1_CLIPS,
    )
}
"""every codec of clips, by name"""

CLIP_METRICS: dict[str, Metric[Clip]] = {
    metric.key: metric
    for metric in (
        Metric("psnr_611", "PSNR 6:1:1, dB", mean_psnr_611, "av", "av"),
        Metric("vmaf", "VMAF", _vmaf, "imageio_ffmpeg", DISTRIBUTION),
    )
}
"""by key"""
