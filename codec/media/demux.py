"""Files of video → frames, sound and subtitles, by PyAV."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import BinaryIO

import av
import numpy as np

from ncodec.container.records import Media, Tracks
from ncodec.errors import InputError, sentence_of
from ncodec.grid import MAX_SIDE
from ncodec.media.colour import to_rgb
from ncodec.media.opened_video import OpenedVideo
from ncodec.media.timestamps import Clock, media_of
from ncodec.media.tracks import Packet, describe
from ncodec.picture import TimedFrame

KEPT_TYPES = ("audio", "subtitle")
MAX_HELD = 3000
"""packets that are held back, the video's included, until every track of sound has one"""
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

    Frames that are stored turned by quarters are turned back. What is lost is said in `notices`,
    once all is read.
    """

    def __init__(
        self, source: str | os.PathLike[str] | BinaryIO, *, rate: float | Fraction | None = None
    ) -> None:
        """`rate`, in frames a second, is of an image sequence ("frame-%04d.png"), which has none of
        its own (25).

        Raises InputError in one sentence where there is no video that can be read.
        """
        super().__init__(source, rate=rate)
        self._tracks = [stream for stream in self._container.streams if stream.type in KEPT_TYPES]
        self._clocks = {
            track.index: Clock(track.time_base or Fraction(1, 1000)) for track in self._tracks
        }
        self._clock = Clock(self.time_base)

    def records(self) -> Iterator[TimedFrame | Tracks | Media]:
        """Frames, and packets of sound and subtitles, as they come; before them `Tracks`, where
        some track can be kept.

        Frames are upright, (H, W, 3) uint8 RGB; their time stamps ascend strictly, in units of
        `time_base`. Raises InputError where decoding fails, for sides beyond 16384 pixels, and
        where pictures of an image sequence could not be read.
        """
        with self._decoding():
            packets = self._packets()
            held = self._hold(packets)
            tracks, described = describe(self._tracks, held)
            if tracks is not None:
                yield tracks
            places = {track.index: i for i, track in enumerate(described)}
            for stream in self._container.streams:
                if stream is not self._video and stream.index not in places:
                    self._notice(f"the {stream.type} stream {stream.index} was left out")
            for packet in chain(held, packets):
                if packet.stream is self._video:
                    yield from map(self._frame, packet.decode())  # type: ignore[arg-type]
                elif packet.stream.index in places:
                    yield self._packet(packet, places[packet.stream.index])
            self._look_for_the_end()
        if self._missing > 0:
            msg = (
                f"{self.name}: expected {self._missing} pictures more than could be read: some are "
                f"empty or damaged"
            )
            raise InputError(msg)

    def _look_for_the_end(self) -> None:
        """Say so where frames end long before the file says that they do."""
        said, last = self._said_end(), self._clock.last
        if said is None or last is None:
            return
        end = float(last * self.time_base + 1 / self.rate)
        if said - end > _MISSING_S:
            self._notice(
                f"the file may be cut: it says that it ends at {said:.1f} s, its last frame at "
                f"{end:.1f} s"
            )

    def measure(self) -> ClipSize:
        """Count frames, seconds and packets up to the end, without decoding; the reader is used up
        by it.

        Raises InputError where the file cannot be read to its end.
        """
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
        """Packets of the file, and an empty last one that flushes the video decoder."""
        for packet in self._container.demux([self._video, *self._tracks]):
            if packet.stream is self._video or packet.size:
                yield packet

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
        if any(component.is_alpha for component in frame.format.components):
            self._notice("transparency was left out")
        if frame.is_corrupt:
            self._notice("the file is damaged: frames of it are not as they were")
        self._missing -= 1
        quarter_turns, rest = divmod(round(frame.rotation), 90)
        if rest:
            self._notice(f"a rotation of {frame.rotation}° was not applied")
        turned = np.rot90(to_rgb(frame), 0 if rest else quarter_turns)
        return TimedFrame(self._stamp(frame), np.ascontiguousarray(turned))

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
