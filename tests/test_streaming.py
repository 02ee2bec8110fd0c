"""The streaming encoder and decoder: frames in, packets out, without files."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import ncodec
from ncodec.errors import FormatError, InputError
from ncodec.picture import psnr

Photo = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 96, 70


@pytest.fixture(scope="module")
def frames(photo: Photo) -> list[Photo]:
    return [np.ascontiguousarray(photo[i : HEIGHT + i, 2 * i : WIDTH + 2 * i]) for i in range(5)]


def encode(frames: list[Photo], **options: object) -> tuple[bytes, list[ncodec.Packet], bytes]:
    encoder = ncodec.StreamEncoder(WIDTH, HEIGHT, quality=40, **options)  # type: ignore[arg-type]
    packets = [encoder.encode(pixels) for pixels in frames]
    return encoder.header, packets, encoder.finish()


def test_packets_decode_one_by_one_to_what_the_encoder_shows(frames: list[Photo]) -> None:
    encoder = ncodec.StreamEncoder(WIDTH, HEIGHT, quality=40)
    decoder = ncodec.StreamDecoder(encoder.header)
    for number, pixels in enumerate(frames):
        packet = encoder.encode(pixels)
        shown = decoder.decode(packet.data)
        assert (shown.pts, packet.is_intra) == (number, number == 0)
        np.testing.assert_array_equal(shown.pixels, encoder.shown)
        assert psnr(pixels, shown.pixels) > 24


def test_header_packets_and_trailer_are_a_file(frames: list[Photo]) -> None:
    header, packets, trailer = encode(frames, gop=2, rate=30)
    data = header + b"".join(packet.data for packet in packets) + trailer
    info = ncodec.video_info(data, verify=True)
    assert (info.frames, info.intra, info.rate) == (5, 3, 30)
    decoder = ncodec.StreamDecoder(header)
    with ncodec.open_video(data) as whole:
        for frame, packet in zip(whole.records(), packets, strict=True):
            np.testing.assert_array_equal(frame.pixels, decoder.decode(packet.data).pixels)


def test_decoding_starts_at_any_intra_frame_and_nowhere_else(frames: list[Photo]) -> None:
    header, packets, _ = encode(frames, gop=3)
    with pytest.raises(FormatError, match="expected an intra frame first"):
        ncodec.StreamDecoder(header).decode(packets[1].data)
    decoder = ncodec.StreamDecoder(header)
    assert [decoder.decode(packet.data).pts for packet in packets[3:]] == [3, 4]


def test_a_missing_or_damaged_packet_is_said_and_the_next_intra_frame_goes_on(
    frames: list[Photo],
) -> None:
    header, packets, _ = encode(frames, gop=3)
    decoder = ncodec.StreamDecoder(header)
    decoder.decode(packets[0].data)
    with pytest.raises(FormatError, match=r"expected frame 1, .* got frame 2: frames are missing"):
        decoder.decode(packets[2].data)
    damaged = bytearray(packets[1].data)
    damaged[-6] ^= 1
    for data in (packets[2].data, bytes(damaged), packets[1].data):
        with pytest.raises(FormatError):
            decoder.decode(data)
    whole = ncodec.StreamDecoder(header)
    expected = [whole.decode(packet.data).pixels for packet in packets]
    for number in (3, 4):
        np.testing.assert_array_equal(decoder.decode(packets[number].data).pixels, expected[number])


def test_threads_code_at_once_each_with_its_own(frames: list[Photo]) -> None:
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda shift: encode(frames[shift:])[1], range(4)))
    for shift, packets in enumerate(together):
        assert [packet.data for packet in packets] == [
            packet.data for packet in encode(frames[shift:])[1]
        ]


def test_a_refused_frame_leaves_the_stream_as_it_was(frames: list[Photo]) -> None:
    encoder = ncodec.StreamEncoder(WIDTH, HEIGHT, quality=40)
    decoder = ncodec.StreamDecoder(encoder.header)
    for pts, pixels in zip((0, 10, 20), frames, strict=False):
        for wrong in (pts - 10, 1.5, "a", 2**40):
            with pytest.raises(InputError, match="expected a time stamp above"):
                encoder.encode(pixels[::-1].copy(), wrong)  # type: ignore[arg-type]
        packet = encoder.encode(pixels, pts)
        assert packet.is_intra == (pts == 0)
        np.testing.assert_array_equal(decoder.decode(packet.data).pixels, encoder.shown)
    encoder.finish()
    with pytest.raises(InputError, match="expected an unfinished stream"):
        encoder.encode(frames[3])
    with pytest.raises(InputError, match="expected an unfinished stream"):
        encoder.finish()


def test_the_shown_frame_cannot_be_drawn_upon(frames: list[Photo]) -> None:
    encoder = ncodec.StreamEncoder(WIDTH, HEIGHT, quality=40)
    encoder.encode(frames[0])
    with pytest.raises(ValueError, match="read-only"):
        encoder.shown[0, 0] = 255


def test_a_generator_may_fill_its_array_anew(folder: Path) -> None:
    def frames() -> Iterator[Photo]:
        same = np.empty((32, 48, 3), np.uint8)
        for number in range(8):
            same[...] = 30 * number
            yield same

    ncodec.encode_video(frames(), "a.ncv", quality=60)
    with ncodec.open_video("a.ncv") as decoder:
        means = [round(frame.pixels.mean() / 30) for frame in decoder.records()]
    assert means == list(range(8))


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), None, "x", 1e12])
def test_times_that_are_none_are_a_sentence(
    frames: list[Photo], folder: Path, seconds: Any
) -> None:
    with pytest.raises(InputError, match="expected a time in seconds, got"):
        ncodec.encode_video([(seconds, frames[0])], "a.ncv")
    with pytest.raises(InputError, match="expected pairs of seconds and pixels, got a tuple of 3"):
        ncodec.encode_video([(0, frames[0], 1)], "a.ncv")  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rate": 1e-4}, "expected a rate of 1/1001 to 1000000 frames a second, got 0.0001"),
        ({"rate": 1e12}, "expected a rate of 1/1001"),
        ({"time_base": 0.04}, "expected a positive fraction of a second"),
        ({"time_base": Fraction(0)}, "expected a positive fraction of a second"),
        ({"width": 0}, "expected sides of 1 to 16384, got 0×70"),
        ({"gop": 0}, "expected groups of at least 1 frame"),
        ({"bitrate": -5}, "expected a positive number of bits a second"),
    ],
)
def test_settings_of_streams_are_checked_at_once(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ncodec.StreamEncoder(options.pop("width", WIDTH), HEIGHT, **options)


@pytest.mark.parametrize("source", [None, 5, [1], np.zeros(3, np.uint8), io.StringIO("a")])
def test_what_is_no_file_is_a_sentence(source: Any) -> None:
    for call in (ncodec.video_info, ncodec.decode, ncodec.info):
        with pytest.raises(ncodec.NcodecError, match="expected a path, bytes or a file opened in"):
            call(source)
    closed = io.BytesIO(b"")
    closed.close()
    with pytest.raises(InputError, match="expected an open file, got a closed one"):
        ncodec.video_info(closed)


def test_what_is_no_packet_or_frame_is_a_sentence(frames: list[Photo]) -> None:
    header, packets, trailer = encode(frames[:2])
    for data in (trailer, packets[0].data + packets[1].data, packets[0].data[:-1], b""):
        with pytest.raises(FormatError, match=r"expected .*"):
            ncodec.StreamDecoder(header).decode(data)
    encoder = ncodec.StreamEncoder(WIDTH, HEIGHT)
    with pytest.raises(
        InputError, match=r"expected frames of 96×70, got an array of \(70, 95, 3\)"
    ):
        encoder.encode(frames[0][:, 1:])
    with pytest.raises(InputError, match="expected a quality or a bit rate"):
        ncodec.StreamEncoder(WIDTH, HEIGHT, size=1000)


def test_arrays_with_and_without_times_become_a_clip(frames: list[Photo], folder: Path) -> None:
    stats = ncodec.encode_video(frames, "a.ncv", quality=40, rate=10)
    assert (stats.frames, stats.duration, ncodec.video_info("a.ncv").rate) == (5, 0.5, 10)
    ncodec.encode_video(
        ((Fraction(n * n, 10), pixels) for n, pixels in enumerate(frames)), "b.ncv", quality=40
    )
    with ncodec.open_video("b.ncv") as decoder:
        base = decoder.reader.header.time_base
        assert [frame.pts * base for frame in decoder.records()] == [
            Fraction(n * n, 10) for n in range(5)
        ]


def test_clips_are_read_from_bytes_and_open_files(frames: list[Photo], folder: Path) -> None:
    ncodec.encode_video(frames, "a.ncv", quality=40)
    ncodec.decode_video("a.ncv", "a.mkv", lossless=True)
    data = Path("a.mkv").read_bytes()
    sizes = [
        ncodec.encode_video(source, f"{n}.ncv").size
        for n, source in enumerate((data, io.BytesIO(data), "a.mkv"))
    ]
    assert len(set(sizes)) == 1
    assert ncodec.video_info(Path("a.ncv").read_bytes()) == ncodec.video_info("a.ncv")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ([], "expected frames, got none"),
        ([np.zeros((4, 4), np.uint8)], r"expected \(H, W, 3\) uint8 pixels"),
        (
            [np.zeros((4, 4, 3), np.uint8), (1.0, np.zeros((4, 4, 3), np.uint8))],
            "expected times of all frames",
        ),
        (
            [(1.0, np.zeros((4, 4, 3), np.uint8)), (0.5, np.ones((4, 4, 3), np.uint8))],
            "expected a time stamp after",
        ),
        (7, "expected a clip's path, bytes, open file or frames, got int"),
    ],
)
def test_what_is_no_clip_is_a_sentence(folder: Path, source: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ncodec.encode_video(source, "a.ncv")  # type: ignore[arg-type]
    assert not Path("a.ncv").exists()
