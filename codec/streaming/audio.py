"""Sound → AAC and Opus, in samples for segments."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

from ncodec.media.languages import language_tag, plain_text
from ncodec.media.mezzanine import LONGEST_GAP_S
from ncodec.streaming.samples import Sample, read_track
from ncodec.streaming.segments import pack_start

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream

SOUND_RATE = 48_000
"""samples a second, and units of time of tracks of sound"""
FRAME_LENGTHS = {"aac": 1024, "opus": 960}
"""codec → samples of a coded frame"""
_ENCODERS = {"aac": ("aac", "fltp"), "opus": ("libopus", "flt")}
"""codec → FFmpeg's encoder and its format of samples"""
_BITRATES = {"aac": 64_000, "opus": 48_000}
"""bits a second of a channel"""
_LAYOUTS = {1: "mono", 2: "stereo"}
"""sound of more channels is mixed down to two, which every player has"""
_OPUS_DELAY = 312
"""samples by which libopus is late"""
_GAP = SOUND_RATE // 50
"""samples of gaps and overlaps from which silence is put in, or sound is dropped"""
_CLOCK_S = 1
"""seconds by which a clock that is set back differs from one that stumbles"""


@dataclass(frozen=True)
class SoundTrack:
    """A track of sound in one codec."""

    number: int
    """place among the clip's tracks of sound, from 1"""
    codec: str
    """aac or opus"""
    language: str
    """tag of BCP 47, und where the clip states none"""
    title: str
    channels: int

    @property
    def name(self) -> str:
        """Name of its folder, such as aac-1."""
        return f"{self.codec}-{self.number}"

    @property
    def is_default(self) -> bool:
        """Whether players begin with this track."""
        return self.number == 1


def describe_sound(
    streams: "tuple[AudioStream, ...]", codecs: tuple[str, ...]
) -> tuple[tuple[SoundTrack, ...], tuple[str, ...]]:
    """Tracks that are made of streams of sound in each codec, and notices."""
    notices: list[str] = []
    tracks: list[SoundTrack] = []
    for number, stream in enumerate(streams, 1):
        own = stream.codec_context.layout.nb_channels
        channels = min(2, max(1, own))
        if own > channels:
            notices.append(f"sound of {own} channels was mixed down to {channels}")
        language = language_tag(stream.metadata.get("language", "und"))
        title = plain_text(stream.metadata.get("title", ""))
        tracks += [SoundTrack(number, codec, language, title, channels) for codec in codecs]
    return tuple(tracks), tuple(notices)


def sound_start(track: SoundTrack) -> bytes:
    """Start of a file of the track: its ftyp and moov boxes, with an edit list over the samples
    that decoders of Opus leave out at the start."""
    written = io.BytesIO()
    options = {"movflags": "cmaf+empty_moov", "fflags": "+bitexact"}
    with av.open(written, "w", format="mp4", options=options) as container:
        encoder, _ = _ENCODERS[track.codec]
        stream = cast("AudioStream", container.add_stream(encoder, rate=SOUND_RATE))
        _set_up(stream.codec_context, track)
        container.start_encoding()
    delay = _OPUS_DELAY if track.codec == "opus" else 0
    return pack_start(read_track(written.getvalue()).start, delay=delay)


class SoundEncoder:
    """Encoder of a track of sound from a clip's frames of sound, without gaps from `start` on.

    `start` and `end` are seconds of the clip's clock and from there: sound outside is left out, and
    silence fills what lacks. Where the clock is set back, or jumps by more than `longest_gap`
    seconds, sound goes on where it was. `end` is None for a live clip, whose video says by how much
    the clock jumped.
    """

    def __init__(
        self,
        track: SoundTrack,
        *,
        start: Fraction,
        end: Fraction | None,
        longest_gap: int = LONGEST_GAP_S,
    ) -> None:
        encoder, self._format = _ENCODERS[track.codec]
        self._track, self._start = track, start
        self._end = None if end is None else round(end * SOUND_RATE)
        self._longest = longest_gap * SOUND_RATE
        self._context = cast("AudioCodecContext", av.CodecContext.create(encoder, "w"))
        self._context.sample_rate = SOUND_RATE
        _set_up(self._context, track)
        self._fifo = av.AudioFifo()
        self._resampler: AudioResampler | None = None
        self._form: tuple[object, ...] = ()
        self._next = 0
        """place of the sample that comes next, in units of the rate"""
        self._offset = 0
        """units that places are moved by, after the clock was set back"""
        self._pts = 0
        self.time = 0
        """units of time that were coded"""

    def push(self, frame: av.AudioFrame) -> Iterator[Sample]:
        """Samples that a further frame completes."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            yield from self._flushed()
            self._resampler = AudioResampler(
                format=self._format, layout=_LAYOUTS[self._track.channels], rate=SOUND_RATE
            )
            self._form = form
        base = frame.time_base or Fraction(1, frame.sample_rate)
        own = None if frame.pts is None else round((frame.pts * base - self._start) * SOUND_RATE)
        place = self._next if own is None else self._placed(own)
        frame.pts = None
        for part in cast("AudioResampler", self._resampler).resample(frame):
            yield from self._take(part, place)
            place = self._next

    def finish(self) -> Iterator[Sample]:
        """The samples that are left, and silence up to `end` where there was any sound."""
        if not self._form:
            return
        yield from self._flushed()
        if self._end is not None:
            yield from self._silence(self._end - self._next)
        rest = self._fifo.read(0, partial=True)
        if rest is not None:
            yield from self._code(self._padded(rest))
        yield from self._code(None)

    def _placed(self, own: int) -> int:
        """Place of a frame whose time says `own`."""
        place = own + self._offset
        is_back = place < self._next - _CLOCK_S * SOUND_RATE
        is_ahead = place > self._next + self._longest
        if (is_back or is_ahead) and self._next:
            if self._end is not None:
                self._offset = self._next - own
            return self._next
        return place

    def _take(self, part: av.AudioFrame, place: int) -> Iterator[Sample]:
        """Append samples at a place: silence before them, or without those that come too late."""
        if place > self._next + _GAP:
            yield from self._silence(place - self._next)
        first = 0
        if place < self._next - _GAP or place < 0:
            first = min(part.samples, max(self._next, 0) - place)
        last = part.samples
        if self._end is not None:
            last = max(first, min(last, first + self._end - self._next))
        if last <= first:
            return
        if first or last < part.samples:
            _, per = self._shape
            part = self._frame(part.to_ndarray()[:, first * per : last * per])
        yield from self._append(part)

    def _silence(self, length: int) -> Iterator[Sample]:
        """Append silence in pieces of a second."""
        if self._end is not None:
            length = min(length, self._end - self._next)
        while length > 0:
            piece = min(length, SOUND_RATE)
            rows, per = self._shape
            yield from self._append(self._frame(np.zeros((rows, piece * per), np.float32)))
            length -= piece

    @property
    def _shape(self) -> tuple[int, int]:
        """Rows of an array of samples, and numbers of a sample in each."""
        channels = self._track.channels
        return (channels, 1) if self._format.endswith("p") else (1, channels)

    def _frame(self, levels: npt.NDArray[Any]) -> av.AudioFrame:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(levels), self._format, _LAYOUTS[self._track.channels]
        )
        frame.sample_rate = SOUND_RATE
        return frame

    def _append(self, part: av.AudioFrame) -> Iterator[Sample]:
        self._next += part.samples
        self._fifo.write(self._frame(part.to_ndarray()))  # alike whatever made them
        length = FRAME_LENGTHS[self._track.codec]
        while (frame := self._fifo.read(length)) is not None:
            yield from self._code(frame)

    def _padded(self, rest: av.AudioFrame) -> av.AudioFrame:
        """The last frame, with silence up to its full length."""
        rows, per = self._shape
        missing = FRAME_LENGTHS[self._track.codec] - rest.samples
        silence = np.zeros((rows, missing * per), np.float32)
        return self._frame(np.concatenate([rest.to_ndarray(), silence], axis=1))

    def _flushed(self) -> Iterator[Sample]:
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                yield from self._take(part, self._next)

    def _code(self, frame: av.AudioFrame | None) -> Iterator[Sample]:
        if frame is not None:
            frame.pts, frame.time_base = self._pts, Fraction(1, SOUND_RATE)
            self._pts += frame.samples
        for packet in self._context.encode(frame):
            if self._track.codec == "aac" and (packet.pts or 0) < 0:
                continue  # the encoder's run-up, which players would need an edit list for
            yield Sample(bytes(packet), self.time, is_key=True)
            self.time += FRAME_LENGTHS[self._track.codec]


def _set_up(context: "AudioCodecContext", track: SoundTrack) -> None:
    context.layout = _LAYOUTS[track.channels]
    context.format = _ENCODERS[track.codec][1]
    context.bit_rate = _BITRATES[track.codec] * track.channels
    context.time_base = Fraction(1, SOUND_RATE)
