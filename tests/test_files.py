import io
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

import ncodec
from ncodec.api.pictures import decode_container, read_container
from ncodec.container.nci import PNG_SIGNATURE, Tag
from ncodec.errors import InputError, OutputError
from ncodec.image import file
from ncodec.media.picture_files import write_picture
from ncodec.media.pictures import from_pil, read_picture, to_pil
from ncodec.media.streams import write_bytes
from ncodec.picture import Picture

Photo = npt.NDArray[np.uint8]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def file_bytes(image: Image.Image, format_name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def rotated_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "an osprey"
    return exif.tobytes()


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        ("L", "L"),
        ("LA", "LA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("1", "L"),
        ("P", "RGB"),
        ("CMYK", "RGB"),
        ("I", "L"),
        ("F", "L"),
        ("YCbCr", "RGB"),
        ("HSV", "RGB"),
        ("LAB", "RGB"),
        ("PA", "RGBA"),
        ("I;16", "L"),
    ],
)
def test_every_mode_becomes_one_that_is_kept(photo: Photo, mode: str, kept: str) -> None:
    source = Image.fromarray(photo)
    image = (
        Image.fromarray(photo[:, :, 0].astype(np.uint16) * 257)
        if mode == "I;16"
        else source.convert("RGBA" if mode == "PA" else "L" if mode in "IF" else "RGB").convert(
            mode
        )
    )
    assert image.mode == mode
    picture = from_pil(image)
    assert to_pil(picture).mode == kept
    assert (picture.notices == ()) == (mode in ("L", "LA", "RGB", "RGBA", "I", "I;16")), (
        "conversions are said, and only those"
    )
    assert np.abs(picture.pixels.astype(int).mean() - photo.mean()) < 40


def test_sixteen_bit_samples_become_the_nearest_levels(photo: Photo) -> None:
    wide = photo[:, :, 0].astype(np.uint16) * 257
    shifted = np.where(wide < 65535 - 128, wide + 128, wide - 128).astype(np.uint16)
    for samples in (wide, shifted):
        levels = from_pil(Image.fromarray(samples)).pixels[:, :, 0]
        np.testing.assert_array_equal(levels, photo[:, :, 0])


def test_palette_transparency_becomes_alpha(photo: Photo) -> None:
    image = Image.fromarray(photo).quantize(16)
    picture = read_picture(file_bytes(image, "PNG", transparency=3))
    assert picture.alpha is not None
    assert {0, 255} == set(np.unique(picture.alpha))


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
def test_metadata_survives_the_way_in_and_out(photo: Photo, format_name: str) -> None:
    options: dict[str, object] = {"exif": rotated_exif(), "icc_profile": ICC, "xmp": XMP}
    if format_name == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = text
    picture = read_picture(file_bytes(Image.fromarray(photo), format_name, **options))
    assert picture.icc == ICC
    assert picture.xmp == XMP
    back = Image.open(io.BytesIO(write_picture(picture, f".{format_name.lower()}")[0]))
    assert back.info["icc_profile"] == ICC
    assert back.getexif()[0x0112] == 6
    assert back.getexif()[0x010E] == "an osprey"
    for suffix in (".png", ".jpg", ".webp", ".tif"):
        assert read_picture(write_picture(picture, suffix)[0]).xmp == XMP


def test_a_picture_is_shown_the_same_way_up(photo: Photo) -> None:
    """Pillow itself turns a TIFF as its orientation says, and leaves a JPEG's to the reader."""
    exif = Image.Exif()
    exif[0x0112] = 8
    for format_name in ("TIFF", "JPEG"):
        data = file_bytes(Image.fromarray(photo), format_name, exif=exif)
        shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(ImageOps.exif_transpose(to_pil(read_picture(data))), shown)
        assert shown.size == (152, 200)


def test_the_first_picture_of_a_stereo_pair_is_taken(photo: Photo) -> None:
    image = Image.fromarray(photo)
    picture = read_picture(file_bytes(image, "MPO", save_all=True, append_images=[image]))
    assert "only the first of 2 pictures" in picture.notices[0]


def test_a_tiffs_own_exif_is_kept(photo: Photo) -> None:
    written, exif = Image.Exif(), Image.Exif()
    written[0x010E] = "an osprey"
    written[0x8769] = {0x829A: 0.01}
    exif.load(written.tobytes())  # Pillow's TIFF writer follows sub-directories of loaded EXIF only
    picture = read_picture(file_bytes(Image.fromarray(photo), "TIFF", exif=exif))
    kept = to_pil(picture).getexif()
    assert kept[0x010E] == "an osprey"
    assert kept.get_ifd(0x8769)[0x829A] == pytest.approx(0.01)
    assert 0x0111 not in kept, "offsets of the old file stay behind"


def test_dark_sixteen_bit_pictures_stay_dark() -> None:
    assert from_pil(Image.fromarray(np.full((4, 4), 200, np.uint16))).pixels.max() == 1


def test_a_cmyk_profile_is_not_attached_to_rgb(photo: Photo) -> None:
    data = file_bytes(Image.fromarray(photo).convert("CMYK"), "JPEG", icc_profile=ICC)
    assert read_picture(data).icc is None


def test_an_animation_is_refused_by_name() -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 99, 200)]
    data = file_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="got 3 frames"):
        read_picture(data)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_broken_picture_is_one_sentence(photo: Photo, format_name: str) -> None:
    data = file_bytes(Image.fromarray(photo), format_name)
    with pytest.raises(InputError, match=r"^picture: .*[^\n]$"):
        read_picture(data[: len(data) // 2])


def test_a_decompression_bomb_is_named_and_can_be_allowed() -> None:
    data = file_bytes(Image.new("1", (16000, 12000)), "PNG")
    with pytest.raises(InputError, match="Pillow calls it a decompression bomb"):
        read_picture(data)
    before = Image.MAX_IMAGE_PIXELS
    assert read_picture(data, allow_large=True).width == 16000
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("limit", [1000, 20_000])
def test_alpha_of_a_large_picture_is_read_if_the_picture_may_be(
    photo: Photo, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = np.broadcast_to(np.arange(200, dtype=np.uint8), (152, 200))
    monkeypatch.setattr(file, "LARGEST_WEBP", 2 * limit)
    coded = ncodec.encode(np.dstack([photo, alpha]), quality=1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    container = read_container(coded, allow_large=True)
    is_png = container.extras[Tag.ALPHA].startswith(PNG_SIGNATURE)
    assert is_png == (alpha.size > 2 * limit)
    np.testing.assert_array_equal(decode_container(container).alpha, alpha)


def test_threads_read_at_once_and_each_has_its_own_limit(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (
        file_bytes(Image.fromarray(photo), "PNG"),
        file_bytes(Image.new("1", (16000, 12000)), "PNG"),
    )
    all_are_reading = threading.Barrier(8, timeout=60)

    def from_pil_together(image: Image.Image, *, page: int | None) -> Picture:
        all_are_reading.wait()
        with pytest.raises(Image.DecompressionBombError):
            Image.open(io.BytesIO(large))
        all_are_reading.wait()
        return from_pil(image, page=page)

    monkeypatch.setattr("ncodec.media.pictures.from_pil", from_pil_together)
    with ThreadPoolExecutor(8) as threads:
        read = list(
            threads.map(lambda number: read_picture(small, allow_large=number % 2 == 0), range(8))
        )
    assert all(np.array_equal(picture.pixels, photo) for picture in read)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "BMP"])
def test_large_pictures_are_read_alike(photo: Photo, folder: Path, format_name: str) -> None:
    path = folder / f"photo.{format_name.lower()}"
    path.write_bytes(file_bytes(Image.fromarray(photo), format_name))
    for source in (path, path.read_bytes()):
        np.testing.assert_array_equal(
            read_picture(source, allow_large=True).pixels, read_picture(source).pixels
        )
    with pytest.raises(InputError, match="not a picture in a format that Pillow reads"):
        read_picture(b"hello" * 99, allow_large=True)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "expected a file, got a directory"),
        (lambda p: p.write_bytes(b""), "not a picture"),
        (lambda p: p.write_bytes(b"hello" * 99), "not a picture"),
    ],
)
def test_what_cannot_be_read_is_said(folder: Path, make: object, sentence: str) -> None:
    make(folder / "x.png")  # type: ignore[operator]
    with pytest.raises(InputError, match=f"x.png: {sentence}"):
        read_picture(folder / "x.png")


def test_writing_replaces_only_when_told(folder: Path) -> None:
    write_bytes(b"one", "a")
    with pytest.raises(OutputError, match=r"a: exists; -f \(overwrite=True\) overwrites it"):
        write_bytes(b"two", "a")
    assert Path("a").read_bytes() == b"one"
    write_bytes(b"two", "a", overwrite=True)
    assert Path("a").read_bytes() == b"two"
    assert os.listdir() == ["a"], "no temporary file stays"


def test_a_file_is_on_the_disk_before_it_takes_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, seen = os.fsync, []

    def watch(number: int) -> None:
        kind = stat.S_IFMT(os.fstat(number).st_mode)
        seen.append((kind, os.fstat(number).st_size if kind == stat.S_IFREG else 0, os.listdir()))
        sync(number)

    monkeypatch.setattr(os, "fsync", watch)
    write_bytes(b"x" * 10, "a")
    (of_file, size, names), *rest = seen
    assert (of_file, size, "a" in names) == (stat.S_IFREG, 10, False)
    if os.name == "posix":
        assert rest == [(stat.S_IFDIR, 0, ["a"])]


def test_written_files_have_ordinary_permissions(folder: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_bytes(b"x", "a")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(Path("a").stat().st_mode) == 0o644


def test_a_link_is_followed_and_stays(folder: Path) -> None:
    Path("real").write_bytes(b"old")
    Path("link").symlink_to("real")
    write_bytes(b"new", "link", overwrite=True)
    assert Path("link").is_symlink()
    assert Path("real").read_bytes() == b"new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_said() -> None:
    with pytest.raises(OutputError, match="No space left"):
        write_bytes(b"x" * 10_000, "/dev/full")


def test_a_failed_write_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_bytes(b"x", "a")
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("name", "sentence"), [("missing/a", "folder does not exist"), (".", "got a directory")]
)
def test_unwritable_places_are_said(folder: Path, name: str, sentence: str) -> None:
    with pytest.raises(OutputError, match=sentence):
        write_bytes(b"x", name, overwrite=True)


def test_a_format_without_alpha_says_which_has_it(photo: Photo) -> None:
    image = Image.fromarray(photo).convert("RGBA")
    for suffix in (".jpg", ".bmp", ".ppm"):
        assert write_picture(from_pil(image), suffix)[1] == (), "opaque"
    image.putpixel((3, 5), (1, 2, 3, 254))
    picture = from_pil(image)
    for suffix in (".jpg", ".bmp", ".ppm"):
        with pytest.raises(OutputError, match=r"cannot hold the transparency.*PNG can"):
            write_picture(picture, suffix)
    with pytest.raises(OutputError, match="expected an output suffix that Pillow writes"):
        write_picture(picture, ".nothing")
