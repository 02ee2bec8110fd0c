"""Places that hold files, by fsspec: folders, and object stores behind URLs."""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ncodec.errors import InputError, NcodecError, OutputError, sentence_of
from ncodec.media.streams import new_file
from ncodec.optional import require_modules

Result = TypeVar("Result")
_TRIES, _FIRST_PAUSE_S = 6, 0.25
"""of a request to a store, with a pause that doubles"""
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError)
"""errors that no second try mends"""
_TAGS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")
"""what stores call the property that changes with a file's content, the most reliable first"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a store."""

    place: str
    """path, or URL with its protocol"""
    size: int | None
    """bytes, None where the store does not say"""
    tag: str
    """another text once the content changes"""


def is_url(place: str) -> bool:
    """Whether a place has a protocol."""
    return "://" in place


def list_stored(place: str) -> list[Stored]:
    """Files of a folder and its folders, of a glob pattern, or the file itself, sorted by place.

    Raises InputError where there is none or the place cannot be read, and BackendError where the
    protocol needs a module that is not installed.
    """
    files, path = _opened(place)

    def listed() -> list[Stored]:
        if any(sign in path for sign in "*?[") and not files.exists(path):
            found = files.glob(path, detail=True)
        elif files.isdir(path):
            found = files.find(path, detail=True)
        else:
            found = {path: files.info(path)}
        return [_stored(files, own) for own in found.values() if own["type"] == "file"]

    try:
        found = _retried(listed)
    except FileNotFoundError as error:
        msg = f"{place}: no such file or folder"
        raise InputError(msg) from error
    except Exception as error:  # stores raise all sorts
        msg = f"{place}: cannot be listed: {sentence_of(error)}"
        raise InputError(msg) from error
    if not found:
        msg = f"{place}: holds no file"
        raise InputError(msg)
    return sorted(found, key=lambda stored: stored.place)


def fetch(place: str, folder: Path) -> Path:
    """Local path of the file at a place: a URL is copied into `folder`.

    A local path is returned as it is, even if nothing is there. Raises InputError for a URL that
    cannot be opened or read.
    """
    files, path = _opened(place)
    if not is_url(place):
        return Path(path)
    local = folder / Path(path).name
    try:
        _retried(lambda: files.get_file(path, str(local)))
    except Exception as error:  # stores raise all sorts
        msg = f"{place}: cannot be read: {sentence_of(error)}"
        raise InputError(msg) from error
    return local


class Store:
    """A folder, local or of an object store, whose files are whole or not there."""

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/") if is_url(place) else os.path.abspath(place)  # noqa: PTH100
        self._files, self._root = _opened(self.place)

    @property
    def is_local(self) -> bool:
        """Whether files lie in a folder of this machine."""
        return not is_url(self.place)

    def at(self, name: str) -> str:
        """Place of a file by its name, which has / between folders."""
        return f"{self.place}/{name}"

    def names(self, folder: str) -> list[str]:
        """Names of the files in one of its folders; none where there is no such folder.

        Raises OutputError where the store cannot be read.
        """
        place = f"{self._root}/{folder}"

        def listed() -> list[str]:
            self._files.invalidate_cache()
            return [str(found["name"]) for found in self._files.ls(place, detail=True)]

        with suppress(FileNotFoundError):
            found = self._done(listed, "cannot be read")
            return sorted(f"{folder}/{name.rpartition('/')[2]}" for name in found)
        return []

    def read(self, name: str) -> bytes | None:
        """Content of a file, None where there is none; raises OutputError."""
        path = self._path(name)
        with suppress(FileNotFoundError):
            return bytes(self._done(lambda: self._files.cat_file(path), "cannot be read"))
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of an earlier one; raises OutputError."""
        if self.is_local:
            path = Path(self._path(name))
            self._done(lambda: _write_local(path, data), "cannot be written")
            return
        self._done(lambda: self._files.pipe_file(self._path(name), data), "cannot be written")

    def put(self, source: Path, name: str) -> None:
        """Move a local file to its name, in place of an earlier one; raises OutputError."""
        if self.is_local:
            path = Path(self._path(name))
            self._done(lambda: _move(source, path), "cannot be written")
            return
        self._done(lambda: self._files.put_file(str(source), self._path(name)), "cannot be written")
        source.unlink()

    def remove(self, name: str) -> None:
        """Remove a file that may be there; raises OutputError."""
        with suppress(FileNotFoundError):
            self._done(lambda: self._files.rm_file(self._path(name)), "cannot be removed")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _done(self, call: Callable[[], Result], problem: str) -> Result:
        try:
            return _retried(call)
        except (FileNotFoundError, NcodecError):
            raise
        except Exception as error:  # stores raise all sorts
            msg = f"{self.place}: {problem}: {sentence_of(error)}"
            raise OutputError(msg) from error


def _opened(place: str) -> tuple[Any, str]:
    require_modules("fsspec", extra="batch")
    from fsspec.core import url_to_fs

    try:
        files, path = url_to_fs(place if is_url(place) else os.path.abspath(place))  # noqa: PTH100
    except (ImportError, ValueError, OSError) as error:
        msg = f"{place}: cannot be opened: {sentence_of(error)}"
        raise InputError(msg) from error
    return files, str(path)


def _stored(files: Any, found: dict[str, Any]) -> Stored:
    place = str(files.unstrip_protocol(found["name"])).removeprefix("file://")
    size = found.get("size")
    tag = next((found[key] for key in _TAGS if found.get(key)), "")
    return Stored(place, None if size is None else int(size), f"{str(tag).strip(chr(34))}-{size}")


def _retried(call: Callable[[], Result]) -> Result:
    """Result of a call, which is made anew where a store fails for a moment."""
    for pause in _pauses():
        try:
            return call()
        except _FINAL:
            raise
        except Exception:  # stores raise all sorts
            if pause is None:
                raise
            time.sleep(pause)
    raise AssertionError


def _pauses() -> Iterator[float | None]:
    """Seconds to wait after each try, None after the last."""
    for step in range(_TRIES - 1):
        yield _FIRST_PAUSE_S * 2**step * random.uniform(0.5, 1.5)
    yield None


def _write_local(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as temporary:
        temporary.write_bytes(data)


def _move(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as temporary:
        shutil.move(source, temporary)
