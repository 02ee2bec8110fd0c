"""What picture files hold comes back, or a notice names it."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, TiffImagePlugin, TiffTags

import ncodec
import ncodec.pillow_plugin
from ncodec.errors import InputError, LossError, NcodecWarning, OutputError
from ncodec.media.colorimetry import (
    H273_PRIMARIES,
    Colorimetry,
    h273_colorimetry,
    icc_profile,
)
from ncodec.media.picture_files import write_picture
from ncodec.media.pictures import from_pil, read_picture
from ncodec.picture import Picture, psnr

Photo = npt.NDArray[np.uint8]
SRGB = ImageCms.createProfile("sRGB")
P3 = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def file_bytes(image: Image.Image, format_name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with another chunk behind its header."""
    chunk = struct.pack(">I", len(content)) + kind + content
    chunk += struct.pack(">I", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


def chromaticities(*places: float) -> bytes:
    return struct.pack(">8I", *(round(100_000 * place) for place in places))


def in_srgb(picture: Picture) -> Photo:
    """The picture as a viewer that follows its profile shows it."""
    if picture.icc is None:
        return picture.pixels
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc))
    shown = ImageCms.profileToProfile(
        Image.fromarray(picture.pixels), profile, SRGB, outputMode="RGB"
    )
    assert shown is not None
    return np.asarray(shown)


@pytest.mark.parametrize("bits", [12, 16])
def test_the_depth_of_a_tiff_is_the_stated_one(tmp_path: Path, bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 64 * 64).astype(np.uint16).reshape(64, 64)
    packed = io.BytesIO()
    Image.fromarray(ramp).save(packed, "TIFF", tiffinfo={258: 16})
    data = packed.getvalue()
    if bits == 12:  # Pillow writes none of 12 bits: two samples lie in three bytes
        even, odd = ramp.reshape(-1, 2).T.astype(np.uint32)
        joined = (even << 12 | odd).astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:]
        data = _tiff(joined.tobytes(), width=64, height=64, bits=12)
    picture = read_picture(data)
    expected = np.rint(ramp * (255 / (2**bits - 1)))
    np.testing.assert_array_equal(picture.pixels[:, :, 0], expected)
    assert picture.deep is not None
    np.testing.assert_array_equal(picture.deep[:, :, 0], np.rint(ramp * (65535 / (2**bits - 1))))
    assert picture.notices == ()


def _tiff(strip: bytes, *, width: int, height: int, bits: int) -> bytes:
    """A TIFF of one strip of greyscale samples."""
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(strip)),
    ]  # fmt: skip
    table = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries
    )
    header = struct.pack("<2sHI", b"II", 42, 8 + len(strip))
    return header + strip + struct.pack("<H", len(entries)) + table + bytes(4)


@pytest.mark.parametrize(
    ("values", "levels", "sentence"),
    [
        ([0, 0.5, 1], [0, 128, 255], "of 0…1 were scaled"),
        ([0, 100.4, 255], [0, 100, 255], "of 0…255 were taken for levels"),
        ([-3, 100, 4000], [0, 100, 255], "of -3…4000 were taken for levels"),
        ([np.nan, 7, np.inf], [0, 7, 255], "of 7…7 were taken for levels"),
        ([np.nan, np.nan, np.nan], [0, 0, 0], "held no number"),
    ],
)
def test_floating_point_samples_are_scaled_by_their_range(
    values: list[float], levels: list[int], sentence: str
) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    picture = from_pil(image)
    assert picture.pixels[0, :, 0].tolist() == levels
    assert sentence in picture.notices[0]


@pytest.mark.parametrize(
    ("values", "levels"),
    [([0, 255], [0, 255]), ([0, 65535], [0, 255]), ([0, 2**31 - 1], [0, 127]), ([-5, 99], [0, 99])],
)
def test_wide_integers_are_scaled_by_the_least_depth(values: list[int], levels: list[int]) -> None:
    picture = from_pil(Image.fromarray(np.array([values], np.int32)))
    assert picture.pixels[0, :, 0].tolist() == levels
    assert ("reduced to 16" in str(picture.notices)) == (max(values) > 65535)
    assert ("negative" in str(picture.notices)) == (min(values) < 0)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_png_of_another_gamma_gets_a_profile(photo: Photo, mode: str) -> None:
    image = Image.fromarray(photo).convert(mode)
    png = file_bytes(image, "PNG")
    linear = read_picture(with_chunk(png, b"gAMA", struct.pack(">I", 100_000)))
    assert linear.icc is not None
    assert any("ICC profile" in notice for notice in linear.notices)
    plain = read_picture(png)
    assert plain.icc is None
    if mode != "L":
        light = 255 * ((plain.pixels / 255) ** (1 / 2.4) * 1.055 - 0.055)
        grid = np.abs(in_srgb(linear) - light)[plain.pixels > 40]
        assert grid.max() < 4, "a viewer shows linear light"
    same = read_picture(with_chunk(png, b"gAMA", struct.pack(">I", 45_455)))
    assert (same.icc, same.notices) == (None, plain.notices), "sRGB's gamma needs none"


def test_swapped_primaries_swap_the_colours() -> None:
    swapped = (0.3127, 0.3290, 0.30, 0.60, 0.64, 0.33, 0.15, 0.06)
    png = file_bytes(Image.new("RGB", (4, 4), (200, 60, 100)), "PNG")
    picture = read_picture(with_chunk(png, b"cHRM", chromaticities(*swapped)))
    np.testing.assert_allclose(in_srgb(picture)[0, 0], (60, 200, 100), atol=1)


@pytest.mark.parametrize(
    ("points", "kept", "told"),
    [((12, 13), 1, 1), ((1, 13), 0, 0), ((9, 16), 0, 1), ((9, 18), 0, 1)],
)
def test_code_points_of_a_png_become_a_profile_or_a_notice(
    points: tuple[int, int], kept: int, told: int
) -> None:
    png = file_bytes(Image.new("RGB", (4, 4), (200, 60, 100)), "PNG")
    picture = read_picture(with_chunk(png, b"cICP", bytes([*points, 0, 1])))
    assert (picture.icc is not None, bool(picture.notices)) == (kept, told)


@pytest.mark.parametrize(
    ("chunk", "content"),
    [
        (b"gAMA", struct.pack(">I", 0)),
        (b"gAMA", struct.pack(">I", 2**31 - 1)),
        (b"cHRM", bytes(32)),
        (b"cHRM", chromaticities(0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3)),
    ],
)
def test_impossible_colours_are_a_notice(chunk: bytes, content: bytes) -> None:
    png = file_bytes(Image.new("RGB", (4, 4), (200, 60, 100)), "PNG")
    picture = read_picture(with_chunk(png, chunk, content))
    assert picture.icc is None
    assert "not possible" in picture.notices[0]


@pytest.mark.filterwarnings("error")
def test_impossible_primaries_of_a_tiff_are_a_notice() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[319] = TiffTags.DOUBLE
    tags[319] = (0.64, 0.33, 0.3, 1e-300, 0.15, 1e-300)
    picture = read_picture(file_bytes(Image.new("RGB", (4, 4)), "TIFF", tiffinfo=tags))
    assert picture.icc is None
    assert "not possible" in picture.notices[0]


@pytest.mark.parametrize("primaries", sorted(H273_PRIMARIES))
@pytest.mark.parametrize("grey", [False, True])
def test_profiles_keep_grey_neutral_and_white_white(primaries: int, grey: bool) -> None:
    colorimetry = h273_colorimetry(primaries, 13)
    assert colorimetry is not None
    profile = icc_profile(colorimetry, grey=grey)
    assert profile is not None
    pixels = np.repeat(np.array([[0, 90, 180, 255]], np.uint8)[:, :, None], 3, axis=2)
    image = Image.fromarray(pixels[:, :, 0] if grey else pixels)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(image, opened, SRGB, outputMode="RGB")
    assert shown is not None
    np.testing.assert_allclose(np.asarray(shown), pixels, atol=1)


def test_the_profile_of_srgb_is_srgb(photo: Photo) -> None:
    profile = icc_profile(Colorimetry(), grey=False)
    np.testing.assert_allclose(in_srgb(Picture(photo, icc=profile)), photo, atol=1)


def test_primaries_of_a_tiff_get_a_profile() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, places in ((318, P3[:2]), (319, P3[2:])):
        tags[tag] = tuple(TiffImagePlugin.IFDRational(round(1e4 * x), 10_000) for x in places)
    data = file_bytes(Image.new("RGB", (4, 4), (200, 60, 100)), "TIFF", tiffinfo=tags)
    assert read_picture(data).icc is not None


def test_depth_and_colours_of_an_avif_are_said(folder: Path, photo: Photo) -> None:
    data = file_bytes(Image.fromarray(photo), "AVIF")
    assert read_picture(data).notices == ()
    deep = av.open("deep.avif", "w", format="avif")
    with deep:
        stream = deep.add_stream("libsvtav1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        deep.mux(stream.encode(frame.reformat(format="yuv420p10le")))
        deep.mux(stream.encode(None))
    assert "samples of 10 bits were reduced to 8" in read_picture("deep.avif").notices
    start = data.index(b"colrnclx") + 8
    p3 = data[:start] + struct.pack(">HH", 12, 13) + data[start + 4 :]
    assert read_picture(p3).icc is not None


def test_texts_and_comments_are_named(photo: Photo) -> None:
    texts = PngImagePlugin.PngInfo()
    for name in ("Author", "Title"):
        texts.add_text(name, "x")
    image = Image.fromarray(photo)
    assert (
        "texts were left out: Author, Title"
        in read_picture(file_bytes(image, "PNG", pnginfo=texts)).notices
    )
    commented = read_picture(file_bytes(image, "JPEG", comment=b"hello"))
    assert "the comment was left out" in commented.notices
    icon = read_picture(file_bytes(image, "ICO", sizes=[(16, 16), (32, 32)]))
    assert "only the largest of 2 pictures in the ICO file was taken" in icon.notices


def test_a_resolution_comes_back(tmp_path: Path, photo: Photo) -> None:
    for resolution, kept in (((300, 300), True), ((72, 72), False), ((96, 200), True)):
        data = file_bytes(Image.fromarray(photo[:32, :32]), "PNG", dpi=resolution)
        picture = read_picture(data)
        assert (picture.exif is not None) is kept
        back, notices = write_picture(picture, ".png")
        assert notices == ()
        with Image.open(io.BytesIO(back)) as image:
            assert ("dpi" in image.info) is kept
            if kept:
                assert image.info["dpi"] == pytest.approx(resolution, abs=0.1)


def pages(*levels: int) -> bytes:
    first, *others = (Image.new("L", (20, 10), level) for level in levels)
    return file_bytes(first, "TIFF", save_all=True, append_images=others)


def test_pages_can_be_chosen_and_others_are_named() -> None:
    data = pages(10, 20, 30)
    first = read_picture(data)
    assert first.pixels.max() == 10
    assert "only the first of 3 pictures" in first.notices[0]
    third = read_picture(data, page=3)
    assert (third.pixels.max(), third.notices) == (30, ())
    with pytest.raises(InputError, match="expected a page of 1 to 3, got 4"):
        read_picture(data, page=4)
    with pytest.raises(InputError, match="expected a page from 1, got 0"):
        ncodec.EncodeSettings(page=0)


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP", "AVIF"])
def test_animations_become_clips_with_their_times(folder: Path, format_name: str) -> None:
    shades = [Image.new("RGB", (64, 48), (level, 80, 200 - level)) for level in (0, 90, 180)]
    lengths = [500, 250, 4000]
    options: dict[str, object] = {"lossless": True} if format_name == "WEBP" else {}
    path = folder / f"moving.{format_name.lower()}"
    path.write_bytes(
        file_bytes(
            shades[0], format_name, save_all=True, append_images=shades[1:], duration=lengths,
            **options,
        )
    )  # fmt: skip
    with pytest.raises(InputError, match=r"got 3 frames; name the output \.ncv"):
        ncodec.encode(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        stats = ncodec.encode_video(path, "moving.ncv")
    assert stats.frames == 3
    with ncodec.open_video("moving.ncv") as decoder:
        shown = [
            decoder.frame_at(round(t / decoder.reader.header.time_base)) for t in (0, 0.6, 0.8)
        ]
    for frame, shade in zip(shown, shades, strict=True):
        assert psnr(frame.pixels, np.asarray(shade)) > 30
    assert stats.duration == pytest.approx(4.75, abs=0.02)


def test_huge_animations_are_refused_unless_allowed(folder: Path) -> None:
    frame = bytearray(file_bytes(Image.new("P", (8, 8)), "GIF"))
    frame[6:10] = struct.pack("<HH", 65535, 65535)
    Path("bomb.gif").write_bytes(frame)
    for allow_large in (False, True):
        with pytest.raises(InputError):
            ncodec.encode_video("bomb.gif", "bomb.ncv", allow_large=allow_large)
    assert not Path("bomb.ncv").exists()


def test_transparent_pixels_of_an_animation_are_put_on_white(folder: Path) -> None:
    frames = [Image.new("RGBA", (32, 32), (200, 0, 0, alpha)) for alpha in (255, 0)]
    Path("a.webp").write_bytes(
        file_bytes(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    )
    with pytest.warns(NcodecWarning, match="transparent pixels were put on white"):
        ncodec.encode_video("a.webp", "a.ncv", quality=90)
    with ncodec.open_video("a.ncv") as decoder:
        last = [frame.pixels for frame in decoder.records() if hasattr(frame, "pixels")][-1]
    assert last.min() > 250


def rotated(photo: Photo) -> Picture:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return Picture(photo, exif=exif.tobytes().removeprefix(b"Exif\0\0"))


@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_a_box_of_jpeg_2000_without_bounds_is_no_error(size: int) -> None:
    data = file_bytes(Image.new("RGB", (4, 4)), "JPEG2000") + struct.pack(">I4sQ", 1, b"xml ", size)
    assert read_picture(data).width == 4


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".gif", ".tga", ".jp2"])
def test_where_exif_has_no_place_pictures_are_upright(photo: Photo, suffix: str) -> None:
    data, notices = write_picture(rotated(photo), suffix)
    assert "turned upright" in notices[0]
    with Image.open(io.BytesIO(data)) as image:
        assert psnr(np.asarray(image.convert("RGB")), np.rot90(photo, 3)) > 30


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".gif", ".tga", ".jp2"])
def test_where_a_profile_has_no_place_colours_are_converted(suffix: str) -> None:
    colorimetry = h273_colorimetry(12, 13)
    assert colorimetry is not None
    flat = np.full((8, 8, 3), (180, 60, 100), np.uint8)
    picture = Picture(flat, icc=icc_profile(colorimetry, grey=False))
    data, notices = write_picture(picture, suffix)
    assert "converted to sRGB" in notices[0]
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_allclose(np.asarray(image.convert("RGB")), in_srgb(picture), atol=1)


@pytest.mark.parametrize(
    ("suffix", "least"), [(".jpg", 40), (".avif", 40), (".webp", 99), (".tif", 99), (".jp2", 99)]
)
def test_outputs_are_near_to_the_decoded_picture(photo: Photo, suffix: str, least: float) -> None:
    data, notices = write_picture(Picture(photo), suffix)
    assert notices == ()
    with Image.open(io.BytesIO(data)) as image:
        assert psnr(np.asarray(image.convert("RGB")), photo) > least


def test_formats_that_change_a_picture_say_so(photo: Photo) -> None:
    assert "GIF changed the decoded picture" in write_picture(Picture(photo), ".gif")[1][0]
    with pytest.raises(OutputError, match="from ICO; PNG keeps the size"):
        write_picture(Picture(photo), ".ico")
    assert "cannot be read back" in write_picture(Picture(photo), ".pdf")[1][0]


def _author() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "x")
    return text


WAYS: list[Callable[..., object]] = [
    lambda source, **options: ncodec.encode(source, effort=0, **options),
    lambda source, **options: ncodec.encode_file(
        source, "out.nci", ncodec.EncodeSettings(effort=0, **options)
    ),
    lambda source, **options: Image.open(source).save("out.nci", effort=0, **options),
]


@pytest.mark.parametrize("way", WAYS)
def test_notices_reach_python(folder: Path, photo: Photo, way: Callable[..., object]) -> None:
    Image.fromarray(photo[:32, :32]).save("wide.png", pnginfo=_author())
    with pytest.raises(LossError, match="expected nothing to be lost, got: texts were left out"):
        way("wide.png", strict=True)
    assert not Path("out.nci").exists() or Path("out.nci").stat().st_size == 0
    Path("out.nci").unlink(missing_ok=True)
    with pytest.warns(NcodecWarning, match="texts were left out: Author") as caught:
        way("wide.png")
    assert caught[0].filename == __file__, "the warning names the line of the caller"
