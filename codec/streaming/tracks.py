"""Sound and subtitles of a clip → tracks of its stream."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
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
    path: Path, plan: StreamPlan, folder: Path, *, codecs: Sequence[str], sheets: Sheets
) -> tuple[Beside, tuple[str, ...]]:
    """Write tracks of sound in each codec and of subtitles, and say which there are, with
    notices."""
    survey = plan.survey
    ends = [*(survey.times[span.first] for span in plan.spans[1:]), survey.end]
    with Mezzanine(path) as reader:
        sounds, notices = describe_sound(reader.sounds, tuple(codecs))
    heard: list[SoundTrack] = []
    for sound in sounds:
        with Mezzanine(path) as reader:
            if _write_sound(reader, sound, folder, start=survey.start, ends=ends):
                heard.append(sound)
                continue
        notices += (f"sound {sound.number} was left out: nothing of it can be decoded",)
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


def _write_sound(
    reader: Mezzanine,
    track: SoundTrack,
    folder: Path,
    *,
    start: Fraction,
    ends: Sequence[Fraction],
) -> bool:
    """Write the segments of a track of sound, which end with those of the video, unless all are
    there; false where nothing can be decoded. Raises OutputError where it cannot be coded."""
    place = audio_folder(folder, track.name)
    names = [place / segment_name(number) for number in range(1, len(ends) + 1)]
    if (place / START).is_file() and all(path.is_file() for path in names):
        return True
    boundaries = _boundaries(track.codec, ends)
    stream = reader.sounds[track.number - 1]
    held: list[Sample] = []
    number = 0
    try:
        encoder = SoundEncoder(track, start=start, end=Fraction(boundaries[-1], SOUND_RATE))
        for sample in _samples(reader.container, stream, encoder):
            while number + 1 < len(names) and sample.time >= boundaries[number]:
                data = pack_segment(held, end=boundaries[number], number=number + 1)
                write_file(names[number], data)
                held, number = [], number + 1
            held.append(sample)
        if not held:
            return False
        write_file(names[number], pack_segment(held, end=encoder.time, number=number + 1))
        keep_start(place, sound_start(track))
    except (av.FFmpegError, ValueError) as error:
        msg = f"{track.name}: the sound cannot be coded: {sentence_of(error)}"
        raise OutputError(msg) from error
    return True


def _samples(
    container: "InputContainer", stream: "AudioStream", encoder: SoundEncoder
) -> Iterator[Sample]:
    for frame in _frames(container, stream):
        yield from encoder.push(frame)
    yield from encoder.finish()


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
