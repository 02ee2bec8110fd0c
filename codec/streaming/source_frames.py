"""Frames of a surveyed clip from any of them on."""

from collections.abc import Callable, Generator, Iterator
from itertools import chain, islice

import av

from ncodec.errors import InputError
from ncodec.media.mezzanine import Mezzanine, Survey
from ncodec.streaming.spans import Span

OpenSource = Callable[[], Mezzanine]
_EARLIER_S = (0, 3, 15)
"""seconds before a frame from which its file is read, as long as that gives other frames"""


def frames_from(
    open_source: OpenSource, survey: Survey, first: int
) -> Generator[av.VideoFrame, None, None]:
    """Frames of a clip from number `first` on.

    Where the file gives another frame at that place than in the survey, or a damaged one, it is
    read from an earlier place on, at last from its start.
    """
    for earlier in _EARLIER_S if survey.is_seekable and first else ():
        stamp = survey.stamps[first]
        with open_source() as reader:
            frames = reader.decode(stamp=stamp, earlier=earlier)
            try:
                found = next(frames, None)
            except InputError:  # some files cannot be read from within at some places
                continue
            if found is not None and found.pts == stamp and not found.is_corrupt:
                yield from chain([found], frames)
                return
    with open_source() as reader:
        yield from islice(reader.decode(), first, None)


def frames_of_span(
    frames: Iterator[av.VideoFrame], survey: Survey, span: Span
) -> Iterator[av.VideoFrame]:
    """The next frames of a clip, as many as a span has; raises InputError where their time stamps
    are not those of the survey, or the clip ends before the span does."""
    number = span.first
    for number, frame in enumerate(islice(frames, span.frames), span.first + 1):
        if survey.is_seekable and frame.pts != survey.stamps[number - 1]:
            msg = (
                f"expected frame {number - 1} at time stamp {survey.stamps[number - 1]}, got "
                f"{frame.pts}: the file gives other frames when it is read from within"
            )
            raise InputError(msg)
        yield frame
    if number < span.last:
        msg = (
            f"expected {span.last - number} frames more from frame {number} on: the file gives "
            f"fewer frames when it is read from within"
        )
        raise InputError(msg)
