"""Planes: the bytes of equal rank of many words, each plane under its own model.

A plane is cut into parts of 2¹⁸ bytes. A part is stored, one value throughout, or coded by an
asymmetric numeral system with the counts of its own values (Duda 2013).
"""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ncodec.container.varint import ByteReader, pack_varint
from ncodec.entropy.coder import coder_table, open_coder
from ncodec.errors import FormatError, InputError
from ncodec.tensors.elements import Words

PART = 2**18
STORED, ONE_VALUE, COUNTED = 0, 1, 2
_SHARES_BITS, _TABLE_BITS = 14, 24
_WORTH = 0.99
"""times the size of a stored part that a coded one may have"""
Bytes = npt.NDArray[np.uint8]


def pack_planes(words: Words) -> Iterator[bytes]:
    """Parts of all words, one after the other; of each the planes from the highest byte down."""
    width = words.dtype.itemsize
    for start in range(0, len(words), PART):
        rows = words[start : start + PART].view(np.uint8).reshape(-1, width)
        for rank in reversed(range(width)):
            yield _pack_part(np.ascontiguousarray(rows[:, rank]))


def unpack_planes(reader: ByteReader, size: int, dtype: np.dtype[Any]) -> Words:
    """`size` words out of their parts; raises FormatError for damage, InputError where there is not
    enough memory."""
    width = dtype.itemsize
    parts = -(-size // PART)
    if reader.left < parts * width:
        msg = f"expected at least {parts * width:,} bytes of a tensor, got {reader.left:,}: the "
        msg += "file is damaged"
        raise FormatError(msg)
    try:
        words = np.empty(size, dtype=dtype)
    except MemoryError as error:
        msg = f"not enough memory for a tensor of {size * width:,} bytes"
        raise InputError(msg) from error
    for start in range(0, size, PART):
        rows = words[start : start + PART].view(np.uint8).reshape(-1, width)
        for rank in reversed(range(width)):
            rows[:, rank] = _unpack_part(reader, len(rows))
    return words


def _pack_part(plane: Bytes) -> bytes:
    counts = np.bincount(plane, minlength=256)
    if counts.max() == len(plane):
        return bytes([ONE_VALUE, plane[0]])
    shares = _shares(counts)
    table = zlib.compress(shares.astype("<u2").tobytes(), 9)
    bits = float(np.sum(counts * -np.log2(np.maximum(shares, 1) / (1 << _SHARES_BITS))))
    if bits / 8 + len(table) > _WORTH * len(plane):
        return bytes([STORED]) + plane.tobytes()
    coder = open_coder()
    coder.encode_reverse(plane.astype(np.int32), _table(shares))
    code = np.asarray(coder.get_compressed()).astype("<u4").tobytes()
    return b"".join(
        [bytes([COUNTED]), pack_varint(len(table)), table, pack_varint(len(code) // 4), code]
    )


def _unpack_part(reader: ByteReader, size: int) -> Bytes | int:
    how = reader.byte()
    if how == STORED:
        return np.frombuffer(reader.take(size), np.uint8)
    if how == ONE_VALUE:
        return reader.byte()
    if how != COUNTED:
        msg = f"expected a part of a plane of kind 0 to 2, got {how}: this file needs a newer "
        msg += "ncodec, or is damaged"
        raise FormatError(msg)
    shares = _read_shares(reader.take(min(reader.varint(), 2**12)))
    code = np.frombuffer(reader.take(4 * min(reader.varint(), 2**18)), "<u4")
    if len(code) and not code[-1]:
        msg = "expected a code whose last word is not 0, got another: the file is damaged"
        raise FormatError(msg)
    coder = open_coder(code.astype(np.uint32))
    plane = coder.decode(_table(shares), size)
    if not coder.is_empty():
        msg = "expected a code that ends with its part, got a longer one: the file is damaged"
        raise FormatError(msg)
    return plane.astype(np.uint8)


def _read_shares(table: bytes) -> npt.NDArray[np.int64]:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(table, 513)
    except zlib.error as error:
        msg = f"expected a table of a plane, got something else: {error}"
        raise FormatError(msg) from error
    shares = np.frombuffer(data[:512].ljust(512, b"\0"), "<u2").astype(np.int64)
    if len(data) != 512 or not unpacker.eof or shares.sum() != 1 << _SHARES_BITS:
        msg = "expected a table of 256 shares that make up one, got another: the file is damaged"
        raise FormatError(msg)
    return shares


def _shares(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Share of every value in units of 2⁻¹⁴, at least one unit for those that occur."""
    shares = np.where(counts, np.maximum(1, counts * (1 << _SHARES_BITS) // counts.sum()), 0)
    shares[np.argmax(shares)] += (1 << _SHARES_BITS) - shares.sum()
    return shares


def _table(shares: npt.NDArray[np.int64]) -> Any:
    """Table of a coder: values that do not occur keep the least probability that it has."""
    counts = np.maximum(1, shares << (_TABLE_BITS - _SHARES_BITS))
    counts[np.argmax(counts)] += (1 << _TABLE_BITS) - counts.sum()
    return coder_table(counts.astype(np.uint32))
