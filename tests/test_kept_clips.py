"""What files of video hold comes back, or a notice names it."""

import gc
import io
import struct
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.stream import Disposition
from PIL import ExifTags, Image, ImageCms, ImageOps

import ncodec
from ncodec.container.clip_metadata import (
    Chapter,
)
from ncodec.container.ncv import StreamReader
from ncodec.container.records import LastDuration
from ncodec.errors import InputError, NcodecWarning
from ncodec.media.demux import ClipReader
from ncodec.media.display_matrix import unpack_matrix, upright
from ncodec.picture import TimedFrame, psnr

Photo = npt.NDArray[np.uint8]
SIDE = 64
ONE = 65536
CHAPTERS = [
    {"id": 0, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "Öne"}},
    {"id": 1, "start": 400, "end": 900, "time_base": Fraction(1, 1000), "metadata": {}},
]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        yield


def shades(count: int) -> list[Photo]:
    ramp = np.arange(SIDE, dtype=np.uint8)[:, None, None]
    return [np.broadcast_to(ramp + 15 * i, (SIDE, SIDE, 3)).copy() for i in range(count)]


def write_clip(
    path: Path | str,
    *,
    change: Callable[[Any, Any], None] = lambda container, video: None,
    codec: str = "libx264",
    layout: str = "yuv420p",
    options: dict[str, str] | None = None,
    frames: int = 10,
) -> None:
    """A clip of ten frames a second, after `change` saw its container and its video."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=10, options=options or {"crf": "10"})
        video.width, video.height, video.pix_fmt = SIDE, SIDE, layout
        change(container, video)
        for i, pixels in enumerate(shades(frames)):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=layout)
            frame.pts, frame.time_base = i, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def round_trip(source: str, target: str, **options: Any) -> tuple[str, ...]:
    """Encode and decode, and return all notices."""
    coded = ncodec.encode_video(source, "coded.ncv", overwrite=True)
    decoded = ncodec.decode_video("coded.ncv", target, overwrite=True, **options)
    return (*coded.notices, *decoded.notices)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_tags_and_chapters_come_back(folder: Path, suffix: str) -> None:
    def change(container: Any, video: Any) -> None:
        container.metadata.update({"title": "Ein Film", "artist": "Me", "creation_time": when})
        container.set_chapters(CHAPTERS)

    when = "2020-01-02T03:04:05.000000Z"
    write_clip(f"rich{suffix}", change=change)
    assert round_trip(f"rich{suffix}", f"back{suffix}") == ()
    info = ncodec.video_info("coded.ncv")
    first, second = info.metadata.chapters
    assert first == Chapter(0, 400_000, "Öne")
    assert (second.start, second.title) == (400_000, "")
    assert second.end == (900_000 if suffix == ".mkv" else 1_000_000), "MP4 has no ends of chapters"
    with av.open(f"back{suffix}") as back:
        tags = {name.lower(): value for name, value in back.metadata.items()}
        assert (tags["title"], tags["artist"]) == ("Ein Film", "Me")
        assert tags["creation_time"][:19] == when[:19]
        titles = [chapter["metadata"].get("title", "") for chapter in back.chapters()]
        assert titles == ["Öne", ""]


def test_what_a_format_does_not_hold_is_named(folder: Path) -> None:
    def change(container: Any, video: Any) -> None:
        container.metadata.update({"title": "A", "my_tag": "x"})
        container.set_chapters(CHAPTERS)

    write_clip("rich.mkv", change=change)
    assert round_trip("rich.mkv", "back.mp4") == (
        "tags were left out that the file cannot hold: my_tag",
    )
    notices = round_trip("rich.mkv", "back.y4m")
    assert "tags, chapters and flags of tracks were left out: the file cannot hold them" in notices


def with_tracks(container: Any, *, sound: bool, subtitles: str) -> None:
    """Add a commentary as sound, and two tracks of subtitles, the second one forced."""
    texts = []
    track = container.add_stream("aac", rate=48000) if sound else None
    for language, flags in (("eng", Disposition(0)), ("fra", Disposition.forced)):
        stream = container.add_mux_stream(subtitles, time_base=Fraction(1, 1000))
        stream.metadata["language"], stream.disposition = language, flags
        texts.append((stream, language))
    if track is not None:
        track.disposition = Disposition.comment | Disposition.default
    container.start_encoding()
    if track is not None:
        for k in range(20):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = 48000, 1024 * k
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    for stream, language in texts:
        packet = av.Packet(f"hello {language}".encode())
        packet.pts = packet.dts = 100
        packet.duration, packet.time_base = 200, Fraction(1, 1000)
        packet.is_keyframe, packet.stream = True, stream
        container.mux(packet)


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_subtitles_and_flags_come_back(folder: Path, sound: bool, suffix: str) -> None:
    write_clip(
        "s.mkv", change=lambda container, _: with_tracks(container, sound=sound, subtitles="subrip")
    )
    notices = round_trip("s.mkv", f"back{suffix}")
    with av.open(f"back{suffix}") as back:
        texts = list(back.streams.subtitles)
        assert [text.metadata.get("language") for text in texts] == ["eng", "fra"]
        packets = [bytes(p) for p in back.demux(*texts) if b"hello" in bytes(p)]
        assert len(packets) == 2
        flags = [stream.disposition for stream in back.streams if stream.type != "video"]
        wanted = [Disposition.comment | Disposition.default] * sound
        kept = flags == [*wanted, Disposition(0), Disposition.forced]
    converted = any("converted to mov_text" in notice for notice in notices)
    assert converted == (suffix != ".mkv")
    assert kept or any("flags such as default and forced" in notice for notice in notices)
    assert kept or suffix != ".mkv"


EIGHT = [
    ((1, 0, 0, 1), lambda p: p),
    ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    ((1, 0, 0, -1), lambda p: p[::-1]),
    ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    ((0, 1, -1, 0), lambda p: np.rot90(p, 3)),
    ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    ((0, -1, -1, 0), lambda p: np.rot90(p, 2).swapaxes(0, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("signs", "shown"), EIGHT)
def test_display_matrices_turn_and_mirror(
    folder: Path, signs: tuple[int, int, int, int], shown: Callable[[Photo], Photo]
) -> None:
    write_clip("plain.mp4")
    data = bytearray(Path("plain.mp4").read_bytes())
    start = data.index(b"tkhd") + 44
    a, b, c, d = (ONE * sign for sign in signs)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)
    Path("turned.mp4").write_bytes(data)
    with ClipReader("plain.mp4") as plain, ClipReader("turned.mp4") as turned:
        stored, found = (
            next(r.pixels for r in reader.records() if isinstance(r, TimedFrame))
            for reader in (plain, turned)
        )
        assert turned.notices == []
    np.testing.assert_array_equal(found, shown(stored))


def test_matrices_of_other_angles_are_not_applied() -> None:
    matrix = unpack_matrix(struct.pack("=9i", 46341, 46341, 0, -46341, 46341, 0, 0, 0, 2**30))
    assert upright(np.zeros((4, 5, 3), np.uint8), matrix) is None
    assert unpack_matrix(b"short") == (1, 0, 0, 1)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_last_frame_is_held_as_long(folder: Path, suffix: str) -> None:
    with av.open(f"hold{suffix}", "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for pts, pixels in zip((0, 1000, 2000), shades(3), strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            packets += video.encode(frame)
        packets += video.encode(None)
        for packet in packets:
            packet.duration = 5000 if packet.pts == 2000 else 1000
        container.mux(packets)
    stats = ncodec.encode_video(f"hold{suffix}", "hold.ncv")
    assert stats.notices == ()
    assert stats.duration == pytest.approx(7, abs=0.01)
    assert ncodec.video_info("hold.ncv").duration == pytest.approx(7, abs=0.01)
    with ncodec.open_video("hold.ncv") as decoder:
        unit = decoder.reader.header.time_base
        assert decoder.frame_at(round(6.9 / unit)).pts == round(2 / unit)
        with pytest.raises(InputError, match="expected a time inside the clip"):
            decoder.frame_at(round(7.1 / unit))
    for target in ("back.mkv", "back.mp4"):
        stats = ncodec.decode_video("hold.ncv", target)
        assert stats.duration == pytest.approx(7, abs=0.01)
        with av.open(target) as back:
            assert back.duration is not None
            assert back.duration / 1e6 == pytest.approx(7, abs=0.01)


@pytest.mark.parametrize(("order", "number"), [("tff", 2), ("bff", 3)])
def test_interlaced_frames_are_said_and_marked(folder: Path, order: str, number: int) -> None:
    write_clip("inter.mp4", options={"x264-params": f"{order}=1"})
    for target in ("back.mkv", "back.mp4"):
        assert "interlaced frames were coded as whole frames" in round_trip("inter.mp4", target)
        with av.open(target) as back:
            next(back.decode(video=0))
            assert back.streams.video[0].codec_context.field_order == number
    write_clip("plain.mp4")
    assert round_trip("plain.mp4", "back.mp4") == ()


DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def test_hdr_metadata_come_back(folder: Path) -> None:
    write_clip("hdr.mp4", options={"x264-params": f"mastering-display={DISPLAY}:cll=1000,400"})
    assert round_trip("hdr.mp4", "back.mkv") == ()
    numbers = (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10_000_000, 50)
    metadata = ncodec.video_info("coded.ncv").metadata
    assert (metadata.mastering, metadata.light) == (numbers, (1000, 400))
    with ClipReader("back.mkv") as reader:
        assert metadata in list(reader.records())
    notices = round_trip("hdr.mp4", "exact.mkv", lossless=True)
    assert "the HDR metadata (mastering display, light levels) were left out" in notices


def test_attachments_and_covers_are_named(folder: Path) -> None:
    def change(container: Any, video: Any) -> None:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = SIDE, SIDE, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame(SIDE, SIDE, "yuvj420p")
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))

    write_clip("cover.mp4", change=change)
    assert "the cover picture, stream 1 was left out" in round_trip("cover.mp4", "back.mp4")


@pytest.mark.parametrize("orientation", [1, 3, 5, 6])
def test_orientations_of_numbered_pictures_are_followed(folder: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = Image.fromarray(shades(1)[0][:32])
    for number in (1, 2):
        picture.save(f"p{number}.jpg", exif=exif, quality=95)
    with ClipReader("p%d.jpg") as reader:
        found = next(r.pixels for r in reader.records() if isinstance(r, TimedFrame))
    with Image.open("p1.jpg") as stored:
        wanted = np.asarray(ImageOps.exif_transpose(stored))
    assert psnr(found, wanted) > 35


def test_profiles_of_numbered_pictures_are_named(folder: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, pixels in enumerate(shades(4)):
        Image.fromarray(pixels).save(f"p{number}.png", icc_profile=profile)
    for _ in range(10):  # memory that is freed twice does not end every process
        with ClipReader("p%d.png") as reader:
            assert sum(isinstance(r, TimedFrame) for r in reader.records()) == 4
            assert "the ICC profile of the frames was left out" in reader.notices
        gc.collect()


def test_frames_of_another_size_are_scaled(folder: Path) -> None:
    with av.open("sizes.mkv", "w") as container:
        video = container.add_stream("mjpeg", rate=10)
        video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuvj420p"
        for side in (SIDE, 2 * SIDE):
            coder: Any = av.CodecContext.create("mjpeg", "w")
            coder.width, coder.height, coder.pix_fmt = side, side, "yuvj420p"
            coder.time_base = Fraction(1, 10)
            pixels = np.repeat(np.repeat(shades(1)[0], side // SIDE, 0), side // SIDE, 1)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuvj420p")
            frame.pts = side // SIDE - 1
            for packet in (*coder.encode(frame), *coder.encode(None)):
                packet.stream = video
                container.mux(packet)
    with ClipReader("sizes.mkv") as reader:
        first, second = (r.pixels for r in reader.records() if isinstance(r, TimedFrame))
        assert reader.notices == [
            "frames that differ in size from the first one were scaled to its size"
        ]
    assert psnr(first, second) > 30


def test_the_default_of_several_streams_is_taken(folder: Path) -> None:
    with av.open("two.mkv", "w") as container:
        videos = [container.add_stream("mjpeg", rate=10) for _ in range(2)]
        for video, flags in zip(videos, (Disposition(0), Disposition.default), strict=True):
            video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuvj420p"
            video.disposition = flags
        for video, level in zip(videos, (20, 200), strict=True):
            pixels = np.full((SIDE, SIDE, 3), level, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            container.mux(video.encode(None))
    with ClipReader("two.mkv") as reader:
        frame = next(r for r in reader.records() if isinstance(r, TimedFrame))
        assert "the video stream 0 was left out" in reader.notices
    assert frame.pixels.mean() > 150


def test_streams_say_how_long_the_last_frame_is_shown(folder: Path) -> None:
    write_clip("plain.mp4", frames=3)
    ncodec.encode_video("plain.mp4", "plain.ncv")
    records = list(StreamReader(io.BytesIO(Path("plain.ncv").read_bytes())).records())
    assert not any(isinstance(record, LastDuration) for record in records), "it is the average"
