"""Files of video → frames, sound and subtitles, by PyAV."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import BinaryIO

import av
import numpy as np
from av.stream import Discard, Disposition, Stream

from ncodec.arrays import Pixels
from ncodec.container.clip_metadata import NO_METADATA, ClipMetadata
from ncodec.container.records import Companion, LastDuration, Media
from ncodec.errors import InputError, sentence_of
from ncodec.grid import MAX_SIDE
from ncodec.media.clip_properties import (
    clip_metadata,
    lost_side_data,
    lost_tags,
    matrix_of,
)
from ncodec.media.colour import to_rgb
from ncodec.media.display_matrix import PLAIN, is_turned, upright
from ncodec.media.opened_video import OpenedVideo
from ncodec.media.timestamps import Clock, media_of
from ncodec.media.tracks import Packet, describe
from ncodec.picture import TimedFrame

KEPT_TYPES = ("audio", "subtitle")
MAX_HELD = 3000
"""packets that are held back, the video's included, until every track of sound has one"""
_LOOK_S = 1.0
"""seconds between frames whose side data are looked at"""
_MISSING_S = 0.5
"""seconds that a clip may be shorter than it says"""


@dataclass(frozen=True)
class ClipSize:
    """Frames, duration and packets of a file of video, counted without decoding."""

    frames: int
    seconds: float
    media_packets: int
    media_size: int
    """bytes of the packets of sound and subtitles"""


class ClipReader(OpenedVideo):
    """Reads a file of video from front to back, in bounded memory.

    Frames that are stored turned by quarters or mirrored are put upright. What is lost is said in
    `notices`, and how the file is damaged in `damage`, once all is read.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        rate: float | Fraction | None = None,
        with_pixels: bool = True,
    ) -> None:
        """`rate`, in frames a second, is of an image sequence ("frame-%04d.png"), which has none of
        its own (25). Without pixels frames are black, which takes no time.

        Raises InputError in one sentence where there is no video that can be read.
        """
        super().__init__(source, rate=rate)
        self._with_pixels = with_pixels
        self._tracks = [stream for stream in self._container.streams if stream.type in KEPT_TYPES]
        self._clocks = {
            track.index: Clock(track.time_base or Fraction(1, 1000)) for track in self._tracks
        }
        self._clock = Clock(self.time_base)
        self._places: dict[int, int] = {}
        """stream → track"""
        self._size: tuple[int, int] | None = None
        """columns and rows of the first frame as it is stored"""
        self._matrix = PLAIN
        self._duration: int | None = None
        """units of `time_base` that the frame lasts that was read last"""
        self._looked_s: float | None = None
        """seconds of the frame whose side data were looked at last"""
        self._packets_of_video = 0
        self._errors: list[str] = []
        self._first_error_s = 0.0

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height, in upright frames once the first one is read."""
        stored = super().pixel_aspect
        return 1 / stored if is_turned(self._matrix) else stored

    def records(self) -> Iterator[TimedFrame | Companion]:
        """`Tracks`, where some track can be kept, and `ClipMetadata`; then frames, and packets of
        sound and subtitles, as they come; last `LastDuration`, where it is not the average.

        Frames are upright, (H, W, 3) uint8 RGB of one size; their time stamps ascend strictly, in
        units of `time_base`. Packets that cannot be decoded are left out, and `damage` says so.
        Raises InputError where fewer than half of them can, for sides beyond 16384 pixels, where
        more than 3000 packets come before the first frame, and where pictures of an image sequence
        could not be read.
        """
        packets = self._packets()
        held = self._hold(packets)
        tracks, described = describe(self._tracks, held)
        if tracks is not None:
            yield tracks
        self._places = {track.index: i for i, track in enumerate(described)}
        self._notice_left_out()
        self._notice_tags()
        decoded = self._decoded(chain(held, packets))
        before: list[Media] = []
        for record in decoded:
            if isinstance(record, av.VideoFrame):
                yield from self._metadata(record, described)
                yield from before
                yield self._frame(record)
                break
            before.append(record)
            if len(before) > MAX_HELD:
                msg = f"{self.name}: expected a frame among the first {MAX_HELD} packets, got none"
                raise InputError(msg)
        for record in decoded:
            yield self._frame(record) if isinstance(record, av.VideoFrame) else record
        yield from self._last_duration()
        self._look_for_damage()

    def _decoded(self, packets: Iterable[Packet]) -> Iterator[av.VideoFrame | Media]:
        for packet in packets:
            if packet.stream is self._video:
                self._packets_of_video += packet.size > 0
                yield from self._decode(packet)
            elif packet.stream.index in self._places:
                yield self._packet(packet, self._places[packet.stream.index])
        yield from self._decode(None)  # after an error no empty packet has flushed the decoder

    def _decode(self, packet: "Packet | None") -> list[av.VideoFrame]:
        """Frames of a packet, or of those that the decoder holds back for None."""
        decode = self._video.codec_context.decode
        try:
            return [self._safe(frame) for frame in decode(packet)]
        except av.error.EOFError:
            return []
        except (av.FFmpegError, OSError) as error:
            self._errors.append(sentence_of(error))
            if len(self._errors) == 1 and packet is not None and packet.pts is not None:
                self._first_error_s = float(packet.pts * self._own_time_base)
            if isinstance(error, BlockingIOError):  # it refuses packets until it is emptied
                self._video.codec_context.flush_buffers()
            return []

    def _metadata(self, frame: av.VideoFrame, tracks: Sequence[Stream]) -> Iterator[ClipMetadata]:
        """The metadata, where there are any, and what the first frame decides."""
        self._size = (frame.width, frame.height)
        self._matrix = matrix_of(frame)
        found, notices = clip_metadata(self._container, self._video, frame, tracks)
        for notice in notices:
            self._notice(notice)
        if found != NO_METADATA:
            yield found

    def _last_duration(self) -> Iterator[LastDuration]:
        usual = 1 / (self.rate * self.time_base)
        if self._duration is not None and abs(self._duration - usual) > 1:
            yield LastDuration(self._duration)

    def _notice_left_out(self) -> None:
        """Say which streams are not kept."""
        for stream in self._container.streams:
            if stream is self._video or stream.index in self._places:
                continue
            if stream.type == "data" and stream.discard == Discard.all:  # text of chapters
                continue
            name = stream.metadata.get("filename")
            is_cover = stream.disposition & Disposition.attached_pic
            kind = "cover picture," if is_cover else stream.type
            self._notice(
                f"the {kind} stream {stream.index}{f' ({name})' * bool(name)} was left out"
            )

    def _notice_tags(self) -> None:
        """Say which tags of streams are not kept."""
        for stream in self._container.streams:
            is_kept = stream is self._video or stream.index in self._places
            if is_kept and (names := lost_tags(stream)):
                self._notice(f"tags of stream {stream.index} were left out: {names}")

    def _look_for_damage(self) -> None:
        """Say what could not be decoded, and where frames end long before the file says so."""
        if len(self._errors) > self._packets_of_video // 2:
            msg = f"{self.name}: cannot be decoded: {self._errors[0]}"
            raise InputError(msg)
        if self._missing > 0:
            msg = (
                f"{self.name}: expected {self._missing} pictures more than could be read: some are "
                f"empty or damaged"
            )
            raise InputError(msg)
        if self._errors:
            self._damaged(
                f"the file is damaged: {len(self._errors)} of {self._packets_of_video} packets of "
                f"video cannot be decoded, the first at {self._first_error_s:.2f} s"
            )
        said, last = self._said_end(), self._clock.last
        if said is None or last is None:
            return
        length = self._duration or 1 / (self.rate * self.time_base)
        end = float((last + length) * self.time_base)
        if said - end > _MISSING_S:
            self._damaged(
                f"the file may be cut: it says that it ends at {said:.1f} s, its last frame at "
                f"{end:.1f} s"
            )

    def measure(self) -> ClipSize:
        """Count frames, seconds and packets up to the end, without decoding; the reader is used up
        by it."""
        frames = media_packets = media_size = 0
        for packet in self._packets():
            if packet.stream is self._video:
                frames += 1
            else:
                media_packets, media_size = media_packets + 1, media_size + packet.size
        return ClipSize(frames, float(frames / self.rate), media_packets, media_size)

    def _packets(self) -> Iterator[Packet]:
        """Packets of the file up to where it cannot be read, without empty ones."""
        try:
            for packet in self._container.demux([self._video, *self._tracks]):
                if packet.size:
                    yield packet
        except (av.FFmpegError, OSError) as error:
            self._errors.append(sentence_of(error))

    def _hold(self, packets: Iterator[Packet]) -> list[Packet]:
        """The packets up to where every track of sound has one; at most `MAX_HELD`."""
        held: list[Packet] = []
        missing = {track.index for track in self._tracks if track.type == "audio"}
        while missing and len(held) < MAX_HELD and (packet := next(packets, None)) is not None:
            held.append(packet)
            missing.discard(packet.stream.index)
        return held

    def _frame(self, frame: av.VideoFrame) -> TimedFrame:
        if max(frame.width, frame.height) > MAX_SIDE:
            msg = (
                f"{self.name}: expected sides of at most {MAX_SIDE} pixels, got "
                f"{frame.width}×{frame.height}"
            )
            raise InputError(msg)
        if any(component.bits > 8 for component in frame.format.components):
            self._notice("samples of more than 8 bits were reduced to 8")
        if self._has_hidden_alpha or any(part.is_alpha for part in frame.format.components):
            self._notice("transparency was left out")
        if frame.is_corrupt:
            self._damaged("the file is damaged: frames of it are not as they were")
        if self._is_row:
            self._size = None  # a picture of another size among numbered ones is a mistake
        elif (frame.width, frame.height) != self._size:
            self._notice("frames that differ in size from the first one were scaled to its size")
        self._missing -= 1
        self._duration = self._duration_of(frame)
        try:
            pixels = self._pixels(frame)
        except InputError as error:
            msg = f"{self.name}: {error}"
            raise InputError(msg) from error
        self._look_at_side_data(frame)
        turned = upright(pixels, matrix_of(frame) if self._is_row else self._matrix)
        if turned is None:
            self._notice(f"a rotation of {frame.rotation}° was not applied")
            turned = pixels
        return TimedFrame(
            self._stamp(frame), np.ascontiguousarray(turned) if self._with_pixels else turned
        )

    def _pixels(self, frame: av.VideoFrame) -> Pixels:
        if self._with_pixels:
            return to_rgb(frame, size=self._size)
        wide, high = self._size or (frame.width, frame.height)
        return np.broadcast_to(np.uint8(0), (high, wide, 3))

    def _look_at_side_data(self, frame: av.VideoFrame) -> None:
        """Say what is left out of a frame, once a second."""
        now = float((frame.pts or 0) * self._own_time_base)
        if self._looked_s is None or abs(now - self._looked_s) >= _LOOK_S:
            self._looked_s = now
            for notice in lost_side_data(frame):
                self._notice(notice)

    def _duration_of(self, frame: av.VideoFrame) -> int | None:
        units = round((frame.duration or 0) * self._own_time_base / self.time_base)
        return units if units > 0 else None

    def _stamp(self, frame: av.VideoFrame) -> int:
        last = self._clock.last
        step = max(1, round(1 / (self.rate * self.time_base)))
        following = 0 if last is None else last + step
        own = None if frame.pts is None else round(frame.pts * self._own_time_base / self.time_base)
        pts = following if own is None else own + self._clock.offset(own, following=following)
        if last is not None and pts <= last:
            pts = last + 1
        self._clock.last = pts
        if own is not None and pts != own:
            self._notice("time stamps that ran backwards were moved on")
        return pts

    def _packet(self, packet: Packet, track: int) -> Media:
        clock = self._clocks[packet.stream.index]
        media = media_of(packet, track, offset=0)
        following = media.dts if clock.last is None else clock.last + media.duration
        moved = media_of(packet, track, offset=clock.offset(media.dts, following=following))
        clock.last = moved.dts
        return moved
