"""Frames, sound and subtitles → files of video, by PyAV."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, cast

import av
from av.stream import Stream

from ncodec.container.records import UNKNOWN_COLOUR, Colour, Media, Tracks
from ncodec.errors import InputError, OutputError, sentence_of
from ncodec.media.colour import HD_HEIGHT, MATRICES, SCALING
from ncodec.media.tracks import Packet, first_packet, open_tracks
from ncodec.picture import TimedFrame

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".y4m": "yuv4mpegpipe"}
"""suffix of a written file → FFmpeg's name of the muxer"""
RAW_SUFFIX = ".y4m"
SEEKING_SUFFIXES = frozenset({".mp4", ".m4v", ".mov"})
"""suffixes of files whose start is rewritten at the end"""
CRF = "12"
"""constant rate factor of x264: high, so that ncodec's errors show, not x264's"""
_BT709, _BT601 = 1, 6


@dataclass(frozen=True)
class ClipFormat:
    """Kind of file, and size, rate and colour of its frames."""

    suffix: str
    """a key of `MUXERS`"""
    width: int
    height: int
    time_base: Fraction
    """seconds of one unit of a time stamp"""
    rate: Fraction
    """frames a second, for players that want one"""
    pixel_aspect: Fraction = Fraction(1)
    colour: Colour = UNKNOWN_COLOUR
    lossless: bool = False
    """every pixel as it is, in a file that few players take; else x264 at a high quality"""


def check_clip_suffix(suffix: str, *, lossless: bool = False) -> None:
    """Raise InputError unless a file of video can be written with a suffix: .mp4, .m4v, .mov, .mkv
    or .y4m, in any case, the last not if `lossless`."""
    if lossless and suffix.lower() == RAW_SUFFIX:
        msg = "expected .mkv or .mp4 for a lossless clip, got .y4m, which cannot hold RGB"
        raise InputError(msg)
    if suffix.lower() not in MUXERS:
        msg = f"expected an output suffix among {', '.join(MUXERS)}, got {suffix!r}"
        raise InputError(msg)


@dataclass(frozen=True)
class _Coding:
    codec: str
    layout: str
    """FFmpeg's name of the pixel format"""
    options: dict[str, str]


class ClipWriter:
    """Writer of a file of video to an open binary file, from front to back; a context manager,
    whose end completes the file.

    `form` is the format, `tracks` those of sound and subtitles, of which the ones that the format
    cannot hold are left out. `notices` lists losses, in sentences. Raises InputError for an unknown
    suffix, and OutputError, at the end too, where the file cannot be written or `tracks` cannot be
    read.
    """

    def __init__(self, sink: BinaryIO, form: ClipFormat, *, tracks: Tracks | None = None) -> None:
        """Raises InputError for an unknown suffix, OutputError where the file cannot be written."""
        check_clip_suffix(form.suffix, lossless=form.lossless)
        self.form = form
        self.notices: list[str] = []
        assumed = _BT709 if form.height >= HD_HEIGHT else _BT601
        # y4m cannot say which one it is.
        self._matrix = assumed if self._constant_rate else MATRICES.get(form.colour.matrix, assumed)
        self._last_pts: int | None = None
        self._frames = 0
        self._last_dts: dict[int, int] = {}
        self._sink = _Sink(sink)
        muxer = MUXERS[form.suffix.lower()]
        with self._writable():
            self._container: OutputContainer = av.open(self._sink, "w", format=muxer)
            self._video = self._add_video()
            self._tracks = self._add_tracks(tracks, muxer) if tracks else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._writable():
            try:
                if kind is None or issubclass(kind, Exception):
                    self._container.mux(self._video.encode(None))
            finally:
                self._container.close()

    def write(self, frame: TimedFrame) -> None:
        """Append a frame of the format's size, (H, W, 3) uint8 RGB, at its `pts` in units of the
        format's time base.

        In .y4m, which has no time stamps, frames are shown at the constant rate, and `notices` says
        so where `pts` differs. Raises OutputError.
        """
        picture = av.VideoFrame.from_ndarray(frame.pixels, "rgb24")
        if not self._coding.layout.startswith(("gbr", "bgr", "rgb")):
            picture = picture.reformat(
                format=self._coding.layout,
                dst_colorspace=self._matrix,
                dst_color_range=1,
                interpolation=SCALING,
            )
        if self._constant_rate and self._last_pts is not None:
            step = float(1 / (self.form.rate * self.form.time_base))
            if abs(frame.pts - self._last_pts - step) > 1:
                self._notice("y4m has no time stamps: frames are shown at a constant rate")
        self._last_pts = frame.pts
        picture.pts = self._frames if self._constant_rate else frame.pts
        picture.time_base = 1 / self.form.rate if self._constant_rate else self.form.time_base
        self._frames += 1
        with self._writable():
            self._container.mux(self._video.encode(picture))

    def write_media(self, media: Media) -> None:
        """Append a packet of sound or subtitles, untouched, where the file can hold its track."""
        track = self._tracks.get(media.track)
        if track is None:
            return
        stream, time_base = track
        if media.dts <= self._last_dts.get(media.track, media.dts - 1):
            self._notice(
                "packets of sound or subtitles whose time stamps did not rise were left out"
            )
            return
        self._last_dts[media.track] = media.dts
        packet = av.Packet(media.data)
        with self._writable():
            packet.pts, packet.dts, packet.duration = media.pts, media.dts, media.duration
            packet.time_base, packet.is_keyframe, packet.stream = time_base, media.key, stream
            self._container.mux(packet)

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """Turn what a muxer or an encoder raises into an OutputError of one sentence."""
        try:
            yield
            if self._sink.error is not None:
                raise self._sink.error
        except (av.FFmpegError, OSError, ValueError, OverflowError) as error:
            msg = (
                f"the clip cannot be written as {self.form.suffix}: "
                f"{sentence_of(self._sink.error or error)}"
            )
            raise OutputError(msg) from error

    @property
    def _constant_rate(self) -> bool:
        """Whether the file has no time stamps of its own."""
        return self.form.suffix.lower() == RAW_SUFFIX

    @property
    def _coding(self) -> _Coding:
        form = self.form
        if self._constant_rate:
            return _Coding("wrapped_avframe", "yuv420p", {})
        if not form.lossless:
            odd = form.width % 2 or form.height % 2
            return _Coding(
                "libx264", "yuv444p" if odd else "yuv420p", {"crf": CRF, "preset": "veryfast"}
            )
        if form.suffix.lower() == ".mkv":
            return _Coding("ffv1", "bgr0", {"level": "3"})
        return _Coding("libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast"})

    def _add_video(self) -> "VideoStream":
        form, coding = self.form, self._coding
        # Every codec of `_coding` is one of video; PyAV's types do not follow names that are
        # computed.
        added = self._container.add_stream(coding.codec, rate=form.rate, options=coding.options)
        stream = cast("VideoStream", added)
        stream.width, stream.height, stream.pix_fmt = form.width, form.height, coding.layout
        stream.sample_aspect_ratio = form.pixel_aspect
        if form.pixel_aspect != 1 and not coding.codec.startswith(
            "libx264"
        ):  # which has it in its own stream
            self._notice(
                f"the file does not say that pixels are {form.pixel_aspect} times as wide as high"
            )
        if not self._constant_rate:
            stream.time_base = stream.codec_context.time_base = form.time_base
        if not form.lossless:
            context = stream.codec_context
            context.colorspace, context.color_range = self._matrix, 1
            context.color_primaries, context.color_trc = form.colour.primaries, form.colour.transfer
        return stream

    def _add_tracks(self, tracks: Tracks, muxer: str) -> dict[int, tuple[Stream, Fraction]]:
        """The tracks that the file can hold: their streams, and the time bases of their packets."""
        added: dict[int, tuple[Stream, Fraction]] = {}
        with open_tracks(tracks) as template:
            firsts: dict[int, Packet] = {}
            for packet in template.demux():
                if packet.size:
                    firsts.setdefault(packet.stream.index, packet)
            for i, (track, time_base) in enumerate(
                zip(template.streams, tracks.time_bases, strict=True)
            ):
                if not _can_hold(muxer, track, firsts.get(i)):
                    self.notices.append(
                        f"the {track.type} was left out: {self.form.suffix} cannot hold it"
                    )
                    continue
                added[i] = (self._container.add_stream_from_template(track), time_base)
                added[i][0].metadata.update(track.metadata)
        return added


def _can_hold(muxer: str, track: Stream, first: "Packet | None") -> bool:
    """Whether files of this kind take such a track, by trying."""
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            copy = trial.add_stream_from_template(track)
            trial.start_encoding()
            if first is not None:
                trial.mux(first_packet(first, copy))
    except (av.FFmpegError, ValueError):
        return False
    return True


class _Sink:
    """A file that keeps its write error: PyAV prints exceptions of its callbacks instead of raising
    them."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.error: OSError | None = None
        if sink.seekable():
            self.seek, self.tell = sink.seek, sink.tell

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                return self._sink.write(data)
            except OSError as error:
                self.error = error
        return len(data)
