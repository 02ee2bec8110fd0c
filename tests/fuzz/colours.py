"""What picture and video files state of colours and of how they are shown: parts of files,
HEIF boxes, display matrices."""

import io
import traceback
from types import SimpleNamespace
from typing import cast

import numpy as np
import PIL
from fuzz.containers import sealed
from PIL import Image

from ncodec.errors import NcodecError
from ncodec.media.display_matrix import unpack_matrix, upright
from ncodec.media.pictures import from_pil
from ncodec.media.stated_colours import stated_bits, stated_profile

FORMATS = (
    *("BMP", "DDS", "FITS", "GIF", "JPEG", "JPEG2000", "PNG"),
    *("PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
Image.init()  # which `Image.open` does after it looked for a format in vain
_MATRIX, _HEIF, _FILE = range(3)
LARGEST = 2**16
"""pixels, beyond which the size alone may cost time"""


def read_colours(data: bytes) -> None:
    """Read what follows a kind of one byte: a display matrix, the boxes of a HEIF file, or a file
    of another format."""
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
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height <= LARGEST:
            from_pil(image, page=1)
    except NcodecError:
        raise
    except Exception as error:
        # Pillow's own are turned into one sentence by `read_picture`.
        if PIL.__path__[0] not in traceback.extract_tb(error.__traceback__)[-1].filename:
            raise
