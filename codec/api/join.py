"""One .ncv file of several, without coding anything again."""

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from itertools import chain

from ncodec.api.pieces import (
    Assembly,
    Piece,
    converted,
    fitted,
    unknown_notices,
    write_pieces,
)
from ncodec.container.clip_metadata import ClipMetadata
from ncodec.container.records import NO_MODEL, LastDuration, StreamHeader
from ncodec.container.survey import Survey
from ncodec.errors import InputError, NcodecError
from ncodec.media.rereadable import Rereadable
from ncodec.media.streams import STDIO, Bytes, Source, check_output, open_output, path_of
from ncodec.media.tracks import kinds_of
from ncodec.notices import report_notices


@dataclass(frozen=True)
class JoinStats:
    """A stream that was made of several."""

    frames: int
    duration: float
    """seconds that it is shown"""
    starts: tuple[float, ...]
    """seconds at which the first frame of each of them is shown"""
    size: int
    """bytes of the whole stream"""
    video_size: int
    """bytes of its frames"""
    notices: tuple[str, ...] = ()
    """losses and conversions, in sentences"""


@dataclass(frozen=True)
class _Stream:
    """A stream that is to be joined."""

    name: str
    source: Rereadable
    survey: Survey


def join_videos(
    sources: Iterable[Source], path: str | os.PathLike[str], *, overwrite: bool = False
) -> JoinStats:
    """Copy .ncv files, one behind another, into the .ncv file `path` ("-" is standard output),
    without coding anything again.

    Sources are paths, one of them may be "-", bytes or open files. They must have models, size,
    pixel aspect, colours and kinds of tracks in common, as parts of one stream have, and files that
    were encoded alike. Time stamps of frames, packets and chapters are moved behind the end of the
    stream before; the finest time base is taken. Tags and other metadata are those of the first.
    Notices say what the others have besides. Packets of sound and subtitles that begin before the
    first frame of a stream, or after the last, are left out within the joined one. Every source is
    read twice; one that cannot seek is copied to a temporary file. Raises InputError for streams
    that do not fit together or have no frames, FormatError for damage, TruncatedError for a cut
    file, or OutputError, also for an existing file without `overwrite`.
    """
    given = _checked(sources)
    for source in given:
        check_output(path, overwrite=overwrite, source=path_of(source))
    with ExitStack() as stack:
        streams = [_survey(source, i, stack) for i, source in enumerate(given, start=1)]
        for stream in streams[1:]:
            _check_alike(streams[0], stream)
        header = _joined_header([stream.survey.header for stream in streams])
        pieces = _pieces(streams, header.time_base)
        metadata, lost = _joined_metadata(streams, pieces)
        last = _last_duration(streams[-1].survey, header)
        assembly = Assembly(header, streams[0].survey.tracks, metadata, last)
        parts = [(stream.source, piece) for stream, piece in zip(streams, pieces, strict=True)]
        with open_output(path, overwrite=overwrite) as sink:
            written = write_pieces(sink, assembly, parts)
    notices = (*_conversions(streams, header), *lost, *_left_out(written.left_out))
    base = header.time_base
    stats = JoinStats(
        written.frames,
        float((pieces[-1].end - pieces[0].target) * base),
        tuple(float(piece.target * base) for piece in pieces),
        written.size,
        written.video_size,
        notices,
    )
    report_notices(stats.notices, strict=False)
    return stats


def _checked(sources: Iterable[Source]) -> list[Source]:
    is_one = isinstance(sources, str | os.PathLike | Bytes) or hasattr(sources, "read")
    given = [] if is_one else list(sources)
    if not given:
        msg = f"expected a list of streams, got {type(sources).__name__ if is_one else 'none'}"
        raise InputError(msg)
    if sum(source == STDIO for source in given if isinstance(source, str)) > 1:
        msg = "expected standard input, -, once among the streams, got it again"
        raise InputError(msg)
    return given


def _survey(source: Source, number: int, stack: ExitStack) -> _Stream:
    """Read a stream to its end; what it raises begins with its name."""
    path = path_of(source)
    name = f"stream {number}" if path is None else "standard input" if path == STDIO else str(path)
    try:
        rereadable = stack.enter_context(Rereadable(source))
        with rereadable.open() as stream:
            survey = Survey(stream)
            for _ in survey.frames():
                pass
        if survey.first is None:
            msg = "expected frames, got none"
            raise InputError(msg)
    except NcodecError as error:
        if str(error).startswith(f"{name}:"):
            raise
        msg = f"{name}: {error}"
        raise type(error)(msg) from error
    return _Stream(name, rereadable, survey)


def _check_alike(first: _Stream, other: _Stream) -> None:
    """Raise InputError, in one sentence, where two streams cannot be one."""
    wanted, got = first.survey.header, other.survey.header
    kinds = kinds_of(first.survey.tracks), kinds_of(other.survey.tracks)
    facts: list[tuple[str, object, object, str]] = [
        ("frames of", _size(wanted), _size(got), "scale its source to that size"),
        ("pixels of the aspect", wanted.pixel_aspect, got.pixel_aspect, "convert its source"),
        ("colours", _colour(wanted), _colour(got), "convert the colours of its source"),
        (
            "the picture model",
            f"{wanted.picture_model:08x}",
            f"{got.picture_model:08x}",
            "take the models of one release",
        ),
        ("sound and subtitles", _text(kinds[0]), _text(kinds[1]), "give its source such tracks"),
    ]
    if NO_MODEL not in (wanted.frame_model, got.frame_model):
        models = f"{wanted.frame_model:08x}", f"{got.frame_model:08x}"
        facts.append(("the frame model", *models, "take the models of one release"))
    for what, one, two, action in facts:
        if one != two:
            msg = f"{other.name}: expected {what} {one}, as in {first.name}, got {two}; {action} "
            msg += "and encode it again"
            raise InputError(msg)
    if kinds[0] != kinds[1]:
        msg = f"{other.name}: expected decoders of sound and subtitles to be set up as in "
        msg += f"{first.name}, got another setup; code the tracks of its source with the same "
        msg += "options and encode it again"
        raise InputError(msg)


def _size(header: StreamHeader) -> str:
    return f"{header.width}×{header.height}"


def _colour(header: StreamHeader) -> str:
    colour = header.colour
    codes = f"{colour.matrix}/{colour.primaries}/{colour.transfer}"
    return f"{codes} (ITU-T H.273), {'full' if colour.full_range else 'limited'} range"


def _text(kinds: Sequence[object]) -> str:
    return f"({', '.join(map(str, kinds)) or 'none'})"


def _joined_header(headers: Sequence[StreamHeader]) -> StreamHeader:
    """The first header, with the finest time base and the model of predicted frames of any."""
    models = (header.frame_model for header in headers)
    return replace(
        headers[0],
        frame_model=next((model for model in models if model != NO_MODEL), NO_MODEL),
        time_base=min(header.time_base for header in headers),
    )


def _pieces(streams: Sequence[_Stream], base: Fraction) -> list[Piece]:
    """Place of each stream in the result: the first one stays at its time."""
    pieces: list[Piece] = []
    for i, stream in enumerate(streams):
        survey = stream.survey
        own, start = survey.header.time_base, survey.first.pts if survey.first else 0
        pieces.append(
            Piece(
                start,
                survey.end,
                own,
                pieces[-1].end if pieces else converted(start, own / base),
                base,
                keeps_earlier=i == 0,
                keeps_later=i == len(streams) - 1,
            )
        )
    return pieces


def _last_duration(survey: Survey, header: StreamHeader) -> LastDuration | None:
    """Duration of the last frame, in units of the header's time base, or None if the header's
    average says it."""
    stated, ratio = survey.last_duration, survey.header.time_base / header.time_base
    duration = converted(stated.duration if stated else survey.header.frame_duration, ratio)
    return LastDuration(duration) if stated or duration != header.frame_duration else None


def _joined_metadata(
    streams: Sequence[_Stream], pieces: Sequence[Piece]
) -> tuple[ClipMetadata, tuple[str, ...]]:
    """Metadata of the first stream with the chapters of all, and notices of what others have."""
    first = streams[0].survey.metadata
    notices = []
    for stream in streams[1:]:
        own = stream.survey.metadata
        names = [field.name for field in fields(own) if field.name != "chapters"]
        other = [name for name in names if getattr(own, name) != getattr(first, name)]
        if other:
            what = ", ".join(name.replace("_", " ") for name in other)
            kept = f"those of {streams[0].name} were kept"
            notices.append(f"{stream.name} has other metadata ({what}): {kept}")
    chapters = chain.from_iterable(
        piece.chapters(stream.survey.metadata.chapters)
        for stream, piece in zip(streams, pieces, strict=True)
    )
    metadata, lost = fitted(replace(first, chapters=tuple(chapters)))
    return metadata, (*notices, *lost)


def _conversions(streams: Sequence[_Stream], header: StreamHeader) -> tuple[str, ...]:
    """Notices of what is not as it was in single streams."""
    notices = []
    for stream in streams:
        own = stream.survey.header
        if (own.time_base / header.time_base).denominator != 1:
            notices.append(f"time stamps of {stream.name} were rounded to {header.time_base} s")
        if own.rate != header.rate:
            rates = (
                f"{float(own.rate):.4g} frames a second on average, not {float(header.rate):.4g}"
            )
            notices.append(f"{stream.name} has {rates}, as the header says; time stamps are kept")
    unknown = sum(stream.survey.unknown for stream in streams)
    return (*notices, *unknown_notices(unknown))


def _left_out(packets: int) -> tuple[str, ...]:
    sentence = f"{packets} packets of sound or subtitles that begin outside the frames of their "
    return (f"{sentence}stream were left out",) if packets else ()
