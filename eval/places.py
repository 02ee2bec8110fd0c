"""Inputs behind URLs: pictures and clips of buckets, copied to this machine once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ncodec.batch.store import Stored, fetch, is_url, list_stored, normal
from ncodec.errors import InputError, OutputError, sentence_of
from ncodec.eval.media import MEDIA

if TYPE_CHECKING:
    from ncodec.eval.report import Progress


def local_paths(names: Sequence[str], copies: Path, progress: "Progress") -> list[Path]:
    """Paths of inputs: local names as they are, and for URLs copies in the folder `copies`.

    A URL that fsspec opens names a file, a glob pattern, or a folder with pictures and clips in it
    and in its folders, told by their suffixes. What was copied before and has changed is copied
    anew; so is what a store gives neither ETag nor time for.

    Raises InputError where a URL cannot be listed or read or holds neither pictures nor clips,
    BackendError where fsspec is not installed, and OutputError where `copies` cannot be written.
    """
    paths: list[Path] = []
    for name in names:
        if not is_url(name):
            paths.append(Path(name))
            continue
        found = _media_of(name)
        advance = progress("copy", len(found))
        for stored in found:
            paths.append(_copied(stored, copies))
            advance(1)
    return paths


def _media_of(url: str) -> list[Stored]:
    """The file that a URL names, or the pictures and clips among several, sorted by place."""
    found = list_stored(url)
    if [stored.place for stored in found] == [normal(url)]:
        return found
    suffixes = frozenset().union(*(medium.suffixes for medium in MEDIA.values()))
    kept = [one for one in found if PurePosixPath(one.place).suffix.lower() in suffixes]
    if not kept:
        msg = f"expected pictures or clips in {url}, got none among {len(found)} files"
        raise InputError(msg)
    return kept


def _copied(stored: Stored, copies: Path) -> Path:
    """Copy of a file, in a folder of the same name as its own, so that files of one name are told
    apart as local ones are."""
    digest = hashlib.sha256(f"{stored.place}\n{stored.tag}".encode()).hexdigest()[:16]
    place = PurePosixPath(stored.place)
    path = copies / digest / (place.parent.name.lstrip(".") or "_") / place.name
    if stored.tag and path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A copy that was cut short must not be taken for the file.
        with TemporaryDirectory(dir=copies, prefix="copying-") as folder:
            fetch(stored.place, Path(folder)).replace(path)
    except OSError as error:
        msg = f"{copies}: cannot be written: {sentence_of(error)}"
        raise OutputError(msg) from error
    return path
