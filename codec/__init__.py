"""ncodec: a learned image codec that decodes everywhere, without PyTorch.

import ncodec

data = ncodec.encode("picture.png", quality=60)   # bytes; or encode(..., "picture.nci")
image = ncodec.decode(data)                       # a Pillow image
ncodec.info(data).bpp
"""

from typing import TYPE_CHECKING

from ncodec.errors import BackendError, FormatError, InputError, ModelError, NcodecError, OutputError

if TYPE_CHECKING:
    from ncodec.api import Info, decode, encode, info

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "FormatError",
    "Info",
    "InputError",
    "ModelError",
    "NcodecError",
    "OutputError",
    "__version__",
    "decode",
    "encode",
    "info",
]

_LAZY = frozenset({"Info", "decode", "encode", "info"})


def __getattr__(name: str) -> object:
    """Load numpy, Pillow and the rest when they are first needed: the command's --help must not wait for them."""
    if name not in _LAZY:
        msg = f"module 'ncodec' has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib

    return getattr(importlib.import_module("ncodec.api"), name)
