"""Rate–distortion curves over a folder of pictures, from file bytes and 8-bit pixels."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

import ncodec
from ncodec.errors import InputError
from ncodec.eval.bdrate import Curve

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Anchor:
    """A codec of Pillow at the settings its own people would choose for still pictures."""

    name: str
    format: str
    settings: dict[str, object]
    qualities: tuple[int, ...]

    def code(self, image: Image.Image, quality: int) -> tuple[int, Pixels]:
        """File bytes and decoded pixels."""
        stream = io.BytesIO()
        image.save(stream, self.format, quality=quality, **self.settings)
        return stream.getbuffer().nbytes, np.asarray(Image.open(stream).convert("RGB"))


_JPEG_QUALITIES = (5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95)
ANCHORS = (
    Anchor("JPEG 4:2:0", "JPEG", {"optimize": True, "subsampling": "4:2:0"}, _JPEG_QUALITIES),
    Anchor("JPEG 4:4:4", "JPEG", {"optimize": True, "subsampling": "4:4:4"}, _JPEG_QUALITIES),
    Anchor("WebP", "WEBP", {"method": 6}, (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)),
)
NCODEC_QUALITIES = (0, 6, 13, 19, 25, 32, 38, 44, 51, 57, 63, 70, 76, 83, 89, 95, 100)


def code_with_ncodec(image: Image.Image, quality: int) -> tuple[int, Pixels]:
    """File bytes and decoded pixels, through the public API."""
    data = ncodec.encode(image, quality=quality)
    return len(data), np.asarray(ncodec.decode(data))


def measure(
    pictures: list[Image.Image],
    qualities: tuple[int, ...],
    code: Callable[[Image.Image, int], tuple[int, Pixels]],
    *,
    advance: Callable[[], None],
) -> Curve:
    """One point for each quality: means over the pictures of bits per pixel and of PSNR."""
    curve: Curve = []
    for quality in qualities:
        points = []
        for picture in pictures:
            size, decoded = code(picture, quality)
            quality_db = peak_signal_noise_ratio(np.asarray(picture), decoded, data_range=255)
            points.append((8 * size / (picture.width * picture.height), float(quality_db)))
            advance()
        curve.append((float(np.mean([p[0] for p in points])), float(np.mean([p[1] for p in points]))))
    return curve


def load_folder(folder: Path) -> list[Image.Image]:
    """Every PNG of a folder as RGB; raises InputError when there is none."""
    pictures = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]
    if not pictures:
        msg = f"expected PNG pictures in {folder}, got none"
        raise InputError(msg)
    return pictures
