"""Clips that are still being written → segments as they are done, in a sliding window."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from ncodec.media.mezzanine import CUT_SCORE, CutScores
from ncodec.media.scaling import FrameScaler, Shown
from ncodec.streaming.audio import SOUND_RATE, SoundEncoder, SoundTrack, sound_start
from ncodec.streaming.contents import Contents, SoundEntry, VideoEntry
from ncodec.streaming.encoders import SegmentEncoder, delay_of
from ncodec.streaming.layout import segment_name
from ncodec.streaming.publish import LiveClock, write_manifests
from ncodec.streaming.renditions import Rendition, VideoForm
from ncodec.streaming.segments import Segment, pack_segment, pack_start, read_segment
from ncodec.streaming.tracks import sound_boundary
from ncodec.streaming.work import keep_start, write_file
from ncodec.streaming.written import WrittenTrack

if TYPE_CHECKING:
    from ncodec.streaming.samples import Sample

_SHORTEST = Fraction(1, 2)
"""length of a segment that ends at a cut, as a multiple of the wanted one"""
_LATE_S = 3
"""seconds that video runs ahead of late sound before a segment goes out without the rest of it"""
_LONGEST_GAP_S = 10
"""seconds of silence in the sound; a longer gap is a clock that jumps"""
_BEHIND = 3
"""segments that stay behind the window and as many as it holds, for players that are late"""
_BURST = 1.5
"""bits of a segment over those at its peak rate: the decoder's buffer holds two seconds"""


@dataclass(frozen=True)
class LiveForm:
    """Properties of a live stream, known once the clip's first frame is there."""

    shown: Shown
    form: VideoForm
    renditions: tuple[Rendition, ...]
    sounds: tuple[SoundTrack, ...]
    segment: Fraction
    """seconds of a segment"""
    longest: Fraction
    """seconds that no segment exceeds"""
    window: float | None
    """seconds that playlists list; None for all"""


@dataclass
class _LiveTrack:
    """Segments of a track that the playlists list."""

    name: str
    place: str
    """folder, relative to the stream's"""
    timescale: int
    stated: int
    """bits a second that are promised, whatever was measured"""
    start: bytes = b""
    segments: deque[Segment] = field(default_factory=deque)
    first: int = 1
    """number of the first segment that is listed"""

    def add(self, folder: Path, data: bytes, *, window: float | None) -> None:
        """Write the next segment, and remove those that lie far behind the window."""
        number = self.first + len(self.segments)
        keep_start(folder / self.place, self.start)
        write_file(folder / self.place / segment_name(number), data)
        self.segments.append(read_segment(data))
        while window is not None and self._seconds_behind_first() >= window:
            self.segments.popleft()
            behind = len(self.segments) + _BEHIND
            old = folder / self.place / segment_name(self.first - behind)
            old.unlink(missing_ok=True)
            self.first += 1

    def written(self) -> WrittenTrack:
        """The track as manifests list it."""
        return WrittenTrack.of(
            self.start,
            tuple(self.segments),
            name=self.name,
            place=self.place,
            timescale=self.timescale,
            first=self.first,
            stated=self.stated,
        )

    def _seconds_behind_first(self) -> float:
        later = list(self.segments)[1:]
        return sum(segment.duration for segment in later) / self.timescale


@dataclass(frozen=True)
class _Pending:
    """A segment of the video that waits for its sound."""

    end: Fraction
    starts: tuple[bytes, ...]
    """start of the file of each rendition"""
    data: tuple[bytes, ...]


class LiveStream:
    """Writer of a live stream, which encodes frames as they come; a segment goes out once it and
    its sound are done, or once its sound is 3 s late.

    Times are seconds from the first frame. Frames are held no longer than encoders need them, and
    segments no longer than the window. Its methods raise InputError for frames that cannot be
    scaled, and OutputError.
    """

    def __init__(self, folder: Path, live: LiveForm, *, jobs: int) -> None:
        self._folder, self._live = folder, live
        self._pool = ThreadPoolExecutor(jobs)
        self._sizes = list(dict.fromkeys(rendition.size for rendition in live.renditions))
        self._scaler = FrameScaler(live.shown, self._sizes)
        self._scores = CutScores()
        self._encoders: list[SegmentEncoder] = []
        self._waiting: deque[tuple[Fraction, bool]] = deque()
        """times of frames that the scaler holds, and whether they begin a segment"""
        self._start: Fraction | None = None
        """when the segment begins whose frames come in"""
        self._number = 0
        self._pending: deque[_Pending] = deque()
        self._encoded_sound = [
            SoundEncoder(track, start=Fraction(0), end=None, longest_gap=_LONGEST_GAP_S)
            for track in live.sounds
        ]
        self._samples: list[list[Sample]] = [[] for _ in live.sounds]
        self._clock = LiveClock()
        self._videos = [
            _LiveTrack(
                rendition.name,
                f"video/{rendition.name}",
                live.form.timescale,
                round(_BURST * (rendition.peak or 0)),
            )
            for rendition in live.renditions
        ]
        self._sounds = [
            _LiveTrack(track.name, f"audio/{track.name}", SOUND_RATE, 0, sound_start(track))
            for track in live.sounds
        ]

    def push_video(self, frame: av.VideoFrame, seconds: Fraction) -> None:
        """Take the next frame, which is shown at `seconds` after the first one."""
        is_cut = self._scores.score(frame) >= CUT_SCORE
        self._waiting.append((seconds, self._begins(seconds, is_cut=is_cut)))
        for scaled in self._scaler.push(frame):
            self._encode(scaled)
        self._publish(seconds)

    def push_sound(self, number: int, frame: av.AudioFrame) -> None:
        """Take the next frame of sound of the clip's track `number`, from 1; its time stamp counts
        from the first frame of the video."""
        for place, track in enumerate(self._live.sounds):
            if track.number == number:
                self._samples[place] += self._encoded_sound[place].push(frame)

    def finish(self, end: Fraction) -> None:
        """Write all that is left; the last frame ends at `end` seconds."""
        for scaled in self._scaler.flush():
            self._encode(scaled)
        self._finish_segment(end)
        for place, encoder in enumerate(self._encoded_sound):
            self._samples[place] += encoder.finish()
        while self._pending:
            self._write(self._pending.popleft(), is_last=not self._pending)
        self._pool.shutdown()

    @property
    def segments(self) -> int:
        """Number of segments that were written."""
        return self._videos[0].first + len(self._videos[0].segments) - 1

    def contents(self, *, is_live: bool) -> Contents:
        """Tracks of the stream, as far as the window goes."""
        live = self._live
        videos = tuple(
            VideoEntry(rendition, track.written(), live.form.colour.transfer)
            for rendition, track in zip(live.renditions, self._videos, strict=True)
        )
        sounds = tuple(
            SoundEntry(sound, track.written())
            for sound, track in zip(live.sounds, self._sounds, strict=True)
            if track.segments
        )
        return Contents(videos, sounds, (), live.form.rate, is_live=is_live, longest=live.longest)

    def _begins(self, seconds: Fraction, *, is_cut: bool) -> bool:
        """Whether a frame begins a segment."""
        start, wanted = self._start, self._live.segment
        since = Fraction(0) if start is None else seconds - start
        begins = start is None or since >= (wanted * _SHORTEST if is_cut else wanted)
        if begins:
            self._start = seconds
        return begins

    def _encode(self, scaled: Sequence[av.VideoFrame]) -> None:
        seconds, begins = self._waiting.popleft()
        if begins:
            self._finish_segment(seconds)
            self._encoders = [
                SegmentEncoder(rendition, self._live.form) for rendition in self._live.renditions
            ]
        of_size = dict(zip(self._sizes, scaled, strict=True))
        time = self._units(seconds)

        def push(place: int) -> None:
            size = self._live.renditions[place].size
            self._encoders[place].push(of_size[size], time=time, is_key=begins)

        # Encoders of one size share a frame, and each sets the same time stamp and type.
        list(self._pool.map(push, range(len(self._encoders))))

    def _finish_segment(self, end: Fraction) -> None:
        if not self._encoders:
            return
        self._number += 1
        tracks = list(self._pool.map(SegmentEncoder.finish, self._encoders))
        self._encoders = []
        delays = [delay_of(rendition, self._live.form) for rendition in self._live.renditions]
        self._pending.append(
            _Pending(
                end,
                tuple(
                    pack_start(track.start, delay=delay)
                    for track, delay in zip(tracks, delays, strict=True)
                ),
                tuple(
                    pack_segment(
                        track.samples, end=self._units(end), number=self._number, delay=delay
                    )
                    for track, delay in zip(tracks, delays, strict=True)
                ),
            )
        )

    def _units(self, seconds: Fraction) -> int:
        return round(seconds * self._live.form.timescale)

    def _publish(self, now: Fraction) -> None:
        """Write the segments whose sound is done, or late."""
        while self._pending:
            end = self._pending[0].end
            is_heard = all(
                encoder.time >= sound_boundary(track.codec, end)
                for track, encoder in zip(self._live.sounds, self._encoded_sound, strict=True)
            )
            if not is_heard and now - end < _LATE_S:
                return
            self._write(self._pending.popleft(), is_last=False)

    def _write(self, done: _Pending, *, is_last: bool) -> None:
        window = self._live.window
        for track, start, data in zip(self._videos, done.starts, done.data, strict=True):
            track.start = start
            track.add(self._folder, data, window=window)
        for place, (sound, track) in enumerate(zip(self._live.sounds, self._sounds, strict=True)):
            boundary = sound_boundary(sound.codec, done.end)
            if is_last:
                boundary = self._encoded_sound[place].time
            own = [sample for sample in self._samples[place] if sample.time < boundary]
            self._samples[place] = self._samples[place][len(own) :]
            if own:
                end = self._samples[place][0].time if self._samples[place] else boundary
                data = pack_segment(own, end=end, number=self.segments)
                track.add(self._folder, data, window=window)
        self._clock.note(float(done.end))
        write_manifests(
            self.contents(is_live=not is_last), self._folder, clock=None if is_last else self._clock
        )
