"""Everything that the manifests of a stream list."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ncodec.streaming.audio import SoundTrack
from ncodec.streaming.renditions import Rendition
from ncodec.streaming.text import TextTrack
from ncodec.streaming.written import WrittenTrack

_RANGES = {16: "PQ", 18: "HLG"}
"""transfer function of ITU-T H.273 → range of HLS"""


@dataclass(frozen=True)
class VideoEntry:
    """A rendition that was written."""

    rendition: Rendition
    track: WrittenTrack
    transfer: int
    """transfer function, a code point of ITU-T H.273"""

    @property
    def video_range(self) -> str:
        """VIDEO-RANGE of HLS: PQ, HLG, or SDR for any other transfer function."""
        return _RANGES.get(self.transfer, "SDR")


@dataclass(frozen=True)
class SoundEntry:
    """A track of sound that was written."""

    sound: SoundTrack
    track: WrittenTrack


@dataclass(frozen=True)
class Sheets:
    """Sheets of thumbnails."""

    names: tuple[str, ...]
    """files, relative to the stream's folder"""
    columns: int
    rows: int
    width: int
    """of a thumbnail, in pixels"""
    height: int
    interval: Fraction
    """seconds from one thumbnail to the next"""
    count: int
    size: int
    """bytes of the largest sheet"""


@dataclass(frozen=True)
class Contents:
    """Tracks of a stream."""

    videos: tuple[VideoEntry, ...]
    sounds: tuple[SoundEntry, ...]
    texts: tuple[TextTrack, ...]
    rate: Fraction
    """frames a second, on average"""
    sheets: Sheets | None = None
    is_live: bool = False
    """whether more segments may follow"""
    longest: Fraction | None = None
    """seconds that no segment of a live stream exceeds"""

    @property
    def seconds(self) -> float:
        """Duration of the longest track."""
        return max(track.seconds for track in self.tracks)

    @property
    def tracks(self) -> list[WrittenTrack]:
        """Tracks of video and sound."""
        return [*(video.track for video in self.videos), *(sound.track for sound in self.sounds)]

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for track in self.tracks for segment in track.segments)

    def of_codecs(self, codecs: Sequence[str]) -> list[VideoEntry]:
        """Renditions in these codecs, in the ladder's order."""
        return [entry for entry in self.videos if entry.rendition.codec in codecs]
