"""Codecs at settings that their own people would choose, each a few lines over a real library: still pictures."""

import hashlib
import io
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fractions import Fraction
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import av
import numpy as np
from PIL import AvifImagePlugin, Image, features

import ncodec
from ncodec.api.pictures import TUNES
from ncodec.arrays import Pixels
from ncodec.errors import InputError
from ncodec.eval import ffmpeg
from ncodec.inference.zoo import load_model
from ncodec.media.demux import SCALING

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext


Content = TypeVar("Content")
"""what is coded: (H, W, 3) uint8 pixels, or a clip"""


@dataclass(frozen=True, eq=False)
class Coded(Generic[Content]):
    """What a codec made of something."""

    size: int
    """bytes"""
    decoded: Content
    encode_s: float
    """of a picture, or on average of a frame"""
    decode_s: float


@dataclass(frozen=True)
class Codec(ABC, Generic[Content]):
    """A codec at fixed settings; quality is its one knob."""

    name: str
    """what tables and curves call it"""
    qualities: tuple[float, ...]
    """from small files to large ones"""
    settings: str
    """everything else that was chosen, as the report prints it"""

    @property
    def in_process(self) -> bool:
        """Whether it runs in this process, whose memory can be measured."""
        return True

    @property
    def missing(self) -> str | None:
        """What would have to be installed, or None."""
        return None

    @property
    def fingerprint(self) -> str:
        """Everything that decides the bytes of a file but the quality."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "qualities"}
        return repr([self.version(), {name: value for name, value in chosen.items() if not callable(value)}])

    @abstractmethod
    def version(self) -> str:
        """Library and version; a result is measured again when it changes."""

    @abstractmethod
    def run(self, content: Content, quality: float) -> Coded[Content]:
        """Encode and decode."""


@dataclass(frozen=True)
class PictureCodec(Codec[Pixels]):
    """A codec of still pictures."""

    @abstractmethod
    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → file bytes."""

    @abstractmethod
    def decode(self, data: bytes) -> Pixels:
        """File bytes → (H, W, 3) uint8 RGB; some codecs leave a line of padding at the right and the bottom."""

    def run(self, content: Pixels, quality: float) -> Coded[Pixels]:
        """Encode, decode and crop; raises InputError where something of another size comes back."""
        start = time.perf_counter()
        data = self.encode(content, quality)
        middle = time.perf_counter()
        decoded = self.decode(data)[: content.shape[0], : content.shape[1]]
        end = time.perf_counter()
        if decoded.shape != content.shape:
            msg = f"expected {content.shape[1]}×{content.shape[0]} pixels back, got {decoded.shape}"
            raise InputError(msg)
        return Coded(len(data), decoded, middle - start, end - middle)


@dataclass(frozen=True)
class PillowCodec(PictureCodec):
    """A format that Pillow, or a plugin of it, writes and reads."""

    format: str = ""
    options: dict[str, object] = field(default_factory=dict)
    knob: Callable[[float], dict[str, object]] = lambda quality: {"quality": round(quality)}
    feature: str = ""
    """name of the library among Pillow's features; empty for a plugin"""
    plugin: str = ""
    """module that registers the format; empty for Pillow itself"""
    distribution: str = "pillow"

    @property
    def missing(self) -> str | None:
        """The plugin, or Pillow's own feature, that is not there."""
        if self.plugin:
            return None if find_spec(self.plugin) else self.distribution
        return None if features.check(self.feature) else f"Pillow built with {self.feature}"

    def version(self) -> str:
        """Version of the plugin, or of Pillow and the library inside it."""
        own = f" ({self.feature} {features.version(self.feature)})" if self.feature else ""
        return f"{self.distribution} {version(self.distribution)}{own}"

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → file bytes."""
        self._register()
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, self.format, **self.options, **self.knob(quality))
        return stream.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """File bytes → (H, W, 3) uint8 RGB."""
        self._register()
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))

    def _register(self) -> None:
        """Load the plugin, and keep decoders to one thread."""
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        if self.plugin == "pillow_heif":
            import_module(self.plugin).register_heif_opener(decode_threads=1)
        elif self.plugin:
            vars(import_module(f"{self.plugin}.JpegXLImagePlugin"))["DECODE_THREADS"] = 0


def missing_encoders(*names: str) -> str | None:
    """The encoders and decoders that PyAV's FFmpeg lacks."""
    lacking = [name for name in names if name not in av.codecs_available]
    return f"PyAV built with {' and '.join(lacking)}" if lacking else None


def without_messages(data: bytes, kind: int) -> bytes:
    """An H.264 stream without the NAL units of a type, in which its encoder names itself."""
    units = re.split(rb"\x00{2,3}\x01", data)[1:]  # ITU-T H.264, annex B
    return b"".join(b"\0\0\1" + unit for unit in units if unit[0] & 31 != kind)


def encoder_version(encoder: str) -> str:
    """Version of PyAV, whose wheels hold the encoders, and of FFmpeg's codecs."""
    library = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"av {version('av')} ({encoder}, libavcodec {library})"


def ncodec_version(*models: str) -> str:
    """Version of the package, of what runs its networks, and a hash of the runtime's code and these models' files."""
    from ncodec.inference.zoo import list_models

    entries = {entry["name"]: entry for entry in list_models()}
    digest = hashlib.sha256("".join(value for name in models for value in entries[name]["sha256"].values()).encode())
    for path in runtime_files():
        digest.update(path.read_bytes())
    return (
        f"ncodec {ncodec.__version__} (code and files {digest.hexdigest()[:8]}, onnxruntime {version('onnxruntime')})"
    )


def runtime_files(folder: Path = Path(ncodec.__file__).parent) -> list[Path]:
    """Python files of the runtime at any depth: an encoder searches, so its files are not decided by models alone."""
    beside = {"eval", "training", "weights"}
    return sorted(path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] not in beside)


@dataclass(frozen=True)
class IntraCodec(PictureCodec):
    """One intra frame of a video codec through PyAV, in full-range BT.709; its bits are those of the elementary stream.

    Messages in which an encoder names itself are left out. A picture with an odd side is padded by a line.
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
        """(H, W, 3) uint8 RGB → the packets of one frame."""
        height, width = pixels.shape[:2]
        padded = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        context = cast("VideoCodecContext", av.CodecContext.create(self.encoder, "w"))
        context.width, context.height, context.pix_fmt = padded.shape[1], padded.shape[0], self.pixel_format
        context.time_base, context.thread_count = Fraction(1), 1
        context.color_range, context.colorspace = 2, 1
        context.options = {**self.options, "crf": f"{quality:g}"}
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), "rgb24")
        frame = frame.reformat(
            format=self.pixel_format, dst_colorspace="ITU709", dst_color_range="JPEG", interpolation=SCALING, threads=1
        )
        data = b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
        return data if self.message_unit is None else without_messages(data, self.message_unit)

    def decode(self, data: bytes) -> Pixels:
        """Packets → (H, W, 3) uint8 RGB."""
        context = cast("VideoCodecContext", av.CodecContext.create(self.decoder, "r"))
        context.thread_count = 1
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
        rgb = frames[0].reformat(
            format="rgb24", src_colorspace="ITU709", src_color_range="JPEG", interpolation=SCALING, threads=1
        )
        return np.asarray(rgb.to_ndarray())


@dataclass(frozen=True)
class VvcCodec(PictureCodec):
    """One intra frame of VVC by vvenc, in full-range BT.709, 10 bits and 4:2:0; its bits are those of the stream.

    A picture is padded to sides that are multiples of 8.
    """

    preset: str = "fast"

    @property
    def in_process(self) -> bool:
        """Not: FFmpeg's command encodes."""
        return False

    @property
    def missing(self) -> str | None:
        """The encoder's wheel, or the decoder that PyAV's FFmpeg lacks."""
        return missing_encoders("vvc") if ffmpeg.is_installed() else ffmpeg.DISTRIBUTION

    def version(self) -> str:
        """Of the FFmpeg that encodes."""
        return ffmpeg.ffmpeg_version()

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → the stream of one frame."""
        bottom, right = (-side % 8 for side in pixels.shape[:2])
        padded = np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), "rgb24")
        frame = frame.reformat(
            format="yuv420p10le", dst_colorspace="ITU709", dst_color_range="JPEG", interpolation=SCALING, threads=1
        )
        size = f"{frame.width}x{frame.height}"
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", size, "-i", "-"]
        options = ["-c:v", "libvvenc", "-preset", self.preset, "-qp", f"{quality:g}", "-qpa", "0", "-threads", "1"]
        return ffmpeg.run_ffmpeg([*raw, *options, "-f", "vvc", "-"], frame.to_ndarray().tobytes())

    def decode(self, data: bytes) -> Pixels:
        """The stream → (H, W, 3) uint8 RGB."""
        with av.open(io.BytesIO(data), "r", format="vvc") as container:
            frame = next(container.decode(video=0))
        rgb = frame.reformat(
            format="rgb24", src_colorspace="ITU709", src_color_range="JPEG", interpolation=SCALING, threads=1
        )
        return np.asarray(rgb.to_ndarray())


@dataclass(frozen=True)
class NcodecCodec(PictureCodec):
    """This project's codec, through its public API, on one thread."""

    tune: str = "psnr"
    effort: int | None = None

    def version(self) -> str:
        """Of the package, of what runs its networks, and of its code and the model's files."""
        return ncodec_version(load_model(TUNES[self.tune]).name)

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → file bytes."""
        return ncodec.encode(pixels, quality=quality, tune=self.tune, effort=self.effort, threads=1)

    def decode(self, data: bytes) -> Pixels:
        """File bytes → (H, W, 3) uint8 RGB."""
        return np.asarray(ncodec.decode(data, threads=1))


os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 else greets on standard error at every picture

NCODEC = NcodecCodec("ncodec", (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100), "defaults")
NCODEC_PLAIN = NcodecCodec("ncodec effort 0", NCODEC.qualities, "--effort 0", effort=0)
NCODEC_LONGER = NcodecCodec("ncodec effort 6", NCODEC.qualities, "--effort 6", effort=6)
NCODEC_SSIM = NcodecCodec("ncodec ssim", NCODEC.qualities, "--tune ssim", tune="ssim")

_JPEG_QUALITIES = (5, 10, 20, 40, 65, 85, 95)
JPEG_420 = PillowCodec(
    "JPEG 4:2:0", _JPEG_QUALITIES, "optimized, progressive, 4:2:0", format="JPEG", feature="jpg",
    options={"optimize": True, "progressive": True, "subsampling": "4:2:0"},
)  # fmt: skip
JPEG_444 = PillowCodec(
    "JPEG 4:4:4", _JPEG_QUALITIES, "optimized, progressive, 4:4:4", format="JPEG", feature="jpg",
    options={"optimize": True, "progressive": True, "subsampling": "4:4:4"},
)  # fmt: skip
WEBP = PillowCodec(
    "WebP", (1, 10, 30, 55, 75, 88, 95), "method 6 (tuned for the eye)", format="WEBP",
    feature="webp", options={"method": 6},
)  # fmt: skip
JPEG_2000 = PillowCodec(
    "JPEG 2000", (25, 29, 33, 37, 42), "irreversible 9/7 and colour transform, one layer at a target PSNR",
    format="JPEG2000", feature="jpg_2000", options={"irreversible": True, "mct": 1, "quality_mode": "dB"},
    knob=lambda decibels: {"quality_layers": [decibels]},
)  # fmt: skip
AVIF_444 = PillowCodec(
    "AVIF 4:4:4", (8, 32, 56, 80), "libaom, speed 5, tune=psnr, 4:4:4", format="AVIF", feature="avif",
    options={"speed": 5, "subsampling": "4:4:4", "advanced": {"tune": "psnr"}, "max_threads": 1, "autotiling": False},
)  # fmt: skip
AVIF_420 = PillowCodec(
    "AVIF 4:2:0", (8, 28, 48, 68), "libaom, speed 5, tune=psnr, 4:2:0", format="AVIF", feature="avif",
    options={"speed": 5, "subsampling": "4:2:0", "advanced": {"tune": "psnr"}, "max_threads": 1, "autotiling": False},
)  # fmt: skip
JPEG_XL = PillowCodec(
    "JPEG XL", (5, 27, 50, 72, 91), "effort 7", format="JXL", plugin="pillow_jxl",
    distribution="pillow-jxl-plugin", options={"effort": 7, "num_threads": 1},
)  # fmt: skip
HEIC = PillowCodec(
    "HEIC 4:4:4", (6, 26, 46, 66), "x265, preset slow, tune=psnr, 4:4:4", format="HEIF",
    plugin="pillow_heif", distribution="pillow-heif",
    options={"chroma": 444, "enc_params": {"tune": "psnr", "preset": "slow"}},
)  # fmt: skip
_CRFS = (45, 36, 27, 18)
H264_MESSAGES = 6
"""type of NAL units of supplemental information"""
H264 = IntraCodec(
    "H.264 intra", _CRFS, "x264, preset veryslow, tune=psnr, 4:4:4; elementary stream", encoder="libx264",
    decoder="h264", options={"preset": "veryslow", "tune": "psnr"}, message_unit=H264_MESSAGES,
)  # fmt: skip
H265 = IntraCodec(
    "H.265 intra", _CRFS, "x265, preset slow, tune=psnr, 4:4:4; elementary stream", encoder="libx265", decoder="hevc",
    options={"preset": "slow", "tune": "psnr", "x265-params": "log-level=none:range=full:info=0:pools=none"},
)  # fmt: skip
AV1 = IntraCodec(
    "AV1 intra", (61, 45, 29, 13), "SVT-AV1, preset 4, tune=psnr, 4:2:0; elementary stream",
    encoder="libsvtav1", decoder="libdav1d", pixel_format="yuv420p",
    options={"preset": "4", "svtav1-params": "tune=1:lp=1"},
)  # fmt: skip
VP9 = IntraCodec(
    "VP9 intra", (62, 48, 34, 20), "libvpx, good, cpu-used 1, 4:4:4; elementary stream",
    encoder="libvpx-vp9", decoder="vp9", options={"deadline": "good", "cpu-used": "1", "b": "0"},
)  # fmt: skip

VVC = VvcCodec(
    "VVC intra", (37, 32, 27, 22), "vvenc, preset fast, no adaptive quantization, 4:2:0 at 10 bits",
)  # fmt: skip

CODECS: dict[str, PictureCodec] = {
    codec.name: codec
    for codec in (
        NCODEC, NCODEC_PLAIN, NCODEC_LONGER, NCODEC_SSIM, JPEG_420, JPEG_444, WEBP, JPEG_2000, AVIF_444, AVIF_420,
        JPEG_XL, HEIC, H264, H265, VVC, AV1, VP9,
    )
}  # fmt: skip
"""every codec of pictures, by name"""
