"""Folders of models, made and removed at once, and models as single files."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile, ZipInfo

from ncodec.errors import ModelError, NcodecError, OutputError
from ncodec.inference.archive import open_archive
from ncodec.inference.checks import check_content
from ncodec.inference.entry import (
    LARGEST_ENTRY,
    LARGEST_MODEL,
    MODEL_FILE,
    check_files,
    is_model_file,
    parse_entry,
    read_entry,
)

_HIDDEN = ".ncodec-"
"""start of names of folders that are not complete"""
_BLOCK = 2**20


@contextmanager
def staged(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Context manager of an empty folder beside `target`, which takes its place, whole and on disk,
    once the block has ended without an exception.

    Raises OutputError where `target` is there without `overwrite` or holds other than a model, and
    in place of any OSError of the block.
    """
    target = target.resolve()
    new, old = (target.with_name(f"{_HIDDEN}{secrets.token_hex(8)}") for _ in range(2))
    try:
        check_replaceable(target, overwrite=overwrite)
        new.mkdir(parents=True)
        yield new
        for path in (*new.iterdir(), new):
            _sync(path)
        if target.exists():
            target.rename(old)
        new.rename(target)
        _sync(target.parent)
    except NcodecError:
        raise
    except OSError as error:
        msg = f"{target}: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_replaceable(target: Path, *, overwrite: bool) -> None:
    """Raise OutputError for a folder that is there without `overwrite`, or holds other than a
    model, and for a file."""
    if not target.exists():
        return
    if not target.is_dir():
        msg = f"{target}: expected a folder to write, got a file"
        raise OutputError(msg)
    inner = {path.name for path in target.iterdir()}
    if not all(map(_is_packed, inner)):
        msg = f"{target}: expected the folder of a model, got one with other files"
        raise OutputError(msg)
    if inner and not overwrite:
        msg = f"{target}: exists; -f (overwrite=True) overwrites it"
        raise OutputError(msg)


def _sync(path: Path) -> None:
    """Make a file or folder survive a loss of power; systems that cannot sync folders do not."""
    with suppress(PermissionError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.EINVAL):
                raise
        finally:
            os.close(number)


def remove_folder(folder: Path) -> None:
    """Remove a model's folder, at once for those who look; raises OutputError where it cannot."""
    hidden = folder.with_name(f"{_HIDDEN}{secrets.token_hex(8)}")
    try:
        folder.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        msg = f"{folder}: cannot be removed: {error.strerror or error}"
        raise OutputError(msg) from error


def entry_of(source: Path) -> dict[str, Any]:
    """Entry of a model that is a folder or a single file; raises ModelError."""
    if source.is_dir():
        return read_entry(source)
    with _opened(source) as archive:
        return parse_entry(archive.read(MODEL_FILE))


def copy_model(source: Path, folder: Path) -> None:
    """Copy a model, a folder or a single file, into an empty folder, and check it there.

    Raises ModelError for anything but a whole model, and OSError.
    """
    if source.is_dir():
        entry = read_entry(source)
        check_files(entry, source)
        for file in (MODEL_FILE, *entry["sha256"]):
            shutil.copyfile(source / file, folder / file, follow_symlinks=False)
    else:
        unpack(source, folder)
    entry = read_entry(folder)
    check_files(entry, folder)
    check_content(entry, folder)


def _is_packed(name: str) -> bool:
    return name == MODEL_FILE or is_model_file(name)


@contextmanager
def _opened(packed: Path) -> Iterator[ZipFile]:
    """Context manager of a model that is a single file, whose `model.json` states its entries;
    raises ModelError for another file."""
    try:
        with open_archive(
            packed, is_known=_is_packed, largest=LARGEST_MODEL + LARGEST_ENTRY
        ) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            own = sizes.get(MODEL_FILE, 0)
            if not 0 < own <= LARGEST_ENTRY:
                msg = f"expected {MODEL_FILE} of up to {LARGEST_ENTRY:,} bytes, got {own:,}"
                raise ValueError(msg)
            stated = {MODEL_FILE: own, **parse_entry(archive.read(MODEL_FILE))["bytes"]}
            if sizes != stated:
                msg = f"expected files of {stated} bytes, got {sizes}"
                raise ValueError(msg)
            yield archive
    except (ModelError, ValueError) as error:
        msg = f"{packed}: not a model that can be used: {error}"
        raise ModelError(msg) from error


def unpack(packed: Path, folder: Path) -> None:
    """Write the files of a model that is a single file into an empty folder.

    Raises ModelError for another file, before more is written than its `model.json` states, and
    OSError.
    """
    with _opened(packed) as archive:
        for name in archive.namelist():
            with archive.open(name) as stream, (folder / name).open("xb") as out:
                shutil.copyfileobj(stream, out, _BLOCK)


def pack(entry: dict[str, Any], folder: Path, stream: IO[bytes]) -> None:
    """Write a model as a single file: an uncompressed zip archive, of equal bytes for equal
    models; raises OSError."""
    with ZipFile(stream, "w") as archive:
        for name in (MODEL_FILE, *sorted(entry["sha256"])):
            info = ZipInfo(name)  # of 1980, as zip archives begin
            info.create_system, info.external_attr = 3, 0o644 << 16
            info.file_size = (folder / name).stat().st_size
            with (folder / name).open("rb") as source, archive.open(info, "w") as out:
                shutil.copyfileobj(source, out, _BLOCK)


def download(url: str, path: Path) -> None:
    """Write the file behind a URL that fsspec opens; raises ModelError where there is none or one
    beyond 1 GiB, and OSError."""
    import fsspec

    with path.open("xb") as out:
        try:
            with fsspec.open(url, "rb") as stream:
                left = LARGEST_MODEL + LARGEST_ENTRY
                while block := stream.read(min(_BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        msg = f"{url}: expected a model of at most {LARGEST_MODEL:,} bytes"
                        raise ModelError(msg)
                    out.write(block)
        except ModelError:
            raise
        except Exception as error:  # file systems raise all sorts
            msg = f"{url}: cannot be read: {error}"
            raise ModelError(msg) from error
