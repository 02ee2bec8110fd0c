"""Where pictures and clips come from: files, folders, tar shards and anything that fsspec opens, as
names and bytes."""

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.core import url_to_fs

from ncodec.errors import InputError
from ncodec.media.pictures import PICTURE_SUFFIXES

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")


def read_sources(
    sources: Sequence[str | Path],
    *,
    exclude: Sequence[str | Path] = (),
    suffixes: frozenset[str] = PICTURE_SUFFIXES,
) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file with one of the suffixes, in the order of the sources, sorted by
    path within each.

    A source is a picture, a folder of pictures and tar shards (WebDataset layout), one shard, a
    glob pattern of them, or such a thing behind a URL that fsspec knows. Pictures inside a shard
    are named `shard.tar/member.jpg`. Raises InputError when a source does not exist or cannot be
    read, and when an excluded name is not among the pictures.
    """
    left_out = {_plain_name(name) for name in exclude}
    missing = set(left_out)
    for source in sources:
        for name, data in _read_source(str(source), suffixes):
            if name in left_out:
                missing.discard(name)
                continue
            yield name, data
    if missing:
        msg = f"expected excluded pictures to be among the data, got {min(missing)}"
        raise InputError(msg)


def _plain_name(name: str | Path) -> str:
    return str(name) if "://" in str(name) else str(Path(name).resolve())


def _read_source(source: str, suffixes: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    try:
        files, path = url_to_fs(source if "://" in source else str(Path(source).resolve()))
        for file in _list_files(files, path):
            name = str(files.unstrip_protocol(file)).removeprefix("file://")
            if _suffix(file) in suffixes:
                yield name, files.cat_file(file)
            elif file.lower().endswith(SHARD_SUFFIXES):
                yield from _read_shard(files, file, name, suffixes)
    except (OSError, ValueError, ImportError, tarfile.TarError) as error:
        msg = f"{source}: cannot be read: {error}"
        raise InputError(msg) from error


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _list_files(files: Any, path: str) -> list[str]:
    if files.isdir(path):
        return sorted(files.find(path))
    found = [path] if files.exists(path) else files.glob(path)
    if not found:
        msg = "no such file or folder, or nothing in it"
        raise FileNotFoundError(msg)
    return sorted(found)


def _read_shard(
    files: Any, path: str, name: str, suffixes: frozenset[str]
) -> Iterator[tuple[str, bytes]]:
    with (
        files.open(path, "rb") as stream,
        tarfile.open(fileobj=io.BufferedReader(stream), mode="r|*") as shard,
    ):
        for member in shard:
            content = shard.extractfile(member) if member.isfile() else None
            if content is not None and _suffix(member.name) in suffixes:
                yield f"{name}/{member.name}", content.read()


def has_pictures(sources: Sequence[str | Path]) -> bool:
    """Whether there is any picture in the sources."""
    return next(read_sources(sources), None) is not None
