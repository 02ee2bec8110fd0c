import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import ncodec.api.pictures
from ncodec.api.codecs import open_codec
from ncodec.container.nci import Container, Header, Tag, pack, unpack
from ncodec.entropy.latents import estimate_bits
from ncodec.errors import FormatError, InputError, ModelError
from ncodec.image import tiles
from ncodec.image.file import read_alpha
from ncodec.image.rate_target import Target, encode_to
from ncodec.picture import from_array, psnr
from ncodec.quality import QP_COUNT, qp_to_quality, quality_to_qp

Photo = npt.NDArray[np.uint8]


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 70), width=st.integers(1, 70), channels=st.sampled_from([1, 2, 3, 4]),
    qp=st.integers(0, 63), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_size_and_mode_comes_back(
    height: int, width: int, channels: int, qp: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    picture = from_array(pixels)
    decoded = open_codec().decode(open_codec().encode(picture, qp=qp).data)
    assert decoded.pixels.shape == (height, width, 3)
    assert decoded.grey == (channels <= 2)
    if channels in (2, 4):
        np.testing.assert_array_equal(decoded.alpha, pixels[:, :, -1])
    if channels <= 2:
        assert (decoded.pixels == decoded.pixels[:, :, :1]).all()


def test_more_quality_means_more_bytes_and_more_decibels(photo: Photo) -> None:
    codec, picture = open_codec(), from_array(photo)
    results = [codec.encode(picture, qp=qp).data for qp in (0, 16, 32, 48, 63)]
    sizes = [len(data) for data in results]
    decibels = [psnr(photo, codec.decode(data).pixels) for data in results]
    assert sizes == sorted(sizes)
    assert decibels == sorted(decibels)
    assert decibels[-1] > 35


def test_bytes_are_what_the_estimate_says(photo: Photo) -> None:
    codec = open_codec()
    for qp in (5, 35, 60):
        encoded = codec.encode(from_array(photo), qp=qp)
        estimate = estimate_bits(encoded.symbols, codec.model.tables, qp=qp) / 8
        assert abs(len(encoded.data) - estimate) <= 0.01 * estimate + 36


def test_tiles_give_the_same_picture(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    large = np.tile(photo, (4, 5, 1))[:590, :870]
    large = np.clip(large + rng.integers(-20, 20, large.shape), 0, 255).astype(np.uint8)
    codec = open_codec()
    whole = codec.analyze(large, qp=40)
    pixels = codec.synthesize(whole, qp=40, height=590, width=870)
    monkeypatch.setattr(tiles, "_counts", lambda *_: (5, 7))
    assert len(list(tiles.tiles(592, 880, codec.model.halo))) == 35
    tiled = codec.analyze(large, qp=40)
    # A value at the very edge between two integers may round either way.
    assert (tiled.residual != whole.residual).mean() < 1e-5
    assert (tiled.z_hat != whole.z_hat).mean() < 1e-4
    decoded = codec.synthesize(whole, qp=40, height=590, width=870)
    assert np.abs(decoded.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("limit", [900, 2000, 6000])
def test_size_targets_are_met_from_below(photo: Photo, limit: int) -> None:
    codec, picture = open_codec(), from_array(photo)
    encoded = encode_to(codec, picture, Target(size=limit))
    assert len(encoded.data) <= limit
    if encoded.qp < QP_COUNT - 1:
        assert len(codec.encode(picture, qp=encoded.qp + 1).data) > limit


def test_bpp_targets_count_the_whole_file(photo: Photo) -> None:
    encoded = encode_to(open_codec(), from_array(photo), Target(bpp=0.8))
    assert len(encoded.data) * 8 / (200 * 152) <= 0.8


def test_psnr_targets_are_met_by_the_smallest_qp(photo: Photo) -> None:
    codec, picture = open_codec(), from_array(photo)
    encoded = encode_to(codec, picture, Target(psnr=30))
    assert psnr(photo, codec.decode(encoded.data).pixels) >= 30
    assert psnr(photo, codec.decode(codec.encode(picture, qp=encoded.qp - 1).data).pixels) < 30


def test_an_impossible_size_says_what_is_possible(photo: Photo) -> None:
    with pytest.raises(
        InputError, match=r"expected a limit of at least .* bytes for this picture, got 10"
    ):
        encode_to(open_codec(), from_array(photo), Target(size=10))


def test_a_side_beyond_the_format_is_refused() -> None:
    with pytest.raises(InputError, match="at most 16384"):
        encode_to(open_codec(), from_array(np.zeros((1, 16385), np.uint8)), Target(quality=5))


@pytest.mark.parametrize(
    "options",
    [{}, {"quality": 1, "bpp": 1}, {"quality": 101}, {"psnr": float("nan")}, {"size": -1}],
)
def test_targets_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Target(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("qp", [-1, 64, 30.5])
def test_a_qp_that_is_none_is_refused(photo: Photo, qp: int) -> None:
    with pytest.raises(InputError, match=f"expected a qp of 0 to 63, got {qp}"):
        open_codec().encode(from_array(photo[:16, :16]), qp=qp)


def test_quality_and_qp_are_the_same_scale() -> None:
    assert quality_to_qp(0) == 0
    assert quality_to_qp(100) == QP_COUNT - 1
    assert all(quality_to_qp(qp_to_quality(qp)) == qp for qp in range(QP_COUNT))


def png(size: tuple[int, int], mode: str = "L") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    "payload", [b"", b"not a PNG", png((3, 2))[:45], png((4, 2)), png((3, 2), "RGB")],
    ids=["empty", "text", "truncated", "other size", "other mode"],
)  # fmt: skip
def test_a_damaged_alpha_plane_is_refused(payload: bytes) -> None:
    container = Container(Header(open_codec().model.id, 3, 2, 0), b"\0", {Tag.ALPHA: payload})
    with pytest.raises(FormatError, match=r"alpha plane|lossless WebP"):
        ncodec.api.pictures.verify(pack(container))
    assert read_alpha(replace(container, extras={Tag.ALPHA: png((3, 2))})).shape == (2, 3)


def test_the_file_names_its_model(coded: bytes) -> None:
    assert unpack(coded).header.model_id == open_codec().model.id
    assert Tag.ALPHA not in unpack(coded).extras


def test_equal_pixels_have_infinite_psnr(photo: Photo) -> None:
    assert psnr(photo, photo) == float("inf")
    assert psnr(photo, np.clip(photo, 1, None)) < 120


def test_a_psnr_beyond_every_qp_is_met_by_a_lossless_file(photo: Photo) -> None:
    encoded = encode_to(open_codec(), from_array(photo), Target(psnr=99))
    np.testing.assert_array_equal(open_codec().decode(encoded.data).pixels, photo)


def test_a_grey_psnr_is_that_of_what_is_delivered(photo: Photo) -> None:
    codec, picture = open_codec(), from_array(photo[:, :, 1])
    encoded = encode_to(codec, picture, Target(psnr=36))
    assert psnr(picture.pixels, codec.decode(encoded.data).pixels) >= 36
    assert (
        psnr(picture.pixels, codec.decode(codec.encode(picture, qp=encoded.qp - 1).data).pixels)
        < 36
    )


def test_the_file_of_another_model_is_refused(photo: Photo, coded: bytes) -> None:
    container = unpack(coded)
    header = replace(container.header, model_id=1)
    with pytest.raises(ModelError, match="got one of 00000001"):
        open_codec().decode_container(replace(container, header=header))
