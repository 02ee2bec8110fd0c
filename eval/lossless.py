"""Sizes and speeds of lossless coders on files, every one of which has to come back."""

import bz2
import lzma
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ncodec.api.lossless import METHODS, pack, unpack
from ncodec.errors import NcodecError

Work = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Packer:
    """A lossless coder of bytes."""

    name: str
    pack: Work
    unpack: Work


@dataclass(frozen=True)
class PackerFigures:
    """A coder over all files."""

    name: str
    mean_bits: float
    """mean over files of bits a byte"""
    total_bits: float
    """bits a byte of all files together"""
    pack_rate: float
    """megabytes (10⁶ bytes) a second"""
    unpack_rate: float
    sizes: tuple[int, ...]
    """bytes of each packed file"""


def packers() -> list[Packer]:
    """ncodec's methods, the standard library's coders, and zstd and brotli where they are
    installed."""
    own = [_own(method) for method in METHODS if method != "fast" or find_spec("numba")]
    others = [
        Packer("gzip -9", lambda data: zlib.compress(data, 9), zlib.decompress),
        Packer("bzip2 -9", bz2.compress, bz2.decompress),
        Packer("xz -9e", lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
               lzma.decompress),
    ]  # fmt: skip
    if find_spec("zstandard"):
        import zstandard

        packer = zstandard.ZstdCompressor(level=22)
        others.append(Packer("zstd 22", packer.compress, zstandard.ZstdDecompressor().decompress))
    if find_spec("brotli"):
        import brotli

        others.append(Packer("brotli 11", brotli.compress, brotli.decompress))
    return own + others


def _own(method: str) -> Packer:
    return Packer(f"ncodec {method}", lambda data: pack(data, method=method), unpack)


def measure_packers(
    paths: Sequence[Path], chosen: Sequence[Packer], *, advance: Callable[[int], None]
) -> list[PackerFigures]:
    """Pack and unpack every file, at least a byte each, by every coder; `advance` is called with 1
    after each.

    A first run of a few bytes is not counted. Raises NcodecError where a file does not come back.
    """
    contents = [path.read_bytes() for path in paths]
    found = []
    for packer in chosen:
        packer.unpack(packer.pack(b"a few bytes"))
        sizes, pack_s, unpack_s = [], 0.0, 0.0
        for path, data in zip(paths, contents, strict=True):
            start = time.perf_counter()
            packed = packer.pack(data)
            middle = time.perf_counter()
            if packer.unpack(packed) != data:
                msg = f"{path}: did not come back from {packer.name}"
                raise NcodecError(msg)
            pack_s += middle - start
            unpack_s += time.perf_counter() - middle
            sizes.append(len(packed))
            advance(1)
        whole = sum(map(len, contents))
        bits = [8 * size / len(data) for size, data in zip(sizes, contents, strict=True)]
        found.append(
            PackerFigures(
                packer.name,
                sum(bits) / len(bits),
                8 * sum(sizes) / whole,
                whole / 1e6 / pack_s,
                whole / 1e6 / unpack_s,
                tuple(sizes),
            )
        )
    return found
