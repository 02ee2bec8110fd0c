"""Header and records of a .ncv stream ↔ bytes."""

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction

from ncodec.container.chunks import pack_chunk, seal
from ncodec.container.clip_metadata import (
    ClipMetadata,
    pack_clip_metadata,
    unpack_clip_metadata,
)
from ncodec.container.varint import VARINT_BYTES, ByteReader, pack_varint, unzigzag, zigzag
from ncodec.errors import FormatError, InputError
from ncodec.grid import MAX_SIDE
from ncodec.quality import QP_COUNT

MAGIC = b"\x9dNCV"
SYNC = b"\x9dNCK"
"""stands before every chunk from which decoding can begin; its first byte is no chunk's tag"""
STREAM_VERSION = 1
MAX_CHUNK = 2**28
"""bytes of one chunk: more than any frame of the largest size needs"""
FIRST_OPTIONAL_TAG = 0x80
NO_MODEL = 0

HEADER_NUMBERS = 8
"""varints after the header's fixed part"""

_HEADER = struct.Struct(">4sBIIBBBBB")
HEADER_BYTES = _HEADER.size
"""bytes of the fixed part of a header"""
_END = struct.Struct("<QI")
END_BYTES = len(pack_chunk(0, b"")) + _END.size
_LARGEST = 2 ** (7 * VARINT_BYTES) - 1
_LARGEST_TERM = 2**31 - 1
"""largest numerator and denominator of a ratio that players compute with"""
MAX_TRACKS = 100
MAX_INDEX = 2**20
"""bytes of an index: a few hundred thousand intra frames, of which a writer leaves out every second
if need be"""


class Tag(IntEnum):
    """Content of a chunk."""

    INTRA = 1
    """a frame that needs no other"""
    PREDICTED = 2
    """a frame that is predicted from the one before it"""
    DUPLICATE = 3
    """the frame before it, shown again"""
    EXACT_INTRA = 4
    """an intra frame with exact cells"""
    EXACT_PREDICTED = 5
    """a predicted frame with exact or still cells"""
    TRACKS = 16
    """a file that describes the tracks of sound and subtitles; the first chunk, where there are any
    """
    MEDIA = 17
    """a packet of a track"""
    INDEX = 32
    """where each intra frame is"""
    END = 33
    """always last: where the index is, and how many frames there were"""
    METADATA = 128
    """tags, chapters, and how frames are shown; before the first frame"""
    LAST_DURATION = 129
    """for how long the last frame is shown; behind it"""


FRAME_TAGS = frozenset(
    {Tag.INTRA, Tag.PREDICTED, Tag.DUPLICATE, Tag.EXACT_INTRA, Tag.EXACT_PREDICTED}
)
INTRA_TAGS = frozenset({Tag.INTRA, Tag.EXACT_INTRA})
"""tags of frames from which decoding can begin"""
_WITH_EXACT = {Tag.INTRA: Tag.EXACT_INTRA, Tag.PREDICTED: Tag.EXACT_PREDICTED}
_WITHOUT_EXACT = {exact: tag for tag, exact in _WITH_EXACT.items()}


@dataclass(frozen=True)
class Colour:
    """Colour of the source as code points of ITU-T H.273; 2 is unspecified."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    full_range: bool = False


UNKNOWN_COLOUR = Colour()


@dataclass(frozen=True)
class StreamHeader:
    """Properties of all frames of a .ncv stream.

    Raises FormatError for sides other than 1 to 16384, and for a time base, rate or pixel aspect
    that is not positive or whose numerator or denominator needs more than 31 bits.
    """

    picture_model: int
    """id of the model of intra frames"""
    frame_model: int
    """id of the model of predicted frames, `NO_MODEL` where there are none"""
    width: int
    height: int
    time_base: Fraction
    """seconds of one unit of a time stamp"""
    rate: Fraction = Fraction(25)
    """frames a second on average, for players that have no time stamps"""
    pixel_aspect: Fraction = Fraction(1)
    """width of a pixel over its height"""
    colour: Colour = UNKNOWN_COLOUR

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            msg = f"expected sides of 1 to {MAX_SIDE} pixels, got {self.width}×{self.height}"
            raise FormatError(msg)
        ratios = (
            (self.time_base, "time base"),
            (self.rate, "frame rate"),
            (self.pixel_aspect, "pixel aspect"),
        )
        for ratio, what in ratios:
            if ratio <= 0 or max(ratio.numerator, ratio.denominator) > _LARGEST_TERM:
                msg = f"expected a positive {what} of 31-bit numbers, got {ratio}"
                raise FormatError(msg)

    @property
    def frame_duration(self) -> int:
        """Units of time that a frame lasts on average, at least 1."""
        return max(1, round(1 / (self.rate * self.time_base)))


@dataclass(frozen=True)
class Frame:
    """A coded frame: intra, predicted or duplicate.

    `tag` is INTRA, PREDICTED or DUPLICATE; `exact` alone tells of exact cells. A duplicate frame
    has neither QP (0 to 63) nor payload.
    """

    tag: Tag
    pts: int
    """time stamp, in units of the header's time base"""
    qp: int = 0
    payload: bytes = field(default=b"", repr=False)
    """coded symbols"""
    number: int = field(default=0, compare=False)
    """place in the stream, modulo 256, which the writer gives it: a reader sees by it that frames
    are missing"""
    exact: bytes = field(default=b"", repr=False)
    """exact and still cells, as of `ncodec.video.frame_cells`; none of most frames"""


TEMPLATE_FORMATS = ("matroska", "mov", "nut")
"""FFmpeg's names of files that describe tracks; a stream names one by its index here"""


@dataclass(frozen=True)
class Tracks:
    """Tracks of sound and subtitles, whose packets are `Media`."""

    format: str
    """one of `TEMPLATE_FORMATS`"""
    time_bases: tuple[Fraction, ...]
    """seconds of one unit of the time stamps of each track's packets"""
    template: bytes = field(repr=False)
    """a file of that format with these tracks, and with the first packet of most of them"""


@dataclass(frozen=True)
class Media:
    """A packet of sound or subtitles, copied from the source.

    `track` is its place in `Tracks.time_bases`, in whose unit `pts`, `dts` and `duration` are;
    `key` is whether decoding can begin with it.
    """

    track: int
    pts: int
    dts: int
    duration: int
    key: bool
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Index:
    """Where decoding can begin: time stamp and byte offset of each intra frame's sync."""

    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class End:
    """End of a whole stream: byte offset of the index chunk, and number of frames."""

    index_offset: int
    frames: int


@dataclass(frozen=True)
class LastDuration:
    """For how long the last frame is shown, where frames last otherwise on average."""

    duration: int
    """units of the header's time base"""


Companion = Tracks | Media | ClipMetadata | LastDuration
"""content of a chunk that goes with frames"""
Record = Frame | Companion | Index | End
"""content of a chunk"""


def pack_header(header: StreamHeader) -> bytes:
    """Header → bytes."""
    colour = header.colour
    packed = _HEADER.pack(
        MAGIC, STREAM_VERSION, header.picture_model, header.frame_model, 0,
        colour.matrix, colour.primaries, colour.transfer, colour.full_range,
    )  # fmt: skip
    numbers = (
        header.width, header.height, header.time_base.numerator, header.time_base.denominator,
        header.rate.numerator, header.rate.denominator,
        header.pixel_aspect.numerator, header.pixel_aspect.denominator,
    )  # fmt: skip
    return seal(packed + b"".join(map(pack_varint, numbers)))


def unpack_header(packed: bytes, numbers: list[int]) -> StreamHeader:
    """The fixed part of a header and the numbers after it → header; raises FormatError."""
    _, _, picture_model, frame_model, flags, matrix, primaries, transfer, full_range = (
        _HEADER.unpack(packed)
    )
    if flags or full_range > 1 or 0 in numbers:
        msg = (
            "expected known flags and positive numbers in the header: this file needs a newer "
            "ncodec"
        )
        raise FormatError(msg)
    width, height, *ratios = numbers
    time_base, rate, pixel_aspect = map(Fraction, ratios[::2], ratios[1::2])
    colour = Colour(matrix, primaries, transfer, bool(full_range))
    return StreamHeader(
        picture_model, frame_model, width, height, time_base, rate, pixel_aspect, colour
    )


def pack_record(record: Record, *, last_pts: int = 0) -> bytes:
    """Bytes of the chunk of a record, without sync mark.

    `last_pts` is the time stamp of the frame before, from which that of a predicted or duplicate
    frame is counted. Raises InputError for numbers beyond a varint of 35 bits and payloads beyond
    2²⁸ bytes; other fields are not checked.
    """
    if isinstance(record, Frame):
        tag = _WITH_EXACT[record.tag] if record.exact else record.tag
        return _checked_chunk(tag, _pack_frame(record, last_pts))
    if isinstance(record, Tracks):
        terms = [term for base in record.time_bases for term in (base.numerator, base.denominator)]
        packed = bytes([TEMPLATE_FORMATS.index(record.format)]) + _pack_numbers(
            len(record.time_bases), *terms
        )
        return _checked_chunk(Tag.TRACKS, packed + record.template)
    if isinstance(record, Media):
        numbers = (
            record.track,
            zigzag(record.pts),
            zigzag(record.dts - record.pts),
            record.duration,
        )
        return _checked_chunk(
            Tag.MEDIA, _pack_numbers(*numbers) + bytes([record.key]) + record.data
        )
    if isinstance(record, ClipMetadata):
        return _checked_chunk(Tag.METADATA, pack_clip_metadata(record))
    if isinstance(record, LastDuration):
        return _checked_chunk(Tag.LAST_DURATION, _pack_numbers(record.duration))
    if isinstance(record, Index):
        return _checked_chunk(Tag.INDEX, _pack_index(record))
    return pack_chunk(Tag.END, _END.pack(record.index_offset, record.frames))


def _pack_frame(frame: Frame, last_pts: int) -> bytes:
    packed = bytes([frame.number]) + _pack_numbers(
        zigzag(frame.pts - (0 if frame.tag == Tag.INTRA else last_pts))
    )
    if frame.tag == Tag.DUPLICATE:
        return packed
    exact = pack_varint(len(frame.exact)) + frame.exact if frame.exact else b""
    return packed + bytes([frame.qp]) + exact + frame.payload


def _pack_index(index: Index) -> bytes:
    numbers, last_pts, last_offset = [len(index.places)], 0, 0
    for pts, offset in index.places:
        numbers += [zigzag(pts - last_pts), offset - last_offset]
        last_pts, last_offset = pts, offset
    return _pack_numbers(*numbers)


def unpack_record(code: int, payload: bytes, *, last_pts: int = 0) -> Record | None:
    """Record from the tag and payload of a chunk, or None for an unknown tag from 128.

    `last_pts` is the time stamp of the frame before, which those of predicted and duplicate frames
    are added to. Raises FormatError for an unknown tag below 128 and a payload that ends too soon
    or breaks the format; coded symbols and exact cells are not looked into.
    """
    reader = ByteReader(payload)
    if code in FRAME_TAGS:
        return _unpack_frame(Tag(code), reader, last_pts)
    if code == Tag.TRACKS:
        return _unpack_tracks(reader)
    if code == Tag.MEDIA:
        track, pts, ahead, duration = (reader.varint() for _ in range(4))
        stamp = unzigzag(pts)
        return Media(
            track, stamp, stamp + unzigzag(ahead), duration, bool(reader.byte()), reader.rest()
        )
    if code == Tag.INDEX:
        return _unpack_index(reader)
    if code == Tag.END:
        if len(payload) != _END.size:
            msg = (
                f"expected {_END.size} bytes in the end of a stream, got {len(payload)}: the file "
                f"is damaged"
            )
            raise FormatError(msg)
        return End(*_END.unpack(payload))
    if code == Tag.METADATA:
        return unpack_clip_metadata(payload)
    if code == Tag.LAST_DURATION:
        return LastDuration(reader.varint())
    if code >= FIRST_OPTIONAL_TAG:
        return None
    msg = f"expected a known chunk, got tag {code}: this file needs a newer ncodec"
    raise FormatError(msg)


def _unpack_frame(code: Tag, reader: ByteReader, last_pts: int) -> Frame:
    number = reader.byte()
    tag = _WITHOUT_EXACT.get(code, code)
    pts = unzigzag(reader.varint()) + (0 if tag == Tag.INTRA else last_pts)
    if tag == Tag.DUPLICATE:
        return Frame(tag, pts, number=number)
    qp = reader.byte()
    if qp >= QP_COUNT:
        msg = f"expected a qp below {QP_COUNT}, got {qp}"
        raise FormatError(msg)
    exact = reader.take(reader.varint()) if code != tag else b""
    if code != tag and not exact:
        msg = "expected exact cells in a frame that says it has some, got none: the file is damaged"
        raise FormatError(msg)
    return Frame(tag, pts, qp, reader.rest(), number, exact)


def _unpack_tracks(reader: ByteReader) -> Tracks:
    form, count = reader.byte(), reader.varint()
    terms = [(reader.varint(), reader.varint()) for _ in range(min(count, MAX_TRACKS + 1))]
    whole = all(0 < term < 2**31 for pair in terms for term in pair)
    if form >= len(TEMPLATE_FORMATS) or count > MAX_TRACKS or not whole:
        msg = (
            f"expected at most {MAX_TRACKS} tracks in a known format with time bases of 31 bits, "
            f"got {count} in "
        )
        msg += f"format {form}"
        raise FormatError(msg)
    return Tracks(TEMPLATE_FORMATS[form], tuple(Fraction(*pair) for pair in terms), reader.rest())


def _unpack_index(reader: ByteReader) -> Index:
    count, pts, offset = reader.varint(), 0, 0
    places = []
    for _ in range(count):  # a count that lies runs out of bytes
        pts += unzigzag(reader.varint())
        offset += reader.varint()
        places.append((pts, offset))
    return Index(tuple(places))


def _pack_numbers(*values: int) -> bytes:
    for value in values:
        if not 0 <= value <= _LARGEST:
            msg = f"expected time stamps and lengths of at most 34 bits, got {value}"
            raise InputError(msg)
    return b"".join(map(pack_varint, values))


def _checked_chunk(tag: Tag, payload: bytes) -> bytes:
    if len(payload) > MAX_CHUNK:
        msg = f"expected at most {MAX_CHUNK} bytes in a chunk, got {len(payload)}"
        raise InputError(msg)
    return pack_chunk(tag, payload)
