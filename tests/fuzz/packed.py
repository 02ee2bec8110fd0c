"""`.ncz` files: headers, blocks of every method, and their end."""

from importlib.util import find_spec

from ncodec.api.lossless import pack, packed_info
from ncodec.api.lossless import unpack as unpack_all

LARGEST = 2**17
"""bytes of all blocks, beyond which the size alone may cost time"""
if find_spec("numba"):
    unpack_all(pack(bytes(100)))  # compiles the model, outside of what is measured


def unpack(data: bytes) -> None:
    """Read the headers of a file, and unpack it."""
    if packed_info(data).size <= LARGEST:
        unpack_all(data)
