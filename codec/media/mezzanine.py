"""Clips as encoders want them: frames as they are stored, and a survey of their times and shots."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypedDict, cast

import av
from av.filter import Graph
from av.stream import Disposition

from ncodec.errors import InputError, sentence_of
from ncodec.media.clip_properties import (
    content_light,
    is_interlaced,
    lost_side_data,
    mastering_display,
    matrix_of,
)
from ncodec.media.display_matrix import PLAIN, Matrix
from ncodec.media.opened_video import OpenedVideo

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

CUT_SCORE = 10.0
"""score of FFmpeg's filter "scdet", 0 to 100, from which a frame begins a shot"""
_SHOT_HEIGHT = 144
"""rows of frames in which cuts are looked for"""
LONGEST_GAP_S = 1800
"""seconds between frames from which the clock of a complete clip has jumped"""
_JUMP_S = 10
"""seconds between frames from which the clock of a live clip has jumped"""
_MISSING_S = 0.5
"""seconds that a clip may be shorter than it says"""
Progress = Callable[[int, int | None], None]
"""called with the frames done, and about how many there are, if known"""

Observer = Callable[[av.VideoFrame, Fraction], None]
"""called with a frame, and the seconds from the first one to it"""


@dataclass(frozen=True)
class Survey:
    """Frames of a clip, found by decoding all of it once."""

    stamps: tuple[int, ...]
    """time stamp of each frame in the file's units, or its number where `is_seekable` is false"""
    times: tuple[Fraction, ...]
    """seconds at which each frame is shown, ascending; the first one is 0"""
    end: Fraction
    """seconds at which the last frame ends"""
    start: Fraction
    """seconds of the file's clock at which the first frame is shown"""
    cuts: tuple[int, ...]
    """numbers of the frames that begin a shot, but for the first one"""
    is_seekable: bool
    """whether frames can be found by their time stamps"""
    width: int
    """columns as stored"""
    height: int
    """rows as stored"""
    bits: int
    """bits of a sample"""
    rate: Fraction | None
    """frames a second, exactly; None where frames are shown for different times"""
    matrix: Matrix = PLAIN
    """how frames are to be turned and mirrored"""
    is_interlaced: bool = False
    keys: tuple[int, ...] = ()
    """numbers of the key frames, that the file can be read from"""
    mastering: tuple[int, ...] = ()
    """numbers of the mastering display, as `ClipMetadata` has them"""
    light: tuple[int, ...] = ()
    """largest and average light, in cd/m²"""


class _FrameProperties(TypedDict):
    """Fields of `Survey` that a frame has."""

    width: int
    height: int
    bits: int
    matrix: Matrix
    is_interlaced: bool
    mastering: tuple[int, ...]
    light: tuple[int, ...]


class Mezzanine(OpenedVideo):
    """Reader of the frames of a file of video, as they are stored, from any place on."""

    _errors = 0
    """packets of video that could not be decoded"""

    @property
    def container(self) -> "InputContainer":
        """The open file."""
        return self._container

    @property
    def sounds(self) -> "tuple[AudioStream, ...]":
        """Streams of sound, the default ones first."""
        streams = self._container.streams.audio
        return tuple(sorted(streams, key=lambda one: not one.disposition & Disposition.default))

    def survey(
        self, *, progress: Progress | None = None, observe: Observer | None = None
    ) -> Survey:
        """Times, shots and properties of all frames, which are decoded for it.

        `observe` is called with each frame and about when it is shown. Damage and a cut of the file
        are said in `notices`. Raises InputError where no frame can be decoded.
        """
        stamps: list[int | None] = []
        cuts: list[int] = []
        keys: list[int] = []
        first: av.VideoFrame | None = None
        scores = CutScores()
        duration = corrupt = 0
        for frame in self.decode():
            corrupt += frame.is_corrupt
            first = frame if first is None else first
            if scores.score(frame) >= CUT_SCORE and stamps:
                cuts.append(len(stamps))
            if frame.key_frame:
                keys.append(len(stamps))
            if observe is not None:
                stamp, begin = frame.pts or 0, first.pts or 0
                observe(frame, (stamp - begin) * self._own_time_base)
            stamps.append(frame.pts)
            duration = frame.duration or 0
            if progress is not None:
                progress(len(stamps), self.frames)
        if first is None:
            msg = f"{self.name}: expected frames, got none that can be decoded"
            raise InputError(msg)
        with suppress(av.FFmpegError, ValueError):  # formats that cannot be scaled
            for notice in lost_side_data(first):
                self._notice(notice)
        if corrupt:
            self._damaged(f"the file is damaged: {corrupt} frames are not as they were")
        return self._surveyed(
            first, stamps, cuts, keys, duration=duration, is_whole=not corrupt and not self._errors
        )

    def decode(self, *, stamp: int | None = None, earlier: int = 0) -> Iterator[av.VideoFrame]:
        """Frames from the first one on, or from the one with a time stamp of the survey on, for
        which the file is read from the key frame on that lies `earlier` seconds before it.

        Packets that cannot be decoded are left out, and `notices` says so. A reader decodes once.
        Raises InputError where the file cannot be read from the place of the time stamp on.
        """
        if stamp is not None:
            try:
                place = stamp - round(earlier / self._own_time_base)
                self._container.seek(place, stream=self._video, backward=True)
            except (av.FFmpegError, OSError) as error:
                msg = f"{self.name}: cannot be read from another place: {sentence_of(error)}"
                raise InputError(msg) from error
        for frame in self._decoded():
            if frame is None:
                self._errors += 1
            elif stamp is None or (frame.pts is not None and frame.pts >= stamp):
                yield frame
        if self._errors and stamp is None:
            self._damaged(f"the file is damaged: {self._errors} packets of video cannot be decoded")

    def decode_all(self) -> Iterator[tuple[int, av.VideoFrame | av.AudioFrame]]:
        """Frames of the video, with 0, and of each stream of sound, with its number from 1, as they
        come; time stamps count from the first frame of the video, and go on where the file's clock
        jumps.

        Sound before the first frame is left out, and so are packets that cannot be decoded.
        """
        numbers = {stream.index: number for number, stream in enumerate(self.sounds, 1)}
        clock = _LiveTimes(1 / self.rate)
        packets = self._container.demux([self._video, *self.sounds])
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except av.error.EOFError:
                return
            except (av.FFmpegError, OSError) as error:
                if not isinstance(error, av.error.InvalidDataError):
                    self._damaged(f"the input broke off: {sentence_of(error)}")
                    return
                self._damaged("packets that cannot be decoded were left out")
                continue
            for frame in frames:
                if not isinstance(frame, av.VideoFrame | av.AudioFrame):
                    continue
                if clock.place(frame, is_video=packet.stream is self._video):
                    yield numbers.get(packet.stream.index, 0), frame

    def _decoded(self) -> Iterator[av.VideoFrame | None]:
        """Frames, and None in place of each packet that cannot be decoded."""
        context = self._video.codec_context
        for packet in self._packets():
            try:
                yield from map(self._safe, context.decode(packet))
            except av.error.EOFError:
                return
            except (av.FFmpegError, OSError) as error:
                if isinstance(error, BlockingIOError):  # it refuses packets until it is emptied
                    context.flush_buffers()
                yield None

    def _packets(self) -> Iterator["av.Packet[VideoStream] | None"]:
        try:
            for packet in self._container.demux([self._video]):
                if packet.size:
                    yield cast("av.Packet[VideoStream]", packet)
        except (av.FFmpegError, OSError) as error:
            self._damaged(f"the file is damaged: {sentence_of(error)}")
        yield None  # the frames that the decoder holds back

    def _surveyed(
        self,
        first: av.VideoFrame,
        stamps: list[int | None],
        cuts: list[int],
        keys: list[int],
        *,
        duration: int,
        is_whole: bool,
    ) -> Survey:
        base = self._own_time_base
        usual = 1 / self.rate
        times = ascending([None if stamp is None else stamp * base for stamp in stamps], usual)
        stated = [round(time / base) for time in times]
        has_jumped = any(
            own not in (None, other) for own, other in zip(stamps, stated, strict=True)
        )
        # Where damage shows depends on the place that a file is read from.
        is_seekable = not self._is_row and is_whole and stamps == stated
        end = times[-1] + (duration * base if duration else usual)
        said = self._said_end()
        if has_jumped:
            self._notice("time stamps that jumped or ran backwards were moved on")
        elif said is not None and said - end > _MISSING_S:
            self._damaged(
                f"the file may be cut: it says that it ends at {said:.1f} s, its last frame at "
                f"{float(end):.1f} s"
            )
        start = times[0]
        shown = [time - start for time in times]
        rate = self.rate if is_constant(shown, rate=self.rate, unit=base) else None
        if rate is not None:
            shown = [number / rate for number in range(len(shown))]
            end = start + len(shown) / rate
        return Survey(
            stamps=tuple(
                stamp if is_seekable and stamp is not None else place
                for place, stamp in enumerate(stamps)
            ),
            times=tuple(shown),
            end=end - start,
            start=start,
            cuts=tuple(cuts),
            keys=tuple(keys),
            is_seekable=is_seekable,
            rate=rate,
            **self._frame_properties(first),
        )

    def first_survey(self, first: av.VideoFrame) -> Survey:
        """Survey of the first frame alone, of a clip whose end is not there yet: its rate counts as
        one that varies."""
        return Survey(
            stamps=(0,),
            times=(Fraction(0),),
            end=1 / self.rate,
            start=Fraction(0),
            cuts=(),
            is_seekable=False,
            rate=None,
            **self._frame_properties(first),
        )

    def _frame_properties(self, first: av.VideoFrame) -> "_FrameProperties":
        return {
            "width": first.width,
            "height": first.height,
            "bits": max(component.bits for component in first.format.components),
            "matrix": matrix_of(first),
            "is_interlaced": is_interlaced(self._video, first),
            "mastering": mastering_display(first),
            "light": content_light(first),
        }


def ascending(times: list[Fraction | None], usual: Fraction) -> list[Fraction]:
    """Times in seconds that ascend strictly: a missing or backward one, and one that is half an
    hour later, follows the time before it by `usual` seconds, and the times behind it keep their
    distances."""
    found: list[Fraction] = []
    offset = Fraction(0)
    for own in times:
        least = found[-1] + usual if found else Fraction(0)
        if own is None:
            found.append(least)
            continue
        if found and not found[-1] < own + offset <= found[-1] + LONGEST_GAP_S:
            offset = least - own
        found.append(own + offset)
    return found


def is_constant(times: Sequence[Fraction], *, rate: Fraction, unit: Fraction) -> bool:
    """Whether times in seconds are those of `rate` frames a second, rounded to units of `unit`
    seconds."""
    return all(abs(time - number / rate) <= unit for number, time in enumerate(times))


class _LiveTimes:
    """Time stamps of a clip that is being written: from the first frame of its video, ascending."""

    def __init__(self, usual: Fraction) -> None:
        self._usual = usual
        self._offset: Fraction | None = None
        self._last = Fraction(0)

    def place(self, frame: av.VideoFrame | av.AudioFrame, *, is_video: bool) -> bool:
        """Give a frame its time stamp; false where it comes before the first frame of the video."""
        base = frame.time_base or Fraction(1, 1000)
        if not is_video:
            if self._offset is None or frame.pts is None:
                return False
            frame.pts += round(self._offset / base)
            return True
        own = None if frame.pts is None else frame.pts * base
        if self._offset is None:
            self._offset = -(own or Fraction(0))
            frame.pts = 0
            return True
        following = self._last + self._usual
        time = following if own is None else own + self._offset
        if own is not None and not self._last < time <= self._last + _JUMP_S:
            self._offset, time = following - own, following
        self._last = time
        frame.pts = round(time / base)
        return True


class CutScores:
    """Scores of cuts between frames that follow each other, by FFmpeg's filter "scdet"."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._form: tuple[object, ...] = ()

    def score(self, frame: av.VideoFrame) -> float:
        """Score of a cut before `frame`, 0 to 100; 0 for the first frame and after a change of
        size."""
        form = (frame.width, frame.height, frame.format.name)
        if self._graph is None or form != self._form:
            self._graph, self._form = self._opened(frame), form
        self._graph.push(frame)
        shown = cast("av.VideoFrame", self._graph.pull())
        return float(shown.metadata.get("lavfi.scd.score", 0))

    def _opened(self, frame: av.VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 25),
        )
        high = min(_SHOT_HEIGHT, frame.height)
        wide = max(2, round(frame.width * high / frame.height / 2) * 2)
        size = f"w={wide}:h={max(2, high)}:flags=area"
        steps = [
            graph.add("scale", size),
            graph.add("format", "pix_fmts=yuv420p"),
            graph.add("scdet", "threshold=100"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(source, *steps)
        graph.configure()
        return graph
