"""The installed models: which there are, and how others come and go."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ncodec.errors import InputError, ModelError, OutputError
from ncodec.inference.entry import MODEL_FILE, read_entry, write_entry
from ncodec.inference.places import SUFFIX, VARIABLE, models_in, user_folder
from ncodec.inference.store import (
    copy_model,
    download,
    entry_of,
    pack,
    remove_folder,
    staged,
)
from ncodec.inference.zoo import (
    Found,
    find_model,
    find_models,
    list_models,
    load_model_folder,
)
from ncodec.media.streams import open_output
from ncodec.optional import require_modules

__all__ = [
    "MODEL_FILE",
    "SUFFIX",
    "Found",
    "add_model",
    "find_models",
    "list_models",
    "pack_model",
    "read_entry",
    "remove_model",
    "verify_models",
    "write_entry",
]


def add_model(source: str, *, sha256: str | None = None, overwrite: bool = False) -> Found:
    """Copy a model into the user's folder, where every later call finds it.

    `source` is a folder, a single file (.ncmodel), or a URL of one that fsspec opens, of at most
    1 GiB; `sha256` is what the single file must have, 64 hex digits. Raises ModelError where a
    check of the model fails or its id is that of a model of the package and it has no further
    decoders, InputError for a hash
    beside a folder, BackendError where fsspec is not installed, and OutputError where other files
    of the same id are there without `overwrite`, or the folder cannot be written.
    """
    with TemporaryDirectory(prefix="ncodec-") as temporary:
        path = Path(source)
        if "://" in source:
            require_modules("fsspec", extra="urls")
            path = Path(temporary) / f"model{SUFFIX}"
            download(source, path)
        if not path.is_dir() and not path.is_file():
            msg = f"{source}: expected a model's folder or a {SUFFIX} file, got neither"
            raise ModelError(msg)
        if sha256 is not None:
            _check_hash(path, sha256, source)
        return _add(path, overwrite=overwrite)


def _check_hash(path: Path, expected: str, source: str) -> None:
    if path.is_dir():
        msg = f"{source}: expected a single file beside a hash, got a folder"
        raise InputError(msg)
    if (got := _hash(path)) != expected.lower():
        msg = f"{source}: expected SHA-256 {expected[:64]}, got {got}"
        raise ModelError(msg)


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _add(path: Path, *, overwrite: bool) -> Found:
    own = user_folder()
    if own is None:
        msg = f"there is no home folder to keep models in: set HOME, or name folders in {VARIABLE}"
        raise OutputError(msg)
    entry = entry_of(path)
    if not entry.get("decoders") and any(
        packaged["id"] == entry["id"] for packaged in list_models()
    ):
        msg = f"model {entry['id']} is the package's already: name its path to encode by this one"
        raise ModelError(msg)
    target = own / entry["id"]
    if target.exists() and not overwrite:
        if _is_whole(target, entry):
            return Found(target, entry, packaged=False)
        msg = f"{target}: model {entry['id']} is there with other files; -f replaces it"
        raise OutputError(msg)
    with staged(target, overwrite=overwrite) as folder:
        copy_model(path, folder)
    return Found(target, entry, packaged=False)


def _is_whole(folder: Path, entry: dict[str, Any]) -> bool:
    """Whether a folder holds the files of an entry."""
    try:
        load_model_folder(folder)
        return bool(read_entry(folder)["sha256"] == entry["sha256"])
    except ModelError:
        return False


def remove_model(key: str) -> Path:
    """Remove the model of a name or id from the user's folder, and return where it was.

    Raises ModelError where there is none, several have the name, or it lies elsewhere, and
    OutputError where it cannot be removed.
    """
    own = user_folder()
    places = [] if own is None else [folder for folder in models_in(own) if _is_called(folder, key)]
    if len(places) > 1:
        names = " and ".join(place.name for place in places)
        msg = f"expected one model {key}, got {names}: name the id of one"
        raise ModelError(msg)
    if not places:
        found = find_model(key)
        if found.packaged:
            msg = f"model {key} is part of the package, which cannot do without: not removed"
            raise ModelError(msg)
        msg = (
            f"model {key} lies in {found.folder}: remove that folder, or leave it out of {VARIABLE}"
        )
        raise ModelError(msg)
    remove_folder(places[0])
    return places[0]


def _is_called(folder: Path, key: str) -> bool:
    """Whether a model of the user's folder has a name or id; a damaged one has the id of its
    folder."""
    try:
        return Found(folder, read_entry(folder), packaged=False).fits(key)
    except ModelError:
        return folder.name == key


def verify_models() -> Iterator[Found | ModelError]:
    """Check all files of every model that is found: hashes, weights, tables and graphs.

    Yields each model that is whole, and a ModelError for each that is not and for the second of two
    models of one id with other files.
    """
    seen: dict[str, Found] = {}
    for found in find_models():
        if isinstance(found, ModelError):
            yield found
            continue
        first = seen.setdefault(found.entry["id"], found)
        try:
            load_model_folder(found.folder)
            if first.entry["sha256"] != found.entry["sha256"]:
                msg = f"{found.folder}: its id {found.entry['id']} is that of other files in "
                msg += f"{first.folder}: remove one"
                raise ModelError(msg)
            yield found
        except ModelError as error:
            yield error


def pack_model(
    key: str, path: str | os.PathLike[str], *, overwrite: bool = False
) -> tuple[Found, str]:
    """Write the model of a name, an id or a place as a single file, and return it and the file's
    SHA-256 in hex digits.

    Equal models give equal bytes. Raises ModelError where there is no such model or a check of it
    fails, InputError for a name without the suffix .ncmodel, and OutputError, also for a file that
    exists without `overwrite`.
    """
    if not os.fspath(path).endswith(SUFFIX):
        msg = f"expected a file of the suffix {SUFFIX} to write, got {os.fspath(path)}"
        raise InputError(msg)
    found = find_model(key)
    load_model_folder(found.folder)
    with open_output(path, overwrite=overwrite) as stream:
        pack(found.entry, found.folder, stream)
    return found, _hash(Path(path))
