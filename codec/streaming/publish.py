"""Written segments → manifests."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ncodec.errors import InputError
from ncodec.streaming.audio import SOUND_RATE, SoundTrack
from ncodec.streaming.contents import Contents, Sheets, SoundEntry, VideoEntry
from ncodec.streaming.dash import manifest
from ncodec.streaming.hls import key_playlist, master_playlist, media_playlist, text_playlist
from ncodec.streaming.layout import (
    KEY_FRAMES,
    MANIFEST,
    MASTER,
    MEDIA,
    segment_name,
    video_folder,
)
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.text import TextTrack
from ncodec.streaming.work import write_file
from ncodec.streaming.written import read_written


@dataclass(frozen=True)
class Beside:
    """Tracks and pictures beside the video."""

    sounds: tuple[SoundTrack, ...] = ()
    texts: tuple[TextTrack, ...] = ()
    sheets: Sheets | None = None


def contents_of(plan: StreamPlan, folder: Path, beside: Beside) -> Contents:
    """Everything that was written of a plan; raises InputError where segments are missing, and
    FormatError where they are damaged."""
    numbers = [span.number for span in plan.spans]
    _check_segments(plan, folder)
    videos = tuple(
        VideoEntry(
            rendition,
            read_written(
                folder,
                f"video/{rendition.name}",
                name=rendition.name,
                timescale=plan.form.timescale,
                numbers=numbers,
            ),
            plan.form_of(rendition).colour.transfer,
        )
        for rendition in plan.renditions
    )
    sounds = tuple(
        SoundEntry(
            sound,
            read_written(
                folder,
                f"audio/{sound.name}",
                name=sound.name,
                timescale=SOUND_RATE,
                numbers=numbers,
            ),
        )
        for sound in beside.sounds
    )
    return Contents(videos, sounds, beside.texts, plan.form.rate, beside.sheets)


def _check_segments(plan: StreamPlan, folder: Path) -> None:
    for rendition in plan.renditions:
        for span in plan.spans:
            path = video_folder(folder, rendition.name) / segment_name(span.number)
            if not path.is_file():
                msg = f"{path}: expected a segment, got none: run its job first"
                raise InputError(msg)


class LiveClock:
    """Estimate of the wall-clock time of media time 0 of a live stream: the earliest that a
    segment implies."""

    def __init__(self) -> None:
        self._begun: datetime | None = None

    def note(self, seconds: float) -> None:
        """Note that the segment that ends at `seconds` is there, so that second 0 was no later."""
        begun = datetime.now(UTC) - timedelta(seconds=seconds)
        self._begun = begun if self._begun is None else min(self._begun, begun)

    @property
    def begun(self) -> str:
        """Time of second 0, in ISO 8601."""
        return (self._begun or datetime.now(UTC)).isoformat(timespec="milliseconds")


def write_manifests(contents: Contents, folder: Path, *, clock: LiveClock | None = None) -> None:
    """Write playlists of HLS, a multivariant one for all codecs and one for each, and the manifest
    of DASH; `clock` is of a live stream that goes on."""
    for entry in contents.videos:
        place = folder / entry.track.place
        write_file(place / MEDIA, media_playlist(entry.track, contents).encode())
        write_file(place / KEY_FRAMES, key_playlist(entry.track, contents).encode())
    for sound in contents.sounds:
        text = media_playlist(sound.track, contents)
        write_file(folder / sound.track.place / MEDIA, text.encode())
    for track in contents.texts:
        text = text_playlist(track, contents)
        write_file(folder / "text" / f"{track.number}.m3u8", text.encode())
    codecs = list(dict.fromkeys(entry.rendition.codec for entry in contents.videos))
    write_file(folder / MASTER, master_playlist(contents, codecs).encode())
    for codec in codecs:
        write_file(folder / f"{codec}.m3u8", master_playlist(contents, [codec]).encode())
    text = manifest(contents, started="" if clock is None else clock.begun)
    write_file(folder / MANIFEST, text.encode())
