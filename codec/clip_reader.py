"""Files of video → frames, sound and subtitles, by PyAV."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, TypeAlias

import av
import numpy as np
from av.stream import Stream
from av.video.reformatter import Interpolation

from ncodec.bitstream import MAX_SIDE
from ncodec.errors import InputError
from ncodec.picture import Pixels, TimedFrame
from ncodec.records import Colour, Media, Tracks

if TYPE_CHECKING:
    from av.container import InputContainer

Packet: TypeAlias = "av.Packet[Stream]"

# The default conversion replicates chroma and rounds carelessly, which costs tenths of a decibel.
SCALING = int(
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
TEMPLATE_FORMAT = "nut"
"""describes tracks of nearly any codec, and keeps their time bases"""
KEPT_TYPES = ("audio", "subtitle")
HD_HEIGHT = 720
"""from here on, video that does not say how it means colours means BT.709, below it BT.601"""
MAX_HELD = 3000
"""packets that are held back, the video's included, until every track has one"""
_UNSPECIFIED = 2


@dataclass(frozen=True)
class ClipSize:
    """What a file of video holds, without looking at a frame."""

    frames: int
    seconds: float
    media_packets: int
    media_size: int
    """bytes of the packets of sound and subtitles"""


class ClipReader:
    """Reads a file of video from front to back, in bounded memory; a context manager.

    Frames that are stored turned by quarters are turned back. What is lost is said in `notices`, once all is read.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO, *, rate: float | None = None) -> None:
        """`rate`, in frames a second, is of numbered pictures ("frame-%04d.png"), which have none of their own.

        Raises InputError in one sentence where there is no video that can be read.
        """
        self.name = "clip" if isinstance(source, io.IOBase) else str(source)
        self.notices: list[str] = []
        self._last_pts: int | None = None
        try:
            self._container: InputContainer = av.open(
                source, "r", options={} if rate is None else {"framerate": str(rate)}
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            msg = f"{self.name}: cannot be read: {sentence_of(error)}"
            raise InputError(msg) from error
        if not self._container.streams.video:
            self._container.close()
            msg = f"{self.name}: expected a video stream, got none"
            raise InputError(msg)
        self._video = self._container.streams.video[0]
        self._video.thread_type = "AUTO"
        self._tracks = self._kept_tracks()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def is_wide(self) -> bool:
        """Whether frames are wider than high before they are turned."""
        return self._video.width > self._video.height

    @property
    def time_base(self) -> Fraction:
        """Seconds of one unit of a time stamp."""
        return self._video.time_base or Fraction(1, 25)

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""
        return self._video.average_rate or Fraction(25)

    @property
    def frames(self) -> int | None:
        """How many there are, about, where the file says anything of it."""
        duration = self._container.duration
        return self._video.frames or (round(duration / av.time_base * self.rate) if duration else None)

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height."""
        return self._video.sample_aspect_ratio or Fraction(1)

    @property
    def colour(self) -> Colour:
        """How the file's samples mean colours."""
        context = self._video.codec_context
        return Colour(context.colorspace, context.color_primaries, context.color_trc, context.color_range == 2)

    def records(self) -> Iterator[TimedFrame | Tracks | Media]:
        """Frames and packets as they come; where there are packets, the description of their tracks comes first.

        Raises InputError where decoding fails.
        """
        with self._decoding():
            packets = self._packets()
            held, tracks = self._hold(packets)
            if tracks:
                yield Tracks(_describe(tracks, held))
            places = {track.index: i for i, track in enumerate(tracks)}
            for packet in chain(held, packets):
                if packet.stream is self._video:
                    yield from map(self._frame, packet.decode())  # type: ignore[arg-type]
                elif packet.stream.index in places:
                    yield _media(packet, places[packet.stream.index])

    def measure(self) -> ClipSize:
        """Count packets up to the end; raises InputError."""
        frames = media_packets = media_size = 0
        with self._decoding():
            for packet in self._packets():
                if packet.stream is self._video:
                    frames += packet.size > 0
                else:
                    media_packets, media_size = media_packets + 1, media_size + packet.size
        return ClipSize(frames, float(frames / self.rate), media_packets, media_size)

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            msg = f"{self.name}: cannot be decoded: {sentence_of(error)}"
            raise InputError(msg) from error

    def _packets(self) -> Iterator[Packet]:
        """What the file holds, and the video's last packet, which makes its decoder give the frames it still has."""
        for packet in self._container.demux([self._video, *self._tracks]):
            if packet.stream is self._video or packet.dts is not None:
                yield packet

    def _hold(self, packets: Iterator[Packet]) -> tuple[list[Packet], list[Stream]]:
        """The packets up to where every track has one, and the tracks that do; at most `MAX_HELD` packets."""
        held: list[Packet] = []
        missing = {track.index for track in self._tracks}
        while missing and len(held) < MAX_HELD and (packet := next(packets, None)) is not None:
            held.append(packet)
            missing.discard(packet.stream.index)
        for track in self._tracks:
            if track.index in missing:
                self._notice(f"a {track.type} stream without packets at the start was left out")
        return held, [track for track in self._tracks if track.index not in missing]

    def _kept_tracks(self) -> list[Stream]:
        kept = []
        for stream in self._container.streams:
            if stream.type in KEPT_TYPES and _fits_template(stream):
                kept.append(stream)
            elif stream is not self._video:
                self.notices.append(f"a {stream.type} stream was left out")
        return kept

    def _frame(self, frame: av.VideoFrame) -> TimedFrame:
        if max(frame.width, frame.height) > MAX_SIDE:
            msg = f"{self.name}: expected sides of at most {MAX_SIDE} pixels, got {frame.width}×{frame.height}"
            raise InputError(msg)
        if any(component.bits > 8 for component in frame.format.components):
            self._notice("samples of more than 8 bits were reduced to 8")
        quarter_turns, rest = divmod(round(frame.rotation), 90)
        if rest:
            self._notice(f"a rotation of {frame.rotation}° was not applied")
        turned = np.rot90(_to_rgb(frame), 0 if rest else quarter_turns)
        return TimedFrame(self._stamp(frame), np.ascontiguousarray(turned))

    def _stamp(self, frame: av.VideoFrame) -> int:
        last = self._last_pts
        step = max(1, round(1 / (self.rate * self.time_base)))
        pts = frame.pts if frame.pts is not None else 0 if last is None else last + step
        if last is not None and pts <= last:
            self._notice("time stamps that ran backwards were moved on")
            pts = last + 1
        self._last_pts = pts
        return pts

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)


def measure_clip(source: str | os.PathLike[str], *, rate: float | None = None) -> ClipSize:
    """Count what is in a file; raises InputError."""
    with ClipReader(source, rate=rate) as reader:
        return reader.measure()


def sentence_of(error: Exception) -> str:
    """What an exception of FFmpeg or of the system says."""
    return getattr(error, "strerror", None) or str(error)


def _to_rgb(frame: av.VideoFrame) -> Pixels:
    """(H, W, 3) uint8, by the frame's own matrix and range, or those that players assume."""
    if frame.format.is_rgb:
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    assumed = 1 if frame.height >= HD_HEIGHT else 5
    matrix = frame.colorspace if frame.colorspace != _UNSPECIFIED else assumed
    rgb = frame.reformat(format="rgb24", src_colorspace=matrix, interpolation=SCALING)
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def _fits_template(stream: Stream) -> bool:
    try:
        with av.open(io.BytesIO(), "w", format=TEMPLATE_FORMAT) as container:
            container.add_stream_from_template(stream)
    except (av.FFmpegError, ValueError):
        return False
    return True


def _describe(tracks: list[Stream], packets: list[Packet]) -> bytes:
    """A file with the parameters of the tracks and the first packet of each."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=TEMPLATE_FORMAT) as container:
        copies = [(track, container.add_stream_from_template(track)) for track in tracks]
        for track, copy in copies:
            packet = copy_packet(next(packet for packet in packets if packet.stream.index == track.index))
            packet.stream = copy
            container.mux(packet)
    return stream.getvalue()


def copy_packet(packet: Packet) -> Packet:
    """The same data and times, of no stream."""
    copy = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
    return copy


def _media(packet: Packet, track: int) -> Media:
    dts = packet.dts if packet.dts is not None else 0
    pts = packet.pts if packet.pts is not None else dts
    return Media(track, pts, dts, packet.duration or 0, packet.is_keyframe, bytes(packet))
