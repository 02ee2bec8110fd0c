"""Trials of files of video: a small one is written and read back, to see what its format holds."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.stream import Stream

from ncodec.container.clip_metadata import ClipMetadata
from ncodec.media.clip_properties import disposition_of
from ncodec.media.subtitles import TextConverter
from ncodec.media.tracks import Packet, first_packet

if TYPE_CHECKING:
    from av.container import OutputContainer

_SIDE = 64
_SECOND = 19
"""characters of a date and time up to its seconds, which muxers write in several forms"""


@dataclass(frozen=True)
class TrialTrack:
    """A track of a trial."""

    stream: Stream
    """the track in another file"""
    first: "Packet | None"
    """its first packet; None for a track of text that is converted"""
    dispositions: Sequence[str] = ()
    is_converted: bool = False


def can_hold(muxer: str, track: Stream, first: "Packet | None") -> bool:
    """Whether files of FFmpeg's `muxer` take a track, with its first packet if there is one."""
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            copy = trial.add_stream_from_template(track)
            trial.start_encoding()
            if first is not None:
                trial.mux(first_packet(first, copy))
    except (av.FFmpegError, ValueError):
        return False
    return True


def describe_clip(container: "OutputContainer", metadata: ClipMetadata) -> None:
    """Give a file that is to be written the tags and chapters of a clip."""
    container.metadata.update(dict(metadata.tags))
    container.set_chapters(
        [
            {
                "id": number,
                "start": chapter.start,
                "end": chapter.end,
                "time_base": Fraction(1, 10**6),
                "metadata": {"title": chapter.title} if chapter.title else {},
            }
            for number, chapter in enumerate(metadata.chapters)
        ]
    )


def lost_metadata(
    muxer: str, metadata: ClipMetadata, tracks: Sequence[TrialTrack]
) -> Iterator[str]:
    """Notices of tags, chapters and dispositions that files of FFmpeg's `muxer` do not hold."""
    if not (metadata.tags or metadata.chapters or any(track.dispositions for track in tracks)):
        return
    found = _read_back(muxer, metadata, tracks)
    if found is None:
        yield "tags, chapters and flags of tracks were left out: the file cannot hold them"
        return
    tags, chapters, flags = found
    lost = [name for name, value in metadata.tags if not _is_kept(name, value, tags)]
    if lost:
        yield f"tags were left out that the file cannot hold: {', '.join(lost)}"
    if chapters != len(metadata.chapters):
        yield "chapters were left out: the file cannot hold them"
    wanted = [disposition_of(track.dispositions) for track in tracks]
    changed = {str(i) for i, flag in enumerate(wanted) if i >= len(flags) or flags[i] != int(flag)}
    if changed:
        yield (
            f"flags such as default and forced are not as they were in tracks "
            f"{', '.join(sorted(changed))}: the file cannot hold them"
        )


def _is_kept(name: str, value: str, tags: dict[str, str]) -> bool:
    found = tags.get(name)
    if found is None or name != "creation_time":
        return found == value
    return found[:_SECOND] == value[:_SECOND]


def _read_back(
    muxer: str, metadata: ClipMetadata, tracks: Sequence[TrialTrack]
) -> tuple[dict[str, str], int, list[int]] | None:
    """Tags, number of chapters, and flags of each track of a small file; None where it fails."""
    written = io.BytesIO()
    try:
        with av.open(written, "w", format=muxer) as trial:
            video = trial.add_stream("libx264", rate=1, options={"preset": "ultrafast"})
            video.width, video.height, video.pix_fmt = _SIDE, _SIDE, "yuv420p"
            copies = [
                TextConverter(trial, track.stream, muxer=muxer).stream
                if track.is_converted
                else trial.add_stream_from_template(track.stream)
                for track in tracks
            ]
            for track, copy in zip(tracks, copies, strict=True):
                copy.disposition = disposition_of(track.dispositions)
            describe_clip(trial, metadata)
            trial.mux(video.encode(av.VideoFrame(_SIDE, _SIDE, "yuv420p")))
            for track, copy in zip(tracks, copies, strict=True):
                if track.first is not None:
                    trial.mux(first_packet(track.first, copy))
            trial.mux(video.encode(None))
        with av.open(io.BytesIO(written.getvalue()), "r", format=muxer) as back:
            kept = [stream for stream in back.streams if stream.type in ("audio", "subtitle")]
            tags = {name.lower(): value for name, value in back.metadata.items()}
            return tags, len(back.chapters()), [int(stream.disposition) for stream in kept]
    except (av.FFmpegError, ValueError, UnicodeError):
        return None
