"""Files that tensors come from and go back to: .safetensors, .npy and .npz."""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ncodec.container.nct import (
    LARGEST_NAME,
    LARGEST_TENSOR,
    MOST_AXES,
    MOST_TENSORS,
    Origin,
    fits,
)
from ncodec.errors import InputError
from ncodec.tensors.elements import BY_NAME, Kind, Words, kind_of, numbers_of

_LENGTH = struct.Struct("<Q")
_LARGEST_HEADER = 10**8
"""bytes that safetensors allows"""
_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
Data = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tensor:
    """A tensor that is read when it is needed."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    load: Callable[[], Words]
    """its elements, in C order"""

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=object)) * self.kind.width


@dataclass(frozen=True)
class Tensors:
    """Tensors of a file."""

    origin: Origin
    header: bytes
    """what safetensors says before the tensors, empty for other files"""
    members: tuple[Tensor, ...]
    notices: tuple[str, ...] = ()


def tensors_of(data: Data) -> Tensors:
    """Tensors of the bytes of a .safetensors, .npy or .npz file.

    Raises InputError for other files, damage, elements of no kind in `KINDS` (complex numbers,
    strings, objects), equal names, and tensors beyond the limits of .nct.
    """
    start = data[:6].tobytes()
    if start == _NPY:
        return _of_arrays(Origin.NPY, {"": _load_npy(data)})
    if start[:4] == _ZIP:
        return _of_arrays(Origin.NPZ, _load_npz(data))
    return _of_safetensors(data)


def _of_safetensors(data: Data) -> Tensors:
    length = _LENGTH.unpack(data[:8].tobytes())[0] if len(data) >= 8 else _LARGEST_HEADER + 1
    if length > min(_LARGEST_HEADER, len(data) - 8):
        msg = "expected tensors of a .safetensors, .npy or .npz file, got something else"
        raise InputError(msg)
    header = data[8 : 8 + length].tobytes()
    try:
        stated = json.loads(header)
        entries = [(name, *_stated(fields)) for name, fields in stated.items() if name != _META]
    except (
        ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError,
    ) as error:  # fmt: skip
        msg = f"expected a header of safetensors, got another: {error!s:.80}"
        raise InputError(msg) from error
    entries.sort(key=lambda entry: entry[3:])
    body, at, members = data[8 + length :], 0, []
    for name, kind, shape, start, end in entries:
        tensor = Tensor(name, kind, shape, partial(_words, body[start:end], kind))
        _check(tensor)
        if start != at or end - start != tensor.size:
            msg = f"{name!r:.60}: expected {tensor.size:,} bytes from {at:,} on, got {start:,} to "
            msg += f"{end:,}: the file is damaged"
            raise InputError(msg)
        members.append(tensor)
        at = end
    if at != len(body):
        msg = f"expected tensors of {at:,} bytes, got {len(body):,}: the file is damaged"
        raise InputError(msg)
    return Tensors(Origin.SAFETENSORS, header, _counted(members))


_META = "__metadata__"


def _stated(fields: Mapping[str, Any]) -> tuple[Kind, tuple[int, ...], int, int]:
    kind = BY_NAME.get(fields["dtype"])
    if kind is None:
        msg = f"elements of kind {fields['dtype']!r:.20} are not known"
        raise ValueError(msg)
    shape = tuple(int(side) for side in fields["shape"])
    start, end = map(int, fields["data_offsets"])
    if min((*shape, start, end - start)) < 0:
        msg = "a shape or an offset is negative"
        raise ValueError(msg)
    return kind, shape, start, end


def _words(data: Data, kind: Kind) -> Words:
    return np.frombuffer(data.tobytes(), dtype=kind.words)


def _of_arrays(origin: Origin, arrays: Mapping[str, npt.NDArray[Any]]) -> Tensors:
    members, notices = [], []
    for name, array in arrays.items():
        kind = kind_of(array.dtype)
        if kind is None:
            msg = f"{name or 'the array'}: expected numbers of 8 to 64 bits, got {array.dtype}"
            raise InputError(msg)
        tensor = Tensor(name, kind, array.shape, partial(_words_of_array, array, kind))
        _check(tensor)
        members.append(tensor)
        if array.dtype != array.dtype.newbyteorder("<"):
            notices.append(f"{name or 'the array'}: big-endian numbers become little-endian")
        if array.ndim > 1 and not array.flags.c_contiguous:
            notices.append(f"{name or 'the array'}: Fortran's order becomes that of C")
    return Tensors(origin, b"", _counted(members), tuple(notices))


def _words_of_array(array: npt.NDArray[Any], kind: Kind) -> Words:
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(kind.words)


def _load_npy(data: Data) -> npt.NDArray[Any]:
    stream = io.BytesIO(data.tobytes())
    try:
        array: npt.NDArray[Any] = np.load(stream, allow_pickle=False)
    except Exception as error:  # numpy's reader of damaged files raises all sorts
        msg = f"cannot be read as a .npy file: {error!s:.80}"
        raise InputError(msg) from error
    if stream.read(1):
        msg = "expected one array, got bytes after it: numpy reads further ones by np.load again"
        raise InputError(msg)
    return array


def _load_npz(data: Data) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data.tobytes()), allow_pickle=False) as archive:
            names = list(archive.files)
            found = {name: archive[name] for name in names}
    except Exception as error:  # zip files that are damaged, encrypted or of other kinds
        msg = f"cannot be read as a .npz file: {error!s:.80}"
        raise InputError(msg) from error
    if len(found) != len(names):
        msg = "expected arrays of different names, got two of one name"
        raise InputError(msg)
    other = [name for name, array in found.items() if not isinstance(array, np.ndarray)]
    if other:
        msg = f"{other[0]!r:.60}: expected an array of numpy, got other bytes"
        raise InputError(msg)
    return found


def _check(tensor: Tensor) -> None:
    """Raise InputError for a tensor that a .nct file cannot hold."""
    try:
        named = len(tensor.name.encode()) <= LARGEST_NAME
    except UnicodeEncodeError:
        named = False
    if not named or not fits(tensor.shape, tensor.kind.width):
        msg = f"{tensor.name!r:.60}: expected a name of at most {LARGEST_NAME} bytes, at most "
        msg += f"{MOST_AXES} axes and {LARGEST_TENSOR:,} bytes"
        raise InputError(msg)


def _counted(members: list[Tensor]) -> tuple[Tensor, ...]:
    if len(members) > MOST_TENSORS:
        msg = f"expected at most {MOST_TENSORS:,} tensors, got {len(members):,}"
        raise InputError(msg)
    return tuple(members)


def write_tensors(target: BinaryIO, tensors: Tensors) -> Iterator[int]:
    """Write a file of the same kind as the tensors came from; yields the bytes of each."""
    if tensors.origin == Origin.SAFETENSORS:
        target.write(_LENGTH.pack(len(tensors.header)) + tensors.header)
        for tensor in tensors.members:
            target.write(tensor.load().data.cast("B") if tensor.size else b"")
            yield tensor.size
        return
    if tensors.origin == Origin.NPY:
        for tensor in tensors.members:
            np.lib.format.write_array(target, _array_of(tensor), allow_pickle=False)
            yield tensor.size
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for tensor in tensors.members:
            # A time of its own, so that the same arrays give the same file.
            member = zipfile.ZipInfo(f"{tensor.name}.npy")
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, _array_of(tensor), allow_pickle=False)
            yield tensor.size


def _array_of(tensor: Tensor) -> npt.NDArray[Any]:
    return numbers_of(tensor.load(), tensor.kind).reshape(tensor.shape)
