"""Places that hold files: folders of this machine, and object stores behind URLs, by fsspec."""

import glob
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
Beat = Callable[[], None]
"""called now and then as a sign of life"""
SIGNS = "*?["
"""characters of glob patterns"""
_TRIES, _FIRST_PAUSE_S = 6, 0.25
"""of a request to a store, with a pause that doubles"""
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError)
"""errors that no second try mends"""
_TAGS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "updated", "mtime")
"""properties that change with a file's content, as stores call them, the most reliable first"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a store."""

    place: str
    """path, or URL with its protocol"""
    size: int | None
    """bytes, None where the store does not say"""
    tag: str
    """another text once the content changes; empty where the store says nothing that does"""


def is_url(place: str) -> bool:
    """Whether a place has a protocol."""
    return "://" in place


def normal(place: str) -> str:
    """A place as listings name it: an absolute path, or a URL with the usual name of its protocol.

    Raises InputError for a URL that cannot be opened.
    """
    if not is_url(place):
        return os.path.abspath(place)  # noqa: PTH100
    files, path = _opened(place)
    return str(files.unstrip_protocol(path)).rstrip("/")


def list_stored(place: str) -> list[Stored]:
    """Files of a folder and its folders, of a glob pattern, or the file itself, sorted by place.

    Raises InputError where there is none or the place cannot be read, and BackendError where a URL
    needs a module that is not installed.
    """
    try:
        found = _listed_url(place) if is_url(place) else list(_listed_path(normal(place)))
    except NcodecError:
        raise
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


def fetch(place: str, folder: Path, *, beat: Beat = lambda: None) -> Path:
    """Local path of the file at a place: a URL is copied into `folder`.

    A local path is returned as it is, even if nothing is there. `beat` is called while bytes come.
    Raises InputError for a URL that cannot be opened or read.
    """
    if not is_url(place):
        return Path(place)
    files, path = _opened(place)
    local = folder / Path(path).name
    try:
        _retried(lambda: files.get_file(path, str(local), callback=_beating(beat)))
    except Exception as error:  # stores raise all sorts
        msg = f"{place}: cannot be read: {sentence_of(error)}"
        raise InputError(msg) from error
    return local


class Store:
    """A folder, of this machine or of an object store, whose files are whole or not there.

    Its methods raise OutputError where it cannot be read or written.
    """

    def __init__(self, place: str) -> None:
        self.place = normal(place)
        self.is_local = not is_url(self.place)
        """whether files lie in a folder of this machine"""
        self._files: Any = None
        self._root = self.place
        if not self.is_local:
            self._files, self._root = _opened(self.place)

    def at(self, name: str) -> str:
        """Place of a file by its name, which has / between folders."""
        return f"{self.place}/{name}"

    def names(self, folder: str) -> list[str]:
        """Names of the files in one of its folders, sorted; none where there is no such folder."""

        def listed() -> list[str]:
            if self.is_local:
                return [path.name for path in Path(self._path(folder)).iterdir() if path.is_file()]
            self._files.invalidate_cache()
            found = self._files.ls(self._path(folder), detail=True)
            return [str(own["name"]).rpartition("/")[2] for own in found if own["type"] == "file"]

        with suppress(FileNotFoundError):
            return sorted(f"{folder}/{name}" for name in self._done(listed, "cannot be read"))
        return []

    def find(self, folder: str) -> list[str]:
        """Names, relative to one of its folders, of all files in it and its folders, sorted."""
        root = self._path(folder)

        def found() -> list[str]:
            if self.is_local:
                paths = (path for path in Path(root).rglob("*") if path.is_file())
                return [path.relative_to(root).as_posix() for path in paths]
            self._files.invalidate_cache()
            return [str(path)[len(root) + 1 :] for path in self._files.find(root)]

        with suppress(FileNotFoundError):
            return sorted(self._done(found, "cannot be read"))
        return []

    def read(self, name: str) -> bytes | None:
        """Content of a file, None where there is none."""
        path = self._path(name)
        read = Path(path).read_bytes if self.is_local else lambda: self._files.cat_file(path)
        with suppress(FileNotFoundError):
            return bytes(self._done(read, "cannot be read"))
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of an earlier one."""
        path = self._path(name)
        if self.is_local:
            self._written(lambda: _write_local(Path(path), data))
        else:
            self._written(lambda: self._files.pipe_file(path, data))

    def put(self, source: Path, name: str, *, beat: Beat = lambda: None) -> None:
        """Move a local file to its name, in place of an earlier one; `beat` is called while bytes
        go."""
        path = self._path(name)
        if self.is_local:
            self._written(lambda: _move(source, Path(path)))
            return
        self._written(lambda: self._files.put_file(str(source), path, callback=_beating(beat)))
        source.unlink()

    def remove(self, name: str) -> None:
        """Remove a file that may be there."""
        path = self._path(name)
        remove = Path(path).unlink if self.is_local else lambda: self._files.rm_file(path)
        with suppress(FileNotFoundError):
            self._done(remove, "cannot be written")

    def remove_folder(self, name: str) -> None:
        """Remove a folder that may be there, with all that is in it."""
        path = self._path(name)
        if self.is_local:
            shutil.rmtree(path, ignore_errors=True)
            return

        def remove() -> None:
            self._files.invalidate_cache()
            if found := self._files.find(path):
                self._files.rm(found)

        with suppress(FileNotFoundError):
            self._done(remove, "cannot be written")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _written(self, call: Callable[[], Any]) -> None:
        try:
            self._done(call, "cannot be written")
        except FileNotFoundError as error:  # such as a bucket
            msg = f"{self.place}: cannot be written: {sentence_of(error)}"
            raise OutputError(msg) from error

    def _done(self, call: Callable[[], Result], problem: str) -> Result:
        try:
            return call() if self.is_local else _retried(call)
        except FileNotFoundError:
            raise
        except Exception as error:  # stores raise all sorts
            msg = f"{self.place}: {problem}: {sentence_of(error)}"
            raise OutputError(msg) from error


def _opened(place: str) -> tuple[Any, str]:
    """File system of fsspec for a URL, and the path in it."""
    require_modules("fsspec", extra="batch")
    from fsspec.core import url_to_fs

    try:
        files, path = url_to_fs(place)
    except (ImportError, ValueError, OSError) as error:
        msg = f"{place}: cannot be opened: {sentence_of(error)}"
        raise InputError(msg) from error
    return files, str(path)


def _listed_path(path: str) -> Iterator[Stored]:
    """Files below a path or of a glob pattern; links to files count, links to folders do not."""
    if not os.path.exists(path) and any(sign in path for sign in SIGNS):  # noqa: PTH110
        for found in glob.glob(path, recursive=True):
            if os.path.isfile(found):  # noqa: PTH113
                yield _stored_path(found)
        return
    if not os.path.isdir(path):  # noqa: PTH112
        yield _stored_path(path)
        return
    for folder, _, names in os.walk(path, onerror=_raise):
        for name in names:
            found = f"{folder}/{name}"
            if os.path.isfile(found):  # noqa: PTH113
                yield _stored_path(found)


def _raise(error: OSError) -> None:
    raise error


def _stored_path(path: str) -> Stored:
    status = os.stat(path)  # noqa: PTH116
    return Stored(path, status.st_size, f"{status.st_mtime_ns}-{status.st_size}")


def _listed_url(place: str) -> list[Stored]:
    files, path = _opened(place)

    def listed() -> list[Stored]:
        if any(sign in path for sign in SIGNS) and not files.exists(path):
            found = files.glob(path, detail=True)
        elif files.isdir(path):
            found = files.find(path, detail=True)
        else:
            found = {path: files.info(path)}
        return [_stored_url(files, own) for own in found.values() if own["type"] == "file"]

    return _retried(listed)


def _stored_url(files: Any, found: dict[str, Any]) -> Stored:
    if found.get("size") is None:  # such as in a listing of a web server
        found = files.info(found["name"])
    size = found.get("size")
    tag = next((str(found[key]).strip('"') for key in _TAGS if found.get(key)), "")
    place = str(files.unstrip_protocol(found["name"]))
    return Stored(place, None if size is None else int(size), f"{tag}-{size}" if tag else "")


def _beating(beat: Beat) -> Any:
    from fsspec.callbacks import Callback

    return Callback(hooks={"beat": lambda *_, **__: beat()})


def _retried(call: Callable[[], Result]) -> Result:
    """Result of a call, which is made anew where a store fails for a moment."""
    for step in range(_TRIES - 1):
        try:
            return call()
        except _FINAL:
            raise
        except Exception:  # stores raise all sorts
            time.sleep(_FIRST_PAUSE_S * 2**step * random.uniform(0.5, 1.5))
    return call()


def _write_local(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as temporary:
        temporary.write_bytes(data)


def _move(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as temporary:
        shutil.move(source, temporary)
