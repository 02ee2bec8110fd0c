"""Zip archives that anyone may have made: few entries, plain names, bounded sizes."""

import math
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

MOST_ENTRIES = 16
LARGEST_DIRECTORY = 2**14
_END = struct.Struct("<4s4H2LH")
"""end of an archive: signature, disk numbers, entries here and in all, bytes of the directory, its
place, length of a comment"""
_END_OF_64 = b"PK\x06\x07"
_BROKEN = (BadZipFile, EOFError, OverflowError, RuntimeError, zlib.error)


@contextmanager
def open_archive(path: Path, *, is_known: Callable[[str], bool], largest: int) -> Iterator[ZipFile]:
    """Context manager of a zip archive of regular files whose names are known, each there once, of
    together at most `largest` bytes.

    Raises ValueError for other archives and for damage, before it allocates what they claim, and
    OSError where the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            _check_end(stream)
            with ZipFile(stream) as archive:
                _check_entries(archive, is_known, largest)
                yield archive
    except _BROKEN as error:
        msg = f"expected a zip archive, got a damaged one: {error}"
        raise ValueError(msg) from error


def _check_end(stream: IO[bytes]) -> None:
    """Raise ValueError unless the last bytes are those of a small directory.

    `zipfile` takes in the whole directory, and a directory of 64-bit fields in its place.
    """
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END.size - 20))
    tail = stream.read()
    if len(tail) < _END.size + 20:
        msg = f"expected a zip archive, got {size} bytes"
        raise ValueError(msg)
    signature, *_, entries, directory, _, comment = _END.unpack(tail[20:])
    if signature != b"PK\x05\x06" or tail.startswith(_END_OF_64) or comment:
        msg = "expected a zip archive without comment and 64-bit fields, got something else"
        raise ValueError(msg)
    if entries > MOST_ENTRIES or directory > LARGEST_DIRECTORY:
        msg = f"expected at most {MOST_ENTRIES} entries in a zip archive, got {entries}"
        raise ValueError(msg)


def _check_entries(archive: ZipFile, is_known: Callable[[str], bool], largest: int) -> None:
    seen: set[str] = set()
    for info in archive.infolist():
        if info.filename in seen or not is_known(info.filename):
            msg = f"expected files that belong into it, each once, got {info.filename!r:.80}"
            raise ValueError(msg)
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            msg = f"expected {info.filename} to be a regular file, got a link or something else"
            raise ValueError(msg)
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            msg = f"expected {info.filename} stored or deflated, got method {info.compress_type}"
            raise ValueError(msg)
        seen.add(info.filename)
    total = sum(info.file_size for info in archive.infolist())
    if total > largest:
        msg = f"expected at most {largest:,} bytes in a zip archive, got {total:,}"
        raise ValueError(msg)


def read_arrays(
    path: Path, types: Mapping[str, str], *, largest: int
) -> dict[str, npt.NDArray[Any]]:
    """Arrays of an .npz file by their names, each of the type that `types` has for its name.

    Raises ValueError for other names and types, for more than `largest` bytes and for damage;
    OSError where the file cannot be read.
    """
    arrays = {}
    names = frozenset(f"{name}.npy" for name in types)
    with open_archive(path, is_known=names.__contains__, largest=largest) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            with archive.open(info) as stream:
                arrays[name] = _read_array(stream, name, np.dtype(types[name]))
    return arrays


def _read_array(stream: IO[bytes], name: str, expected: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of an .npy stream, whose header may claim any size: it counts only as far as there
    are bytes."""
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            msg = "another version of the format"
            raise ValueError(msg)
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception as error:  # its parser raises all sorts
        msg = f"expected an array as {name}, got something else: {error}"
        raise ValueError(msg) from error
    data = stream.read()
    if (
        dtype != expected
        or min(shape, default=0) < 0
        or len(data) != math.prod(shape) * dtype.itemsize
    ):
        msg = f"expected {name} of {expected}, got {len(data)} bytes for {shape} of {dtype}"
        raise ValueError(msg)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
