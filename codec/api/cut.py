"""Parts of .ncv files, cut out at intra frames without coding anything again."""

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, isfinite

from ncodec.api.pieces import Assembly, Piece, fitted, unknown_notices, write_pieces
from ncodec.container.records import LastDuration, StreamHeader
from ncodec.container.survey import Place, Survey
from ncodec.errors import InputError
from ncodec.media.rereadable import Rereadable
from ncodec.media.streams import Source, check_output, open_output, path_of
from ncodec.media.tracks import open_tracks
from ncodec.notices import report_notices

LARGEST_S = 10**9
"""seconds"""


@dataclass(frozen=True)
class CutStats:
    """A part that was cut out of a stream."""

    first: int
    """number of its first frame in the stream, counted from 0"""
    frames: int
    start: float
    """seconds in the stream at which its first frame is shown"""
    end: float
    """seconds in the stream at which its last frame ends"""
    size: int
    """bytes of the part"""
    video_size: int
    """bytes of its frames"""
    notices: tuple[str, ...] = ()
    """where it does not begin or end as asked for, and losses, in sentences"""

    @property
    def duration(self) -> float:
        """Seconds that the part is shown."""
        return self.end - self.start


@dataclass(frozen=True)
class _Part:
    """Range of frames to copy: its first and last one in file order, and the intra frame after it,
    None at the end of the stream."""

    begin: Place
    last: Place
    following: Place | None
    early: int
    """frames before the one that is shown when the part was to begin"""
    late: int
    """frames that are shown after the part was to end"""


def cut_video(
    source: Source,
    path: str | os.PathLike[str],
    *,
    start: float | None = None,
    end: float | None = None,
    overwrite: bool = False,
) -> CutStats:
    """Copy a part of a .ncv file into the .ncv file `path` ("-" is standard output), without coding
    anything again, and return which part that is.

    `source` is a path, "-", bytes or an open file. The part begins with the last intra frame at or
    before `start`, in seconds, and ends before the first intra frame at or after `end`; None is the
    start or the end of the stream. A notice says where frames more than asked for were taken. Time
    stamps of frames, packets and chapters are moved so that the part begins at 0. Packets of sound
    and subtitles belong to the part in which they begin. The source is read twice; one that cannot
    seek is copied to a temporary file. Raises InputError for a part that is empty or outside the
    stream, FormatError for damage, TruncatedError for a cut file, or OutputError, also for an
    existing file without `overwrite`.
    """
    asked = _checked(start, end)
    check_output(path, overwrite=overwrite, source=path_of(source))
    with Rereadable(source) as rereadable:
        with rereadable.open() as stream:
            survey = Survey(stream)
            part = _find(survey, *asked)
        piece = _piece(survey, part)
        chapters = piece.chapters(survey.metadata.chapters)
        metadata, notices = fitted(replace(survey.metadata, chapters=chapters))
        last = _last_duration(survey, part, piece)
        assembly = Assembly(survey.header, survey.tracks, metadata, last)
        with open_output(path, overwrite=overwrite, source=path_of(source)) as sink:
            written = write_pieces(sink, assembly, [(rereadable, piece)])
        notices = (
            *_moves(survey, part, *asked),
            *notices,
            *_cut_subtitles(assembly, written.cut_tracks),
            *unknown_notices(survey.unknown),
        )
    base = survey.header.time_base
    begin_s, end_s = float(piece.start * base), float(piece.stop * base)
    stats = CutStats(
        part.begin.number, written.frames, begin_s, end_s, written.size, written.video_size, notices
    )
    report_notices(stats.notices, strict=False)
    return stats


def _checked(start: float | None, end: float | None) -> tuple[Fraction | None, Fraction | None]:
    """The times as they are written; raises InputError unless the second is the later one."""
    for name, value in (("a start", start), ("an end", end)):
        if value is not None and not (isfinite(value) and 0 <= value < LARGEST_S):
            msg = f"expected {name} of 0 to {LARGEST_S} s, got {value}"
            raise InputError(msg)
    if end is not None and end <= (start or 0):
        msg = f"expected an end after {start or 0:g} s, where the part begins, got {end:g} s"
        raise InputError(msg)
    # A time such as 0.29 is meant as written, not as the nearest binary fraction below it.
    first, last = (
        None if value is None else Fraction(value).limit_denominator(10**6)
        for value in (start, end)
    )
    return first, last


def _find(survey: Survey, start: Fraction | None, end: Fraction | None) -> _Part:
    """Read the stream to its end, and find the part; raises InputError where it has no frame."""
    base = survey.header.time_base
    shown_at = None if start is None else floor(start / base)
    ended_at = None if end is None else ceil(end / base)
    begin = last = following = None
    early = late = 0
    for place in survey.frames():
        if following is not None:
            continue  # read on: damage there must be found before anything is written
        is_before = shown_at is not None and place.pts <= shown_at
        is_after = ended_at is not None and place.pts >= ended_at
        if begin is not None and place.is_intra and is_after:
            following = place
            continue
        if begin is None or (place.is_intra and is_before):
            begin = place
        early = place.number - begin.number if is_before else early
        late += is_after
        last = place
    if begin is None or last is None:
        msg = "expected frames, got none"
        raise InputError(msg)
    if shown_at is not None and shown_at >= survey.end:
        msg = f"expected a start inside the clip, got {float(start or 0):.3f} s: it ends at "
        raise InputError(msg + _seconds(survey.header, survey.end))
    if ended_at is not None and ended_at <= begin.pts:
        msg = f"expected an end inside the clip, got {float(end or 0):.3f} s: it begins at "
        raise InputError(msg + _seconds(survey.header, begin.pts))
    return _Part(begin, last, following, early, late)


def _piece(survey: Survey, part: _Part) -> Piece:
    base = survey.header.time_base
    return Piece(
        part.begin.pts,
        part.following.pts if part.following else survey.end,
        base,
        0,
        base,
        keeps_earlier=part.begin.number == 0,
        keeps_later=part.following is None,
    )


def _last_duration(survey: Survey, part: _Part, piece: Piece) -> LastDuration | None:
    """For how long the last frame of the part is shown, where that is not the average."""
    if part.following is None:
        return survey.last_duration
    duration = piece.stop - part.last.pts
    return LastDuration(duration) if duration != survey.header.frame_duration else None


def _moves(
    survey: Survey, part: _Part, start: Fraction | None, end: Fraction | None
) -> tuple[str, ...]:
    """Notices of how the part differs from the one asked for."""
    notices = []
    if part.early:
        begin = _seconds(survey.header, part.begin.pts)
        notices.append(
            f"the part begins with the intra frame at {begin}, {_frames(part.early)} before "
            f"{float(start or 0):.3f} s"
        )
    if part.late and end is not None:
        stop = part.following.pts if part.following else survey.end
        where = "before the intra frame" if part.following else "with the stream"
        notices.append(
            f"the part ends {where} at {_seconds(survey.header, stop)}, {_frames(part.late)} after "
            f"{float(end):.3f} s"
        )
    elif part.following is None and end is not None and end > survey.end * survey.header.time_base:
        stop_s = _seconds(survey.header, survey.end)
        notices.append(f"the stream ends at {stop_s}, before {float(end):.3f} s")
    return tuple(notices)


def _cut_subtitles(assembly: Assembly, cut: frozenset[int]) -> tuple[str, ...]:
    """The notice that subtitles were left out, where they began before the part; packets of sound
    are too short to be missed."""
    if not cut or assembly.tracks is None:
        return ()
    with open_tracks(assembly.tracks) as template:
        is_lost = any(template.streams[track].type == "subtitle" for track in cut)
    return ("subtitles that began before the part were left out",) if is_lost else ()


def _seconds(header: StreamHeader, units: int) -> str:
    return f"{float(units * header.time_base):.3f} s"


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count > 1)}"
