"""Whole files: tensors → a .nct file, and back, all or one."""

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np

from ncodec.container.nct import (
    LARGEST_TENSOR,
    START,
    Entry,
    Form,
    Index,
    Origin,
    fits,
    pack_index,
    pack_tensor,
    read_index,
    read_tensor,
)
from ncodec.container.varint import ByteReader, pack_varint
from ncodec.errors import FormatError, InputError
from ncodec.tensors.elements import (
    BY_NAME,
    KINDS,
    Kind,
    Words,
    difference,
    summed,
    turned,
    turned_back,
)
from ncodec.tensors.planes import PART, pack_planes, unpack_planes
from ncodec.tensors.quantize import EXACT, Quantized, TensorLoss, dequantize, quantize
from ncodec.tensors.sources import Tensor, Tensors

_CHECK_SIZE = 8
_STEPS, _MULTIPLES = BY_NAME["F32"], BY_NAME["I32"]
_LARGEST_HEADER = 10**8
Progress = Callable[[int], None]


@dataclass(frozen=True)
class TensorSizes:
    """Sizes of tensors before and after packing."""

    size: int
    """bytes before"""
    packed: int
    """bytes of the file"""
    exact: int
    """tensors that come back to the bit"""
    quantized: int
    """tensors that come back within the loss that was asked for"""


def pack_tensors(
    tensors: Tensors,
    target: BinaryIO,
    *,
    base: Mapping[str, Tensor],
    loss: TensorLoss = EXACT,
    progress: Progress = lambda _done: None,
) -> TensorSizes:
    """Pack tensors, each as a difference to the base's of the same name, kind and shape where that
    is smaller; `progress` is called with the bytes of each."""
    target.write(START)
    at, entries = len(START), []
    for tensor in tensors.members:
        form, payload = _pack_one(tensor, base.get(tensor.name), loss)
        chunk = pack_tensor(payload)
        target.write(chunk)
        number = KINDS.index(tensor.kind)
        entries.append(Entry(tensor.name, number, tensor.shape, form, at, len(chunk)))
        at += len(chunk)
        progress(tensor.size)
    is_stored = tensors.origin == Origin.SAFETENSORS
    header = zlib.compress(tensors.header, 9) if is_stored else b""
    end = pack_index(Index(tensors.origin, header, tuple(entries)), at)
    target.write(end)
    size = sum(tensor.size for tensor in tensors.members)
    quantized = sum(entry.form == Form.QUANTIZED for entry in entries)
    return TensorSizes(size, at + len(end), len(entries) - quantized, quantized)


def _pack_one(tensor: Tensor, base: Tensor | None, loss: TensorLoss) -> tuple[Form, bytes]:
    words = tensor.load()
    quantized = quantize(words, tensor.shape, tensor.kind, loss)
    if quantized is not None:
        return Form.QUANTIZED, _pack_quantized(quantized)
    plain = turned(words, tensor.kind)
    if base is not None and (base.kind, base.shape) == (tensor.kind, tensor.shape) and len(words):
        from_base = base.load()
        codes = difference(words, from_base, tensor.kind)
        if _size_of_some(codes) < _size_of_some(plain):
            return Form.DIFFERENCE, _check_of(from_base) + b"".join(pack_planes(codes))
    return Form.EXACT, b"".join(pack_planes(plain))


def _size_of_some(words: Words) -> int:
    """Bytes that the part in the middle takes."""
    start = max(0, (len(words) - PART) // 2)
    return sum(map(len, pack_planes(words[start : start + PART])))


def _check_of(words: Words) -> bytes:
    return hashlib.sha256(words.tobytes()).digest()[:_CHECK_SIZE]


def _pack_quantized(quantized: Quantized) -> bytes:
    steps = turned(quantized.steps.view(_STEPS.words), _STEPS)
    multiples = turned(quantized.multiples.reshape(-1).view(_MULTIPLES.words), _MULTIPLES)
    return pack_varint(len(steps)) + b"".join([*pack_planes(steps), *pack_planes(multiples)])


class TensorReader:
    """Tensors of an open .nct file, each of which is read by itself."""

    def __init__(self, stream: BinaryIO, base: Mapping[str, Tensor]) -> None:
        """Read the index; raises FormatError for another file and damage."""
        self._stream, self._base = stream, base
        self.index = read_index(stream)
        for entry in self.index.entries:
            if entry.kind >= len(KINDS) or not fits(entry.shape, KINDS[entry.kind].width):
                msg = f"{entry.name!r:.60}: expected elements of a known kind and at most "
                msg += f"{LARGEST_TENSOR:,} bytes, got others: this file needs a newer ncodec, or "
                msg += "is damaged"
                raise FormatError(msg)

    def tensors(self) -> Tensors:
        """All tensors, to be loaded one by one, as the file that they came from had them."""
        members = tuple(
            Tensor(entry.name, KINDS[entry.kind], entry.shape, partial(self.load, entry))
            for entry in self.index.entries
        )
        header = self._header()
        if self.index.origin == Origin.NPY and len(members) != 1:
            msg = f"expected one array, got {len(members)}: the file is damaged"
            raise FormatError(msg)
        return Tensors(self.index.origin, header, members)

    def _header(self) -> bytes:
        """Header of a .safetensors file, none of others; raises FormatError for damage."""
        if self.index.origin == Origin.SAFETENSORS:
            return _inflated(self.index.header)
        if self.index.header:
            msg = f"expected no header, got {len(self.index.header)} bytes: the file is damaged"
            raise FormatError(msg)
        return b""

    def load(self, entry: Entry) -> Words:
        """Elements of a tensor; raises FormatError for damage, InputError where it is a difference
        to a base that is missing or another."""
        reader = ByteReader(read_tensor(self._stream, entry))
        kind = KINDS[entry.kind]
        if entry.form == Form.QUANTIZED:
            words = _read_quantized(reader, entry, kind)
        elif entry.form == Form.DIFFERENCE:
            words = self._read_difference(reader, entry, kind)
        else:
            words = turned_back(unpack_planes(reader, entry.count, kind.words), kind)
        if not reader.at_end:
            msg = f"{entry.name!r:.60}: expected the tensor to end, got more bytes"
            raise FormatError(msg)
        return words

    def _read_difference(self, reader: ByteReader, entry: Entry, kind: Kind) -> Words:
        base = self._base.get(entry.name)
        if base is None or (base.kind, base.shape) != (kind, entry.shape):
            msg = f"{entry.name!r:.60}: is a difference to a tensor of another file; --like FILE "
            msg += "(like=) names that file"
            raise InputError(msg)
        words = base.load()
        if _check_of(words) != reader.take(_CHECK_SIZE):
            msg = f"{entry.name!r:.60}: is a difference to another tensor than that of the file "
            msg += "that --like (like=) names"
            raise InputError(msg)
        return summed(unpack_planes(reader, entry.count, kind.words), words, kind)


def _read_quantized(reader: ByteReader, entry: Entry, kind: Kind) -> Words:
    rows = reader.varint()
    if not kind.is_float or kind.width == 1 or not 0 < rows <= entry.count or entry.count % rows:
        msg = f"{entry.name!r:.60}: expected rows of floating-point numbers, got {rows} of "
        msg += f"{kind.name}: the file is damaged"
        raise FormatError(msg)
    steps = turned_back(unpack_planes(reader, rows, _STEPS.words), _STEPS).view(np.float32)
    words = unpack_planes(reader, entry.count, _MULTIPLES.words)
    multiples = turned_back(words, _MULTIPLES).view(np.int32)
    with np.errstate(all="ignore"):
        return dequantize(Quantized(multiples.reshape(rows, -1), steps), kind)


def _inflated(header: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(header, _LARGEST_HEADER)
    except zlib.error as error:
        msg = f"expected a compressed header, got something else: {error}"
        raise FormatError(msg) from error
    if not unpacker.eof or unpacker.unused_data:
        msg = "expected one whole header, got another: the file is damaged"
        raise FormatError(msg)
    return data
