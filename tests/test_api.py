import io
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import ncodec
from ncodec.api import settings
from ncodec.errors import InputError
from ncodec.picture import from_array, psnr

Photo = npt.NDArray[np.uint8]


def test_every_kind_of_source_gives_the_same_file(photo: Photo, folder: Path, coded: bytes) -> None:
    image = Image.fromarray(photo)
    image.save("photo.png")
    for source in ("photo.png", Path("photo.png"), Path("photo.png").read_bytes(), photo, image):
        assert ncodec.encode(source, quality=30) == coded


def test_the_file_is_written_and_returned(photo: Photo, folder: Path, coded: bytes) -> None:
    assert ncodec.encode(photo, "out.nci", quality=30) == Path("out.nci").read_bytes() == coded


def test_decoding_gives_a_picture_close_to_the_original(photo: Photo, coded: bytes) -> None:
    image = ncodec.decode(coded)
    assert image.size == (200, 152)
    assert psnr(photo, np.asarray(image)) > 22


def test_paths_and_bytes_decode_alike(folder: Path, coded: bytes) -> None:
    Path("a.nci").write_bytes(coded)
    assert ncodec.decode("a.nci") == ncodec.decode(Path("a.nci")) == ncodec.decode(coded)


def test_info_says_what_the_file_holds(coded: bytes) -> None:
    info = ncodec.info(coded)
    assert (info.width, info.height, info.mode, info.size) == (200, 152, "RGB", len(coded))
    assert info.bpp == pytest.approx(8 * len(coded) / (200 * 152))
    assert info.quality == pytest.approx(30, abs=0.8)
    assert info.size - info.chunks["symbols"] <= 32


def test_threads_encode_and_decode_at_once_as_one_after_the_other(photo: Photo) -> None:
    pictures = [np.dstack([np.roll(photo, shift, axis=1), photo[:, :, 0]]) for shift in range(8)]

    def there_and_back(pixels: Photo) -> tuple[bytes, bytes]:
        data = ncodec.encode(pixels, quality=30)
        return data, ncodec.decode(data).tobytes()

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(there_and_back, pictures))
    assert together == [there_and_back(pixels) for pixels in pictures]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_modes_survive(photo: Photo, channels: int) -> None:
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    image = Image.fromarray(photo).convert(mode)
    if channels in (2, 4):
        image.putalpha(Image.fromarray(photo[:, :, 1]))
    back = ncodec.decode(ncodec.encode(image))
    assert back.mode == mode
    assert ncodec.info(ncodec.encode(image)).mode == mode
    if channels in (2, 4):
        np.testing.assert_array_equal(np.asarray(back.getchannel("A")), photo[:, :, 1])


def test_metadata_survives(photo: Photo) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(photo)
    image.info.update(exif=exif.tobytes(), icc_profile=b"profile", xmp=b"<x/>")
    back = ncodec.decode(ncodec.encode(image))
    assert back.getexif()[0x0112] == 6
    assert (back.info["icc_profile"], back.info["xmp"]) == (b"profile", b"<x/>")


def test_a_claim_of_gigabytes_needs_permission() -> None:
    from ncodec.container.nci import Container, Header, pack
    from ncodec.inference.zoo import load_model

    claim = pack(Container(Header(load_model().id, 16384, 16384, 0), b"\0"))
    with pytest.raises(ncodec.InputError, match="--allow-large"):
        ncodec.decode(claim)


def test_targets_are_options(photo: Photo) -> None:
    assert len(ncodec.encode(photo, size=2500)) <= 2500
    assert ncodec.info(ncodec.encode(photo, bpp=0.9)).bpp <= 0.9
    assert psnr(photo, np.asarray(ncodec.decode(ncodec.encode(photo, psnr=27)))) >= 27
    with pytest.raises(ncodec.InputError, match="got quality, bpp"):
        ncodec.encode(photo, quality=3, bpp=1)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
    ids=["float", "five channels", "empty", "one axis"],
)
def test_arrays_of_other_shapes_and_types_are_refused(array: npt.NDArray[np.generic]) -> None:
    with pytest.raises(ncodec.InputError, match=r"expected .* got"):
        ncodec.encode(array)  # type: ignore[arg-type]


class Numbers:
    """Pixels of a library that knows numpy's protocol alone."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self.values


def test_what_numpy_reads_is_read(photo: Photo) -> None:
    assert ncodec.encode(Numbers(photo), effort=0) == ncodec.encode(photo, effort=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "source",
    [[[0] * 999] * 999, Numbers(np.zeros((3, 99, 99), np.float32)), io.BytesIO(bytes(9999)), None],
    ids=["list", "floats", "no picture", "none"],
)
def test_errors_name_types_and_print_no_values(source: Any) -> None:
    for work in (ncodec.encode, ncodec.decode, ncodec.info):
        with pytest.raises(ncodec.NcodecError) as refused:
            work(source)
        assert len(str(refused.value)) < 120


@pytest.mark.parametrize("name", ["quality", "size", "bpp", "psnr", "effort"])
@pytest.mark.parametrize("value", ["50", float("nan"), -1, [50], float("inf"), 10**400])
def test_numbers_of_other_types_and_ranges_are_refused(name: str, value: Any) -> None:
    text = str(value) if isinstance(value, int | float) else repr(value)
    with pytest.raises(ncodec.InputError, match=rf"expected an? .*{name}.* got {re.escape(text)}$"):
        ncodec.EncodeSettings(**{name: value})


@pytest.mark.parametrize("name", ["quality", "bitrate", "gop", "rate"])
@pytest.mark.parametrize("value", ["50", float("nan"), -1, [50], float("inf")])
def test_numbers_of_clips_are_checked_alike(name: str, value: Any) -> None:
    text = str(value) if isinstance(value, int | float) else repr(value)
    with pytest.raises(ncodec.InputError, match=rf"got {re.escape(text)}"):
        ncodec.EncodeVideoSettings(**{name: value})


@pytest.mark.parametrize("name", ["quality", "bitrate", "rate"])
def test_numbers_beyond_all_floats_are_refused(name: str) -> None:
    with pytest.raises(ncodec.InputError, match="got 1000"):
        ncodec.EncodeVideoSettings(**{name: 10**400})  # type: ignore[arg-type]


def test_frames_of_a_group_are_counted_in_whole_numbers() -> None:
    with pytest.raises(ncodec.InputError, match=r"groups of at least 1 frame, got 2\.5"):
        ncodec.EncodeVideoSettings(gop=2.5)  # type: ignore[arg-type]


def test_all_errors_share_a_base_and_join_a_builtin() -> None:
    for child in (
        ncodec.FormatError,
        ncodec.InputError,
        ncodec.ModelError,
        ncodec.BackendError,
        ncodec.OutputError,
    ):
        assert issubclass(child, ncodec.NcodecError)
        assert any(issubclass(child, b) for b in (ValueError, LookupError, RuntimeError, OSError))


def test_an_unknown_model_is_refused(photo: Photo, coded: bytes) -> None:
    from ncodec.container.nci import Container, Header, pack, unpack

    container = unpack(coded)
    header = Header(
        0xDEADBEEF, container.header.width, container.header.height, container.header.qp
    )
    stranger = pack(Container(header, container.symbols))
    with pytest.raises(ncodec.ModelError, match="deadbeef"):
        ncodec.decode(stranger)
    assert ncodec.info(stranger).model == "deadbeef"
    with pytest.raises(ncodec.ModelError, match="nonesuch"):
        ncodec.encode(photo, model="nonesuch")


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_sort"):
        _ = ncodec.nothing_of_the_sort


def test_a_grey_picture_is_decoded_in_integers(photo: Photo) -> None:
    grey = np.asarray(ncodec.decode(ncodec.encode(photo[:, :, 0], quality=80)))
    assert grey.shape == photo.shape[:2]
    assert psnr(from_array(photo[:, :, 0]).pixels, from_array(grey).pixels) > 25


def test_open_files_are_read(photo: Photo, folder: Path, coded: bytes) -> None:
    Image.fromarray(photo).save("photo.png")
    with Path("photo.png").open("rb") as stream:
        assert ncodec.encode(stream, quality=30) == coded
    assert ncodec.decode(io.BytesIO(coded)) == ncodec.decode(coded)
    assert ncodec.info(io.BytesIO(coded)) == ncodec.info(coded)
    with pytest.raises(
        InputError, match="expected a path, bytes, an open file, pixels or a Pillow image, got int"
    ):
        ncodec.encode(7)  # type: ignore[arg-type]


def test_files_are_overwritten_only_if_asked(photo: Photo, folder: Path) -> None:
    ncodec.encode(photo, "out.nci", quality=30)
    before = Path("out.nci").read_bytes()
    with pytest.raises(
        ncodec.OutputError, match=r"out.nci: exists; -f \(overwrite=True\) overwrites it"
    ):
        ncodec.encode(photo, "out.nci", quality=60)
    assert Path("out.nci").read_bytes() == before
    assert (
        ncodec.encode(photo, "out.nci", quality=60, overwrite=True)
        == Path("out.nci").read_bytes()
        != before
    )


def test_settings_are_keywords_and_keywords_go_first(photo: Photo, coded: bytes) -> None:
    settings = ncodec.EncodeSettings(quality=30, effort=0)
    assert ncodec.encode(photo, settings=settings, effort=None) == coded
    assert (
        ncodec.encode(photo, settings=settings)
        == ncodec.encode(photo, quality=30, effort=0)
        != coded
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"quality": 30, "bpp": 1},
            "expected one of quality, size, bpp and psnr, got quality, bpp",
        ),
        ({"effort": 10}, "expected an effort of 0 to 9, got 10"),
        ({"tune": "ssim", "effort": 1}, "expected no effort"),
        ({"strip": "all"}, "expected thumbnail or metadata to leave out, got all"),
    ],
)
def test_settings_that_conflict_are_refused_at_once(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ncodec.EncodeSettings(**options)


@pytest.mark.parametrize("name", ["Decode", "Encode", "DecodeVideo", "EncodeVideo"])
def test_every_setting_is_a_typed_keyword(name: str) -> None:
    kind, options = getattr(settings, f"{name}Settings"), getattr(settings, f"{name}Options")
    assert get_type_hints(options) == get_type_hints(kind)


def test_a_file_that_is_coded_says_what_it_took(photo: Photo, folder: Path) -> None:
    stats = ncodec.encode_file(photo, "out.nci", ncodec.EncodeSettings(quality=30), measure=True)
    found = ncodec.info("out.nci")
    assert (stats.width, stats.height, stats.size) == (200, 152, found.size)
    assert (stats.bpp, stats.qp, stats.exact, stats.lossless) == (
        found.bpp,
        found.qp,
        found.exact,
        found.lossless,
    )
    assert stats.psnr == pytest.approx(psnr(photo, np.asarray(ncodec.decode("out.nci"))))


def test_a_tuned_picture_names_its_model_and_keeps_more_structure(photo: np.ndarray) -> None:
    ms_ssim = pytest.importorskip("pytorch_msssim").ms_ssim
    torch = pytest.importorskip("torch")
    pixels = np.ascontiguousarray(np.tile(photo, (2, 1, 1))[:256, :192])
    like, tuned = (
        ncodec.encode(pixels, quality=20, effort=0),
        ncodec.encode(pixels, quality=30, tune="ssim"),
    )
    assert ncodec.info(tuned).model == "ssim"
    assert (
        ncodec.info(like).model == ncodec.info(ncodec.encode(pixels, tune="psnr")).model == "base"
    )
    planes = [
        torch.from_numpy(np.asarray(p).transpose(2, 0, 1)[None].astype(np.float32))
        for p in (pixels, ncodec.decode(like), ncodec.decode(tuned))
    ]
    assert len(tuned) < len(like)
    assert ms_ssim(planes[0], planes[2]) > ms_ssim(planes[0], planes[1])


@pytest.mark.parametrize(
    "options", [{"tune": "vmaf"}, {"tune": "ssim", "effort": 1}, {"tune": "ssim", "model": "base"}]
)
def test_tunings_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="tuned for"):
        ncodec.encode(np.zeros((8, 8, 3), np.uint8), **options)


def test_public_names_are_listed_before_they_are_loaded() -> None:
    code = "import ncodec; assert sorted(dir(ncodec)) == sorted(ncodec.__all__)"
    subprocess.run([sys.executable, "-c", code], check=True)
