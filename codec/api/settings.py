"""Settings of encoders and decoders, shared by Python, the command and the Pillow plug-in.

All are frozen dataclasses with keyword arguments; values that conflict or are out of range raise
InputError at once.
"""

import os
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import TypedDict

from ncodec.api.codecs import tuned_model
from ncodec.errors import InputError
from ncodec.image.rate_target import Target
from ncodec.inference.backend import check_backend, check_threads
from ncodec.media.exif import check_strip
from ncodec.media.numbered import frame_rate
from ncodec.media.pictures import check_page
from ncodec.quality import DEFAULT_QUALITY, FULL, check_effort, check_quality
from ncodec.ranges import LARGEST, is_between, name_value


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of encoders and decoders alike."""

    backend: str = "onnx"
    """library that runs the networks: "onnx" or "torch"; either reads the same symbols"""
    threads: int | None = None
    """CPU threads, 1 to 256; None for the library's choice"""
    allow_large: bool = False
    """take pictures and frames beyond Pillow's limit against decompression bombs"""
    strict: bool = False
    """raise LossError, and write nothing, where a notice would name a loss or a conversion"""

    def __post_init__(self) -> None:
        check_backend(self.backend)
        check_threads(self.threads)


@dataclass(frozen=True, kw_only=True)
class DecodeSettings(Settings):
    """Settings of picture decoders."""

    decoder: str = FULL
    """network that makes pixels of symbols: "full", or a smaller one that the file's model has,
    such as "fast" or "tiny", which takes less time and loses some PSNR"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.decoder, str):
            msg = f"expected the name of a decoder, got {name_value(self.decoder)}"
            raise InputError(msg)


@dataclass(frozen=True, kw_only=True)
class EncodeSettings(Settings):
    """Settings of picture encoders: at most one of `quality`, `bpp`, `size` and `psnr`, else
    quality 50."""

    quality: float | str | None = None
    """0 to 100, or "lossless" """
    bpp: float | None = None
    """largest file, in bits per pixel"""
    size: int | None = None
    """largest file, in bytes"""
    psnr: float | None = None
    """least PSNR over RGB, in dB"""
    effort: int | None = None
    """0 to 9, passes of RDOQ; None for 2, or 0 beyond 33 megapixels"""
    tune: str = "psnr"
    """"psnr", or "ssim" for the model that is best by MS-SSIM, which has no effort"""
    model: str | os.PathLike[str] | None = None
    """name, id, or path of a model's folder or .ncmodel file; None for the default one"""
    strip: str | None = None
    """"thumbnail" leaves the thumbnail in EXIF out, "metadata" all but the ICC profile and the
    orientation"""
    page: int | None = None
    """page or frame of a file that has several, from 1; None for the first page"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.effort is not None:
            check_effort(self.effort)
        check_strip(self.strip)
        check_page(self.page)
        _ = self.target, self.model_name

    @property
    def target(self) -> Target:
        """The wanted quality, size or PSNR; raises InputError where there are several."""
        given = any(value is not None for value in (self.quality, self.bpp, self.size, self.psnr))
        quality = self.quality if given else DEFAULT_QUALITY
        return Target(quality=quality, bpp=self.bpp, size=self.size, psnr=self.psnr)

    @property
    def model_name(self) -> str | os.PathLike[str] | None:
        """The model's name, id or path, None for the default one; raises InputError where `tune`
        names another."""
        return tuned_model(self.tune, model=self.model, effort=self.effort)


@dataclass(frozen=True, kw_only=True)
class DecodeVideoSettings(Settings):
    """Settings of stream decoders."""

    conceal: bool = False
    """skip damage, up to the next intra frame, instead of raising FormatError"""


@dataclass(frozen=True, kw_only=True)
class EncodeVideoSettings(Settings):
    """Settings of clip encoders: at most one of `quality`, `bitrate` and `size`, else quality 50.

    Raises InputError for several of them, for a quality or a rate out of range, and for
    `intra_only` beside a `gop` other than 1; `bitrate`, `size` and `gop` are checked when a clip is
    coded.
    """

    quality: float | None = None
    """0 to 100, of every frame"""
    bitrate: float | None = None
    """bits a second of the frames, on average"""
    size: int | None = None
    """largest file, in bytes, sound and subtitles included"""
    gop: int | None = None
    """most frames from one intra frame to the next; None for two seconds of them"""
    intra_only: bool = False
    """predict no frame from another"""
    rate: float | Fraction | None = None
    """frames a second of an image sequence or of arrays, which have no time stamps; 25 where none
    is given"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(value is not None for value in (self.quality, self.bitrate, self.size)) > 1:
            msg = "expected one of quality, bitrate and size, got several"
            raise InputError(msg)
        if self.quality is not None:
            check_quality(self.quality)
        if self.intra_only and self.gop not in (None, 1):
            msg = f"expected groups of 1 frame for intra frames alone, got {self.gop}"
            raise InputError(msg)
        if self.gop is not None and not (isinstance(self.gop, Integral) and self.gop >= 1):
            msg = f"expected groups of at least 1 frame, got {name_value(self.gop)}"
            raise InputError(msg)
        if self.bitrate is not None and not (
            is_between(self.bitrate, 0, LARGEST) and self.bitrate > 0
        ):
            msg = f"expected a positive number of bits a second, got {name_value(self.bitrate)}"
            raise InputError(msg)
        frame_rate(self.rate)


SHARED, DECODE, ENCODE = Settings(), DecodeSettings(), EncodeSettings()
DECODE_VIDEO, ENCODE_VIDEO = DecodeVideoSettings(), EncodeVideoSettings()
"""settings where none are given"""


class Options(TypedDict, total=False):
    """Fields of `Settings` as keyword arguments."""

    backend: str
    threads: int | None
    allow_large: bool
    strict: bool


class DecodeOptions(Options, total=False):
    """Fields of `DecodeSettings` as keyword arguments."""

    decoder: str


class EncodeOptions(Options, total=False):
    """Fields of `EncodeSettings` as keyword arguments."""

    quality: float | str | None
    bpp: float | None
    size: int | None
    psnr: float | None
    effort: int | None
    tune: str
    model: str | os.PathLike[str] | None
    strip: str | None
    page: int | None


class DecodeVideoOptions(Options, total=False):
    """Fields of `DecodeVideoSettings` as keyword arguments."""

    conceal: bool


class EncodeVideoOptions(Options, total=False):
    """Fields of `EncodeVideoSettings` as keyword arguments."""

    quality: float | None
    bitrate: float | None
    size: int | None
    gop: int | None
    intra_only: bool
    rate: float | Fraction | None
