"""One picture beside JPEG of equal size."""

import io
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

import ncodec
from ncodec.arrays import Pixels
from ncodec.picture import psnr

LABEL_HEIGHT = 24


@dataclass(frozen=True)
class Comparison:
    """One codec's result on the picture."""

    name: str
    size: int
    bpp: float
    psnr: float
    encode_s: float
    decode_s: float
    pixels: Pixels


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def _jpeg_quality_near(image: Image.Image, size: int) -> int:
    """Quality of the JPEG whose size is nearest."""
    return min(range(1, 96), key=lambda quality: abs(len(_jpeg(image, quality)) - size))


def _result(
    name: str, original: Pixels, data: bytes, encode_s: float, decode_s: float, decoded: Pixels
) -> Comparison:
    bpp = 8 * len(data) / (original.shape[0] * original.shape[1])
    return Comparison(name, len(data), bpp, psnr(original, decoded), encode_s, decode_s, decoded)


def compare(image: Image.Image, *, quality: float) -> list[Comparison]:
    """Code an RGB picture by ncodec at a quality, and by JPEG at the size nearest to ncodec's.

    Quality is 0 to 100. JPEG is optimized, 4:2:0, of a quality of 1 to 95. Returns both results,
    ncodec's first; times exclude loading the networks. Raises InputError for another quality.
    """
    original = np.asarray(image)
    ncodec.decode(
        ncodec.encode(image, quality=quality)
    )  # loads the networks, which the figures leave out
    start = time.perf_counter()
    data = ncodec.encode(image, quality=quality)
    middle = time.perf_counter()
    decoded = np.asarray(ncodec.decode(data))
    end = time.perf_counter()
    ours = _result("ncodec", original, data, middle - start, end - middle, decoded)
    peer_quality = _jpeg_quality_near(image, len(data))
    start = time.perf_counter()
    peer = _jpeg(image, peer_quality)
    middle = time.perf_counter()
    decoded = np.asarray(Image.open(io.BytesIO(peer)).convert("RGB"))
    end = time.perf_counter()
    return [ours, _result("JPEG", original, peer, middle - start, end - middle, decoded)]


def side_by_side(original: Pixels, results: list[Comparison]) -> Image.Image:
    """The original and each result in a row, each under its label."""
    height, width, _ = original.shape
    panels = [
        ("original", original),
        *((f"{r.name}  {r.size:,} bytes  {r.psnr:.2f} dB", r.pixels) for r in results),
    ]
    sheet = Image.new("RGB", (width * len(panels), height + LABEL_HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (label, pixels) in enumerate(panels):
        draw.text((i * width + 8, 5), label, fill="black")
        sheet.paste(Image.fromarray(pixels), (i * width, LABEL_HEIGHT))
    return sheet
