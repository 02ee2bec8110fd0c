"""Files of video of every container, codec and pixel format: the rows of their tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ncodec.arrays import Pixels
from ncodec.media.colour import SCALING

SIDE = 64
FRAMES = 3
X264 = {"crf": "4", "preset": "ultrafast"}


@dataclass(frozen=True)
class ClipCase:
    """A file of video and what it has to become."""

    suffix: str
    write: Callable[[str], object]
    """writes the file under a path"""
    target: str = ".mkv"
    """suffix of the decoded file"""
    shown: Callable[[], Sequence[Pixels]] | None = None
    """frames as they are to be seen; None for those of `shades`, no frames for what is refused"""
    least: float = 30
    """dB of the frames that are read, over `shown`"""
    times: Sequence[float] = tuple(i / 10 for i in range(FRAMES))
    """seconds of the frames after the first one"""
    holds: Callable[[Any], object] = lambda back: True
    """whether the decoded file, opened by PyAV, has what it should"""
    options: dict[str, Any] = field(default_factory=dict)
    """of the decoder"""


CLIPS: dict[str, list[Callable[[], ClipCase]]] = {}
"""heading and first cell of a row → makers of its files"""


def clip(row: str) -> Callable[[Callable[[], ClipCase]], Callable[[], ClipCase]]:
    """Decorator of a maker of a file of a row, "heading: first cell"."""

    def add(maker: Callable[[], ClipCase]) -> Callable[[], ClipCase]:
        CLIPS.setdefault(row, []).append(maker)
        return maker

    return add


def shades(count: int = FRAMES, *, wide: int = SIDE, high: int = SIDE) -> list[Pixels]:
    """Smooth frames of colour, each lighter than the one before."""
    down, across = np.mgrid[:high, :wide]
    still = np.stack([down * 2 + 40, across * 2 + 30, down + across + 20], axis=2)
    return [(still + 8 * i).clip(0, 255).astype(np.uint8) for i in range(count)]


def greys() -> list[Pixels]:
    return [np.repeat(frame[:, :, 1:2], 3, axis=2) for frame in shades()]


def add_video(
    container: Any, codec: str, layout: str, *, size: tuple[int, int] = (SIDE, SIDE),
    options: dict[str, str] | None = None, rate: int = 10, **more: Any,
) -> Any:  # fmt: skip
    """A stream of video; `size` is of columns and rows, `more` are properties of its coder."""
    own = X264 if codec == "libx264" else {}
    video = container.add_stream(codec, rate=rate, options=own | (options or {}))
    video.width, video.height, video.pix_fmt = *size, layout
    for name, value in more.items():
        setattr(video.codec_context, name, value)
    return video


def mux_frames(
    container: Any, video: Any, frames: Sequence[Pixels], times: Sequence[float]
) -> None:
    """Code frames at times in seconds."""
    layout = video.pix_fmt
    full = 2 if video.codec_context.color_range == 2 or layout.startswith("yuvj") else 1
    unit = video.codec_context.time_base
    for pixels, time in zip(frames, times, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
        if layout.startswith(("rgb", "bgr", "gbr")):
            frame = frame.reformat(format=layout)
        else:
            frame = frame.reformat(
                format=layout, dst_colorspace=5, dst_color_range=full, interpolation=SCALING
            )
        frame.pts, frame.time_base = round(Fraction(time).limit_denominator(10_000) / unit), unit
        container.mux(video.encode(frame))
    container.mux(video.encode(None))


@dataclass(frozen=True)
class Clip:
    """A clip that is to be written."""

    codec: str = "libx264"
    layout: str = "yuv420p"
    frames: Callable[[], Sequence[Pixels]] = shades
    rate: int = 10
    times: Sequence[float] | None = None
    """seconds; None for those of `rate`"""
    change: Callable[[Any, Any], object] = lambda container, video: None
    """sees the container and its video before anything is written"""
    behind: Callable[[Any], object] = lambda container: None
    """muxes packets of other tracks"""
    form: str | None = None
    """FFmpeg's name of the muxer"""
    video: dict[str, Any] = field(default_factory=dict)
    """arguments of `add_video`"""

    def write(self, path: str) -> None:
        frames = self.frames()
        size = frames[0].shape[1], frames[0].shape[0]
        times = self.times or [i / self.rate for i in range(len(frames))]
        with av.open(path, "w", format=self.form) as container:
            video = add_video(
                container, self.codec, self.layout, size=size, rate=self.rate, **self.video
            )
            self.change(container, video)
            container.start_encoding()
            self.behind(container)
            mux_frames(container, video, frames, times)

    def case(self, suffix: str, **more: Any) -> ClipCase:
        """As a case, with its frames and times."""
        times = self.times or [i / self.rate for i in range(len(self.frames()))]
        own = {"shown": self.frames, "times": [time - times[0] for time in times]}
        return ClipCase(suffix, self.write, **(own | more))


def clips(row: str, cases: dict[str, tuple[Clip, str]], **more: Any) -> None:
    """Several files of a row: clips and their suffixes by names that are for readers alone."""
    for made, suffix in cases.values():

        @clip(row)
        def _(made: Clip = made, suffix: str = suffix) -> ClipCase:
            return made.case(suffix, **more)


def large(wide: int, high: int) -> Callable[[], Sequence[Pixels]]:
    return lambda: shades(wide=wide, high=high)


clips(
    "Containers: all of 8 bits",
    {
        "MP4": (Clip(), ".mp4"),
        "QuickTime": (Clip(), ".mov"),
        "Matroska": (Clip(), ".mkv"),
        "WebM": (Clip("libvpx-vp9"), ".webm"),
        "AVI": (Clip("mpeg4"), ".avi"),
        "MPEG-2 transport stream": (Clip(), ".ts"),
        "MPEG-2 program stream": (Clip("mpeg2video", rate=25), ".mpg"),
        "Ogg": (Clip("libvpx"), ".ogv"),
        "Flash video": (Clip("flv"), ".flv"),
        "Windows Media": (Clip("wmv2"), ".wmv"),
        "3GP": (Clip("h263", frames=large(128, 96)), ".3gp"),
        "YUV4MPEG": (Clip("wrapped_avframe", form="yuv4mpegpipe"), ".y4m"),
    },
)
clips(
    "Codecs: of 8 bits",
    {
        "H.265": (Clip("libx265", video={"options": {"x265-params": "log-level=none"}}), ".mp4"),
        "AV1": (Clip("libsvtav1"), ".mkv"),
        "VP8": (Clip("libvpx"), ".webm"),
        "MPEG-1": (Clip("mpeg1video", rate=25), ".mkv"),
        "Motion JPEG": (Clip("mjpeg", "yuvj420p"), ".mkv"),
        "FFV1": (Clip("ffv1"), ".mkv"),
        "DNxHR": (
            Clip("dnxhd", "yuv422p", large(256, 128), video={"options": {"profile": "dnxhr_hq"}}),
            ".mov",
        ),
        "uncompressed": (Clip("rawvideo"), ".mkv"),
        "Huffyuv": (Clip("huffyuv", "yuv422p"), ".avi"),
        "UT Video": (Clip("utvideo", "gbrp"), ".avi"),
        "PNG": (Clip("png", "rgb24"), ".mov"),
        "QuickTime Animation": (Clip("qtrle", "rgb24"), ".mov"),
        "JPEG 2000": (Clip("jpeg2000"), ".mkv"),
        "Cinepak": (Clip("cinepak", "rgb24"), ".avi"),
    },
    least=28,
)
clips(
    "Codecs: of 10 bits",
    {
        "ProRes": (Clip("prores_ks", "yuv422p10le"), ".mov"),
        "CineForm": (Clip("cfhd", "yuv422p10le"), ".mov"),
    },
)
LAYOUTS_OF_8_BITS = ("yuv410p", "yuv422p", "yuv440p", "yuv444p", "bgr0")
PACKED = ("nv12", "yuyv422", "rgb24", "rgb565le")
clips(
    "Pixel formats: of 8 bits",
    {layout: (Clip("ffv1", layout), ".mkv") for layout in LAYOUTS_OF_8_BITS}
    | {layout: (Clip("rawvideo", layout), ".nut") for layout in PACKED}
    | {"gray": (Clip("ffv1", "gray", greys), ".mkv")},
)
clips(
    "Pixel formats: of 10 to 16 bits",
    {
        "yuv420p10le": (Clip("ffv1", "yuv420p10le"), ".mkv"),
        "yuv422p12le": (Clip("ffv1", "yuv422p12le"), ".mkv"),
        "gbrp10le": (Clip("ffv1", "gbrp10le"), ".mkv"),
        "rgb48le": (Clip("ffv1", "rgb48le"), ".mkv"),
        "gray10le": (Clip("ffv1", "gray10le", greys), ".mkv"),
    },
)
clips(
    "Pixel formats: with alpha",
    {
        "bgra": (Clip("ffv1", "bgra"), ".mkv"),
        "rgba": (Clip("png", "rgba"), ".mov"),
        "yuva420p": (Clip("ffv1", "yuva420p"), ".mkv"),
        "ya8": (Clip("png", "ya8", greys), ".mov"),
        "VP8": (Clip("libvpx", "yuva420p", video={"options": {"auto-alt-ref": "0"}}), ".webm"),
        "VP9": (Clip("libvpx-vp9", "yuva420p"), ".webm"),
    },
)
clips(
    "Pixel formats: of 10 bits with alpha",
    {
        "ProRes 4444": (
            Clip("prores_ks", "yuva444p10le", video={"options": {"profile": "4444"}}),
            ".mov",
        )
    },
)
