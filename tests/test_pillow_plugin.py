import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, UnidentifiedImageError

import ncodec
import ncodec.pillow_plugin

Photo = npt.NDArray[np.uint8]


def test_save_and_open(photo: Photo, folder: Path) -> None:
    Image.fromarray(photo).save("a.nci", quality=30)
    with Image.open("a.nci") as image:
        assert (image.format, image.size, image.mode) == ("NCI", (200, 152), "RGB")
        np.testing.assert_array_equal(np.asarray(image), np.asarray(ncodec.decode("a.nci")))


def test_saving_takes_an_effort(photo: Photo) -> None:
    saved = {}
    for effort in (0, 1):
        stream = io.BytesIO()
        Image.fromarray(photo).save(stream, "NCI", quality=30, effort=effort)
        saved[effort] = stream.getvalue()
        assert saved[effort] == ncodec.encode(photo, quality=30, effort=effort)
    assert saved[0] != saved[1]


def test_opening_reads_the_header_and_decodes_nothing(
    coded: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ncodec.api.pictures.open_codec", None)
    assert Image.open(io.BytesIO(coded)).size == (200, 152)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_modes_and_metadata(photo: Photo, mode: str) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(photo).convert(mode).save(
        stream, "NCI", size=4000, icc_profile=b"icc", exif=exif.tobytes(), xmp=b"x"
    )
    assert stream.getbuffer().nbytes <= 4000
    image = Image.open(stream)
    assert image.mode == mode
    assert image.getexif()[0x0112] == 3
    image.load()
    assert (image.mode, image.info["icc_profile"], image.info["xmp"]) == (mode, b"icc", b"x")


def test_damaged_files_are_not_identified(coded: bytes) -> None:
    for data in (coded[:20], coded[:-1], coded + b"!"):
        with pytest.raises(UnidentifiedImageError, match="expected"):
            Image.open(io.BytesIO(data))


def test_saving_takes_the_current_frame_of_an_animation(folder: Path) -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 99, 200)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    with Image.open("a.gif") as animation:
        animation.seek(1)
        animation.save("a.nci")
    assert abs(np.asarray(Image.open("a.nci").convert("L")).mean() - 99) < 20


def test_other_pillow_operations_work(coded: bytes) -> None:
    image = Image.open(io.BytesIO(coded))
    image.thumbnail((50, 50))
    assert image.convert("L").size == (50, 38)
