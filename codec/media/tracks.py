"""Tracks of sound and subtitles ↔ small files that describe them."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import av
from av.stream import Stream

from ncodec.container.records import TEMPLATE_FORMATS, Tracks
from ncodec.errors import FormatError

if TYPE_CHECKING:
    from av.container import InputContainer

Packet: TypeAlias = "av.Packet[Stream]"

KEPT_METADATA = {"language": "language", "title": "title", "name": "title"}
"""tag of a track → its name in a description; MP4 and QuickTime call a title so"""
_NO_LANGUAGE = "und"
"""what MP4 states for a language that is not known"""
_EXACT = {"fflags": "+bitexact"}
"""option of a muxer: no random numbers and no version, so that equal clips become equal streams"""


def describe(
    tracks: Sequence[Stream], packets: Sequence[Packet]
) -> tuple[Tracks | None, list[Stream]]:
    """Description of tracks, a small file with their first packets as far as `packets` holds them,
    and the list of the tracks in it.

    Where no format of `TEMPLATE_FORMATS` holds all tracks, it describes those that Matroska can
    hold; (None, []) where there are none.
    """
    for chosen in (
        list(tracks),
        [track for track in tracks if _write(TEMPLATE_FORMATS[0], [track], packets)],
    ):
        for form in TEMPLATE_FORMATS if chosen else ():
            template = _write(form, chosen, packets)
            if template is not None:
                bases = tuple(track.time_base or Fraction(1, 1000) for track in chosen)
                return Tracks(form, bases, template), chosen
    return None, []


def _write(form: str, tracks: Sequence[Stream], packets: Sequence[Packet]) -> bytes | None:
    """A file with these tracks and their first packets, or None where the format does not keep what
    they are."""
    stream = io.BytesIO()
    try:
        with av.open(stream, "w", format=form, options=_EXACT) as container:
            copies = [(track, container.add_stream_from_template(track)) for track in tracks]
            for track, copy in copies:
                copy.metadata.update(kept_tags(track))
            container.start_encoding()
            indices = {track.index for track in tracks}
            if not any(packet.stream.index in indices for packet in packets):
                container.mux(_stub(copies[0][1]))  # Matroska without a packet cannot be read
            for track, copy in copies:
                packet = next(
                    (packet for packet in packets if packet.stream.index == track.index), None
                )
                if packet is not None:
                    container.mux(first_packet(packet, copy))
        with av.open(
            io.BytesIO(stream.getvalue()), "r", format=form, metadata_errors="replace"
        ) as container:
            same = [_nature(track) for track in container.streams] == [
                _nature(track) for track in tracks
            ]
    except (av.FFmpegError, ValueError):
        return None
    return stream.getvalue() if same else None


def kept_tags(stream: Stream) -> dict[str, str]:
    """Language and title of a stream, as far as it has them."""
    found = ((ours, stream.metadata.get(name)) for name, ours in KEPT_METADATA.items())
    return {ours: value for ours, value in found if value and value != _NO_LANGUAGE}


def _stub(stream: Stream) -> Packet:
    """An empty text, as packets of subtitles hold it."""
    stub = av.Packet(bytes(2))
    stub.pts = stub.dts = stub.duration = 0
    stub.time_base, stub.is_keyframe, stub.stream = Fraction(1, 1000), True, stream
    return stub


def first_packet(packet: Packet, stream: Stream) -> Packet:
    """A copy of a packet as the first one of another stream."""
    copy = av.Packet(bytes(packet))
    copy.pts = copy.dts = 0
    copy.time_base, copy.duration = packet.time_base, packet.duration
    copy.is_keyframe, copy.stream = packet.is_keyframe, stream
    return copy


def _nature(track: Stream) -> tuple[object, ...]:
    """Properties of a track that its description must keep."""
    context = track.codec_context
    if isinstance(context, av.AudioCodecContext):
        return (context.name, context.sample_rate, context.layout.nb_channels)
    return (track.type, context.name if context is not None else None)


@contextmanager
def open_tracks(tracks: Tracks) -> Iterator["InputContainer"]:
    """The file that describes the tracks, one stream for each; raises FormatError where it is not
    whole."""
    try:
        # By its name: told by the content, it could be a list of other files.
        container = av.open(
            io.BytesIO(tracks.template), "r", format=tracks.format, metadata_errors="replace"
        )
    except (av.FFmpegError, ValueError) as error:
        msg = f"expected a file that describes the tracks, got one that cannot be read: {error}"
        raise FormatError(msg) from error
    with container:
        if len(container.streams) != len(tracks.time_bases):
            msg = (
                f"expected {len(tracks.time_bases)} tracks to be described, got "
                f"{len(container.streams)}"
            )
            raise FormatError(msg)
        yield container


@dataclass(frozen=True)
class TrackKind:
    """Properties that two tracks share if packets of one can follow those of the other."""

    type: str
    """audio or subtitle"""
    codec: str
    time_base: Fraction
    """seconds of one unit of the time stamps of its packets"""
    sample_rate: int = 0
    """samples a second of sound"""
    channels: int = 0
    """of sound"""
    setup: bytes = field(default=b"", repr=False)
    """of the decoder, as FFmpeg's extradata"""

    def __str__(self) -> str:
        sound = f" of {self.channels} × {self.sample_rate} Hz" if self.type == "audio" else ""
        return f"{self.type} {self.codec}{sound} in {self.time_base} s"


def kinds_of(tracks: Tracks | None) -> tuple[TrackKind, ...]:
    """Kind of each track, none for None; raises FormatError where their description is not
    whole."""
    if tracks is None:
        return ()
    with open_tracks(tracks) as template:
        return tuple(map(_kind, template.streams, tracks.time_bases))


def _kind(track: Stream, time_base: Fraction) -> TrackKind:
    context = track.codec_context
    if context is None:
        return TrackKind(track.type, "unknown", time_base)
    setup = bytes(context.extradata or b"")
    if isinstance(context, av.AudioCodecContext):
        rate, channels = context.sample_rate, context.layout.nb_channels
        return TrackKind(track.type, context.name, time_base, rate, channels, setup)
    return TrackKind(track.type, context.name, time_base, setup=setup)
