import io
from pathlib import Path

import ncodec
import ncodec.pillow_plugin
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, UnidentifiedImageError

Photo = npt.NDArray[np.uint8]


def test_save_and_open(photo: Photo, folder: Path) -> None:
    Image.fromarray(photo).save("a.nci", quality=30)
    with Image.open("a.nci") as image:
        assert (image.format, image.size, image.mode) == ("NCI", (200, 152), "RGB")
        np.testing.assert_array_equal(np.asarray(image), np.asarray(ncodec.decode("a.nci")))


def test_opening_reads_the_header_and_decodes_nothing(coded: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ncodec.pillow_plugin, "open_codec", None)
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
        with pytest.raises(UnidentifiedImageError):
            Image.open(io.BytesIO(data))


def test_other_pillow_operations_work(coded: bytes) -> None:
    image = Image.open(io.BytesIO(coded))
    image.thumbnail((50, 50))
    assert image.convert("L").size == (50, 38)
