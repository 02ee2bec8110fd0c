"""Text subtitles → WebVTT."""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Disposition, Stream

from ncodec.container.records import Media
from ncodec.errors import NcodecError
from ncodec.media.languages import language_tag, plain_text
from ncodec.media.subtitles import TextConverter, can_convert
from ncodec.streaming.work import write_file

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

_UNIT = Fraction(1, 1000)


@dataclass(frozen=True)
class TextTrack:
    """A track of subtitles."""

    number: int
    """from 1"""
    language: str
    title: str
    is_default: bool
    is_forced: bool

    @property
    def name(self) -> str:
        """File name of its text."""
        return f"{self.number}.vtt"


def write_text(
    container: "InputContainer", folder: Path, *, start: Fraction, end: Fraction
) -> tuple[list[TextTrack], list[str]]:
    """Write each text track of a clip as WebVTT into the folder text, and say which there are, with
    notices; `start` and `end` are the video's, in seconds of the clip's clock and from there."""
    streams = [stream for stream in container.streams if stream.type == "subtitle"]
    found = [stream for stream in streams if can_convert(stream, "webvtt")]
    notices = [
        f"the subtitles of stream {stream.index} were left out: they are pictures"
        for stream in streams
        if stream not in found
    ]
    if not found:
        return [], notices
    files = {stream.index: io.BytesIO() for stream in found}
    targets = {stream.index: av.open(files[stream.index], "w", format="webvtt") for stream in found}
    converters = {
        stream.index: TextConverter(targets[stream.index], stream, muxer="webvtt")
        for stream in found
    }
    for packet in container.demux(found):
        if packet.size and packet.pts is not None:
            number = packet.stream.index
            _write(packet, targets[number], converters[number], start, end)
    for target in targets.values():
        target.close()
    tracks = [_describe(number, stream) for number, stream in enumerate(found, 1)]
    for track, stream in zip(tracks, found, strict=True):
        text = files[stream.index].getvalue()
        write_file(folder / "text" / track.name, text or b"WEBVTT\n\n")
    return tracks, notices


def _write(
    packet: "av.Packet[Stream]",
    target: "OutputContainer",
    converter: TextConverter,
    start: Fraction,
    end: Fraction,
) -> None:
    base = packet.time_base or _UNIT
    begin = Fraction(packet.pts or 0) * base - start
    until = min(end, begin + Fraction(packet.duration or 0) * base)
    begin = max(begin, Fraction(0))
    if until <= begin:
        return
    try:
        text = converter.convert(Media(0, 0, 0, 0, True, bytes(packet)))
    except NcodecError:
        return
    if text is None:
        return
    text.pts = text.dts = round(begin / _UNIT)
    text.duration = round((until - begin) / _UNIT)
    text.time_base, text.stream = _UNIT, converter.stream
    target.mux(text)


def _describe(number: int, stream: Stream) -> TextTrack:
    return TextTrack(
        number,
        language_tag(stream.metadata.get("language", "und")),
        plain_text(stream.metadata.get("title", "")),
        bool(stream.disposition & Disposition.default),
        bool(stream.disposition & Disposition.forced),
    )
