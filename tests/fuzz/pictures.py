"""`.nci` files: all that decoding does but for the network, and writing pictures as PNG and BMP."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from fuzz.endings import any_ending
from fuzz.networks import blank_codec

from ncodec.api.pictures import info, read_container, verify
from ncodec.container.nci import NO_MODEL
from ncodec.exact.mixed import pack_mixed
from ncodec.image.file import decode_exact
from ncodec.media.exif import STRIPS, stripped
from ncodec.media.picture_files import write_picture

LARGEST = 2**17
"""pixels, beyond which the size alone may cost time"""
if find_spec("numba"):  # compiles the model, outside of what is measured
    pack_mixed(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))


def decode_picture(data: bytes) -> None:
    """Verify and decode a file; write it in formats that can and cannot hold its metadata."""
    container = read_container(data)
    header = container.header
    info(data)
    if header.width * header.height > LARGEST:
        return
    with any_ending():
        verify(data)
        picture = (
            decode_exact(container)
            if header.model_id == NO_MODEL
            else blank_codec(header.model_id).decode_container(container)
        )
    for part in STRIPS:
        stripped(picture, part)
    write_picture(picture, ".png")
    if picture.icc or picture.exif or picture.xmp:
        write_picture(replace(picture, alpha=None), ".bmp")
