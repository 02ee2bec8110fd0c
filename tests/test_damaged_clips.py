"""Damage of a clip costs no more than is damaged, and is said."""

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from test_kept_clips import write_clip

import ncodec
from ncodec.container.ncv import StreamReader
from ncodec.container.records import End
from ncodec.errors import FormatError, InputError, LossError, NcodecWarning
from ncodec.picture import TimedFrame


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        yield


def packets_of(path: str) -> list[tuple[int, int]]:
    """Place and size of each packet of video in a file."""
    with av.open(path) as container:
        return [(p.pos or 0, p.size) for p in container.demux(video=0) if p.size]


@pytest.mark.parametrize("damage", ["zero", "noise", "ones"])
def test_one_bad_packet_costs_no_more_than_its_frame(folder: Path, damage: str) -> None:
    write_clip("whole.mkv", codec="mjpeg", layout="yuvj420p", options={}, frames=6)
    data = bytearray(Path("whole.mkv").read_bytes())
    place, size = packets_of("whole.mkv")[3]
    start = data.index(b"\xff\xd8", place)
    rng = np.random.default_rng(1)
    data[start : start + size] = {
        "zero": bytes(size),
        "noise": rng.integers(0, 256, size, dtype=np.uint8).tobytes(),
        "ones": b"\xff" * size,
    }[damage]
    Path("bad.mkv").write_bytes(data)
    stats = ncodec.encode_video("bad.mkv", "bad.ncv")
    assert stats.frames == 5
    assert stats.damage is not None
    assert "1 of 6 packets of video cannot be decoded, the first at 0.30 s" in stats.damage
    assert stats.damage in stats.notices
    with pytest.raises(LossError, match="1 of 6 packets"):
        ncodec.encode_video("bad.mkv", "strict.ncv", strict=True)
    assert not Path("strict.ncv").exists()


def test_a_clip_of_damage_alone_is_refused(folder: Path) -> None:
    write_clip("whole.mkv", codec="mjpeg", layout="yuvj420p", options={}, frames=4)
    data = bytearray(Path("whole.mkv").read_bytes())
    for place, size in packets_of("whole.mkv"):
        start = data.index(b"\xff\xd8", place)
        data[start : start + size] = bytes(size)
    Path("bad.mkv").write_bytes(data)
    with pytest.raises(InputError, match=r"cannot be decoded|expected frames, got none"):
        ncodec.encode_video("bad.mkv", "bad.ncv")
    assert not Path("bad.ncv").exists()


def test_a_cut_clip_gives_all_its_frames_and_says_so(folder: Path) -> None:
    write_clip("whole.mp4", options={"crf": "1", "movflags": "faststart"}, frames=6)
    with (
        av.open("cut.mp4", "w", container_options={"movflags": "faststart"}) as container,
        av.open("whole.mp4") as source,
    ):
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    data = Path("cut.mp4").read_bytes()
    Path("cut.mp4").write_bytes(data[:-40])
    stats = ncodec.encode_video("cut.mp4", "cut.ncv")
    assert stats.frames == 5
    assert stats.damage is not None


def test_bytes_after_the_end_of_a_stream_are_refused(folder: Path) -> None:
    write_clip("a.mp4", frames=2)
    ncodec.encode_video("a.mp4", "a.ncv")
    whole = Path("a.ncv").read_bytes()
    records = list(StreamReader(io.BytesIO(whole)).records())
    assert isinstance(records[-1], End)
    for more in (b"\0", bytes(50), whole):
        with pytest.raises(FormatError, match="expected the end of the file"):
            ncodec.video_info(whole + more)
        with pytest.raises(FormatError, match="expected the end of the file"):
            ncodec.decode_video(whole + more, "b.mkv", overwrite=True)
    with ncodec.open_video(whole + whole, conceal=True) as decoder:
        assert sum(isinstance(r, TimedFrame) for r in decoder.records()) == 2
        assert "nothing more was decoded" in decoder.notices[0]
