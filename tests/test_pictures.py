"""Pictures come from folders, shards and URLs, and crops of them are what they should be."""

import io
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("pytorch_lightning")

import torch

from ncodec.errors import InputError
from ncodec.training.pictures import CropOptions, PictureBank, load_pictures
from ncodec.training.sources import read_sources

Photo = npt.NDArray[np.uint8]


def png(pixels: Photo) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def data(tmp_path: Path, photo: Photo) -> Path:
    """A folder with a picture, a text file, and a shard of two pictures and their labels."""
    (tmp_path / "a.png").write_bytes(png(photo))
    (tmp_path / "notes.txt").write_text("not a picture")
    with tarfile.open(tmp_path / "shard-000.tar", "w") as shard:
        for name, content in (
            ("0.png", png(photo)),
            ("0.json", b"{}"),
            ("1.png", png(photo[:100])),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))
    return tmp_path


def names(*sources: str | Path, exclude: tuple[str, ...] = ()) -> list[str]:
    return [Path(name).name for name, _ in read_sources(sources, exclude=exclude)]


def test_a_folder_holds_pictures_and_shards(data: Path) -> None:
    assert names(data) == ["a.png", "0.png", "1.png"]


def test_a_shard_a_pattern_and_a_url_are_sources(data: Path) -> None:
    assert names(data / "shard-000.tar") == ["0.png", "1.png"]
    assert names(str(data / "shard-*.tar")) == ["0.png", "1.png"]
    assert names(f"file://{data}/a.png", data / "a.png") == ["a.png", "a.png"]


def test_a_url_of_any_filesystem_is_a_source(photo: Photo) -> None:
    import fsspec

    with fsspec.open("memory://pictures/b.png", "wb") as stream:
        stream.write(png(photo))
    assert [name for name, _ in read_sources(["memory://pictures"])] == ["memory:///pictures/b.png"]


def test_excluded_pictures_are_left_out(data: Path) -> None:
    assert names(data, exclude=(str(data / "a.png"),)) == ["0.png", "1.png"]
    assert names(data, exclude=(str(data / "shard-000.tar" / "1.png"),)) == ["a.png", "0.png"]
    with pytest.raises(InputError, match="expected excluded pictures to be among the data"):
        names(data, exclude=("elsewhere.png",))


@pytest.mark.parametrize("source", ["missing", "missing/*.png", "nosuchscheme://bucket/x"])
def test_a_source_that_is_not_there_is_named(data: Path, source: str) -> None:
    with pytest.raises(InputError, match=f"^{source.split('*')[0]}.*cannot be read"):
        names(source)


def test_a_damaged_shard_is_named(data: Path) -> None:
    whole = (data / "shard-000.tar").read_bytes()
    (data / "shard-000.tar").write_bytes(whole[:5000])
    with pytest.raises(InputError, match=r"shard-000\.tar: cannot be read"):
        names(data / "shard-000.tar")


def test_broken_and_small_pictures_are_skipped_and_listed(
    photo: Photo, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = png(photo)
    files = [
        ("whole.png", whole),
        ("cut.png", whole[:300]),
        ("small.png", png(photo[:50, :40])),
        ("empty.png", b""),
    ]
    loaded = load_pictures(files, smallest=64)
    assert [p.shape for p in loaded.pictures] == [photo.shape]
    loaded.report()
    said = capsys.readouterr().err
    assert "skipped cut.png: cannot be read" in said
    assert "skipped small.png: 40×50 is smaller than 64×64" in said
    assert "skipped empty.png: cannot be read" in said


def test_no_usable_picture_is_an_error_with_a_reason(photo: Photo) -> None:
    with pytest.raises(InputError, match=r"got none among 1; small.png: 40×50 is smaller"):
        load_pictures([("small.png", png(photo[:50, :40]))], smallest=64)
    with pytest.raises(InputError, match="got none among 0"):
        load_pictures([], smallest=64)


def test_pictures_beyond_the_memory_are_left_out(photo: Photo) -> None:
    files = [(f"{i}.png", png(photo)) for i in range(3)]
    loaded = load_pictures(files, smallest=64, memory_gb=2.5 * photo.nbytes / 1e9)
    assert len(loaded.pictures) == 2
    assert "is full" in loaded.skipped[0]


def all_crops_of(photo: Photo, side: int) -> set[bytes]:
    """Every crop of a picture, in its eight orientations."""
    found = set()
    for top in range(photo.shape[0] - side + 1):
        for left in range(photo.shape[1] - side + 1):
            crop = photo[top : top + side, left : left + side]
            for turned in (crop, crop.swapaxes(0, 1)):
                found |= {
                    np.ascontiguousarray(turned[::i, ::j]).tobytes()
                    for i in (1, -1)
                    for j in (1, -1)
                }
    return found


def test_crops_are_cut_from_the_pictures_in_all_orientations(photo: Photo) -> None:
    small, other = photo[:20, :17], photo[60:78, 30:54]
    bank = PictureBank([small, other])
    crops = bank.draw(CropOptions(crop=16, batch=400), torch.Generator().manual_seed(1)).numpy()
    known = all_crops_of(small, 16), all_crops_of(other, 16)
    drawn = {crop.tobytes() for crop in crops}
    assert drawn <= known[0] | known[1]
    assert all(len(drawn & crops_of_one) > 0.6 * len(crops_of_one) for crops_of_one in known)


def test_pictures_smaller_than_a_crop_are_never_drawn(photo: Photo) -> None:
    bank = PictureBank([photo[:30, :30], photo[:64, :64]])
    crops = bank.draw(CropOptions(crop=64, batch=20), torch.Generator().manual_seed(1)).numpy()
    assert {crop.tobytes() for crop in crops} <= all_crops_of(photo[:64, :64], 64)


def test_downscaled_crops_are_averages(photo: Photo) -> None:
    options = CropOptions(crop=32, batch=8, downscale=4.0)
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[::2] = 200
    crops = PictureBank([stripes]).draw(options, torch.Generator().manual_seed(1))
    assert crops.shape == (8, 32, 32, 3)
    assert crops.float().mean().item() == pytest.approx(100, abs=3)
    assert crops.float().std().item() < 60, "stripes are averaged, not picked"


def test_gains_change_channels_apart(photo: Photo) -> None:
    grey = np.full((64, 64, 3), 100, np.uint8)
    crops = PictureBank([grey]).draw(
        CropOptions(crop=64, batch=16, gain=0.2), torch.Generator().manual_seed(1)
    )
    levels = crops[:, 0, 0].float()
    assert 80 <= levels.min() < 90
    assert 110 < levels.max() <= 120
    assert (levels[:, 0] != levels[:, 1]).any()
