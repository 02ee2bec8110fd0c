"""Tags, chapters and dispositions of an opened file of video, and properties of its frames."""

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.stream import Disposition, Stream

from ncodec.container.clip_metadata import MAX_TEXT, Chapter, ClipMetadata
from ncodec.media.display_matrix import Matrix, unpack_matrix

if TYPE_CHECKING:
    from av.container import InputContainer

TECHNICAL_TAGS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
)
"""tags that are about the file, and not about what it shows"""
_MUXER = "Lavf"
"""start of the name that FFmpeg writes as the file's maker"""
_FIELD_ORDERS = {2: "tt", 3: "bb", 4: "bb", 5: "tt"}
"""FFmpeg's field orders → the field that is shown first"""
_PRIMARIES_UNIT, _LUMINANCE_UNIT = 50_000, 10_000
_MASTERING = struct.Struct("=22i")
"""AVMasteringDisplayMetadata: ten rationals, R, G, B, white, least and largest luminance; flags"""
_EXIF = 31
"""FFmpeg's number of a type of side data"""
_LIGHT = struct.Struct("=2I")
_LOST_SIDE_DATA = {
    "A53_CC": "closed captions inside the frames were left out",
    "AFD": "the active format description was left out",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient viewing environment was left out",
    "DYNAMIC_HDR_PLUS": "dynamic HDR metadata (HDR10+) were left out",
    "DYNAMIC_HDR_VIVID": "dynamic HDR metadata (HDR Vivid) were left out",
    "DOVI_METADATA": "Dolby Vision metadata were left out",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata were left out",
    "GOP_TIMECODE": "time codes were left out",
    "S12M_TIMECODE": "time codes were left out",
    "ICC_PROFILE": "the ICC profile of the frames was left out",
    "SPHERICAL": "that the frames are spherical was left out",
    "STEREO3D": "that the frames are stereoscopic was left out",
}
"""PyAV's names of side data of frames that are not kept → notices"""


def clip_metadata(
    container: "InputContainer", frame: av.VideoFrame, *, field_order: int, tracks: Sequence[Stream]
) -> tuple[ClipMetadata, tuple[str, ...]]:
    """Metadata of a clip by its file and its first frame, and notices of what is left out.

    `field_order` is FFmpeg's; `tracks` are those that are kept, whose dispositions are taken.
    """
    notices = tuple(_lost_side_data(frame))
    interlaced = field_order in _FIELD_ORDERS or frame.interlaced_frame
    if interlaced:
        notices += ("interlaced frames were coded as whole frames",)
    found = ClipMetadata(
        tags=tuple(_tags(container.metadata)),
        chapters=tuple(_chapters(container.chapters())),
        dispositions=_dispositions(tracks),
        field_order=_FIELD_ORDERS.get(field_order, "tt") if interlaced else "",
        mastering=_mastering(frame),
        light=_light(frame),
    )
    if found.size > MAX_TEXT:
        notices += ("tags and chapters were left out: they are too long",)
        found = ClipMetadata(
            dispositions=found.dispositions,
            field_order=found.field_order,
            mastering=found.mastering,
            light=found.light,
        )
    return found, notices


def side_data(frame: av.VideoFrame, name: str) -> bytes:
    """Side data of a frame by PyAV's name of its type, no bytes where there are none."""
    try:
        found: Any = frame.side_data
    except ValueError:  # PyAV has no name for the EXIF block of a JPEG or PNG
        found = _without_exif(frame).side_data
    return bytes(found.get(Type[name]) or b"")


def _without_exif(frame: av.VideoFrame) -> av.VideoFrame:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 25),
    )
    bare, sink = graph.add("sidedata", f"mode=delete:type={_EXIF}"), graph.add("buffersink")
    source.link_to(bare)
    bare.link_to(sink)
    graph.configure()
    graph.push(frame)
    return cast("av.VideoFrame", graph.pull())


def matrix_of(frame: av.VideoFrame) -> Matrix:
    """Display matrix of a frame, `PLAIN` where it has none."""
    return unpack_matrix(side_data(frame, "DISPLAYMATRIX"))


def disposition_of(names: Sequence[str]) -> Disposition:
    """FFmpeg's flags of names; unknown names are left out."""
    flags = Disposition(0)
    for name in names:
        flags |= Disposition.__members__.get(name, Disposition(0))
    return flags


def _dispositions(tracks: Sequence[Stream]) -> tuple[tuple[str, ...], ...]:
    """Names of flags, none at all where no track has one."""
    names = tuple(_names(track.disposition) for track in tracks)
    return names if any(names) else ()


def _names(flags: Disposition) -> tuple[str, ...]:
    return tuple(name for name, flag in Disposition.__members__.items() if flags & flag)


def _tags(metadata: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in metadata.items():
        if name.lower() not in TECHNICAL_TAGS and value and not value.startswith(_MUXER):
            yield name.lower(), value


def _chapters(chapters: Sequence[Any]) -> Iterator[Chapter]:
    for chapter in chapters:
        unit = Fraction(chapter["time_base"]) * 10**6
        start, end = (max(0, round(chapter[name] * unit)) for name in ("start", "end"))
        yield Chapter(start, max(start, end), chapter["metadata"].get("title", ""))


def _lost_side_data(frame: av.VideoFrame) -> Iterator[str]:
    yield from dict.fromkeys(
        text for name, text in _LOST_SIDE_DATA.items() if side_data(frame, name)
    )


def _mastering(frame: av.VideoFrame) -> tuple[int, ...]:
    """Numbers of the mastering display, green first as in the SEI message of ITU-T H.265."""
    data = side_data(frame, "MASTERING_DISPLAY_METADATA")
    if len(data) < _MASTERING.size:
        return ()
    *terms, has_primaries, has_luminance = _MASTERING.unpack_from(data)
    if not has_primaries or not has_luminance or 0 in terms[1::2]:
        return ()
    values = [Fraction(*pair) for pair in zip(terms[::2], terms[1::2], strict=True)]
    red, green, blue, white = (values[i : i + 2] for i in range(0, 8, 2))
    places = [round(value * _PRIMARIES_UNIT) for value in (*green, *blue, *red, *white)]
    luminance = [round(value * _LUMINANCE_UNIT) for value in (values[9], values[8])]
    numbers = (*places, *luminance)
    return numbers if min(numbers) >= 0 else ()


def _light(frame: av.VideoFrame) -> tuple[int, ...]:
    data = side_data(frame, "CONTENT_LIGHT_LEVEL")
    return _LIGHT.unpack_from(data) if len(data) >= _LIGHT.size else ()
