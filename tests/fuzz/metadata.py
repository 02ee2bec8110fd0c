"""Metadata below all checksums: ICC profiles, the records of streams, EXIF blocks."""

import json
from dataclasses import asdict

import numpy as np

from ncodec.container.clip_metadata import ClipMetadata
from ncodec.container.icc_profile import unpack_profile
from ncodec.container.records import Record, pack_record, unpack_record
from ncodec.media.exif import STRIPS, stripped
from ncodec.media.picture_files import write_picture
from ncodec.picture import Picture

PROFILE = 0
"""tag of no record, which stands for an ICC profile here"""
_LIMIT = 2**22
_PIXELS = np.zeros((2, 3, 3), dtype=np.uint8)


def decode_record(data: bytes) -> None:
    """Unpack the record, or ICC profile, that follows a tag of one byte; what was read must be
    writable."""
    if not data:
        return
    if data[0] == PROFILE:
        unpack_profile(data[1:], limit=_LIMIT)
        return
    record: Record | None = unpack_record(data[0], data[1:], last_pts=3)
    if record is not None:
        pack_record(record, last_pts=3)
    if isinstance(record, ClipMetadata):
        json.dumps(asdict(record), ensure_ascii=False).encode()  # as `ncodec info --json` does


def decode_exif(data: bytes) -> None:
    """Strip an EXIF block, and turn a picture as it says."""
    picture = Picture(_PIXELS, exif=data)
    for part in STRIPS:
        stripped(picture, part)
    write_picture(picture, ".bmp")
