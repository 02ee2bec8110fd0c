"""What picture and video files state of colours and of how they are shown: PNG, TIFF, BMP, HEIF,
display matrices."""

import io
from types import SimpleNamespace
from typing import cast

import numpy as np
from fuzz.containers import sealed
from PIL import Image

from ncodec.media.display_matrix import unpack_matrix, upright
from ncodec.media.pictures import from_pil
from ncodec.media.stated_colours import stated_bits, stated_profile
from ncodec.media.streams import readable

_MATRIX, _HEIF, _FILE = range(3)
LARGEST = 2**16
"""pixels, beyond which the size alone may cost time"""


def read_colours(data: bytes) -> None:
    """Read what follows a kind of one byte: a display matrix, the boxes of a HEIF file, or a PNG,
    TIFF or BMP file."""
    if not data:
        return
    kind, content = data[0] % 3, data[1:]
    if kind == _MATRIX:
        upright(np.zeros((2, 3, 3), dtype=np.uint8), unpack_matrix(content))
    elif kind == _HEIF:
        image = cast("Image.Image", SimpleNamespace(format="HEIF", info={}))
        stated_profile(image, content, grey=False)
        stated_bits(image, content)
    else:
        _read_file(sealed(content))


def _read_file(content: bytes) -> None:
    try:
        image = Image.open(io.BytesIO(content), formats=["PNG", "TIFF", "BMP"])
        if image.width * image.height > LARGEST:
            return
        image.load()
    except Exception:  # Pillow's, which `read_picture` turns into one sentence
        return
    stated_profile(image, content, grey=False)
    with readable("picture"):  # Pillow raises while it looks for further pages, too
        from_pil(image, page=1)
