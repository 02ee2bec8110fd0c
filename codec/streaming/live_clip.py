"""Clips that are still being written → live streams."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import av

from ncodec.errors import InputError, sentence_of
from ncodec.media.growing_file import GrowingFile
from ncodec.media.mezzanine import Mezzanine
from ncodec.media.streams import STDIO, open_input
from ncodec.streaming.contents import Contents
from ncodec.streaming.live import LiveStream
from ncodec.streaming.prepare import Stage, live_form
from ncodec.streaming.settings import StreamSettings

_PATIENCE_S = 10
"""seconds after which a file that does not grow has ended"""
Records = Iterator[tuple[int, av.VideoFrame | av.AudioFrame]]


@dataclass(frozen=True)
class LiveResult:
    """A live stream that has ended."""

    contents: Contents
    frames: int
    segments: int
    """segments that were written, of which the window holds the last"""
    seconds: float
    """duration of all of them"""
    notices: tuple[str, ...]
    damage: str | None
    """where and how the input is damaged or broke off"""


def stream_live(
    source: str | os.PathLike[str],
    folder: Path,
    settings: StreamSettings,
    *,
    jobs: int,
    progress: Stage,
) -> LiveResult:
    """Make a live stream of a file that grows, or of standard input ("-"), until it ends.

    `progress` is called with "live" and the number of frames. Raises InputError where the clip
    cannot be read or shown, and OutputError.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(Mezzanine(_opened(source, stack)))
        records = reader.decode_all()
        first = next((frame for _, frame in records if isinstance(frame, av.VideoFrame)), None)
        if first is None:
            msg = f"{reader.name}: expected frames, got none that can be decoded"
            raise InputError(msg)
        live, notices = live_form(reader, reader.first_survey(first), settings)
        stream = LiveStream(folder, live, jobs=jobs)
        frames, end = _push(stream, chain([(0, first)], records), reader, progress)
        stream.finish(end)
        notices += tuple(reader.notices)
    contents = stream.contents(is_live=False)
    return LiveResult(contents, frames, stream.segments, float(end), notices, reader.damage)


def _opened(source: str | os.PathLike[str], stack: ExitStack) -> BinaryIO:
    if str(source) == STDIO:
        return stack.enter_context(open_input(STDIO))
    try:
        growing = GrowingFile(Path(source), patience=_PATIENCE_S)
    except OSError as error:
        msg = f"{source}: cannot be read: {sentence_of(error)}"
        raise InputError(msg) from error
    stack.callback(growing.close)
    return cast("BinaryIO", growing)


def _push(
    stream: LiveStream, records: Records, reader: Mezzanine, progress: Stage
) -> tuple[int, Fraction]:
    """Hand over everything; returns the number of frames, and seconds at which the last one
    ends."""
    frames, end = 0, Fraction(0)
    for number, frame in _up_to_interrupt(records):
        if isinstance(frame, av.AudioFrame):
            stream.push_sound(number, frame)
            continue
        seconds = Fraction(frame.pts or 0) * (frame.time_base or Fraction(1))
        stream.push_video(frame, seconds)
        frames, end = frames + 1, seconds + 1 / reader.rate
        progress("live", frames, None)
    return frames, end


def _up_to_interrupt(records: Records) -> Records:
    """Records up to Ctrl-C, the usual end of a live stream."""
    with suppress(KeyboardInterrupt):
        yield from records
