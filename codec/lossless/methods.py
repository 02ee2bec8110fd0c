"""Methods of a block: stored, deflate, LZMA2, models that learn, and the choice among them."""

import lzma
import zlib
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from ncodec.container.ncz import Block, Method
from ncodec.errors import BackendError, FormatError, InputError
from ncodec.lossless.memory import CMIX, FAST, MAX

NAMES = {
    Method.MIXING: "fast",
    Method.MORE_MIXING: "max",
    Method.MIXED_RECURRENT: "cmix",
    Method.RECURRENT: "nncp",
    Method.ATTENTION: "trace",
    Method.BOOTSTRAP: "dzip",
    Method.LZMA: "xz",
    Method.DEFLATE: "deflate",
    Method.STORE: "store",
}
METHODS = ("fast", "max", "cmix", "nncp", "trace", "dzip", "xz", "deflate", "huffman", "store")
"""names that people choose by; each may store a block that it cannot make smaller"""
COMPILED = METHODS[:6]
"""names of methods that need numba"""
NETWORKS = METHODS[2:6]
"""names of methods that take up to a minute a megabyte"""
LEAST = 16
"""bytes of a block below which no model is asked: it would learn nothing, and take seconds"""
TRIED = 2**20
"""bytes of a block up to which LZMA2 is tried beside models that learn"""
NEAR = 1.25
"""times the size by a model up to which a quick run of LZMA2 promises a smaller one"""
_SHAPES = {Method.MIXING: FAST, Method.MORE_MIXING: MAX, Method.MIXED_RECURRENT: CMIX}
_NEURAL = {
    Method.RECURRENT: "recurrent",
    Method.ATTENTION: "attention",
    Method.BOOTSTRAP: "bootstrap",
}
"""modules of `ncodec.lossless.neural`"""
Progress = Callable[[int], None]
"""called with the bytes, before packing, that were done since the last call"""


def check_method(name: str) -> None:
    """Raise InputError unless a method has this name, BackendError where it needs numba."""
    if name not in METHODS:
        msg = f"expected a method among {', '.join(METHODS)}, got {name!r:.40}"
        raise InputError(msg)
    if name in COMPILED:
        require_numba()


def require_numba() -> None:
    """Raise BackendError unless numba is installed and works."""
    if find_spec("numba") is None:
        msg = "models that learn need numba: pip install 'ncodec[lossless]'"
        raise BackendError(msg)
    try:
        import_module("ncodec.lossless.profiles")
    except ImportError as error:
        msg = f"models that learn need numba, which cannot be used here: {error}"
        raise BackendError(msg) from error


def encode_block(
    data: bytes | bytearray, name: str, progress: Progress = lambda _done: None
) -> Block:
    """Pack 1 to 2²⁶ bytes by a method of `METHODS`, or store them where they would grow.

    `progress` is called by networks alone.
    """
    if len(data) < LEAST:
        made = []
    elif name in COMPILED:
        made = _by_model(data, _method_of(name), progress)
    else:
        library: dict[str, Callable[[], list[Block]]] = {
            "xz": lambda: [_by_lzma(data)],
            "deflate": lambda: [_by_deflate(data)],
            "huffman": lambda: [_by_deflate(data, strategy=zlib.Z_HUFFMAN_ONLY)],
            "store": list,
        }
        made = library[name]()
    smallest = min(made, key=lambda block: len(block.payload), default=None)
    if smallest is not None and len(smallest.payload) < len(data):
        return smallest
    return Block(Method.STORE, len(data), bytes(data))


def _method_of(name: str) -> Method:
    return next(method for method, known in NAMES.items() if known == name)


def _by_model(data: bytes | bytearray, method: Method, progress: Progress) -> list[Block]:
    """The block by a model, where it does not grow, and by LZMA2, where that may be less."""
    if method in _SHAPES:
        from ncodec.lossless.profiles import mix

        payload = mix(np.frombuffer(data, np.uint8), _SHAPES[method])
    else:
        payload = _neural(method).encode(bytes(data), progress=progress)
    blocks = [Block(method, len(data), payload)] if payload else []
    smallest = min((len(block.payload) for block in blocks), default=len(data))
    if len(data) <= TRIED or len(_by_lzma(data, preset=1).payload) < NEAR * smallest:
        blocks.append(_by_lzma(data))
    return blocks


def _neural(method: Method) -> Any:
    return import_module(f"ncodec.lossless.neural.{_NEURAL[method]}")


def _by_deflate(data: bytes | bytearray, *, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> Block:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=strategy)
    return Block(Method.DEFLATE, len(data), packer.compress(data) + packer.flush())


def _by_lzma(data: bytes | bytearray, *, preset: int = 9 | lzma.PRESET_EXTREME) -> Block:
    chosen = {**_filter(len(data)), "preset": preset}
    packer = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[chosen])
    return Block(Method.LZMA, len(data), packer.compress(data) + packer.flush())


def _filter(size: int) -> dict[str, int]:
    """LZMA2 with a dictionary of the least power of two that holds a block."""
    return {"id": lzma.FILTER_LZMA2, "dict_size": max(4096, 1 << (size - 1).bit_length())}


def decode_block(block: Block, progress: Progress = lambda _done: None) -> bytes | memoryview:
    """Bytes of a block; `progress` is called by networks alone.

    Raises FormatError for damage, BackendError where numba is needed and not installed.
    """
    data: bytes | memoryview
    if NAMES[block.method] in COMPILED:
        data = _from_model(block, progress)
    else:
        library = {Method.DEFLATE: _from_deflate, Method.LZMA: _from_lzma}
        unpack = library.get(block.method)
        data = unpack(block) if unpack else block.payload
    if len(data) != block.size:
        msg = f"expected a block of {block.size:,} bytes, got {len(data):,}: the file is damaged"
        raise FormatError(msg)
    return data


def _from_deflate(block: Block) -> bytes:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(block.payload, block.size + 1)
    except zlib.error as error:
        msg = f"expected deflated bytes, got something else: {error}"
        raise FormatError(msg) from error
    return b"" if unpacker.unused_data or not unpacker.eof else data


def _from_lzma(block: Block) -> bytes:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_filter(block.size)])
    try:
        data = unpacker.decompress(block.payload, block.size + 1)
        data += b"" if unpacker.eof else unpacker.decompress(b"", 1)
    except (lzma.LZMAError, EOFError) as error:
        msg = f"expected bytes of LZMA2, got something else: {error}"
        raise FormatError(msg) from error
    return b"" if unpacker.unused_data or not unpacker.eof else data


def _from_model(block: Block, progress: Progress) -> bytes | memoryview:
    require_numba()
    if block.method in _SHAPES:
        from ncodec.lossless.profiles import unmix

        return unmix(block.payload, block.size, _SHAPES[block.method])
    data: bytes = _neural(block.method).decode(block.payload, block.size, progress=progress)
    return data
