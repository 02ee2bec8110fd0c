"""Bytes in and out: files, standard streams, atomic writes."""

import io
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from ncodec.errors import InputError, NcodecError, OutputError
from ncodec.grid import MAX_SIDE

Bytes = bytes | bytearray | memoryview
Source = str | os.PathLike[str] | Bytes | BinaryIO
"""a path, "-" for standard input, the bytes of a file, or an open file"""
STDIO = "-"
_READ_ERRORS: dict[type[Exception], str] = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "expected a file, got a directory",
    Image.DecompressionBombError: (
        f"Pillow calls it a decompression bomb; --allow-large (allow_large=True) takes it if no "
        f"side is beyond {MAX_SIDE} pixels"
    ),
    UnidentifiedImageError: "not a picture in a format that Pillow reads",
    MemoryError: "not enough memory to read it",
}


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn everything that reading a picture file raises into an InputError of one sentence."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # decoders of damaged files raise all sorts
        sentence = next(
            (text for kind, text in _READ_ERRORS.items() if isinstance(error, kind)), None
        )
        msg = f"{name}: {sentence or f'cannot be read: {error}'}"
        raise InputError(msg) from error


def read_bytes(source: Source, *, magic: bytes = b"") -> bytes:
    """All bytes of `source`: a path, "-" for standard input, the bytes of a file, or an open file;
    raises InputError where it cannot be read.

    Where they do not start with `magic`, only as many bytes as `magic` has are read and returned: a
    reader needs no more to refuse the file.
    """
    with readable(name_of(source, otherwise="file")), open_source(source) as stream:
        start = stream.read(len(magic))
        return start + stream.read() if start == magic else start


def open_source(source: Source) -> AbstractContextManager[BinaryIO]:
    """Stream of a path, "-" for standard input, the bytes of a file, or a file opened in binary.

    Raises InputError for other sources, closed files, and paths that cannot be opened.
    """
    if isinstance(source, Bytes):
        return nullcontext(io.BytesIO(source))
    if isinstance(source, str | os.PathLike):
        return open_input(source)
    if not hasattr(source, "read") or isinstance(source, io.TextIOBase):
        msg = f"expected a path, bytes or a file opened in binary, got {type(source).__name__}"
        raise InputError(msg)
    if getattr(source, "closed", False):
        msg = "expected an open file, got a closed one"
        raise InputError(msg)
    return nullcontext(source)


def path_of(source: object) -> str | os.PathLike[str] | None:
    """The source if it is a path or "-", else None."""
    return source if isinstance(source, str | os.PathLike) else None


def name_of(source: object, *, otherwise: str) -> str:
    """A path as text, or another name for a source without one."""
    return str(source) if isinstance(source, str | os.PathLike) else otherwise


def open_input(name: str | os.PathLike[str]) -> AbstractContextManager[BinaryIO]:
    """A file to read, or standard input for "-"; raises InputError."""
    if name != STDIO:
        with readable(str(name)):
            return Path(name).open("rb")
    if sys.stdin is None:
        msg = "standard input is closed"
        raise InputError(msg)
    return nullcontext(sys.stdin.buffer)


def check_output(
    name: str | os.PathLike[str], *, overwrite: bool, source: str | os.PathLike[str] | None = None
) -> None:
    """Raise OutputError where `name` is a directory, exists as a regular file without `overwrite`,
    is the file of `source` itself, or is in a folder that does not exist.

    Nothing is raised for "-", standard output. Permissions and free space are not checked.
    """
    if name == STDIO:
        return
    path = Path(name)
    try:
        if path.is_dir():
            msg = f"{path}: expected a file to write, got a directory"
            raise OutputError(msg)
        if path.is_file() and not overwrite:
            msg = f"{path}: exists; -f (overwrite=True) overwrites it"
            raise OutputError(msg)
        given = source is not None and source != STDIO and Path(source).exists()
        if path.is_file() and given and path.samefile(source or ""):
            msg = f"{path}: is the input itself"
            raise OutputError(msg)
        if not path.parent.is_dir():
            msg = f"{path}: its folder does not exist"
            raise OutputError(msg)
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be written: {error}"
        raise OutputError(msg) from error


def write_bytes(
    data: bytes | memoryview, name: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write `data` to a file, whole or not at all ("-" is standard output).

    Devices and pipes are written to directly; a regular file appears under its name once it is
    complete. Raises OutputError where the file exists without `overwrite`, or cannot be written.
    """
    with open_output(name, overwrite=overwrite) as stream:
        stream.write(data)


@contextmanager
def open_output(
    name: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    source: str | os.PathLike[str] | None = None,
) -> Iterator[BinaryIO]:
    """Context manager of a file to write bytes to ("-" is standard output), which appears under its
    name only once the block has ended without an exception.

    Devices, pipes and standard output are written to directly. Raises OutputError where
    `check_output` does with these arguments, and in place of any OSError of the block.
    """
    if name == STDIO:
        with _open_stdout() as stream:
            yield stream
        return
    check_output(name, overwrite=overwrite, source=source)
    path = Path(name)
    try:
        with (
            path.open("wb")
            if path.exists() and not path.is_file()
            else _open_atomic(path) as stream
        ):
            yield stream
    except NcodecError:
        raise
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error


@contextmanager
def _open_stdout() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        msg = "standard output is closed"
        raise OutputError(msg)
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except NcodecError:
        raise
    except OSError as error:
        silence_stdout()
        msg = f"standard output: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error


def silence_stdout() -> None:
    """Redirect standard output to nowhere, or Python would print a traceback at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _open_atomic(path: Path) -> Iterator[BinaryIO]:
    with new_file(path) as temporary, temporary.open("xb") as stream:
        yield stream


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Context manager of a name beside `path`, `.ncodec-*.tmp`, for a file that takes the name
    `path`, and the place of an earlier file, once the block has ended without an exception.

    It is on the disk before it is renamed, so that `path` has one content or the other even after
    a crash. Errors of the block and of the disk pass through. A process that is killed leaves the
    file under its temporary name.
    """
    target = Path(os.path.realpath(path))
    # PyTorch refuses names whose only dot is the first letter.
    temporary = target.with_name(f".ncodec-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    with suppress(OSError):  # not every platform opens folders
        _sync(target.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)
