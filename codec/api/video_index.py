"""Byte ranges of the intra frames of a .ncv file, for players."""

from dataclasses import dataclass

from ncodec.container.survey import Survey
from ncodec.media.streams import Source, open_source


@dataclass(frozen=True)
class IntraFrame:
    """An intra frame, and the bytes of the frames and packets from it up to the next one."""

    frame: int
    """its number, counted from 0"""
    time: float
    """seconds at which it is shown"""
    offset: int
    """bytes from the start of the stream to its sync mark"""
    size: int
    """bytes up to the next intra frame, or up to the index of the stream"""
    frames: int
    """frames in these bytes"""


@dataclass(frozen=True)
class VideoIndex:
    """Intra frames of a .ncv file, and the bytes that a player needs before any of them.

    The first `start_size` bytes and then those of one or more intra frames in a row are a stream
    that is cut: it decodes up to its end. Without sound, subtitles and metadata, the first
    `header_size` bytes do.
    """

    header_size: int
    """bytes of the header, from the start of the stream"""
    start_size: int
    """bytes of the header, the description of tracks and the metadata, from the start"""
    intra: tuple[IntraFrame, ...]


def video_index(source: Source) -> VideoIndex:
    """Number, time and bytes of every intra frame of a .ncv file, which is read to its end with
    every checksum verified.

    `source` is a path, "-", bytes or an open file. Raises InputError where it cannot be opened,
    FormatError for damage, and TruncatedError for a cut file.
    """
    with open_source(source) as stream:
        survey = Survey(stream)
        places = [place for place in survey.frames() if place.is_intra]
    base = survey.header.time_base
    count = survey.last.number + 1 if survey.last else 0
    stops = [*((place.offset, place.number) for place in places[1:]), (survey.coded_size, count)]
    return VideoIndex(
        survey.header_size,
        survey.start_size,
        tuple(
            IntraFrame(
                place.number,
                float(place.pts * base),
                place.offset,
                offset - place.offset,
                number - place.number,
            )
            for place, (offset, number) in zip(places, stops, strict=False)
        ),
    )
