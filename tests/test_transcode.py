"""A clip survives as a stream: frames, times, sound; what is damaged or cut is said, and the rest
is decoded."""

import io
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from test_demux import write

from ncodec.api.codecs import open_codec, open_frame_codecs
from ncodec.api.settings import EncodeVideoSettings
from ncodec.api.transcode import ClipStats, decode_clip, encode_clip, models_in_use
from ncodec.container.ncv import StreamReader, StreamWriter
from ncodec.container.records import END_BYTES, NO_MODEL, End, Frame, Media, Tag
from ncodec.errors import FormatError, InputError, NcodecError, TruncatedError
from ncodec.image.codec import ImageCodec
from ncodec.inference.backend import open_backend
from ncodec.inference.model import Model
from ncodec.media.demux import ClipReader
from ncodec.picture import TimedFrame, psnr
from ncodec.video.frame_state import FrameCodecs
from ncodec.video.rate_control import ConstantQuality
from ncodec.video.sequence import GopStructure, VideoDecoder, VideoEncoder

Photo = npt.NDArray[np.uint8]
HEIGHT, WIDTH = 94, 126
GOP = 4


@pytest.fixture(scope="module")
def codecs(frame_model: Model) -> FrameCodecs:
    return FrameCodecs(
        open_codec(threads=1), ImageCodec(frame_model, open_backend(frame_model, threads=1))
    )


@pytest.fixture(scope="module")
def frames(photo: Photo) -> list[Photo]:
    """A pan that stands still for a while."""
    lefts = [0, 2, 4, 6, 8, 8, 8, 10, 12, 14, 16, 18]
    return [np.ascontiguousarray(photo[:HEIGHT, left : left + WIDTH]) for left in lefts]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, frames: list[Photo]) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write(folder / "clip.mkv", frames, codec="ffv1", pix_fmt="bgr0", sound=True)


def encode(
    clip: Path, codecs: FrameCodecs, settings: EncodeVideoSettings
) -> tuple[bytes, ClipStats]:
    sink = io.BytesIO()
    with ClipReader(clip) as reader:
        stats = encode_clip(reader, sink, codecs, settings=settings)
    return sink.getvalue(), stats


@pytest.fixture(scope="module")
def stream(clip: Path, codecs: FrameCodecs) -> bytes:
    return encode(clip, codecs, EncodeVideoSettings(quality=60, gop=GOP))[0]


def decode(
    data: bytes, codecs: FrameCodecs, *, conceal: bool = False
) -> tuple[list[TimedFrame], list[str]]:
    with closing(VideoDecoder(StreamReader(io.BytesIO(data)), codecs, conceal=conceal)) as decoder:
        return [r for r in decoder.records() if isinstance(r, TimedFrame)], decoder.notices


def places(data: bytes) -> list[tuple[int, Frame]]:
    """Each coded frame, and where its record starts."""
    reader, found, record = StreamReader(io.BytesIO(data)), [], None
    while not isinstance(record, End):
        start = reader.position
        record = reader.read()
        if isinstance(record, Frame):
            found.append((start, record))
    return found


def test_frames_and_sound_come_back(
    clip: Path, stream: bytes, codecs: FrameCodecs, frames: list[Photo]
) -> None:
    found, notices = decode(stream, codecs)
    assert notices == []
    assert [f.pts for f in found] == sorted(f.pts for f in found)
    base = StreamReader(io.BytesIO(stream)).header.time_base
    assert [f.pts * base for f in found] == [Fraction(i, 25) for i in range(len(frames))]
    assert all(psnr(f.pixels, expected) > 26 for f, expected in zip(found, frames, strict=True))
    with ClipReader(clip) as reader:
        sound = [r for r in reader.records() if isinstance(r, Media)]
    coded = list(StreamReader(io.BytesIO(stream)).records())
    assert [r for r in coded if isinstance(r, Media)] == sound


def test_groups_start_where_something_moves(stream: bytes) -> None:
    tags = [frame.tag for _, frame in places(stream)]
    i, p, c = Tag.INTRA, Tag.PREDICTED, Tag.DUPLICATE
    assert tags == [i, p, p, p, i, c, c, p, i, p, p, p]


def test_any_time_gives_the_frame_of_a_full_decode(stream: bytes, codecs: FrameCodecs) -> None:
    found, _ = decode(stream, codecs)
    for data in (stream, stream[:-END_BYTES]):  # without a way to its index too
        for number in (0, 3, 6, 7, 11):
            frame = VideoDecoder(StreamReader(io.BytesIO(data)), codecs).frame_at(
                found[number].pts + 1
            )
            assert frame.pts == found[number].pts
            np.testing.assert_array_equal(frame.pixels, found[number].pixels)
    with pytest.raises(InputError, match="expected a time inside the clip"):
        VideoDecoder(StreamReader(io.BytesIO(stream)), codecs).frame_at(10**6)


def test_a_decoder_goes_on_and_seeks_in_between(stream: bytes, codecs: FrameCodecs) -> None:
    found, _ = decode(stream, codecs)
    decoder = VideoDecoder(StreamReader(io.BytesIO(stream)), codecs)
    frames = (record for record in decoder.records() if isinstance(record, TimedFrame))
    assert [next(frames).pts, next(frames).pts] == [found[0].pts, found[1].pts]
    again = [record.pts for record in decoder.records() if isinstance(record, TimedFrame)]
    assert again == [frame.pts for frame in found[2:]]
    for number in (7, 2, 11):
        frame = decoder.frame_at(found[number].pts)
        np.testing.assert_array_equal(frame.pixels, found[number].pixels)
        rest = (record for record in decoder.records() if isinstance(record, TimedFrame))
        assert next(rest, None) is None or number < 11
    with pytest.raises(ValueError, match="read-only"):
        found[0].pixels[:] = 0


def test_a_decoder_that_was_closed_gives_nothing_more(stream: bytes, codecs: FrameCodecs) -> None:
    decoder = VideoDecoder(StreamReader(io.BytesIO(stream)), codecs)
    next(decoder.records())
    decoder.close()
    for ask in (lambda: next(decoder.records()), lambda: decoder.frame_at(0)):
        with pytest.raises(InputError, match="expected an open decoder"):
            ask()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 8, 3), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32), np.zeros((1, 16385, 3), np.uint8), [[0, 0, 0]], None,
    ],
    ids=["empty", "grey", "alpha", "float", "wide", "list", "none"],
)  # fmt: skip
def test_what_is_no_frame_is_refused(pixels: Photo, codecs: FrameCodecs) -> None:
    encoder = VideoEncoder(codecs, control=ConstantQuality(30), gop=GopStructure(9))
    with pytest.raises(
        InputError, match=r"expected \(H, W, 3\) uint8 pixels with sides of 1 to 16384"
    ):
        encoder.encode_frame(TimedFrame(0, pixels))


def test_seeking_decodes_one_group(
    stream: bytes, codecs: FrameCodecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = VideoDecoder(StreamReader(io.BytesIO(stream)), codecs)
    seen: list[Tag] = []
    inner = decoder._coder.decode
    monkeypatch.setattr(
        decoder._coder, "decode", lambda parsed: (seen.append(parsed.tag), inner(parsed))[1]
    )
    decoder.frame_at(decode(stream, codecs)[0][9].pts)
    assert seen[:2] == [Tag.INTRA, Tag.PREDICTED]
    assert len(seen) <= 3


def test_a_cut_stream_gives_what_it_holds_and_says_so(stream: bytes, codecs: FrameCodecs) -> None:
    whole, _ = decode(stream, codecs)
    sink = io.BytesIO()
    start = places(stream)[7][0]
    decoder = VideoDecoder(StreamReader(io.BytesIO(stream[: start + 9])), codecs)
    stats = decode_clip(decoder, sink, suffix=".mkv", lossless=True)
    assert stats.damage is not None
    assert "truncated" in stats.damage
    sink.seek(0)
    with ClipReader(sink) as reader:
        found = [r for r in reader.records() if isinstance(r, TimedFrame)]
    assert len(found) == stats.frames == 7
    np.testing.assert_array_equal([f.pixels for f in found], [f.pixels for f in whole[:7]])


def test_damage_is_refused_or_passed_over(stream: bytes, codecs: FrameCodecs) -> None:
    whole, _ = decode(stream, codecs)
    for number, expected in (
        (1, [0, *range(4, 12)]),
        (4, [*range(4), *range(8, 12)]),
        (9, range(9)),
    ):
        start, frame = places(stream)[number]
        data = bytearray(stream)
        data[start + 20] ^= 0xFF
        with pytest.raises(FormatError):
            decode(bytes(data), codecs)
        found, notices = decode(bytes(data), codecs, conceal=True)
        assert [f.pts for f in found] == [whole[i].pts for i in expected], frame
        np.testing.assert_array_equal(
            [f.pixels for f in found], [whole[i].pixels for i in expected]
        )
        assert len(notices) == 1


def test_lost_packets_are_refused_or_passed_over(stream: bytes, codecs: FrameCodecs) -> None:
    whole, _ = decode(stream, codecs)
    starts = [start for start, _ in places(stream)]
    lost = stream[: starts[2]] + stream[starts[3] :]
    with pytest.raises(FormatError, match="frames are missing"):
        decode(lost, codecs)
    found, notices = decode(lost, codecs, conceal=True)
    assert [f.pts for f in found] == [whole[i].pts for i in (0, 1, *range(4, 12))]
    assert "frames are missing" in notices[0]


def test_what_precedes_the_first_intra_frame_is_refused_or_passed_over(
    stream: bytes, codecs: FrameCodecs
) -> None:
    whole, _ = decode(stream, codecs)
    sink = io.BytesIO()
    writer = StreamWriter(sink, StreamReader(io.BytesIO(stream)).header)
    for _, frame in places(stream)[1:]:
        writer.write(frame)
    writer.finish()
    with pytest.raises(FormatError, match="expected an intra frame first"):
        decode(sink.getvalue(), codecs)
    found, notices = decode(sink.getvalue(), codecs, conceal=True)
    assert [f.pts for f in found] == [f.pts for f in whole[4:]]
    assert "expected an intra frame first" in notices[0]


@pytest.mark.parametrize(
    "mutate", [lambda d, i: d[:i], lambda d, i: d[:i] + bytes([d[i] ^ 0x10]) + d[i + 1 :]]
)
def test_no_damage_raises_anything_else(
    stream: bytes, codecs: FrameCodecs, mutate: Callable[[bytes, int], bytes]
) -> None:
    for place in range(0, len(stream), 211):
        for conceal in (False, True):
            try:
                decode(mutate(stream, place), codecs, conceal=conceal)
            except TruncatedError:
                continue
            except NcodecError:
                assert not conceal or place < 60, "only a damaged header stops what conceals"


def test_a_still_scene_costs_its_first_frame(
    tmp_path: Path, codecs: FrameCodecs, photo: Photo
) -> None:
    still = write(
        tmp_path / "still.mkv",
        [np.ascontiguousarray(photo[:HEIGHT, :WIDTH])] * 60,
        codec="ffv1",
        pix_fmt="bgr0",
    )
    data, stats = encode(still, codecs, EncodeVideoSettings(quality=50))
    first = len(places(data)[0][1].payload)
    assert stats.frames == 60
    assert stats.video_size < 1.15 * first + 60 * 10


@pytest.mark.parametrize(
    "settings", [EncodeVideoSettings(intra_only=True), EncodeVideoSettings(gop=1)]
)
def test_intra_frames_alone_predict_nothing_and_need_no_model_for_it(
    clip: Path, codecs: FrameCodecs, settings: EncodeVideoSettings
) -> None:
    data, _ = encode(clip, codecs, settings)
    assert {frame.tag for _, frame in places(data)} == {Tag.INTRA, Tag.DUPLICATE}
    assert StreamReader(io.BytesIO(data)).header.frame_model == NO_MODEL
    assert models_in_use(settings, codecs).frames is None


def test_a_bit_rate_is_approached(clip: Path) -> None:
    """Half a second: the control itself is measured elsewhere."""
    shipped = open_frame_codecs(threads=1)
    for rate in (25e3, 60e3):
        assert encode(clip, shipped, EncodeVideoSettings(bitrate=rate))[1].bitrate == pytest.approx(
            rate, rel=0.2
        )


def test_options_that_conflict_are_refused() -> None:
    with pytest.raises(InputError, match="expected one of quality, bitrate and size, got several"):
        EncodeVideoSettings(quality=3, bitrate=5)
    with pytest.raises(InputError, match="expected a quality of 0 to 100"):
        EncodeVideoSettings(quality=101)
    with pytest.raises(InputError, match="expected groups of 1 frame"):
        EncodeVideoSettings(gop=3, intra_only=True)


def test_a_size_that_changes_is_a_sentence(
    tmp_path: Path, codecs: FrameCodecs, frames: list[Photo]
) -> None:
    for number, pixels in enumerate([frames[0], frames[1], frames[2][:64]]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    with (
        ClipReader(str(tmp_path / "%d.png")) as reader,
        pytest.raises(InputError, match="one size, got 126×64 after"),
    ):
        encode_clip(reader, io.BytesIO(), codecs, settings=EncodeVideoSettings())
