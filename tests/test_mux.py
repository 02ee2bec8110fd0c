"""Decoded clips are files that players take: their frames, times, colours, shape and sound."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from test_demux import write

from ncodec.container.records import UNKNOWN_COLOUR, Colour, Media, Tracks
from ncodec.errors import InputError, OutputError
from ncodec.media.demux import ClipReader
from ncodec.media.mux import ClipFormat, ClipWriter
from ncodec.picture import TimedFrame, psnr

Photo = npt.NDArray[np.uint8]
STAMPS = [0, 3003, 9000, 9003, 20000]


@pytest.fixture(scope="module")
def frames(photo: Photo) -> list[Photo]:
    return [np.ascontiguousarray(photo[:95, 4 * i : 4 * i + 127]) for i in range(5)]


def written(
    frames: list[Photo], suffix: str, *, lossless: bool = False, colour: Colour = UNKNOWN_COLOUR
) -> io.BytesIO:
    sink = io.BytesIO()
    height, width = frames[0].shape[:2]
    form = ClipFormat(
        suffix,
        width,
        height,
        Fraction(1, 90000),
        Fraction(25),
        Fraction(4, 3),
        colour=colour,
        lossless=lossless,
    )
    with ClipWriter(sink, form) as writer:
        for pts, pixels in zip(STAMPS, frames, strict=True):
            writer.write(TimedFrame(pts, pixels))
    sink.seek(0)
    return sink


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_frames_keep_their_times_and_shape(frames: list[Photo], suffix: str) -> None:
    with ClipReader(written(frames, suffix)) as reader:
        read = [r for r in reader.records() if isinstance(r, TimedFrame)]
        times = [float(r.pts * reader.time_base) for r in read]
        assert reader.pixel_aspect == Fraction(4, 3)
    assert times == pytest.approx(
        [pts / 90000 for pts in STAMPS], abs=0.0011
    )  # Matroska counts milliseconds
    for found, expected in zip(read, frames, strict=True):
        assert found.pixels.shape == expected.shape, "odd sides survive"
        assert psnr(found.pixels, expected) > 38


@pytest.mark.parametrize(
    ("suffix", "lossless"), [(".y4m", False), (".mkv", True), (".mkv", False), (".mp4", True)]
)
def test_pixels_whose_shape_is_not_kept_are_said(suffix: str, lossless: bool) -> None:
    form = ClipFormat(
        suffix,
        64,
        48,
        Fraction(1, 25),
        Fraction(25),
        Fraction(4, 3),
        UNKNOWN_COLOUR,
        lossless=lossless,
    )
    sink = io.BytesIO()
    with ClipWriter(sink, form) as writer:
        writer.write(TimedFrame(0, np.zeros((48, 64, 3), dtype=np.uint8)))
    sink.seek(0)
    with ClipReader(sink) as reader:
        kept = reader.pixel_aspect == Fraction(4, 3)
    assert kept == (writer.notices == [])
    assert kept or writer.notices == [
        "the file does not say that pixels are 4/3 times as wide as high"
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_lossless_is_lossless(frames: list[Photo], suffix: str) -> None:
    with ClipReader(written(frames, suffix, lossless=True)) as reader:
        read = [r.pixels for r in reader.records() if isinstance(r, TimedFrame)]
    np.testing.assert_array_equal(read, frames)


def test_even_sides_are_what_every_player_takes(frames: list[Photo]) -> None:
    even = [pixels[:94, :126] for pixels in frames]
    with av.open(written([np.ascontiguousarray(p) for p in even], ".mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_are_labelled_as_they_are_written(frames: list[Photo], matrix: int) -> None:
    red = [np.full_like(p, (200, 30, 30)) for p in frames]
    sink = written(red, ".mkv", colour=Colour(matrix, 1, 1))
    with ClipReader(sink) as reader:
        assert reader.colour.matrix in ({1} if matrix == 1 else {5, 6})
        read = [r.pixels for r in reader.records() if isinstance(r, TimedFrame)]
    assert np.abs(read[2].astype(int) - red[2]).max() <= 3


def test_y4m_is_a_pipe_of_frames(frames: list[Photo]) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    sink = Pipe()
    with ClipWriter(
        sink, ClipFormat(".y4m", 127, 95, Fraction(1, 90000), Fraction(30000, 1001))
    ) as writer:
        for pts, pixels in zip(STAMPS, frames, strict=True):
            writer.write(TimedFrame(pts, pixels))
    assert sink.getvalue().startswith(b"YUV4MPEG2 W127 H95 F30000:1001")
    assert sink.getvalue().count(b"FRAME\n") == 5


def copied(source: Path, suffix: str) -> tuple[list[Media], list[Media], list[str]]:
    """The packets of a clip, those of its copy, and what the copy lost."""
    with ClipReader(source) as reader:
        records = list(reader.records())
        assert reader.notices == []
    (tracks,) = (r for r in records if isinstance(r, Tracks))
    sink = io.BytesIO()
    with ClipWriter(
        sink, ClipFormat(suffix, 126, 94, reader.time_base, Fraction(25)), tracks=tracks
    ) as writer:
        for record in records:
            if isinstance(record, TimedFrame):
                writer.write(record)
            elif isinstance(record, Media):
                writer.write_media(record)
    sink.seek(0)
    with ClipReader(sink) as back:
        copies = [r for r in back.records() if isinstance(r, Media)]
    return [r for r in records if isinstance(r, Media)], copies, writer.notices


def test_sound_is_packet_identical(tmp_path: Path, frames: list[Photo]) -> None:
    even = [np.ascontiguousarray(p[:94, :126]) for p in frames]
    sound, copies, notices = copied(write(tmp_path / "in.mp4", even, sound=True), ".mp4")
    assert notices == []
    assert [(m.pts, m.data) for m in copies] == [(m.pts, m.data) for m in sound]


def test_a_track_that_a_file_cannot_hold_is_left_out_with_a_notice(
    tmp_path: Path, frames: list[Photo]
) -> None:
    even = [np.ascontiguousarray(p[:94, :126]) for p in frames]
    with ClipReader(write(tmp_path / "in.mp4", even, sound=True)) as reader:
        tracks = next(r for r in reader.records() if isinstance(r, Tracks))
    form = ClipFormat(".y4m", 126, 94, Fraction(1, 25), Fraction(25))
    with ClipWriter(io.BytesIO(), form, tracks=tracks) as writer:
        assert writer.notices == ["the audio was left out: .y4m cannot hold it"]
        writer.write_media(Media(0, 0, 0, 0, True, b"sound"))
        writer.write(TimedFrame(0, even[0]))


@pytest.mark.parametrize("codec", ["pcm_s16be", "mp2", "flac", "eac3"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_no_kind_of_sound_stops_a_decode(
    tmp_path: Path, frames: list[Photo], codec: str, suffix: str
) -> None:
    even = [np.ascontiguousarray(p[:94, :126]) for p in frames]
    source = tmp_path / ("in.mov" if codec == "pcm_s16be" else "in.mkv")
    with av.open(source, "w") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.height, video.width, video.pix_fmt = 94, 126, "yuvj420p"
        audio = container.add_stream(codec, rate=44100)
        for pixels in even:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(video.encode(None))
        chunk = av.AudioFrame.from_ndarray(np.arange(8820, dtype=np.int16)[None], "s16", "stereo")
        chunk.rate = 44100
        container.mux(audio.encode(chunk))
        container.mux(audio.encode(None))
    sound, copies, notices = copied(source, suffix)
    lost = [f"the audio was left out: {suffix} cannot hold it"]
    assert [m.data for m in copies] == [m.data for m in sound] or (not copies and notices == lost)


def test_what_cannot_be_written_is_a_sentence(frames: list[Photo]) -> None:
    with pytest.raises(InputError, match=r"expected an output suffix among \.mp4.* got '\.wmv'"):
        written(frames, ".wmv")
    form = ClipFormat(".mkv", 127, 95, Fraction(1, 25), Fraction(25))
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no full device here")

    def fill() -> None:
        with full.open("wb", buffering=0) as sink, ClipWriter(sink, form) as writer:
            for pts, pixels in enumerate(frames):
                writer.write(TimedFrame(pts, pixels))

    with pytest.raises(OutputError, match=r"written as \.mkv: No space left"):
        fill()
