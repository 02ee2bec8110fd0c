"""Sizes and speeds of lossless coders on files, every one of which has to come back."""

import bz2
import json
import lzma
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ncodec.api.lossless import COMPILED, METHODS, NETWORKS, pack, unpack
from ncodec.errors import NcodecError

Work = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Packer:
    """A lossless coder of bytes."""

    name: str
    pack: Work
    unpack: Work
    is_slow: bool = False
    """whether it takes up to a minute a megabyte"""


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

    @property
    def ratio(self) -> float:
        """Bytes before packing for each packed byte, of all files together."""
        return 8 / self.total_bits

    @property
    def perplexity(self) -> float:
        """Bytes among which the coder is as undecided, on average, as among equally likely ones."""
        return float(2**self.total_bits)


@dataclass(frozen=True)
class Prefix:
    """The first bytes of a file, packed by themselves."""

    name: str
    """of the coder"""
    size: int
    """bytes"""
    bits: float
    """bits a byte"""
    seconds: float
    """to pack them"""


@dataclass(frozen=True)
class Footprint:
    """A method of ncodec in a process of its own."""

    name: str
    memory_mb: float
    """peak of the whole process that packed a file"""
    start_s: float
    """from the start of Python until a few bytes were packed, compiled kernels at hand"""


def packers() -> list[Packer]:
    """ncodec's methods, the standard library's coders, and zstd and brotli where they are
    installed."""
    own = [_own(method) for method in METHODS if method not in COMPILED or find_spec("numba")]
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
    is_slow = method in NETWORKS
    return Packer(f"ncodec {method}", lambda data: pack(data, method=method), unpack, is_slow)


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


def measure_prefixes(
    path: Path, chosen: Sequence[Packer], *, advance: Callable[[int], None]
) -> list[Prefix]:
    """Size and packing time of the first 1,000, 10,000, … bytes of a file and of all of it.

    Every coder packs each prefix; nothing is unpacked. The file must not be empty. `advance` is
    called with 1 after each.
    """
    data = path.read_bytes()
    sizes = prefix_sizes(len(data))
    found = []
    for packer in chosen:
        for size in sizes:
            start = time.perf_counter()
            packed = packer.pack(data[:size])
            seconds = time.perf_counter() - start
            found.append(Prefix(packer.name, size, 8 * len(packed) / size, seconds))
            advance(1)
    return found


def prefix_sizes(size: int) -> list[int]:
    """Powers of ten from 1,000 on below a size, and the size."""
    return [10**power for power in range(3, 12) if 10**power < size] + [size]


def measure_footprint(path: Path, method: str) -> Footprint:
    """Memory and start of one of ncodec's methods; raises NcodecError where its process fails."""
    _run_process(b"a few bytes", method)  # compiles
    _, start_s = _run_process(b"a few bytes", method)
    memory_mb, _ = _run_process(path.read_bytes(), method)
    return Footprint(f"ncodec {method}", memory_mb, start_s)


_PROGRAM = """
import json, resource, sys
import ncodec
ncodec.pack(sys.stdin.buffer.read(), method=sys.argv[1])
unit = 1 if sys.platform == "darwin" else 1024
status = open("/proc/self/status").read() if sys.platform == "linux" else ""
peak = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
peak = peak or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit]
print(json.dumps(peak[0] / 1e6))
"""


def _run_process(data: bytes, method: str) -> tuple[float, float]:
    """Megabytes and seconds of a process that packs bytes."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, method], input=data, capture_output=True, check=False
    )
    if done.returncode:
        msg = f"{method}: failed in a process of its own: {done.stderr.decode()[-200:]}"
        raise NcodecError(msg)
    return float(json.loads(done.stdout)), time.perf_counter() - start
