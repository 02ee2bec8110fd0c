"""Frames of a surveyed clip from any of them on."""

from collections.abc import Callable, Generator
from itertools import chain, islice

import av

from ncodec.media.mezzanine import Mezzanine, Survey

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
            found = next(frames, None)
            if found is not None and found.pts == stamp and not found.is_corrupt:
                yield from chain([found], frames)
                return
    with open_source() as reader:
        yield from islice(reader.decode(), first, None)
