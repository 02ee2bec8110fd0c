"""Frames, sound and subtitles → files of video, by PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, cast

import av
from av.stream import Disposition, Stream

from ncodec.container.clip_metadata import NO_METADATA, ClipMetadata
from ncodec.container.records import (
    UNKNOWN_COLOUR,
    Colour,
    Companion,
    LastDuration,
    Media,
    Tracks,
)
from ncodec.errors import InputError, NcodecError, OutputError, sentence_of
from ncodec.media.clip_properties import disposition_of
from ncodec.media.colour import HD_HEIGHT, MATRICES, SCALING
from ncodec.media.mux_trial import TrialTrack, can_hold, describe_clip, lost_metadata
from ncodec.media.subtitles import WRITTEN_CODECS, TextConverter, can_convert
from ncodec.media.tracks import Packet, open_tracks
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
_USUAL_COLOURS = frozenset({1, 2, 5, 6, 13})
"""code points of what is taken for granted: BT.709, BT.601, sRGB, and unknown"""
_FIELD_ROWS = 4
"""rows of interlaced frames are a multiple of this for x264"""
_FIELD_ORDERS = {"tt": 2, "bb": 3}
"""field orders → FFmpeg's numbers"""
NO_TIME_STAMPS = "y4m has no time stamps: frames are shown at a constant rate"


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
    cannot hold are left out, and `metadata` tags, chapters and flags. `notices` lists losses, in
    sentences. Raises InputError for an unknown
    suffix, and OutputError, at the end too, where the file cannot be written or `tracks` cannot be
    read.
    """

    def __init__(
        self,
        sink: BinaryIO,
        form: ClipFormat,
        *,
        tracks: Tracks | None = None,
        metadata: ClipMetadata = NO_METADATA,
    ) -> None:
        """Raises InputError for an unknown suffix, OutputError where the file cannot be written."""
        check_clip_suffix(form.suffix, lossless=form.lossless)
        self.form = form
        self.metadata = metadata
        self.notices: list[str] = []
        assumed = _BT709 if form.height >= HD_HEIGHT else _BT601
        # y4m cannot say which one it is.
        self._matrix = assumed if self._constant_rate else MATRICES.get(form.colour.matrix, assumed)
        self._last_pts: int | None = None
        self._frames = 0
        self._last_dts: dict[int, int] = {}
        self._last_duration: int | None = None
        self._held: list[av.Packet[VideoStream]] = []
        """packets of the frame before, whose duration may still become known"""
        self._converters: dict[int, TextConverter] = {}
        self._sink = _Sink(sink)
        muxer = MUXERS[form.suffix.lower()]
        with self._writable():
            self._container: OutputContainer = av.open(self._sink, "w", format=muxer)
            self._video = self._add_video()
            self._tracks = self._add_tracks(tracks, muxer) if tracks else {}
            if not tracks:
                self._describe(muxer, [])

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
                    self._mux_last()
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
                self._notice(NO_TIME_STAMPS)
        self._last_pts = frame.pts
        picture.pts = self._frames if self._constant_rate else frame.pts
        picture.time_base = 1 / self.form.rate if self._constant_rate else self.form.time_base
        self._frames += 1
        with self._writable():
            coded = self._video.encode(picture)
            self._container.mux(self._held)
            self._held = coded

    def _mux_last(self) -> None:
        """End the video, the last frame of which lasts as long as is known."""
        packets = [*self._held, *self._video.encode(None)]
        if self._last_duration is not None and packets:
            if self._constant_rate:
                self._notice(NO_TIME_STAMPS)
            last = max(packets, key=lambda packet: packet.pts or 0)
            units = self._last_duration * self.form.time_base / (last.time_base or 1)
            last.duration = round(units)
        self._container.mux(packets)

    def write_companion(self, record: Companion) -> None:
        """Append a packet of sound or subtitles, or take the duration of the last frame; tracks and
        metadata, which the constructor takes, are passed over."""
        if isinstance(record, Media):
            self.write_media(record)
        elif isinstance(record, LastDuration):
            self._last_duration = record.duration

    def write_media(self, media: Media) -> None:
        """Append a packet of sound or subtitles, untouched, where the file can hold its track; text
        subtitles are converted where that helps."""
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
        converter = self._converters.get(media.track)
        packet = av.Packet(media.data) if converter is None else converter.convert(media)
        if packet is None:
            return
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
        except NcodecError:
            raise
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
        interlaced = bool(self.metadata.field_order) and form.height % _FIELD_ROWS == 0
        parameters = _x264_parameters(self.metadata, is_interlaced=interlaced)
        x264 = {"preset": "veryfast", "x264-params": ":".join(parameters)}
        if not form.lossless:
            odd = form.width % 2 or form.height % 2
            return _Coding("libx264", "yuv444p" if odd else "yuv420p", {"crf": CRF, **x264})
        if form.suffix.lower() == ".mkv":
            return _Coding("ffv1", "bgr0", {"level": "3"})
        return _Coding("libx264rgb", "rgb24", {"qp": "0", **x264})

    def _add_video(self) -> "VideoStream":
        form, coding = self.form, self._coding
        # Every codec of `_coding` is one of video; PyAV's types do not follow names that are
        # computed.
        added = self._container.add_stream(coding.codec, rate=form.rate, options=coding.options)
        stream = cast("VideoStream", added)
        stream.width, stream.height, stream.pix_fmt = form.width, form.height, coding.layout
        stream.sample_aspect_ratio = form.pixel_aspect
        stream.disposition = Disposition.default
        stream.metadata.update(dict(self.metadata.video_tags))
        if form.pixel_aspect != 1 and not coding.codec.startswith(
            "libx264"
        ):  # which has it in its own stream
            self._notice(
                f"the file does not say that pixels are {form.pixel_aspect} times as wide as high"
            )
        if self.metadata.field_order and form.height % _FIELD_ROWS:
            self._notice("the file does not say that frames are interlaced")
        elif self.metadata.field_order:
            stream.codec_context.field_order = _FIELD_ORDERS[self.metadata.field_order]
        if not coding.codec.startswith("libx264") and (
            self.metadata.mastering or self.metadata.light
        ):
            self._notice("the HDR metadata (mastering display, light levels) were left out")
        if not self._constant_rate:
            stream.time_base = stream.codec_context.time_base = form.time_base
        context, colour = stream.codec_context, form.colour
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if not form.lossless:
            context.colorspace, context.color_range = self._matrix, 1
        if self._constant_rate and not {colour.primaries, colour.transfer} <= _USUAL_COLOURS:
            self._notice(
                f"the file does not say that colours are of primaries {colour.primaries} and "
                f"transfer {colour.transfer} (ITU-T H.273)"
            )
        return stream

    def _add_tracks(self, tracks: Tracks, muxer: str) -> dict[int, tuple[Stream, Fraction]]:
        """The tracks that the file can hold: their streams, and the time bases of their packets."""
        added: dict[int, tuple[Stream, Fraction]] = {}
        trial: list[TrialTrack] = []
        with open_tracks(tracks) as template:
            firsts: dict[int, Packet] = {}
            for packet in template.demux():
                if packet.size:
                    firsts.setdefault(packet.stream.index, packet)
            for i, (track, time_base) in enumerate(
                zip(template.streams, tracks.time_bases, strict=True)
            ):
                stream = self._add_track(i, track, firsts.get(i), muxer)
                if stream is None:
                    continue
                stream.metadata.update(track.metadata)
                stream.disposition = disposition_of(self._dispositions(i))
                added[i] = (stream, time_base)
                converted = i in self._converters
                first = None if converted else firsts.get(i)
                trial.append(TrialTrack(track, first, self._dispositions(i), converted))
            self._describe(muxer, trial)
        return added

    def _add_track(
        self, number: int, track: Stream, first: "Packet | None", muxer: str
    ) -> Stream | None:
        if can_hold(muxer, track, first):
            return self._container.add_stream_from_template(track)
        if can_convert(track, muxer):
            converter = TextConverter(self._container, track, muxer=muxer)
            self._converters[number] = converter
            self._notice(f"text subtitles were converted to {WRITTEN_CODECS[muxer]}")
            return converter.stream
        self._notice(f"the {track.type} was left out: {self.form.suffix} cannot hold it")
        return None

    def _dispositions(self, number: int) -> tuple[str, ...]:
        known = self.metadata.dispositions
        return known[number] if number < len(known) else ()

    def _describe(self, muxer: str, tracks: list[TrialTrack]) -> None:
        """Write tags and chapters, and say which ones the file cannot hold."""
        describe_clip(self._container, self.metadata)
        for notice in lost_metadata(muxer, self.metadata, tracks):
            self._notice(notice)


def _x264_parameters(metadata: ClipMetadata, *, is_interlaced: bool) -> Iterator[str]:
    """Parameters of x264 for interlaced frames and HDR metadata."""
    if is_interlaced:
        yield {"tt": "tff=1", "bb": "bff=1"}[metadata.field_order]
    if metadata.mastering:
        green, blue, red, white = (metadata.mastering[i : i + 2] for i in range(0, 8, 2))
        places = zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
        display = "".join(f"{name}({x},{y})" for name, (x, y) in places)
        most, least = metadata.mastering[8:]
        yield f"mastering-display={display}L({most},{least})"
    if metadata.light:
        yield f"cll={metadata.light[0]},{metadata.light[1]}"


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
