"""Sound → AAC and Opus, in samples for segments."""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
from av.filter import Graph

from ncodec.media.languages import language_tag
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
_GAP_S = 0.02
"""gaps and overlaps from which silence is put in, or sound is dropped"""


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
        title = stream.metadata.get("title", "")
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
    silence fills what lacks. Frames whose form differs from the first one's are left out.
    """

    def __init__(self, track: SoundTrack, *, start: Fraction, end: Fraction | None) -> None:
        encoder, _ = _ENCODERS[track.codec]
        self._track, self._start, self._end = track, start, end
        self._context = cast("AudioCodecContext", av.CodecContext.create(encoder, "w"))
        self._context.sample_rate = SOUND_RATE
        _set_up(self._context, track)
        self._graph: Graph | None = None
        self._form: tuple[object, ...] = ()
        self.time = 0
        """units of time that were coded"""

    def push(self, frame: av.AudioFrame) -> Iterator[Sample]:
        """Samples that a further frame completes."""
        own = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._graph is None:
            self._graph, self._form = self._opened(frame), own
        if own != self._form:
            return
        base = frame.time_base or Fraction(1, frame.sample_rate)
        frame.pts = None if frame.pts is None else frame.pts - round(self._start / base)
        with suppress(av.error.EOFError):  # of sound behind the end
            self._graph.push(frame)
        yield from self._coded()

    def finish(self) -> Iterator[Sample]:
        """The samples that are left, up to `end`."""
        if self._graph is None:
            return
        self._graph.push(None)
        yield from self._coded()
        yield from self._samples(None)

    def _coded(self) -> Iterator[Sample]:
        while True:
            try:
                frame = cast("av.AudioFrame", cast("Graph", self._graph).pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield from self._samples(frame)

    def _samples(self, frame: av.AudioFrame | None) -> Iterator[Sample]:
        for packet in self._context.encode(frame):
            if self._track.codec == "aac" and (packet.pts or 0) < 0:
                continue  # the encoder's run-up, which players would need an edit list for
            yield Sample(bytes(packet), self.time, is_key=True)
            self.time += FRAME_LENGTHS[self._track.codec]

    def _opened(self, frame: av.AudioFrame) -> Graph:
        graph = Graph()
        source = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        steps = [f"aresample={SOUND_RATE}:async=1:min_hard_comp={_GAP_S}:first_pts=0"]
        if self._end is not None:
            end = float(self._end)
            steps += [f"apad=whole_dur={end:.6f}", f"atrim=end={end:.6f}"]
        _, form = _ENCODERS[self._track.codec]
        layout = _LAYOUTS[self._track.channels]
        steps += [
            f"aformat=sample_fmts={form}:channel_layouts={layout}:sample_rates={SOUND_RATE}",
            f"asetnsamples=n={FRAME_LENGTHS[self._track.codec]}:p=1",
            "abuffersink",
        ]
        nodes = [graph.add(*step.partition("=")[::2]) for step in steps]
        graph.link_nodes(source, *nodes)
        graph.configure()
        return graph


def _set_up(context: "AudioCodecContext", track: SoundTrack) -> None:
    context.layout = _LAYOUTS[track.channels]
    context.format = _ENCODERS[track.codec][1]
    context.bit_rate = _BITRATES[track.codec] * track.channels
    context.time_base = Fraction(1, SOUND_RATE)
