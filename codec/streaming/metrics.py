"""Quality of coded frames as viewers see them, scaled up to the size of the reference."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import cast

import av
from av.filter import Graph

from ncodec.errors import FormatError
from ncodec.media.ffmpeg_command import is_installed
from ncodec.media.scaling import FrameSize
from ncodec.media.vmaf import vmaf_report

VMAF, XPSNR = "VMAF", "XPSNR"
_UPSCALER = "bicubic"
"""of players"""
_LARGEST_DB = 100.0
_UNIT = Fraction(1, 25)
_MODELS = {
    "vmaf": "version=vmaf_v0.6.1\\\\:name=vmaf",
    "neg": "version=vmaf_v0.6.1neg\\\\:name=neg",
}


@dataclass(frozen=True)
class Quality:
    """Mean quality over frames; None for figures that were not measured."""

    vmaf: float | None = None
    """0 to 100"""
    neg: float | None = None
    """VMAF that sharpening does not raise, 0 to 100"""
    psnr: float | None = None
    """dB, of luma"""
    ms_ssim: float | None = None
    """0 to 1, of luma"""
    xpsnr: float | None = None
    """dB, of luma"""

    def by(self, metric: str) -> float:
        """The figure that a ladder is chosen by: `VMAF` or `XPSNR`."""
        found = self.vmaf if metric == VMAF else self.xpsnr
        if found is None:
            msg = f"expected {metric} of a probe, got none"
            raise FormatError(msg)
        return found


def default_metric() -> str:
    """`VMAF` where imageio-ffmpeg is installed, else `XPSNR`."""
    return VMAF if is_installed() else XPSNR


def measure(
    coded: Path, reference: Path, size: FrameSize, *, metric: str, is_full: bool = False
) -> Quality:
    """Quality of the frames of a file against those of another, of `size`.

    `is_full` adds VMAF NEG, PSNR and MS-SSIM to VMAF. Raises InputError where FFmpeg fails.
    """
    if metric == XPSNR:
        return Quality(xpsnr=_xpsnr(coded, reference, size))
    return _vmaf(coded, reference, size, is_full=is_full)


def _vmaf(coded: Path, reference: Path, size: FrameSize, *, is_full: bool) -> Quality:
    models = list(_MODELS.values()) if is_full else [_MODELS["vmaf"]]
    options = f":model={'|'.join(models)}"
    if is_full:
        options += ":feature=name=psnr|name=float_ms_ssim"
    form = f"format={size.pixel_format}"
    scale = f"scale={size.width}:{size.height}:flags={_UPSCALER}"
    one = ["-threads", "1", "-i"]
    means = vmaf_report(
        [*one, coded.resolve()],
        [*one, reference.resolve()],
        filters=(f"{scale},{form}", form),
        options=options,
    ).means
    return Quality(
        vmaf=means["vmaf"],
        neg=means.get("neg"),
        psnr=means.get("psnr_y"),
        ms_ssim=means.get("float_ms_ssim"),
    )


def _xpsnr(coded: Path, reference: Path, size: FrameSize) -> float:
    """Mean over frames of the XPSNR of luma, in dB, 100 at most."""
    found: list[float] = []
    with av.open(str(coded)) as one, av.open(str(reference)) as other:
        compare: _Comparison | None = None
        for frame, original in zip(one.decode(video=0), other.decode(video=0), strict=True):
            compare = compare or _Comparison(frame, original, size)
            found.append(min(_LARGEST_DB, compare.xpsnr(frame, original, number=len(found))))
    return fmean(found)


class _Comparison:
    """Graph of FFmpeg's filters that compares frames, scaled up, with others."""

    def __init__(self, frame: av.VideoFrame, original: av.VideoFrame, size: FrameSize) -> None:
        graph = Graph()
        self._inputs = [
            graph.add_buffer(
                width=picture.width,
                height=picture.height,
                format=picture.format,
                time_base=_UNIT,
            )
            for picture in (frame, original)
        ]
        scaled = graph.add("scale", f"w={size.width}:h={size.height}:flags={_UPSCALER}")
        metric, self._output = graph.add("xpsnr"), graph.add("buffersink")
        self._inputs[0].link_to(scaled)
        scaled.link_to(metric, 0, 0)
        self._inputs[1].link_to(metric, 0, 1)
        metric.link_to(self._output)
        graph.configure()
        self._graph = graph

    def xpsnr(self, frame: av.VideoFrame, original: av.VideoFrame, *, number: int) -> float:
        """XPSNR of luma in dB, infinite for equal frames."""
        for source, picture in zip(self._inputs, (frame, original), strict=True):
            picture.pts, picture.time_base = number, _UNIT
            source.push(picture)
        shown = cast("av.VideoFrame", self._output.pull())
        return float(shown.metadata["lavfi.xpsnr.xpsnr.y"])
