"""Samples of 16 bits come back in 16 bits."""

import io
import warnings
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import ncodec
from ncodec.container.nci import Tag, pack, unpack
from ncodec.errors import FormatError, LossError, NcodecWarning
from ncodec.hidden import visible_psnr
from ncodec.media.deep_pictures import write_deep_png
from ncodec.media.picture_files import write_picture
from ncodec.media.pictures import read_picture
from ncodec.picture import Picture, from_array, nearest_levels, psnr

Deep = npt.NDArray[np.uint16]
SHAPES = [(70, 90), (70, 90, 2), (70, 90, 3), (70, 90, 4)]


def smooth(shape: tuple[int, ...]) -> Deep:
    """A slope over all of 16 bits with some noise, opaque where there is alpha."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    slope = (rows * 400 + columns * 350).astype(np.float64)
    planes = [slope + 900 * channel for channel in range(shape[2] if len(shape) > 2 else 1)]
    noise = np.random.default_rng(1).normal(0, 60, (len(planes), *shape[:2]))
    deep = np.clip(np.stack(planes) + noise, 0, 65535).astype(np.uint16)
    if len(planes) in (2, 4):
        deep[-1] = 65535
    return deep[0] if len(shape) == 2 else np.ascontiguousarray(deep.transpose(1, 2, 0))


@pytest.mark.parametrize("shape", SHAPES)
def test_lossless_files_give_every_bit_back(shape: tuple[int, ...]) -> None:
    deep = smooth(shape)
    data = ncodec.encode(deep, quality="lossless")
    found = ncodec.info(data)
    assert (found.bits, found.lossless) == (16, True)
    np.testing.assert_array_equal(ncodec.decode_array(data), deep)
    ncodec.api.pictures.verify(data)  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", SHAPES)
def test_lossy_files_keep_the_depth(shape: tuple[int, ...]) -> None:
    deep = smooth(shape)
    data = ncodec.encode(deep, quality=90, effort=0)
    back = ncodec.decode_array(data)
    assert (back.shape, back.dtype) == (deep.shape, np.uint16)
    assert psnr(deep, back, peak=65535) > 40


def test_the_network_gives_more_than_eight_bits(photo: npt.NDArray[np.uint8]) -> None:
    """16-bit samples of the network are nearer than its levels of 8 bits."""
    rng = np.random.default_rng(2)
    deep = np.clip(photo * 257.0 + rng.uniform(-128, 128, photo.shape), 0, 65535).astype(np.uint16)
    picture = from_array(deep)
    shown = ncodec.decode_array(ncodec.encode(deep, quality=90, effort=0))
    assert shown.dtype == np.uint16
    eight = nearest_levels(shown).astype(np.uint16) * 257
    assert psnr(deep, shown, peak=65535) > psnr(deep, eight, peak=65535)
    assert len(np.unique(shown)) > 256
    assert visible_psnr(picture, Picture(nearest_levels(shown), deep=shown)) > 35


def test_levels_of_eight_bits_are_lossless_without_low_bytes() -> None:
    plain = np.full((64, 64, 3), (10, 200, 30), np.uint16) * 257
    data = ncodec.encode(plain, quality=50)
    assert ncodec.info(data).lossless
    assert len(data) < 60
    np.testing.assert_array_equal(ncodec.decode_array(data), plain)
    uneven = plain + np.uint16(1)
    assert not ncodec.info(ncodec.encode(uneven, quality=50)).lossless


@pytest.mark.parametrize("shape", SHAPES)
def test_png_files_of_sixteen_bits_come_back(folder: Path, shape: tuple[int, ...]) -> None:
    deep = smooth(shape)
    picture = from_array(deep)
    assert picture.deep is not None
    Path("deep.png").write_bytes(write_deep_png(picture, picture.deep, level=2))
    with Image.open("deep.png") as seen:
        seen.load()
        assert seen.size == (90, 70)
        if seen.mode != "I;16":  # which Pillow clips instead of scaling it
            shown = np.asarray(seen.convert("RGB")).astype(int)
            assert np.abs(shown - picture.pixels).max() <= 1
    read = read_picture("deep.png")
    assert read.deep is not None
    np.testing.assert_array_equal(read.deep, picture.deep)
    assert (read.grey, read.alpha is None) == (picture.grey, picture.alpha is None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        ncodec.encode("deep.png", "deep.nci", quality="lossless")
    data, notices = write_picture(read, ".png")
    assert notices == ()
    again = read_picture(bytes(data))
    assert again.deep is not None
    np.testing.assert_array_equal(again.deep, read.deep)


@pytest.mark.parametrize("layout", ["rgb48le", "rgba64le", "gray16le"])
def test_tiff_files_of_sixteen_bits_are_read(folder: Path, layout: str) -> None:
    shape = {"rgb48le": (70, 90, 3), "rgba64le": (70, 90, 4), "gray16le": (70, 90)}[layout]
    deep = smooth(shape)
    coder = av.CodecContext.create("tiff", "w")
    coder.width, coder.height, coder.pix_fmt = 90, 70, layout  # type: ignore[attr-defined]
    coder.time_base = 1  # type: ignore[assignment]
    packets = coder.encode(av.VideoFrame.from_ndarray(deep, layout))  # type: ignore[attr-defined]
    Path("deep.tif").write_bytes(bytes(packets[0]))
    read = read_picture("deep.tif")
    assert read.deep is not None
    np.testing.assert_array_equal(read.deep, from_array(deep).deep)


def test_metadata_stay_with_sixteen_bits(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    picture = from_array(smooth((20, 30, 3)))
    assert picture.deep is not None
    kept = Picture(picture.pixels, icc=b"profile", exif=block, xmp=b"<x/>", deep=picture.deep)
    data, _ = write_picture(kept, ".png")
    read = read_picture(bytes(data))
    assert (read.icc, read.exif, read.xmp) == (b"profile", block, b"<x/>")


def test_other_outputs_reduce_the_depth_with_a_notice(folder: Path) -> None:
    data = ncodec.encode(smooth((32, 32, 3)), quality=50, effort=0)
    Path("deep.nci").write_bytes(data)
    with pytest.warns(NcodecWarning, match="samples of 16 bits were reduced to 8; decode_array"):
        assert ncodec.decode(data).mode == "RGB"
    with pytest.raises(LossError):
        ncodec.decode(data, strict=True)
    picture = from_array(smooth((32, 32, 3)))
    assert write_picture(picture, ".jpg")[1] == (
        "samples of 16 bits were reduced to 8; PNG keeps them",
    )


def test_damaged_depth_is_refused() -> None:
    container = unpack(ncodec.encode(smooth((70, 90, 3)), quality="lossless"))
    low = container.extras[Tag.DEPTH]
    for chunk in (b"", b"\x0c", low[:1] + b"\1", low[:-9], low + b"x"):
        container.extras[Tag.DEPTH] = chunk
        with pytest.raises(FormatError):
            ncodec.decode_array(pack(container))


@pytest.mark.parametrize("depth", [b"\x0c", b"\x10\1\0\3a"])
def test_damaged_depth_beside_a_network_is_found_by_verify(depth: bytes) -> None:
    container = unpack(ncodec.encode(smooth((70, 90, 3)), quality=20, effort=0))
    assert container.header.model_id
    container.extras[Tag.DEPTH] = depth
    with pytest.raises(FormatError):
        ncodec.api.pictures.verify(pack(container))  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("zero", ["1e29", "-1e29", "9e18", "nan"])
def test_a_scale_of_fits_without_bounds_is_clipped(zero: str) -> None:
    cards = ("SIMPLE  =  T", "BITPIX  =  16", "NAXIS   =  2", "NAXIS1  =  4", "NAXIS2  =  3")
    header = "".join(card.ljust(80) for card in (*cards, f"BZERO   =  {zero}", "END"))
    picture = read_picture(header.ljust(2880).encode() + bytes(2880))
    assert picture.pixels.shape == (3, 4, 3)


@pytest.mark.filterwarnings("error")
def test_the_largest_numbers_of_floating_point_are_white() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.full((2, 3), 3e38, dtype=np.float32)).save(stream, "TIFF")
    assert (read_picture(stream.getvalue()).pixels == 255).all()


def test_psnr_targets_are_of_sixteen_bits() -> None:
    deep = smooth((64, 64, 3))
    data = ncodec.encode(deep, psnr=44, effort=0)
    assert psnr(deep, ncodec.decode_array(data), peak=65535) >= 44


def test_hidden_pixels_of_sixteen_bit_greyscale_are_transparent(folder: Path) -> None:
    grey = smooth((16, 16))
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "PNG", transparency=int(grey[3, 4]))
    read = read_picture(stream.getvalue())
    assert read.alpha is not None
    np.testing.assert_array_equal(read.alpha == 0, grey == grey[3, 4])
