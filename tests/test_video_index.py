"""Byte ranges of intra frames decode by themselves."""

import io
import json
from itertools import pairwise
from pathlib import Path

import pytest
from made_streams import (
    decoded,
    made,
    of_kind,
    same_pictures,
)
from test_cli import call

import ncodec
from ncodec.container.ncv import StreamReader
from ncodec.container.records import (
    Tag,
    Tracks,
)


@pytest.fixture
def clip(folder: Path, sounding: bytes) -> Path:
    Path("clip.ncv").write_bytes(sounding)
    return folder / "clip.ncv"


def test_a_byte_range_decodes_by_itself(folder: Path, sounding: bytes) -> None:
    index, whole = ncodec.video_index(sounding), decoded(sounding)
    assert [found.frame for found in index.intra] == [0, 3, 6, 9]
    for start in (index.start_size, index.header_size):
        for found in index.intra:
            group = sounding[found.offset : found.offset + found.size]
            *frames, last = decoded(sounding[:start] + group)
            assert last.pts == -1, "a stream that is cut"
            same_pictures(frames, whole[found.frame : found.frame + found.frames])
    assert ncodec.StreamDecoder(sounding[: index.header_size]).header.width == 96
    assert of_kind(Tracks, sounding[: index.start_size] + made([])[len(made_header()) :])


def made_header() -> bytes:
    data = made([])
    return data[: ncodec.video_index(data).header_size]


def test_byte_ranges_follow_each_other_up_to_the_index(clip: Path, sounding: bytes) -> None:
    index = ncodec.video_index(sounding)
    for one, other in pairwise(index.intra):
        assert one.offset + one.size == other.offset
    stored = StreamReader(io.BytesIO(sounding)).index()
    assert stored is not None
    assert [offset for _, offset in stored.places] == [found.offset for found in index.intra]
    last = index.intra[-1]
    assert sounding[last.offset + last.size] == Tag.INDEX
    fields = json.loads(call("info", "clip.ncv", "--index", "--json").stdout)
    assert fields["frames"] == 10
    assert fields["index"]["start_size"] == index.start_size
    assert fields["index"]["intra"][1] == {
        "frame": 3,
        "time": 0.12,
        "offset": index.intra[1].offset,
        "size": index.intra[1].size,
        "frames": 3,
    }
    lines = call("info", "clip.ncv", "--index").stdout.splitlines()
    assert lines[3] == (
        f"clip.ncv  frame 3  0.120 s  3 frames in {index.intra[1].size:,} bytes from byte "
        f"{index.intra[1].offset:,}"
    )
    assert ncodec.video_index(made([])).intra == ()
