"""Frames → coded segments, by x264, x265 and SVT-AV1."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, cast

import av
from av.video.frame import PictureType

from ncodec.errors import OutputError, sentence_of
from ncodec.streaming.renditions import Rendition, VideoForm
from ncodec.streaming.samples import Track, read_track, timed

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

Options = dict[str, str]
_PRESETS = {
    "h264": {"fast": "veryfast", "medium": "medium", "slow": "slow"},
    "hevc": {"fast": "veryfast", "medium": "fast", "slow": "medium"},
    "av1": {"fast": "10", "medium": "8", "slow": "6"},
}
"""codec and speed → preset of its encoder"""
_MUXER = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets+cmaf",
    "fflags": "+bitexact",
}
_REORDERED = {"h264": 2, "hevc": 2, "av1": 0}
"""codec → frames by which its encoder decodes ahead of what is shown"""
_UP_TO_AVX2 = "avx2,fma3,bmi2,lzcnt"
_NEVER = 1 << 20
"""frames after which an encoder may set a key frame of its own"""
_LEAST_AV1_CRF = 30
"""CRF of SVT-AV1 where a bit rate is asked for, which it then keeps below"""
_QUIET = {"SVT_LOG": "1"}
"""environment of SVT-AV1: errors alone are printed"""


@dataclass(frozen=True)
class _Encoder:
    """An encoder of FFmpeg, and its options for a rendition of a clip."""

    name: str
    tag: str
    options: Callable[[Rendition, VideoForm], Options]


class SegmentEncoder:
    """Encoder of one segment: closed groups, on one thread, so that equal frames become equal bytes
    on any number of cores.

    Raises OutputError where the encoder fails, as its functions do.
    """

    def __init__(self, rendition: Rendition, form: VideoForm) -> None:
        os.environ.update(_QUIET)
        self._rendition = rendition
        self._unit = Fraction(1, form.timescale)
        self._written = io.BytesIO()
        self._times: list[int] = []
        encoder = _ENCODERS[rendition.codec]
        options = {**_MUXER, "video_track_timescale": str(form.timescale)}
        with self._encoding():
            self._container = av.open(self._written, "w", format="mp4", options=options)
            self._stream = cast(
                "VideoStream",
                self._container.add_stream(
                    encoder.name,
                    rate=form.rate,
                    options={**encoder.options(rendition, form), **_rate_options(rendition)},
                ),
            )
            _set_up(self._stream.codec_context, rendition, form, encoder)
            self._stream.time_base = self._unit

    def push(self, frame: av.VideoFrame, *, time: int, is_key: bool) -> None:
        """Code the next frame, of the rendition's size, which is shown at `time` in units of the
        form's timescale, later than those before; decoding can begin at it if `is_key`."""
        self._times.append(time)
        frame.pts, frame.time_base = time - self._times[0], self._unit
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        with self._encoding():
            self._container.mux(self._stream.encode(frame))

    def finish(self) -> Track:
        """Track with its samples at the times of the frames, once all were pushed."""
        with self._encoding():
            self._container.mux(self._stream.encode(None))
            self._container.close()
        track = read_track(self._written.getvalue())
        return Track(track.start, timed(track.samples, self._times))

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            name = self._rendition.name
            msg = f"{name}: its encoder failed: {sentence_of(error)}"
            raise OutputError(msg) from error


def delay_of(rendition: Rendition, form: VideoForm) -> int:
    """Units of time by which frames of a rendition are decoded before they are shown."""
    return round(_REORDERED[rendition.codec] * form.timescale / form.rate)


def _set_up(
    context: "VideoCodecContext",
    rendition: Rendition,
    form: VideoForm,
    encoder: _Encoder,
) -> None:
    context.width, context.height = rendition.size.width, rendition.size.height
    context.pix_fmt = rendition.size.pixel_format
    context.time_base = Fraction(1, form.timescale)
    context.thread_count = 1
    context.gop_size = _NEVER
    context.codec_tag = encoder.tag
    context.sample_aspect_ratio = Fraction(1)
    context.colorspace, context.color_primaries = form.colour.matrix, form.colour.primaries
    context.color_trc, context.color_range = form.colour.transfer, 1


def _rate_options(rendition: Rendition) -> Options:
    if rendition.codec == "av1" and rendition.bitrate is not None:
        # Its control of the average overshoots by half and more in segments of a few seconds.
        return {
            "crf": f"{_LEAST_AV1_CRF}",
            "maxrate": str(rendition.bitrate),
            "bufsize": str(2 * rendition.bitrate),
        }
    options = {"crf": f"{rendition.crf:g}"} if rendition.crf is not None else {}
    if rendition.bitrate is not None:
        options["b"] = str(rendition.bitrate)
    if rendition.peak is not None:
        options |= {"maxrate": str(rendition.peak), "bufsize": str(2 * rendition.peak)}
    return options


def _x264(rendition: Rendition, form: VideoForm) -> Options:
    params = "open-gop=0:scenecut=0"
    if _has_avx512():
        params += f":asm={_UP_TO_AVX2}"
    return {
        "preset": _PRESETS["h264"][rendition.speed],
        "forced-idr": "1",
        "x264-params": params,
    }


def _has_avx512() -> bool:
    """Whether x264 would take its code for AVX-512, whose lookahead reads memory that was never
    written where a row has no multiple of 8 macroblocks: equal frames became other bytes."""
    numpy_core = import_module("numpy._core._multiarray_umath")
    features = getattr(numpy_core, "__cpu_features__", {})
    return bool(features.get("AVX512F"))


def _x265(rendition: Rendition, form: VideoForm) -> Options:
    params = [
        "log-level=error:info=0:open-gop=0:scenecut=0:pools=none:frame-threads=1:repeat-headers=0"
    ]
    if form.mastering:
        params.append(f"hdr10=1:master-display={_display(form.mastering)}")
    if form.light:
        params.append(f"max-cll={form.light[0]},{form.light[1]}")
    return {
        "preset": _PRESETS["hevc"][rendition.speed],
        "forced-idr": "1",
        "x265-params": ":".join(params),
    }


def _svt_av1(rendition: Rendition, form: VideoForm) -> Options:
    params = ["lp=1:scd=0:irefresh-type=2"]
    if form.mastering:
        params.append(f"mastering-display={_display(form.mastering, unit=50_000, light=10_000)}")
    if form.light:
        params.append(f"content-light={form.light[0]},{form.light[1]}")
    if rendition.grain:
        params.append(f"film-grain={rendition.grain}:film-grain-denoise=1")
    return {"preset": _PRESETS["av1"][rendition.speed], "svtav1-params": ":".join(params)}


def _display(numbers: Sequence[int], *, unit: int = 1, light: int = 1) -> str:
    """Mastering display as encoders of HEVC and AV1 want it; `unit` and `light` divide places and
    luminance."""
    places = [_decimal(number, unit) for number in numbers[:8]]
    pairs = [f"({x},{y})" for x, y in zip(places[::2], places[1::2], strict=True)]
    most, least = (_decimal(number, light) for number in numbers[8:])
    return f"G{pairs[0]}B{pairs[1]}R{pairs[2]}WP{pairs[3]}L({most},{least})"


def _decimal(number: int, unit: int) -> str:
    return str(number) if unit == 1 else f"{number / unit:.5f}"


_ENCODERS = {
    "h264": _Encoder("libx264", "avc1", _x264),
    "hevc": _Encoder("libx265", "hvc1", _x265),
    "av1": _Encoder("libsvtav1", "av01", _svt_av1),
}
