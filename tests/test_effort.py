"""An effort makes better files that any decoder reads, meets the same targets, and is refused where
there is none."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

import ncodec
from ncodec.api.codecs import open_codec
from ncodec.cli.main import cli
from ncodec.container.records import Tag as RecordTag
from ncodec.errors import BackendError, InputError, ModelError
from ncodec.image.codec import ImageCodec
from ncodec.image.effort import search_of
from ncodec.image.rate_target import Target, encode_to
from ncodec.image.rdoq import MOST_SEARCHED, SEARCHED_HALO
from ncodec.image.tiles import tiles
from ncodec.inference.backend import open_backend
from ncodec.picture import from_array, psnr
from ncodec.quality import DEFAULT_EFFORT, MAX_EFFORT
from ncodec.video.frame_encoder import FrameDecision, FrameEncoder
from ncodec.video.frame_state import FrameCodecs

Photo = npt.NDArray[np.uint8]
QP = 30


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    return open_codec(threads=1)


@pytest.fixture(scope="module")
def crop(photo: Photo) -> Photo:
    return np.ascontiguousarray(photo[20:115, 30:139])


def cost(data: bytes, pixels: Photo, *, qp: int = QP) -> float:
    """λ·255²·MSE + bpp, what the models are trained for, of what the default decoder makes of a
    file."""
    decoded = np.asarray(ncodec.decode(data)).astype(np.float64)
    lagrangian = 0.0004 * (0.5 / 0.0004) ** (qp / 63)
    return lagrangian * float(((decoded - pixels) ** 2).mean()) + 8 * len(data) / (
        pixels.shape[0] * pixels.shape[1]
    )


def test_more_effort_costs_less(codec: ImageCodec, photo: Photo) -> None:
    larger = np.ascontiguousarray(
        photo[:160, :192]
    )  # in which a byte is a small part of half a percent
    costs = [
        cost(codec.encode(from_array(larger), qp=QP, effort=effort).data, larger)
        for effort in (0, 1, 3, 6)
    ]
    assert costs[1] < 0.99 * costs[0]
    assert costs[2] < 0.98 * costs[0]
    assert costs[3] < costs[2]


def test_the_same_picture_gives_the_same_file(codec: ImageCodec, crop: Photo) -> None:
    first, second = (codec.encode(from_array(crop), qp=QP, effort=1).data for _ in range(2))
    assert first == second


@pytest.mark.parametrize("qp", [10, 30, 55])
def test_tiles_are_searched_one_by_one_and_fit_together(
    codec: ImageCodec, photo: Photo, monkeypatch: pytest.MonkeyPatch, qp: int
) -> None:
    pixels = np.ascontiguousarray(np.tile(photo, (3, 3, 1))[:440, :590])
    whole = codec.encode(from_array(pixels), qp=qp, effort=2).data
    monkeypatch.setattr("ncodec.image.rdoq.MOST_SEARCHED", 384**2)
    parts = list(tiles(448, 592, SEARCHED_HALO, most=384**2))
    assert min(len({p.rows for p in parts}), len({p.columns for p in parts})) > 1
    told: list[tuple[int, int]] = []
    tiled = codec.encode(
        from_array(pixels), qp=qp, effort=2, progress=lambda *steps: told.append(steps)
    )
    steps = len(parts) * search_of(2, qp=qp).passes
    assert told == [(done, steps) for done in range(1, steps + 1)]
    assert tiled.data == whole


@pytest.mark.parametrize("colour", [(200, 120, 30), (10, 60, 200), (128, 128, 128)])
@pytest.mark.parametrize("qp", [6, 19, 32])
@pytest.mark.parametrize("most", [256**2, MOST_SEARCHED])
def test_a_plain_picture_is_never_worse(
    codec: ImageCodec,
    monkeypatch: pytest.MonkeyPatch,
    colour: tuple[int, int, int],
    qp: int,
    most: int,
) -> None:
    monkeypatch.setattr("ncodec.image.rdoq.MOST_SEARCHED", most)
    pixels = np.full((320, 384, 3), colour, dtype=np.uint8)
    plain, searched = (
        codec.encode(from_array(pixels), qp=qp, effort=effort).data for effort in (0, 2)
    )
    assert cost(searched, pixels, qp=qp) <= cost(plain, pixels, qp=qp) + 0.002


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (33, 65)])
def test_any_size_can_be_searched(codec: ImageCodec, photo: Photo, size: tuple[int, int]) -> None:
    pixels = np.ascontiguousarray(photo[: size[0], : size[1]])
    assert (
        codec.decode(codec.encode(from_array(pixels), qp=QP, effort=2).data).pixels.shape
        == pixels.shape
    )


def test_a_model_without_slopes_has_no_effort(
    crop: Photo, tmp_path: Path, codec: ImageCodec
) -> None:
    for file in codec.model.folder.iterdir():
        if file.name != "slopes.onnx":
            shutil.copy(file, tmp_path)
    model = replace(codec.model, folder=tmp_path)
    lacking, picture = ImageCodec(model, open_backend(model)), from_array(crop)
    default = encode_to(lacking, picture, Target(quality=50))
    assert default.data == encode_to(codec, picture, Target(quality=50), effort=0).data
    with pytest.raises(ModelError, match=r"has no slopes\.onnx.*expected an effort of 0, got 3"):
        lacking.encode(picture, qp=QP, effort=3)
    frame = FrameEncoder(FrameCodecs(lacking, None)).encode(
        FrameDecision(RecordTag.INTRA, crop), pts=0, qp=QP
    )
    assert frame.tag == RecordTag.INTRA


def test_very_large_pictures_are_not_searched_unless_asked(codec: ImageCodec) -> None:
    wide = from_array(np.broadcast_to(np.uint8(0), (4, 2**23 + 1, 3)))
    assert codec.effort_for(wide, None) == 0
    assert codec.effort_for(wide, 4) == 4
    assert codec.effort_for(from_array(np.zeros((4, 4, 3), dtype=np.uint8)), None) == DEFAULT_EFFORT
    assert codec.usual_effort(4, 2**23, 6) == 6
    assert codec.usual_effort(4, 2**23 + 1, 6) == 0


def test_targets_are_met(codec: ImageCodec, crop: Photo) -> None:
    picture = from_array(crop)
    plain = codec.encode(picture, qp=QP)
    sized = encode_to(codec, picture, Target(size=len(plain.data)), effort=2)
    assert len(sized.data) <= len(plain.data)
    assert sized.qp >= plain.qp
    good = encode_to(codec, picture, Target(psnr=30), effort=2)
    decoded = np.asarray(ncodec.decode(good.data)).astype(float)
    assert ((decoded - crop) ** 2).mean() <= 255**2 / 10**3


def test_a_size_that_only_the_plain_encoder_meets_is_met(codec: ImageCodec, photo: Photo) -> None:
    places = [(row, column) for row in range(0, 128, 24) for column in range(0, 176, 22)]
    pictures = [from_array(np.ascontiguousarray(photo[y : y + 24, x : x + 24])) for y, x in places]
    plain = [len(codec.encode(picture, qp=0).data) for picture in pictures]
    searched = [len(codec.encode(picture, qp=0, effort=2).data) for picture in pictures]
    picture, least = next(
        (p, a) for p, a, b in zip(pictures, plain, searched, strict=True) if a < b
    )
    assert len(encode_to(codec, picture, Target(size=least)).data) == least
    with pytest.raises(
        InputError,
        match=f"expected a limit of at least {least} bytes for this picture, got {least - 1}",
    ):
        encode_to(codec, picture, Target(size=least - 1))


def test_a_psnr_that_only_the_plain_encoder_reaches_is_reached(
    codec: ImageCodec, photo: Photo
) -> None:
    picture = from_array(np.ascontiguousarray(photo[:80, :120]))
    reached = psnr(picture.pixels, np.asarray(ncodec.decode(codec.encode(picture, qp=63).data)))
    found = encode_to(codec, picture, Target(psnr=reached - 1e-3), effort=1)
    assert psnr(picture.pixels, np.asarray(ncodec.decode(found.data))) >= reached - 0.01


@pytest.mark.parametrize("effort", [-1, MAX_EFFORT + 1, 2.0, 2.5, "3"])
def test_unknown_efforts_are_refused(codec: ImageCodec, crop: Photo, effort: int) -> None:
    with pytest.raises(InputError, match="expected an effort of 0 to 9"):
        ncodec.encode(crop, effort=effort)
    with pytest.raises(InputError, match="expected an effort of 0 to 9"):
        codec.encode(from_array(crop), qp=QP, effort=effort)


def test_pictures_are_searched_for_unless_told_otherwise(crop: Photo) -> None:
    default = ncodec.encode(crop, threads=1)
    assert default == ncodec.encode(crop, effort=DEFAULT_EFFORT, threads=1)
    assert default != ncodec.encode(crop, effort=0, threads=1)
    structure = ncodec.encode(crop, tune="ssim", threads=1)
    assert structure == ncodec.encode(crop, tune="ssim", effort=0, threads=1)
    assert structure == ncodec.encode(crop, model="ssim", threads=1)
    with pytest.raises(ModelError, match="because it is not for PSNR"):
        ncodec.encode(crop, model="ssim", effort=1)


def test_an_effort_does_not_hide_an_unknown_backend(crop: Photo) -> None:
    with pytest.raises(BackendError, match="expected a backend among onnx, torch"):
        ncodec.encode(crop, effort=1, backend="abacus")


def test_the_command_takes_an_effort_for_pictures_alone(folder: Path, crop: Photo) -> None:
    (folder / "plain.nci").write_bytes(ncodec.encode(crop))
    from PIL import Image

    Image.fromarray(crop).save(folder / "in.png")
    run = CliRunner().invoke(
        cli, ["encode", "in.png", "--effort", "1", "--threads", "1", "-o", "out.nci"]
    )
    assert run.exit_code == 0, run.output
    assert "out.nci" in run.output
    assert (folder / "out.nci").read_bytes() != (folder / "plain.nci").read_bytes()
    for line in (
        ["encode", "in.png", "--effort", "10"],
        ["encode", "in.png", "--effort", "2", "-o", "out.ncv"],
    ):
        run = CliRunner().invoke(cli, line)
        assert run.exit_code == 2, run.output
