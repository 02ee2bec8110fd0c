"""Sound and subtitles of a clip → tracks of its stream."""

from collections.abc import Sequence
from pathlib import Path

from ncodec.media.mezzanine import Mezzanine
from ncodec.streaming.audio import describe_sound, write_sound
from ncodec.streaming.contents import Sheets
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.publish import Beside
from ncodec.streaming.text import write_text


def write_tracks(
    path: Path, plan: StreamPlan, folder: Path, *, codecs: Sequence[str], sheets: Sheets
) -> tuple[Beside, tuple[str, ...]]:
    """Write tracks of sound in each codec and of subtitles, and say which there are, with
    notices."""
    survey = plan.survey
    ends = [*(survey.times[span.first] for span in plan.spans[1:]), survey.end]
    with Mezzanine(path) as reader:
        sounds, notices = describe_sound(reader.sounds, codecs)
    for sound in sounds:
        with Mezzanine(path) as reader:
            stream = reader.sounds[sound.number - 1]
            write_sound(reader.container, stream, sound, folder, start=survey.start, ends=ends)
    with Mezzanine(path) as reader:
        texts, lost = write_text(reader.container, folder, start=survey.start, end=survey.end)
    return Beside(tuple(sounds), tuple(texts), sheets), (*notices, *lost)
