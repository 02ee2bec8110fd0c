"""Codecs at settings that their own people would choose, each a few lines over a real library:
still pictures."""

import os

from ncodec.eval.codecs.base import PictureCodec
from ncodec.eval.codecs.ffmpeg import IntraCodec, VvcCodec
from ncodec.eval.codecs.ncodec import NcodecCodec
from ncodec.eval.codecs.pillow import PillowCodec

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
    "JPEG 2000",
    (25, 29, 33, 37, 42),
    "irreversible 9/7 and colour transform, one layer at a target PSNR",
    format="JPEG2000",
    feature="jpg_2000",
    options={"irreversible": True, "mct": 1, "quality_mode": "dB"},
    knob=lambda decibels: {"quality_layers": [decibels]},
)
AVIF_444 = PillowCodec(
    "AVIF 4:4:4",
    (8, 32, 56, 80),
    "libaom, speed 5, tune=psnr, 4:4:4",
    format="AVIF",
    feature="avif",
    options={
        "speed": 5,
        "subsampling": "4:4:4",
        "advanced": {"tune": "psnr"},
        "max_threads": 1,
        "autotiling": False,
    },
)
AVIF_420 = PillowCodec(
    "AVIF 4:2:0",
    (8, 28, 48, 68),
    "libaom, speed 5, tune=psnr, 4:2:0",
    format="AVIF",
    feature="avif",
    options={
        "speed": 5,
        "subsampling": "4:2:0",
        "advanced": {"tune": "psnr"},
        "max_threads": 1,
        "autotiling": False,
    },
)
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
    "H.264 intra",
    _CRFS,
    "x264, preset veryslow, tune=psnr, 4:4:4; elementary stream",
    encoder="libx264",
    decoder="h264",
    options={"preset": "veryslow", "tune": "psnr"},
    message_unit=H264_MESSAGES,
)
H265 = IntraCodec(
    "H.265 intra",
    _CRFS,
    "x265, preset slow, tune=psnr, 4:4:4; elementary stream",
    encoder="libx265",
    decoder="hevc",
    options={
        "preset": "slow",
        "tune": "psnr",
        "x265-params": "log-level=none:range=full:info=0:pools=none",
    },
)
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
        NCODEC,
        NCODEC_PLAIN,
        NCODEC_LONGER,
        NCODEC_SSIM,
        JPEG_420,
        JPEG_444,
        WEBP,
        JPEG_2000,
        AVIF_444,
        AVIF_420,
        JPEG_XL,
        HEIC,
        H264,
        H265,
        VVC,
        AV1,
        VP9,
    )
}
"""every codec of pictures, by name"""
