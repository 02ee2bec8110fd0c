"""Sound and subtitles of a clip → tracks of its stream."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import av

from ncodec.errors import OutputError, sentence_of
from ncodec.media.mezzanine import Mezzanine
from ncodec.streaming.audio import (
    FRAME_LENGTHS,
    SOUND_RATE,
    SoundEncoder,
    SoundTrack,
    describe_sound,
    sound_start,
)
from ncodec.streaming.contents import Sheets
from ncodec.streaming.layout import START, audio_folder, segment_name
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.publish import Beside
from ncodec.streaming.samples import Sample
from ncodec.streaming.segments import pack_segment
from ncodec.streaming.text import write_text
from ncodec.streaming.work import keep_start, write_file

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer


def write_tracks(
    path: Path,
    plan: StreamPlan,
    folder: Path,
    *,
    codecs: Sequence[str],
    sheets: Sheets,
    progress: Callable[[int, int], None],
) -> tuple[Beside, tuple[str, ...]]:
    """Write tracks of sound in each codec and of subtitles, and say which there are, with notices.

    `progress` is called with seconds of sound that are done, and their number in all.
    """
    survey = plan.survey
    ends = [*(survey.times[span.first] for span in plan.spans[1:]), survey.end]
    with Mezzanine(path) as reader:
        sounds, notices = describe_sound(reader.sounds, tuple(codecs))
    heard: list[SoundTrack] = []
    groups = [tuple(group) for _, group in groupby(sounds, key=lambda sound: sound.number)]
    length = ceil(survey.end)
    for place, tracks in enumerate(groups):

        def advance(seconds: float, before: int = place * length) -> None:
            progress(before + min(length, int(seconds)), len(groups) * length)

        with Mezzanine(path) as reader:
            if _write_sounds(
                reader, tracks, folder, start=survey.start, ends=ends, progress=advance
            ):
                heard += tracks
                continue
        notices += (f"sound {tracks[0].number} was left out: nothing of it can be decoded",)
    with Mezzanine(path) as reader:
        texts, lost = write_text(reader.container, folder, start=survey.start, end=survey.end)
    return Beside(tuple(heard), tuple(texts), sheets), tuple(dict.fromkeys((*notices, *lost)))


def sound_boundary(codec: str, seconds: Fraction) -> int:
    """The end of a coded frame of sound nearest to `seconds`, in units of the sound's rate."""
    length = FRAME_LENGTHS[codec]
    return round(seconds * SOUND_RATE / length) * length


def _boundaries(codec: str, ends: Sequence[Fraction]) -> list[int]:
    """Ends of segments of sound, each at least a coded frame behind the one before."""
    found: list[int] = []
    for end in ends:
        least = FRAME_LENGTHS[codec] + (found[-1] if found else 0)
        found.append(max(least, sound_boundary(codec, end)))
    return found


class _SoundWriter:
    """Writer of the segments of a track of sound, which end with those of the video."""

    def __init__(
        self, track: SoundTrack, folder: Path, *, start: Fraction, ends: Sequence[Fraction]
    ) -> None:
        self._track, self._place = track, audio_folder(folder, track.name)
        self._boundaries = _boundaries(track.codec, ends)
        self._names = [self._place / segment_name(number + 1) for number in range(len(ends))]
        end = Fraction(self._boundaries[-1], SOUND_RATE)
        self._encoder = SoundEncoder(track, start=start, end=end)
        self._held: list[Sample] = []
        self._number = 0

    @property
    def is_done(self) -> bool:
        """Whether all its files are there."""
        return all(path.is_file() for path in (self._place / START, *self._names))

    def push(self, frame: av.AudioFrame) -> None:
        """Take a frame of sound."""
        self._take(self._encoder.push(frame))

    def finish(self) -> bool:
        """Write what is left; false where there was no sound, and nothing was written."""
        self._take(self._encoder.finish())
        if not self._held:
            return False
        self._write(self._encoder.time)
        keep_start(self._place, sound_start(self._track))
        return True

    def _take(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            while (
                self._number + 1 < len(self._names)
                and sample.time >= self._boundaries[self._number]
            ):
                self._write(self._boundaries[self._number])
            self._held.append(sample)

    def _write(self, end: int) -> None:
        data = pack_segment(self._held, end=end, number=self._number + 1)
        write_file(self._names[self._number], data)
        self._held, self._number = [], self._number + 1


def _write_sounds(
    reader: Mezzanine,
    tracks: Sequence[SoundTrack],
    folder: Path,
    *,
    start: Fraction,
    ends: Sequence[Fraction],
    progress: Callable[[float], None],
) -> bool:
    """Write a clip's track of sound in several codecs, decoding it once, unless all is there; false
    where nothing can be decoded. Raises OutputError where it cannot be coded."""
    writers = [_SoundWriter(track, folder, start=start, ends=ends) for track in tracks]
    missing = [writer for writer in writers if not writer.is_done]
    if not missing:
        return True
    try:
        for frame in _frames(reader.container, reader.sounds[tracks[0].number - 1]):
            stamp, seconds = frame.pts, frame.time
            for writer in missing:
                frame.pts = stamp  # an encoder takes it away
                writer.push(frame)
            if seconds is not None:
                progress(seconds - float(start))
        heard = [writer.finish() for writer in missing]
    except (av.FFmpegError, ValueError) as error:
        msg = f"{tracks[0].name}: the sound cannot be coded: {sentence_of(error)}"
        raise OutputError(msg) from error
    return all(heard)


def _frames(container: "InputContainer", stream: "AudioStream") -> Iterator[av.AudioFrame]:
    """Frames of sound that can be decoded."""
    packets = container.demux([stream])
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            return
        if packet is None:
            return
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            return
        except (av.FFmpegError, OSError):
            continue
