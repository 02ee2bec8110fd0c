"""Tracks of sound → AAC and Opus in CMAF segments that end where those of the video do."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.filter import Graph

from ncodec.errors import OutputError, sentence_of
from ncodec.streaming.layout import START, audio_folder, segment_name
from ncodec.streaming.samples import Sample
from ncodec.streaming.segments import pack_segment
from ncodec.streaming.work import keep_start, write_file

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer

RATE = 48_000
"""samples a second, and units of time of tracks of sound"""
_FRAME = {"aac": 1024, "opus": 960}
_ENCODERS = {"aac": "aac", "opus": "libopus"}
_BITRATES = {"aac": 64_000, "opus": 48_000}
"""bits a second of a channel"""
_LAYOUTS = {1: "mono", 2: "stereo"}
"""sound of more channels is mixed down to two, which every player has"""


@dataclass(frozen=True)
class SoundTrack:
    """A track of sound in one codec."""

    number: int
    """place among the clip's tracks of sound, from 1"""
    codec: str
    language: str
    """as the clip states it, or und"""
    title: str
    channels: int
    bitrate: int
    """bits a second to code with"""
    is_default: bool

    @property
    def name(self) -> str:
        """Name of its folder, such as aac-1."""
        return f"{self.codec}-{self.number}"


def describe_sound(
    streams: Sequence["AudioStream"], codecs: Sequence[str]
) -> tuple[list[SoundTrack], list[str]]:
    """Tracks that are made of the streams of sound in each codec, and notices."""
    notices: list[str] = []
    tracks: list[SoundTrack] = []
    for number, stream in enumerate(streams, 1):
        own = stream.codec_context.layout.nb_channels
        channels = min(2, max(1, own))
        if own > channels:
            notices.append(f"sound of {own} channels was mixed down to {channels}")
        tracks += [
            SoundTrack(
                number,
                codec,
                stream.metadata.get("language", "und"),
                stream.metadata.get("title", ""),
                channels,
                _BITRATES[codec] * channels,
                number == 1,
            )
            for codec in codecs
        ]
    return tracks, notices


def write_sound(
    container: "InputContainer",
    stream: "AudioStream",
    track: SoundTrack,
    folder: Path,
    *,
    start: Fraction,
    ends: Sequence[Fraction],
) -> None:
    """Write the segments of a track of sound, unless all are there.

    `start` is when the video begins, in seconds of the clip's clock, `ends` are the seconds at
    which its segments end. Sound before and behind the video is left out; silence fills what lacks.
    Raises OutputError where it cannot be coded.
    """
    place = audio_folder(folder, track.name)
    names = [place / segment_name(number) for number in range(1, len(ends) + 1)]
    if (place / START).is_file() and all(path.is_file() for path in names):
        return
    try:
        begin, packets = _coded(container, stream, track, start=start, end=ends[-1])
        held: list[Sample] = []
        boundaries = _boundaries(track.codec, ends)
        number = 0
        for packet in packets:
            while number + 1 < len(boundaries) and packet.time >= boundaries[number]:
                _write(names[number], held, boundaries[number], number + 1)
                held, number = [], number + 1
            held.append(packet)
        if held:
            last = held[-1].time + _FRAME[track.codec]
            _write(names[number], held, last, number + 1)
        keep_start(place, begin.getvalue())
    except (av.FFmpegError, ValueError) as error:
        msg = f"{track.name}: the sound cannot be coded: {sentence_of(error)}"
        raise OutputError(msg) from error


def _write(path: Path, samples: Sequence[Sample], end: int, number: int) -> None:
    write_file(path, pack_segment(samples, end=end, number=number))


def _boundaries(codec: str, ends: Sequence[Fraction]) -> list[int]:
    """Ends of segments at the nearest ends of coded frames, in units of the rate."""
    frame = _FRAME[codec]
    return [round(end * RATE / frame) * frame for end in ends]


def _coded(
    container: "InputContainer",
    stream: "AudioStream",
    track: SoundTrack,
    *,
    start: Fraction,
    end: Fraction,
) -> tuple[io.BytesIO, Iterator[Sample]]:
    """Start of the track's file, complete once all samples were taken, and its samples."""
    written = io.BytesIO()
    target = av.open(
        written, "w", format="mp4", options={"movflags": "cmaf+empty_moov", "fflags": "+bitexact"}
    )
    coder = cast("AudioStream", target.add_stream(_ENCODERS[track.codec], rate=RATE))
    context = coder.codec_context
    context.layout = _LAYOUTS[track.channels]
    context.bit_rate = track.bitrate
    context.format = "fltp" if track.codec == "aac" else "flt"
    context.time_base = Fraction(1, RATE)

    def samples() -> Iterator[Sample]:
        time = 0
        shaped = _shaped(container, stream, context, start=start, end=end)
        for packet in _packets(context, shaped):
            if track.codec == "aac" and (packet.pts or 0) < 0:
                continue  # the encoder's run-up, which players would need an edit list for
            yield Sample(bytes(packet), time, is_key=True)
            time += _FRAME[track.codec]
        target.start_encoding()
        target.close()

    return written, samples()


def _packets(
    context: "AudioCodecContext", frames: Iterator[av.AudioFrame]
) -> Iterator["av.Packet[AudioStream]"]:
    for frame in frames:
        yield from context.encode(frame)
    yield from context.encode(None)


def _shaped(
    container: "InputContainer",
    stream: "AudioStream",
    context: "AudioCodecContext",
    *,
    start: Fraction,
    end: Fraction,
) -> Iterator[av.AudioFrame]:
    """Sound from `start` for `end` seconds, resampled, without gaps."""
    graph: Graph | None = None
    form: tuple[object, ...] = ()
    for frame in _frames(container, stream):
        own = (frame.format.name, frame.layout.name, frame.sample_rate)
        if graph is None:
            graph, form = _graph(frame, context, end=end), own
        if own != form:
            continue
        base = frame.time_base or Fraction(1, frame.sample_rate)
        frame.pts = None if frame.pts is None else frame.pts - round(start / base)
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _frames(container: "InputContainer", stream: "AudioStream") -> Iterator[av.AudioFrame]:
    """Frames that can be decoded."""
    packets = container.demux([stream])
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.InvalidDataError:
            continue


def _graph(frame: av.AudioFrame, context: "AudioCodecContext", *, end: Fraction) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate,
        format=frame.format.name,
        layout=frame.layout.name,
        time_base=frame.time_base,
    )
    size = context.frame_size or _FRAME[next(k for k, v in _ENCODERS.items() if v == context.name)]
    steps = [
        graph.add("aresample", f"{RATE}:async=1:min_hard_comp=0.02:first_pts=0"),
        graph.add("apad", f"whole_dur={float(end):.6f}"),
        graph.add("atrim", f"end={float(end):.6f}"),
        graph.add(
            "aformat",
            f"sample_fmts={context.format.name}:channel_layouts={context.layout.name}"
            f":sample_rates={RATE}",
        ),
        graph.add("asetnsamples", f"n={size}:p=1"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(source, *steps)
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[av.AudioFrame]:
    while True:
        try:
            yield cast("av.AudioFrame", graph.pull())
        except (av.error.BlockingIOError, av.error.EOFError):
            return
