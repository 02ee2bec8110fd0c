"""Methods of a block: stored, deflate, LZMA2, context mixing, and the choice among them."""

import lzma
import zlib
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from ncodec.container.ncz import Block, Method
from ncodec.errors import BackendError, FormatError, InputError
from ncodec.lossless.memory import FAST, MAX

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = {
    Method.MIXING: FAST.name,
    Method.MORE_MIXING: MAX.name,
    Method.LZMA: "xz",
    Method.DEFLATE: "deflate",
    Method.STORE: "store",
}
METHODS = ("fast", "max", "xz", "deflate", "huffman", "store")
"""names that people choose by; each may store a block that it cannot make smaller"""
COMPILED = ("fast", "max")
"""names of methods that need numba"""
TRIED = 2**20
"""bytes of a block up to which LZMA2 is tried beside context mixing"""
NEAR = 1.25
"""times the size by context mixing up to which a quick run of LZMA2 promises a smaller one"""
_SHAPES = {Method.MIXING: FAST, Method.MORE_MIXING: MAX}


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
        msg = "context mixing needs numba: pip install 'ncodec[lossless]'"
        raise BackendError(msg)
    try:
        import_module("ncodec.lossless.profiles")
    except ImportError as error:
        msg = f"context mixing needs numba, which cannot be used here: {error}"
        raise BackendError(msg) from error


def encode_block(data: bytes | bytearray, name: str) -> Block:
    """Pack 1 to 2²⁶ bytes by a method of `METHODS`, or store them where they would grow."""
    chosen: dict[str, Callable[[bytes | bytearray], list[Block]]] = {
        FAST.name: lambda data: _mixed_or_repeated(data, Method.MIXING),
        MAX.name: lambda data: _mixed_or_repeated(data, Method.MORE_MIXING),
        "xz": lambda data: [_by_lzma(data)],
        "deflate": lambda data: [_by_deflate(data)],
        "huffman": lambda data: [_by_deflate(data, strategy=zlib.Z_HUFFMAN_ONLY)],
        "store": lambda data: [],
    }
    smallest = min(chosen[name](data), key=lambda block: len(block.payload), default=None)
    if smallest is not None and len(smallest.payload) < len(data):
        return smallest
    return Block(Method.STORE, len(data), bytes(data))


def _mixed_or_repeated(data: bytes | bytearray, method: Method) -> list[Block]:
    """The block by context mixing, where it does not grow, and by LZMA2, where that may be less."""
    from ncodec.lossless.profiles import mix

    payload = mix(np.frombuffer(data, np.uint8), _SHAPES[method])
    blocks = [Block(method, len(data), payload)] if payload else []
    smallest = min((len(block.payload) for block in blocks), default=len(data))
    if len(data) <= TRIED or len(_by_lzma(data, preset=1).payload) < NEAR * smallest:
        blocks.append(_by_lzma(data))
    return blocks


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


def decode_block(block: Block) -> bytes | memoryview:
    """Bytes of a block.

    Raises FormatError for damage, BackendError where context mixing is not installed.
    """
    unpack: dict[Method, Callable[[Block], bytes | memoryview]] = {
        Method.STORE: lambda block: block.payload,
        Method.DEFLATE: _from_deflate,
        Method.LZMA: _from_lzma,
        Method.MIXING: _from_mixing,
        Method.MORE_MIXING: _from_mixing,
    }
    data = unpack[block.method](block)
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


def _from_mixing(block: Block) -> memoryview:
    require_numba()
    from ncodec.lossless.profiles import unmix

    return unmix(block.payload, block.size, _SHAPES[block.method])
