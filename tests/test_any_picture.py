"""Pictures that are not photographs: what comes back is never far from what went in, nor larger
than lossless."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import ROOT

import ncodec
from ncodec.api.codecs import open_codec
from ncodec.arrays import Pixels
from ncodec.eval.corpora.members import Member, members
from ncodec.grid import cells_of
from ncodec.hidden import visible_psnr
from ncodec.image.codec import ImageCodec
from ncodec.image.plan import RenderedSymbols
from ncodec.image.rate_target import Target, encode_to
from ncodec.media.pictures import from_pil
from ncodec.picture import Picture, from_array

QPS = (6, 32, 57)
ALL = {f"{member.kind}-{member.name}": member for member in members()}
CHOSEN = [
    "checkerboard-fields-of-1",
    "checkerboard-fields-of-8",
    "stripes-lying-1",
    "noise-black-and-white",
    "noise-rgb-uniform",
    "noise-salt-and-pepper",
    "dither-ordered",
    "gradient-radial",
    "gradient-wheel",
    "bars-colour-bars",
    "icon-gear-48",
    "icon-tile-192",
    "sprite-hero",
    "onebit-areas",
    "palette-of-16",
    "lineart-plan",
    "chart-lines",
]


@pytest.fixture(scope="module")
def codec() -> ImageCodec:
    return open_codec(threads=1)


def lossless_webp(image: Image.Image) -> int:
    stream = io.BytesIO()
    image.convert("RGBA" if "A" in image.getbands() else "RGB").save(stream, "WEBP", lossless=True)
    return len(stream.getvalue())


@pytest.mark.parametrize("name", CHOSEN)
def test_drawings_are_as_good_as_promised_and_no_larger_than_lossless(
    codec: ImageCodec, name: str
) -> None:
    member: Member = ALL[name]
    image = member.make()
    picture = from_pil(image)
    last = 0.0
    for qp in QPS:
        encoded = codec.encode(picture, qp=qp)
        quality = visible_psnr(picture, codec.decode(encoded.data))
        assert quality >= codec.model.floor(qp), qp
        assert quality >= last - 0.2, qp
        assert len(encoded.data) <= 1.02 * lossless_webp(image) + 64, qp
        last = quality


@pytest.mark.parametrize(
    "size", [(1, 1), (17, 300), (144, 144), (160, 65), (720, 1280), (600, 800)]
)
@pytest.mark.parametrize("colour", [(128, 128, 128), (255, 255, 255), (255, 0, 255), (0, 0, 200)])
def test_plain_pictures_are_exact_in_a_few_bytes(
    size: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    pixels = np.full((*size, 3), colour, dtype=np.uint8)
    data = ncodec.encode(pixels, quality=50)
    assert len(data) <= 100
    np.testing.assert_array_equal(np.asarray(ncodec.decode(data)), pixels)


def test_a_photograph_has_no_exact_cells_and_the_first_version(codec: ImageCodec) -> None:
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        photo = from_pil(image)
    encoded = codec.encode(photo, qp=32)
    assert encoded.exact == 0
    assert ncodec.info(encoded.data).format_version == 1


def beside_a_photograph(photo: np.ndarray) -> Picture:
    """A page of black words with a photograph in it."""
    page = np.full((320, 384, 3), 255, dtype=np.uint8)
    page[64:192, 128:320] = photo[:128, :192]
    rng = np.random.default_rng(0)
    for top in (*range(10, 60, 12), *range(200, 310, 12)):
        page[top : top + 7, 12:372] = np.where(rng.random((7, 360, 1)) < 0.4, 0, 255)
    return from_array(page)


@pytest.mark.parametrize("effort", [0, 2])
def test_words_beside_a_photograph_are_exact_and_the_photograph_is_not(
    codec: ImageCodec, photo: np.ndarray, effort: int
) -> None:
    picture = beside_a_photograph(photo)
    encoded = codec.encode(picture, qp=32, effort=effort)
    assert 0.3 < encoded.exact < 1
    found = ncodec.info(encoded.data)
    assert found.exact == encoded.exact
    assert found.format_version == 2
    shown = codec.decode(encoded.data).pixels
    np.testing.assert_array_equal(shown[256:], picture.pixels[256:])
    ncodec.api.pictures.verify(encoded.data)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_lossless_gives_every_pixel_back(photo: np.ndarray, mode: str) -> None:
    image = Image.fromarray(photo).convert(mode)
    if "A" in mode:
        image.putalpha(
            Image.fromarray(photo[:, :, 0]).point(lambda level: 0 if level < 90 else level)
        )
    data = ncodec.encode(image, quality="lossless")
    back = ncodec.decode(data)
    assert back.mode == mode
    np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
    assert ncodec.info(data).lossless
    assert ncodec.info(data).model is None


def test_pixels_that_nobody_sees_cost_nothing(codec: ImageCodec) -> None:
    rng = np.random.default_rng(4)
    drawing = np.zeros((96, 130, 4), dtype=np.uint8)
    drawing[30:60, 20:90, 3] = 255
    dirty = drawing.copy()
    dirty[drawing[:, :, 3] == 0, :3] = rng.integers(0, 256, (int((drawing[:, :, 3] == 0).sum()), 3))
    clean, other = (codec.encode(from_array(each), qp=40) for each in (drawing, dirty))
    assert len(other.data) <= len(clean.data) + 8
    shown = codec.decode(other.data)
    np.testing.assert_array_equal(shown.alpha, drawing[:, :, 3])
    assert not shown.pixels[drawing[:, :, 3] > 0].any()


def test_a_psnr_that_some_quality_has_is_never_refused(codec: ImageCodec) -> None:
    bars = from_pil(ALL["bars-colour-bars"].make())
    for least in (38.0, 60.0, 120.0):
        found = encode_to(codec, bars, Target(psnr=least), effort=0)
        assert visible_psnr(bars, codec.decode(found.data)) >= least


def test_a_size_takes_the_best_picture_that_fits(codec: ImageCodec) -> None:
    noise = from_pil(ALL["noise-black-and-white"].make())
    found = encode_to(codec, noise, Target(size=5000), effort=0)
    assert len(found.data) <= 5000
    assert np.array_equal(codec.decode(found.data).pixels, noise.pixels)


@pytest.mark.parametrize("name", ["lineart-plan", "icon-gear-16", "mixed-insets", "icon-tile-192"])
@pytest.mark.parametrize("least", [26.2, 29.1, 44.2])
def test_a_least_psnr_is_met(codec: ImageCodec, name: str, least: float) -> None:
    picture = from_pil(ALL[name].make())
    encoded = encode_to(codec, picture, Target(psnr=least), effort=0)
    assert visible_psnr(picture, codec.decode(encoded.data)) >= least


@pytest.mark.parametrize("least", [29.1, 36.6, 44.2])
@pytest.mark.parametrize("side", [40, 150])
def test_a_least_psnr_is_met_by_photographs(
    codec: ImageCodec, photo: Pixels, side: int, least: float
) -> None:
    picture = from_array(photo[:side, :side])
    encoded = encode_to(codec, picture, Target(psnr=least), effort=0)
    assert visible_psnr(picture, codec.decode(encoded.data)) >= least


def test_what_is_seen_of_a_transparent_picture_is_as_good_as_promised(
    codec: ImageCodec, photo: Pixels
) -> None:
    alpha = np.zeros(photo.shape[:2], dtype=np.uint8)
    alpha[::4, ::4] = 255
    picture = Picture(photo, alpha=alpha)
    shown = codec.decode(codec.encode(picture, qp=63).data).pixels
    assert visible_psnr(picture, Picture(shown)) >= codec.model.floor(63)


def test_a_picture_that_is_good_enough_is_quantized_once(
    codec: ImageCodec, photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth = np.linspace(0, 255, photo.shape[1]).astype(np.uint8)[None, :, None] // 3 + photo // 3
    quantized: list[int] = []
    quantize = ImageCodec.quantize

    def counted(self: ImageCodec, pixels: Pixels, *, qp: int, **options: Any) -> RenderedSymbols:
        quantized.append(qp)
        return quantize(self, pixels, qp=qp, **options)

    monkeypatch.setattr(ImageCodec, "quantize", counted)
    codec.encode(from_array(smooth), qp=40)
    assert quantized == [40]


def test_quantizing_beside_exact_cells_is_whole(codec: ImageCodec, photo: Pixels) -> None:
    wide = np.tile(photo, (1, 5, 1))
    held = np.ones(cells_of(*wide.shape[:2]), dtype=np.bool_)
    held[0, 0] = False
    filler = [np.full((320, 60, 100), np.nan, dtype=np.float32) for _ in range(8)]
    del filler
    quantized = codec.quantize(wide, qp=30, exact=held)
    assert np.isfinite(quantized.latent).all()


def test_a_file_is_lossless_only_with_hidden_colours() -> None:
    pixels = np.full((8, 8, 4), 7, dtype=np.uint8)
    pixels[:4], pixels[4:, :, 3] = (200, 10, 5, 0), 255
    data, exact = ncodec.encode(pixels), ncodec.encode(pixels, quality="lossless")
    assert not ncodec.info(data).lossless
    np.testing.assert_array_equal(np.asarray(ncodec.decode(data))[4:], pixels[4:])
    assert ncodec.info(exact).lossless
    np.testing.assert_array_equal(np.asarray(ncodec.decode(exact)), pixels)


def test_what_is_all_transparent_costs_no_colours() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 80, 4), dtype=np.uint8)
    noise[:, :, 3] = 0
    assert len(ncodec.encode(noise)) < 120
