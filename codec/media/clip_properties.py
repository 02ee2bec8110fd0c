"""Tags, chapters and dispositions of an opened file of video, and properties of its frames."""

import struct
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.stream import Disposition, Stream

from ncodec.container.clip_metadata import MAX_TEXT, Chapter, ClipMetadata
from ncodec.media.display_matrix import Matrix, unpack_matrix
from ncodec.media.tracks import KEPT_METADATA, kept_tags

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

TECHNICAL_TAGS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
)
"""tags that are about the file, and not about what it shows"""
_TECHNICAL_TRACK_TAGS = frozenset(
    {"creation_time", "duration", "encoder", "filename", "handler_name", "major_brand", "mimetype"}
    | {"number_of_bytes", "number_of_frames", "rotate", "variant_bitrate", "vendor_id"}
    | {"alpha_mode", "bps", "id3v2_priv", "source_id", "stereo_mode"}
)
_STATISTICS = ("_statistics_", "bps-", "duration-", "number_of_")
"""starts of tags that Matroska's writers count packets in"""
_MUXER = "Lavf"
"""start of the name that FFmpeg writes as the file's maker"""
_FIELD_ORDERS = {2: "tt", 3: "bb", 4: "bb", 5: "tt"}
"""FFmpeg's field orders → the field that is shown first"""
_PRIMARIES_UNIT, _LUMINANCE_UNIT = 50_000, 10_000
_MASTERING = struct.Struct("=22i")
"""AVMasteringDisplayMetadata: ten rationals, R, G, B, white, least and largest luminance; flags"""
_EXIF, _ICC_PROFILE = 31, Type.ICC_PROFILE.value
"""FFmpeg's numbers of types of side data"""
_CARRIER_SIDE = 16
_LIGHT = struct.Struct("=2I")
_LOST_SIDE_DATA = {
    Type.A53_CC: "closed captions inside the frames were left out",
    Type.AFD: "the active format description was left out",
    Type.AMBIENT_VIEWING_ENVIRONMENT: "the ambient viewing environment was left out",
    Type.DYNAMIC_HDR_PLUS: "dynamic HDR metadata (HDR10+) were left out",
    Type.DYNAMIC_HDR_VIVID: "dynamic HDR metadata (HDR Vivid) were left out",
    Type.DOVI_METADATA: "Dolby Vision metadata were left out",
    Type.DOVI_RPU_BUFFER: "Dolby Vision metadata were left out",
    Type.ICC_PROFILE: "the ICC profile of the frames was left out",
    Type.SPHERICAL: "that the frames are spherical was left out",
    Type.STEREO3D: "that the frames are stereoscopic was left out",
}
"""side data of frames that are not kept → notices"""
_GOP_FLAGS = 1 << 24 | 1 << 12
"""bits of an MPEG time code that say nothing of time: dropped frames, and a marker"""


def clip_metadata(
    container: "InputContainer",
    video: "VideoStream",
    frame: av.VideoFrame,
    tracks: Sequence[Stream],
) -> tuple[ClipMetadata, tuple[str, ...]]:
    """Metadata of a clip by its file and its first frame, and notices of what is left out.

    `tracks` are those that are kept, whose dispositions are taken.
    """
    field_order = video.codec_context.field_order
    notices: tuple[str, ...] = ("time codes were left out",) if _has_time_code(frame) else ()
    interlaced = is_interlaced(video, frame)
    if interlaced:
        notices += ("interlaced frames were coded as whole frames",)
    found = ClipMetadata(
        tags=tuple(_tags(container.metadata)),
        video_tags=tuple(kept_tags(video).items()),
        chapters=tuple(_chapters(container.chapters())),
        dispositions=_dispositions(tracks),
        field_order=_FIELD_ORDERS.get(field_order, "tt") if interlaced else "",
        mastering=mastering_display(frame),
        light=content_light(frame),
    )
    notices += tuple(_lost_tags_of_chapters(container.chapters()))
    if found.size > MAX_TEXT:
        notices += ("tags and chapters were left out: they are too long",)
        found = ClipMetadata(
            dispositions=found.dispositions,
            field_order=found.field_order,
            mastering=found.mastering,
            light=found.light,
        )
    return found, notices


def is_interlaced(video: "VideoStream", frame: av.VideoFrame) -> bool:
    """Whether frames hold two fields, as the stream or its first frame says."""
    return video.codec_context.field_order in _FIELD_ORDERS or frame.interlaced_frame


def side_data(frame: av.VideoFrame, name: str) -> bytes:
    """Side data of a frame by PyAV's name of its type, no bytes where there are none."""
    return bytes(_side_data_of(frame).get(Type[name]) or b"")


def _side_data_of(frame: av.VideoFrame) -> Any:
    try:
        return frame.side_data
    except ValueError:  # PyAV has no name for the EXIF block of a JPEG or PNG
        return filtered(frame, f"mode=delete:type={_EXIF}").side_data


def without_profile(frame: av.VideoFrame) -> tuple[av.VideoFrame, bool]:
    """A frame of a PNG without its ICC profile, and whether it had one.

    PyAV frees the name of a profile twice, and the process crashes later.
    """
    try:
        filtered(frame, f"mode=select:type={_ICC_PROFILE}")
    except (av.error.BlockingIOError, av.error.EOFError):
        return frame, False
    return filtered(frame, f"mode=delete:type={_ICC_PROFILE}"), True


def filtered(frame: av.VideoFrame, options: str) -> av.VideoFrame:
    """A frame behind FFmpeg's filter "sidedata"; raises BlockingIOError or EOFError where it lets
    none pass."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 25),
    )
    sidedata, sink = graph.add("sidedata", options), graph.add("buffersink")
    source.link_to(sidedata)
    sidedata.link_to(sink)
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


def _lost_tags_of_chapters(chapters: Sequence[Any]) -> Iterator[str]:
    names = dict.fromkeys(
        name.lower() for chapter in chapters for name in chapter["metadata"] if name != "title"
    )
    if names:
        yield f"tags of chapters were left out: {', '.join(names)}"


def lost_tags(stream: Stream) -> str:
    """Names of tags of a stream that are not kept, without those that follow from the file."""
    names = (name.lower() for name in stream.metadata if name not in KEPT_METADATA)
    return ", ".join(
        name
        for name in dict.fromkeys(names)
        if name not in _TECHNICAL_TRACK_TAGS and not name.startswith(_STATISTICS)
    )


def lost_side_data(frame: av.VideoFrame) -> tuple[str, ...]:
    """Notices of what a frame holds beside its pixels and is not kept, but for time codes.

    PyAV ties a frame to its side data, so that both wait for the garbage collector: a small copy of
    the frame carries them.
    """
    carrier = frame.reformat(width=_CARRIER_SIDE, height=_CARRIER_SIDE)
    types = {data.type for data in _side_data_of(carrier)}
    return tuple(dict.fromkeys(text for kind, text in _LOST_SIDE_DATA.items() if kind in types))


def _has_time_code(frame: av.VideoFrame) -> bool:
    """Whether the first frame has a time code other than zero, which later ones count from."""
    group = int.from_bytes(side_data(frame, "GOP_TIMECODE"), sys.byteorder)
    return bool(group & ~_GOP_FLAGS or side_data(frame, "S12M_TIMECODE"))


def mastering_display(frame: av.VideoFrame) -> tuple[int, ...]:
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


def content_light(frame: av.VideoFrame) -> tuple[int, ...]:
    """Largest and average light of a frame, in cd/m², no numbers where they are not stated."""
    data = side_data(frame, "CONTENT_LIGHT_LEVEL")
    return _LIGHT.unpack_from(data) if len(data) >= _LIGHT.size else ()
