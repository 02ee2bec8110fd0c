"""Any bytes ↔ .ncz: lossless packing."""

import io
import os
import time
from dataclasses import dataclass
from pathlib import Path

from ncodec.container.ncz import NOTHING_KNOWN, FileFacts, Reader, read_start
from ncodec.errors import InputError, NcodecError, OutputError
from ncodec.lossless.files import PackedSizes, pack_stream, scan_stream, unpack_stream
from ncodec.lossless.methods import COMPILED, METHODS, NETWORKS, Progress, check_method
from ncodec.media.streams import (
    STDIO,
    Source,
    check_output,
    name_of,
    open_output,
    open_source,
    path_of,
    readable,
)

__all__ = [
    "COMPILED",
    "METHODS",
    "NETWORKS",
    "PackStats",
    "PackedInfo",
    "kept_name",
    "pack",
    "pack_file",
    "packed_info",
    "unpack",
    "unpack_file",
]
DEFAULT = "fast"
"""method that is taken where none is named"""
MOST_JOBS = 256


@dataclass(frozen=True)
class PackStats:
    """Outcome of packing or unpacking a file."""

    name: str
    """name that the .ncz file keeps, empty where it keeps none"""
    size: int
    """bytes before packing"""
    packed: int
    """bytes of the .ncz file"""
    methods: tuple[str, ...]
    """methods of its blocks"""
    seconds: float

    @property
    def bits_per_byte(self) -> float:
        """Bits of the .ncz file for each byte before packing."""
        return 8 * self.packed / self.size if self.size else 0.0


@dataclass(frozen=True)
class PackedInfo:
    """Header and sizes of a .ncz file."""

    name: str
    """name of the file that was packed, empty where none is kept"""
    modified_s: int
    """its time, in whole seconds from 1970 on, 0 where none is kept"""
    size: int
    """bytes before packing"""
    packed: int
    """bytes of the .ncz file"""
    methods: tuple[str, ...]
    """methods of its blocks"""


def _ignore(_done: int) -> None:
    pass


def pack(data: bytes | bytearray | memoryview, *, method: str = DEFAULT, jobs: int = 1) -> bytes:
    """Pack bytes without loss into those of a .ncz file.

    `method` is "fast" (context mixing, or LZMA2 where that is smaller), "max" (the same with more
    contexts), "cmix" (with an LSTM beside them), "nncp", "trace" or "dzip" (networks alone), "xz",
    "deflate", "huffman" (whose blocks are deflate's) or "store"; `jobs`, 1 to 256, is how many
    blocks of 32 MiB are packed at once. Raises InputError for another method or number,
    BackendError where numba, which all methods up to "dzip" need, is not installed.
    """
    check_method(method)
    _check_jobs(jobs)
    _check_bytes(data)
    target = io.BytesIO()
    pack_stream(io.BytesIO(data), target, method=method, jobs=jobs)
    return target.getvalue()


def unpack(data: bytes | bytearray | memoryview, *, jobs: int = 1) -> bytes:
    """Bytes that were packed into a .ncz file.

    Raises FormatError for damage and for another file, InputError for `jobs` out of range,
    BackendError where numba is needed and not installed.
    """
    _check_jobs(jobs)
    _check_bytes(data)
    target = io.BytesIO()
    unpack_stream(io.BytesIO(data), target, jobs=jobs)
    return target.getvalue()


def pack_file(
    source: Source,
    path: str | os.PathLike[str],
    *,
    method: str = DEFAULT,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress = _ignore,
) -> PackStats:
    """Pack a path, "-", bytes or an open file into the .ncz file `path` ("-" is standard output).

    The name and the time of a regular file are kept. The file appears once it is whole. Options and
    errors are those of `pack`; `progress` is called with the bytes of each block that is done.
    Raises InputError where the source cannot be read, OutputError where `path` exists without
    `overwrite`, is the source itself or cannot be written.
    """
    check_method(method)
    _check_jobs(jobs)
    start = time.perf_counter()
    facts = _facts_of(path_of(source))
    with (
        open_source(source) as stream,
        open_output(path, overwrite=overwrite, source=path_of(source)) as target,
    ):
        sizes = pack_stream(
            _Guarded(stream, name_of(source, otherwise="file")),
            target,
            method=method,
            facts=facts,
            jobs=jobs,
            progress=progress,
        )
    return _stats(facts.name, sizes, start)


def unpack_file(
    source: Source,
    path: str | os.PathLike[str] | None,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress = _ignore,
) -> PackStats:
    """Unpack a .ncz file into the file `path` ("-" is standard output), or verify it alone where
    `path` is None.

    The file appears once it is whole, and gets the time that was kept. Errors are those of `unpack`
    and `pack_file`.
    """
    _check_jobs(jobs)
    start = time.perf_counter()
    guarded = name_of(source, otherwise="file")
    if path is None:
        with open_source(source) as stream:
            facts, sizes = unpack_stream(
                _Guarded(stream, guarded),
                None,
                jobs=jobs,
                progress=progress,
            )
        return _stats(facts.name, sizes, start)
    check_output(path, overwrite=overwrite, source=path_of(source))
    with (
        open_source(source) as stream,
        open_output(path, overwrite=overwrite, source=path_of(source)) as target,
    ):
        facts, sizes = unpack_stream(
            _Guarded(stream, guarded),
            target,
            jobs=jobs,
            progress=progress,
        )
    _restore_time(path, facts)
    return _stats(facts.name, sizes, start)


def packed_info(source: Source) -> PackedInfo:
    """Header and sizes of a .ncz file; checksums of chunks are verified, and nothing is unpacked.

    `source` is a path, "-", bytes or an open file. Raises InputError where it cannot be read,
    FormatError for damage and for another file.
    """
    with open_source(source) as stream:
        facts, sizes = scan_stream(_Guarded(stream, name_of(source, otherwise="file")))
    return PackedInfo(facts.name, facts.modified_s, sizes.size, sizes.packed, sizes.methods)


class _Guarded:
    """A stream whose errors are InputErrors of one sentence."""

    def __init__(self, stream: Reader, name: str) -> None:
        self._stream, self._name = stream, name

    def read(self, count: int) -> bytes:
        with readable(self._name):
            return self._stream.read(count)


def _facts_of(path: str | os.PathLike[str] | None) -> FileFacts:
    if path is None or path == STDIO:
        return NOTHING_KNOWN
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return NOTHING_KNOWN  # the message comes where it is opened
    return FileFacts(Path(path).name, max(0, int(status.st_mtime)))


def _restore_time(path: str | os.PathLike[str], facts: FileFacts) -> None:
    if path == STDIO or not facts.modified_s or not Path(path).is_file():
        return
    try:
        os.utime(path, (facts.modified_s, facts.modified_s))
    except OSError as error:
        msg = f"{path}: is whole, but its time cannot be set: {error.strerror}"
        raise OutputError(msg) from error


def _stats(name: str, sizes: PackedSizes, start: float) -> PackStats:
    seconds = time.perf_counter() - start
    return PackStats(name, sizes.size, sizes.packed, sizes.methods, seconds)


def kept_name(source: Source) -> str:
    """Name that a .ncz file keeps, empty where it keeps none or cannot be read."""
    try:
        with open_source(source) as stream:
            return read_start(stream).name
    except NcodecError:
        return ""  # the message comes where it is unpacked


def _check_bytes(data: object) -> None:
    if not isinstance(data, bytes | bytearray | memoryview):
        msg = f"expected bytes, got {type(data).__name__}: pack_file and unpack_file take paths"
        raise InputError(msg)


def _check_jobs(jobs: int) -> None:
    if not isinstance(jobs, int) or not 1 <= jobs <= MOST_JOBS:
        msg = f"expected 1 to {MOST_JOBS} jobs, got {jobs!r:.40}"
        raise InputError(msg)
