"""The chunk of a clip's tags, chapters and flags is bounded and checked."""

import zlib

import pytest

from ncodec.container.clip_metadata import (
    NO_METADATA,
    Chapter,
    ClipMetadata,
    pack_clip_metadata,
    unpack_clip_metadata,
)
from ncodec.errors import FormatError


@pytest.mark.parametrize(
    "metadata",
    [
        NO_METADATA,
        ClipMetadata(
            tags=(("title", "ß"), ("empty", "")),
            chapters=(Chapter(0, 2**50, "x"),),
            dispositions=(("default", "forced"), ()),
            field_order="bb",
            mastering=tuple(range(10)),
            light=(1, 2),
        ),
    ],
)
def test_metadata_are_packed_and_unpacked(metadata: ClipMetadata) -> None:
    assert unpack_clip_metadata(pack_clip_metadata(metadata)) == metadata


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{", b"\xff", b'{"tags":3}', b'{"tags":[["a"]]}', b'{"tags":[["a",1]]}',
        b'{"chapters":[[1.5,2,"x"]]}', b'{"chapters":[[-1,2,"x"]]}', b'{"chapters":[[true,2,"x"]]}',
        b'{"field_order":"xx"}', b'{"mastering":[1]}', b'{"light":{"a":1}}', b"[" * 100_000,
        b'{"light":[1e400,1]}', b'{"dispositions":[1]}', b'{"tags":[["a","\\ud800"]]}',
    ],
)  # fmt: skip
def test_metadata_of_other_content_are_refused(text: bytes) -> None:
    with pytest.raises(FormatError, match="expected metadata of a clip"):
        unpack_clip_metadata(zlib.compress(text))


def test_metadata_are_bounded() -> None:
    with pytest.raises(FormatError, match="at most 1048576 bytes"):
        unpack_clip_metadata(zlib.compress(b" " * 2**22))
    with pytest.raises(FormatError, match="expected metadata of a clip"):
        unpack_clip_metadata(b"no zlib")
    known = zlib.compress(b'{"new":{"a":[1,2]},"light":[1,2]}')
    assert unpack_clip_metadata(known) == ClipMetadata(light=(1, 2))
