"""Models by name, id or place → loaded models, checked."""

import atexit
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from ncodec.errors import ModelError
from ncodec.inference.entry import GET_AGAIN, MODEL_FILE, REINSTALL, check_files, read_entry
from ncodec.inference.model import FRAME, PICTURE, Model
from ncodec.inference.places import SUFFIX, VARIABLE, models_in, other_folders
from ncodec.quality import FULL

DEFAULTS = {PICTURE: "base", FRAME: "base-frames"}
"""kind → name of the package's model that is taken where none is named"""

Key = str | int | os.PathLike[str]


@dataclass(frozen=True)
class Found:
    """A model's folder, and what its `model.json` says."""

    folder: Path
    entry: dict[str, Any]
    packaged: bool
    """whether it is the package's own"""

    def fits(self, key: str | int, kind: str | None = None) -> bool:
        """Whether `key` is its name or its id, as int its id, and `kind`, if any, its kind."""
        if kind not in (None, self.entry["kind"]):
            return False
        if isinstance(key, int):
            return bool(self.entry["id"] == f"{key:08x}")
        return key in (self.entry["name"], self.entry["id"])


def weights_folder() -> Path:
    """Where the installed weights lie."""
    return Path(str(files("ncodec.weights")))


@lru_cache(maxsize=1)
def _packaged() -> tuple[Found, ...]:
    """The package's models: pictures before frames, the default first."""
    found = [
        Found(folder, read_entry(folder, advice=REINSTALL), packaged=True)
        for folder in models_in(weights_folder())
    ]
    return tuple(
        sorted(
            found,
            key=lambda f: (f.entry["kind"] == FRAME, f.entry["name"] not in DEFAULTS.values()),
        )
    )


def find_models() -> Iterator[Found | ModelError]:
    """Every model that is installed, in the order of search, and a ModelError for each folder whose
    `model.json` cannot be used."""
    yield from _packaged()
    for folder in other_folders():
        try:
            yield Found(folder, read_entry(folder), packaged=False)
        except ModelError as error:
            yield error


def list_models() -> list[dict[str, Any]]:
    """Entries of the package's models, the default first; "id" is eight hex digits."""
    return [found.entry for found in _packaged()]


def load_model_folder(folder: Path, *, packaged: bool = False) -> Model:
    """Load the model of a folder, with all checks unless it is the package's; raises ModelError
    where one fails."""
    advice = REINSTALL if packaged else GET_AGAIN
    entry = read_entry(folder, advice=advice)
    check_files(entry, folder, advice=advice)
    if not packaged:
        from ncodec.inference.checks import check_content

        check_content(entry, folder, advice=advice)
    return Model(
        id=int(entry["id"], 16),
        name=entry["name"],
        folder=folder,
        architecture=entry["architecture"],
        halo=entry["halo"],
        decode_halo=entry.get("decode_halo", entry["halo"]),
        facts=entry["facts"],
        kind=entry["kind"],
        floors=tuple((int(qp), float(decibels)) for qp, decibels in entry.get("floors", ())),
        decoders=tuple(entry.get("decoders", ())),
    )


@lru_cache(maxsize=8)
def _load(folder: Path, changed_ns: int, packaged: bool) -> Model:
    return load_model_folder(folder, packaged=packaged)


def _loaded(found: Found) -> Model:
    """The model of a folder, kept for later calls unless it was changed."""
    try:
        changed_ns = (found.folder / MODEL_FILE).stat().st_mtime_ns
    except OSError:
        changed_ns = 0
    return _load(found.folder, changed_ns, found.packaged)


_by_place: dict[int, Path] = {}
"""id → folder of each model that was loaded and is not the package's"""


def _is_path(key: str) -> bool:
    """Whether a key is a path: a name has no separator."""
    return key.endswith(SUFFIX) or any(sign in key for sign in filter(None, (os.sep, os.altsep)))


def _found_at(place: Path) -> Found:
    """The model of a folder or of a single file."""
    try:
        folder = place.resolve()
        if folder.is_file():
            status = folder.stat()
            folder = _unpacked(folder, status.st_mtime_ns, status.st_size)
        elif not folder.is_dir():
            msg = f"{place}: expected a model's folder or a {SUFFIX} file, got neither"
            raise ModelError(msg)
    except (OSError, ValueError) as error:
        msg = f"{place}: cannot be read: {error}"
        raise ModelError(msg) from error
    return Found(folder, read_entry(folder), packaged=False)


@cache
def _unpacked(packed: Path, changed_ns: int, size: int) -> Path:
    """Folder of a model that is a single file, until the process ends."""
    from ncodec.inference.store import unpack

    folder = Path(mkdtemp(prefix="ncodec-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    unpack(packed, folder)
    return folder


def find_model(key: Key, *, kind: str | None = None) -> Found:
    """The model of a place, or of a name or id: the package's, else one that was loaded by its
    place, else one in NCODEC_MODELS or in the user's folder.

    Raises ModelError where there is none, and where a name is that of several models.
    """
    if isinstance(key, os.PathLike) or (isinstance(key, str) and _is_path(key)):
        return _found_at(Path(key))
    for found in _packaged():
        if found.fits(key, kind):
            return found
    if isinstance(key, int) and (_by_place.get(key, Path()) / MODEL_FILE).is_file():
        return _found_at(_by_place[key])
    seen = list(find_models())
    fitting = [found for found in seen if isinstance(found, Found) and found.fits(key, kind)]
    if not fitting:
        raise ModelError(_not_found(key, seen, kind))
    first = fitting[0]
    other = next((f for f in fitting if f.entry["sha256"] != first.entry["sha256"]), None)
    if other is not None and not isinstance(key, int):  # decoders are equal by their id
        msg = (
            f"expected one model {key}, got {first.entry['id']} in {first.folder} and "
            f"{other.entry['id']} in {other.folder}: name a folder, or remove one"
        )
        raise ModelError(msg)
    return first


def _not_found(key: str | int, seen: list[Found | ModelError], kind: str | None) -> str:
    wanted = f"{key:08x}" if isinstance(key, int) else key
    installed = ", ".join(
        f"{found.entry['name']} ({found.entry['id']})"
        for found in seen
        if isinstance(found, Found) and kind in (None, found.entry["kind"])
    )
    parts = [f"this needs model {wanted}, which is not installed", f"installed: {installed}"]
    if isinstance(key, str) and key and (Path(key) / MODEL_FILE).exists():
        parts.append(f"the folder here is called ./{key}")
    parts.append(
        f"`ncodec models add FILE|FOLDER|URL` adds one, and {VARIABLE} names folders of others"
    )
    parts += [str(found) for found in seen if isinstance(found, ModelError)]
    return "; ".join(parts)


def load_model(key: Key | None = None, *, kind: str = PICTURE) -> Model:
    """Load the default model of a kind, "picture" or "frame", or the one of a name, an id or a
    place.

    `key` is a name, an id of eight lower-case hex digits, an id as int, the path of a model's
    folder or single file, or None for the package's default. A string is a path if it has a
    separator or the suffix .ncmodel. Raises ModelError where there is no such model, where it is of
    another kind, and where its files are not whole or hold what models do not. Models are kept for
    later calls, and found by their ids then.
    """
    wanted = DEFAULTS[kind] if key is None else key
    found = find_model(wanted, kind=kind)
    model = _loaded(found)
    if model.kind != kind:
        msg = f"expected a model of kind {kind}, got {model.name}, of kind {model.kind}"
        raise ModelError(msg)
    if not found.packaged:
        _by_place[model.id] = found.folder
    return model


def with_decoder(model: Model, decoder: str) -> Model:
    """The model, or another installed one of its id that has a decoder of this name.

    Raises ModelError, with the names that there are, where none has it.
    """
    known = [FULL, *model.decoders]
    if decoder in known:
        return model
    folders = [_by_place[model.id]] if model.id in _by_place else []
    folders += [f.folder for f in find_models() if isinstance(f, Found) and f.fits(model.id)]
    for folder in folders:
        other = _loaded(Found(folder, read_entry(folder), packaged=False))
        if decoder in other.decoders:
            return other
        known += [name for name in other.decoders if name not in known]
    msg = f"expected a decoder of model {model.name} among {', '.join(known)}, got {decoder!r:.40}"
    raise ModelError(msg)
