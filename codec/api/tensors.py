"""Tensors of .safetensors, .npy and .npz files ↔ .nct."""

import io
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ncodec.container.nct import MAGIC, Form, Origin
from ncodec.errors import InputError, OutputError
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
from ncodec.notices import report_notices
from ncodec.tensors.elements import KINDS, numbers_of
from ncodec.tensors.files import Progress, TensorReader, TensorSizes
from ncodec.tensors.files import pack_tensors as pack_members
from ncodec.tensors.quantize import TensorLoss
from ncodec.tensors.sources import Data, Tensor, tensors_of, write_tensors

__all__ = [
    "TensorFile",
    "TensorInfo",
    "TensorLoss",
    "TensorStats",
    "open_tensors",
    "pack_tensors",
    "unpack_tensors",
]
FORMS = {Form.EXACT: "exact", Form.DIFFERENCE: "difference", Form.QUANTIZED: "quantized"}
"""names of forms"""


@dataclass(frozen=True)
class TensorStats:
    """Outcome of packing or unpacking tensors."""

    tensors: int
    quantized: int
    """tensors that come back within the loss that was asked for; all others come back exactly"""
    size: int
    """bytes of all tensors"""
    packed: int
    """bytes of the .nct file"""
    notices: tuple[str, ...]
    """what was converted"""
    seconds: float


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a .nct file."""

    name: str
    kind: str
    """of its elements, as safetensors calls it: F32, BF16, I8, …"""
    shape: tuple[int, ...]
    form: str
    """exact, difference (to a base) or quantized"""
    packed: int
    """bytes in the file"""


def _ignore(_done: int) -> None:
    pass


def pack_tensors(
    source: Source,
    path: str | os.PathLike[str],
    *,
    like: Source | None = None,
    bits: int | None = None,
    max_error: float | None = None,
    strict: bool = False,
    overwrite: bool = False,
    progress: Progress = _ignore,
) -> TensorStats:
    """Pack the tensors of a .safetensors, .npy or .npz file into the .nct file `path`.

    `source` is a path, "-", bytes or an open file. Tensors come back to the bit; with `like`, a
    file of tensors, those of the same name, kind and shape are packed as differences, and need it
    to be unpacked. `bits`, 2 to 12, or `max_error` let floating-point tensors lose as `TensorLoss`
    says. `progress` is called with the bytes of each tensor that is done. A conversion is a
    warning, `NcodecWarning`, or raises LossError if `strict`. Raises InputError for other files and
    options out of range, OutputError where `path` exists without `overwrite` or cannot be written.
    """
    loss = TensorLoss(bits=bits, max_error=max_error)
    start = time.perf_counter()
    with ExitStack() as stack:
        data = stack.enter_context(_bytes_of(source))
        with _named(source):
            tensors = tensors_of(data)
        report_notices(tensors.notices, strict=strict)
        base = stack.enter_context(_base_of(like))
        target = stack.enter_context(open_output(path, overwrite=overwrite, source=path_of(source)))
        sizes = pack_members(tensors, target, base=base, loss=loss, progress=progress)
    return _stats(sizes, tensors.notices, start)


def unpack_tensors(
    source: Source,
    path: str | os.PathLike[str] | None,
    *,
    like: Source | None = None,
    overwrite: bool = False,
    progress: Progress = _ignore,
) -> TensorStats:
    """Unpack a .nct file into the file `path`, of the kind that its tensors came from, or verify it
    alone where `path` is None.

    Raises FormatError for damage and another file, InputError where tensors are differences to a
    file that `like` does not name, OutputError as `pack_tensors` does.
    """
    start = time.perf_counter()
    if path is not None:
        check_output(path, overwrite=overwrite, source=path_of(source))
    with open_tensors(source, like=like) as file:
        tensors = file.reader.tensors()
        _check_suffix(path, tensors.origin)
        with _sink(path, overwrite, source) as target:
            for done in write_tensors(target, tensors):
                progress(done)
    quantized = sum(entry.form == Form.QUANTIZED for entry in file.reader.index.entries)
    size = sum(tensor.size for tensor in tensors.members)
    return TensorStats(
        len(tensors.members), quantized, size, file.size, (), time.perf_counter() - start
    )


class TensorFile(Mapping[str, npt.NDArray[Any]]):
    """Tensors of an open .nct file: `file[name]` reads one of them and none of the others.

    bfloat16 and 8-bit floats come as float32 of the same values.
    """

    def __init__(self, stream: BinaryIO, base: Mapping[str, Tensor]) -> None:
        """Read the index of a stream that can be sought; `open_tensors` is the way to one."""
        self._stack = ExitStack()
        self.reader = TensorReader(stream, base)
        self.size = stream.seek(0, 2)
        self._entries = {entry.name: entry for entry in self.reader.index.entries}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """The array of a name, in its shape.

        Raises KeyError for an unknown name, FormatError for damage, InputError where the base of a
        difference is missing or memory does not suffice.
        """
        entry = self._entries[name]
        return numbers_of(self.reader.load(entry), KINDS[entry.kind]).reshape(entry.shape)

    def __iter__(self) -> Iterator[str]:
        """Names in the order of the file."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Tensors."""
        return len(self._entries)

    def infos(self) -> list[TensorInfo]:
        """Entries of the index, in the order of the file."""
        return [
            TensorInfo(e.name, KINDS[e.kind].name, e.shape, FORMS[e.form], e.length)
            for e in self.reader.index.entries
        ]

    def keep(self, stack: ExitStack) -> None:
        """Close what a stack holds together with this file."""
        self._stack = stack

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def __enter__(self) -> "TensorFile":
        """The file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()


def open_tensors(source: Source, *, like: Source | None = None) -> TensorFile:
    """Open a .nct file to read tensors one by one.

    `source` and `like`, which tensors packed as differences need, are paths, "-", bytes or open
    files. Raises InputError where they cannot be read, FormatError for damage and another file.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_source(source))
        if not stream.seekable():
            with readable(name_of(source, otherwise="file")):
                stream = io.BytesIO(stream.read())
        base = stack.enter_context(_base_of(like))
        file = TensorFile(stream, base)
        file.keep(stack.pop_all())
        return file


@contextmanager
def _base_of(like: Source | None) -> Iterator[Mapping[str, Tensor]]:
    if like is None:
        yield {}
        return
    with _bytes_of(like) as data:
        if data[: len(MAGIC)].tobytes() == MAGIC:
            tensors = TensorReader(io.BytesIO(data.tobytes()), {}).tensors()
        else:
            with _named(like):
                tensors = tensors_of(data)
        yield {tensor.name: tensor for tensor in tensors.members}


@contextmanager
def _bytes_of(source: Source) -> Iterator[Data]:
    """Bytes of a source; those of a regular file are read as they are needed."""
    path = path_of(source)
    with readable(name_of(source, otherwise="file")), open_source(source) as stream:
        if (
            path is not None
            and path != STDIO
            and Path(path).is_file()
            and Path(path).stat().st_size
        ):
            data: Data = np.memmap(path, dtype=np.uint8, mode="r")
        else:
            data = np.frombuffer(stream.read(), dtype=np.uint8)
    yield data


@contextmanager
def _named(source: Source) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        msg = f"{name_of(source, otherwise='file')}: {error}"
        raise InputError(msg) from error


def _check_suffix(path: str | os.PathLike[str] | None, origin: Origin) -> None:
    """Raise OutputError where `path` has the suffix of another origin; others and None pass."""
    suffix = Path(path).suffix.lower() if path is not None else ""
    expected = f".{origin.name.lower()}"
    if suffix != expected and suffix in {f".{one.name.lower()}" for one in Origin}:
        msg = f"{path}: expected a name that ends in {expected}, of which these tensors are"
        raise OutputError(msg)


def _sink(
    path: str | os.PathLike[str] | None, overwrite: bool, source: Source
) -> AbstractContextManager[BinaryIO]:
    if path is not None:
        return open_output(path, overwrite=overwrite, source=path_of(source))
    return nullcontext(_Nowhere())


class _Nowhere(io.RawIOBase, BinaryIO):
    """A stream that forgets what is written to it."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return memoryview(data).nbytes


def _stats(sizes: TensorSizes, notices: tuple[str, ...], start: float) -> TensorStats:
    return TensorStats(
        sizes.exact + sizes.quantized, sizes.quantized, sizes.size, sizes.packed, notices,
        time.perf_counter() - start,
    )  # fmt: skip
