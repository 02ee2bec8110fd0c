"""`.ncz` files: headers, blocks of every method, and their end."""

from importlib.util import find_spec

import numpy as np

from ncodec.api.lossless import packed_info
from ncodec.api.lossless import unpack as unpack_all

LARGEST = 2**17
"""bytes of all blocks, beyond which the size alone may cost time"""


def compile_models() -> None:
    """Run every model, so that none is compiled within what is measured."""
    from ncodec.lossless.memory import CMIX, FAST, MAX
    from ncodec.lossless.neural import attention, bootstrap, recurrent
    from ncodec.lossless.profiles import mix, unmix

    few = b"to be or not to be, " * 30
    for shape in (FAST, MAX, CMIX):
        unmix(mix(np.frombuffer(few, np.uint8), shape), len(few), shape)
    for coder in (attention, bootstrap, recurrent):
        coder.decode(coder.encode(few), len(few))
    bootstrap.encode(few, bootstrap=True)


if find_spec("numba"):
    compile_models()


def unpack(data: bytes) -> None:
    """Read the headers of a file, and unpack it."""
    if packed_info(data).size <= LARGEST:
        unpack_all(data)
