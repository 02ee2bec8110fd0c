"""Files of at most 100 bytes that claim much, and their cost: `python -m fuzz.claims`."""

import json
import lzma
import resource
import time
import zlib
from collections.abc import Callable
from fractions import Fraction

import ncodec
from ncodec.api.pictures import verify
from ncodec.container.chunks import pack_chunk
from ncodec.container.icc_profile import LZMA, unpack_profile
from ncodec.container.nci import NO_MODEL, Container, Header, Tag, pack
from ncodec.container.records import SYNC, Frame, StreamHeader, pack_header, pack_record
from ncodec.container.records import Tag as RecordTag
from ncodec.container.varint import pack_varint
from ncodec.errors import NcodecError
from ncodec.grid import MAX_SIDE
from ncodec.inference.zoo import load_model

Uses = dict[str, Callable[[bytes], object]]
MOST_BYTES = 100
_QP = 20
_SYMBOLS = b"\0\1"
_COLOUR = b"\1\0\3abc"
"""a layer of all cells in one colour"""
_LONGEST = b"\xff\xff\xff\xff\x7f"
"""the largest varint"""
_BOMB = zlib.compress(bytes(20_000), 9)
_LONG_MAP = bytes([len(_BOMB)]) + _BOMB
_LARGE_VP8L = b"\x2f" + ((16382 << 14) | 16382).to_bytes(4, "little")


ALLOWED_SIDE = 13376
"""of a square just within Pillow's limit, whose symbols may cost what its size costs"""


def pictures(side: int) -> dict[str, bytes]:
    """Square pictures, and chunks that claim to be long."""

    def picture(symbols: bytes, extras: dict[Tag, bytes] | None = None) -> bytes:
        header = Header(load_model().id if symbols else NO_MODEL, side, side, _QP)
        return pack(Container(header, symbols, extras or {}))

    plain = picture(_SYMBOLS)
    header = plain[: -len(pack_chunk(Tag.SYMBOLS, _SYMBOLS))]
    files = {
        "exact cells of one colour": picture(b"", {Tag.EXACT: _COLOUR}),
        "map of exact cells": picture(_SYMBOLS, {Tag.EXACT: b"\1" + _LONG_MAP}),
        "bitstream of exact cells": picture(b"", {Tag.EXACT: b"\1\0\5" + _LARGE_VP8L}),
        "length of a chunk": header + bytes([Tag.SYMBOLS]) + _LONGEST,
        "length of escapes": picture(_LONGEST),
        "copy map": picture(b"\1" + _LONG_MAP),
        "metadata": header + pack_chunk(Tag.XMP, _BOMB),
    }
    if side > ALLOWED_SIDE:
        empty = header + pack_chunk(Tag.SYMBOLS, b"")
        alpha = picture(_SYMBOLS, {Tag.ALPHA: _LARGE_VP8L})
        files |= {"symbols": plain, "no symbols": empty, "alpha": alpha}
    return files


def streams(side: int) -> dict[str, bytes]:
    """Streams of square frames, and chunks that claim to be long."""
    models = load_model().id, load_model(kind="frame").id
    header = pack_header(StreamHeader(*models, side, side, Fraction(1, 25)))

    def intra(symbols: bytes, exact: bytes = b"") -> bytes:
        return header + SYNC + pack_record(Frame(RecordTag.INTRA, 0, _QP, symbols, exact=exact))

    files = {
        "exact cells of one colour": intra(b"", _COLOUR),
        "map of exact cells": intra(b"", b"\1" + _LONG_MAP),
        "copy map": intra(b"\1" + _LONG_MAP),
        "length of escapes": intra(_LONGEST),
        "length of a chunk": header + SYNC + b"\1" + pack_varint(2**28),
        "length of an index": header + pack_chunk(RecordTag.INDEX, _LONGEST),
        "tracks": header + pack_chunk(RecordTag.TRACKS, b"\0" + _LONGEST),
        "metadata": header + pack_chunk(RecordTag.METADATA, _BOMB),
    }
    return files | ({"symbols": intra(_SYMBOLS)} if side > ALLOWED_SIDE else {})


def profiles() -> dict[str, bytes]:
    """ICC profiles, coded."""
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 2**22, "lc": 0, "lp": 1, "pb": 1}]
    squeezed = lzma.compress(bytes(500_000), format=lzma.FORMAT_RAW, filters=filters)
    return {"zeros": bytes([LZMA]) + squeezed[:90]}


def _decode_clip(data: bytes) -> None:
    with ncodec.open_video(data) as decoder:
        for _ in decoder.records():
            pass


def _decode_packet(data: bytes) -> None:
    start = data.find(SYNC)
    ncodec.StreamDecoder(data[:start]).decode(data[start:])


PICTURE_USES: Uses = {"info": ncodec.info, "verify": verify, "decode": ncodec.decode}
STREAM_USES: Uses = {
    "info": ncodec.video_info,
    "verify": lambda data: ncodec.video_info(data, verify=True),
    "decode": _decode_clip,
    "packet": _decode_packet,
}
PROFILE_USES: Uses = {"unpack": lambda data: unpack_profile(data, limit=2**26)}


def cost(use: Callable[[bytes], object], data: bytes) -> tuple[str, float, float]:
    """Outcome, seconds of the processor, and megabytes by which the most memory so far grew."""
    peak, start = _peak(), time.process_time()
    try:
        use(data)
        outcome = "read"
    except NcodecError as error:
        outcome = type(error).__name__
    return outcome, time.process_time() - start, _peak() - peak


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    """Print the cost of each use of each file, a JSON array a line."""
    for kind in ("picture", "frame"):
        load_model(kind=kind).tables.bank  # noqa: B018, made once, for whatever file
    kinds = [(profiles(), PROFILE_USES)]
    for side in (MAX_SIDE, ALLOWED_SIDE):
        kinds += [(pictures(side), PICTURE_USES), (streams(side), STREAM_USES)]
    for files, uses in kinds:
        for file, data in files.items():
            for name, use in uses.items():
                print(json.dumps([file, len(data), name, *cost(use, data)]))


if __name__ == "__main__":
    main()
