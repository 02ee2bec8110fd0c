"""weights/manifest.json → loaded models, hashes checked."""

import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ncodec.errors import ModelError
from ncodec.inference.model import PICTURE, Model

MANIFEST = "manifest.json"
ENTRY = frozenset({"id", "name", "folder", "sha256", "bytes", "architecture", "halo", "facts"})
"""keys of every model in it"""


def weights_folder() -> Path:
    """Where the installed weights lie."""
    return Path(str(files("ncodec.weights")))


@lru_cache(maxsize=1)
def _manifest() -> dict[str, Any]:
    try:
        manifest = json.loads((weights_folder() / MANIFEST).read_text("utf-8"))
        if not all(set(entry) >= ENTRY for entry in manifest["models"]):
            msg = f"expected {', '.join(sorted(ENTRY))} of every model"
            raise ValueError(msg)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"the manifest of the installed models cannot be read: {error}; reinstall ncodec"
        raise ModelError(msg) from error
    return manifest  # type: ignore[no-any-return]


def _verify(folder: Path, hashes: dict[str, str], name: str) -> None:
    for file, expected in hashes.items():
        try:
            with (folder / file).open("rb") as stream:
                got = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            msg = f"model {name} is incomplete: {error}; reinstall ncodec"
            raise ModelError(msg) from error
        if got != expected:
            msg = (
                f"expected SHA-256 {expected[:16]}… of {file} of model {name}, got {got[:16]}…; "
                f"reinstall ncodec"
            )
            raise ModelError(msg)


def _kind(entry: dict[str, Any]) -> str:
    return str(entry.get("kind", PICTURE))


def load_model_folder(entry: dict[str, Any], folder: Path) -> Model:
    """A manifest entry and the folder its files lie in → a model; raises ModelError when they do
    not match."""
    _verify(folder, entry["sha256"], entry["name"])
    return Model(
        id=int(entry["id"], 16),
        name=entry["name"],
        folder=folder,
        architecture=entry["architecture"],
        halo=entry["halo"],
        facts=entry["facts"],
        kind=_kind(entry),
        floors=tuple((int(qp), float(decibels)) for qp, decibels in entry.get("floors", ())),
    )


def list_models() -> list[dict[str, Any]]:
    """The manifest's entries, the default first; "id" is eight hex digits."""
    entries: list[dict[str, Any]] = _manifest()["models"]
    return entries


@lru_cache(maxsize=4)
def _load_entry(position: int) -> Model:
    entry = list_models()[position]
    return load_model_folder(entry, weights_folder() / entry["folder"])


def load_model(key: str | int | None = None, *, kind: str = PICTURE) -> Model:
    """Load the default model of a kind, "picture" or "frame", or the one with a name or id.

    `key` is a name, an id of eight lower-case hex digits, an id as int, or None for the default.
    Raises ModelError where no such model is installed, the manifest cannot be read, or a file is
    missing or has another hash. Models are kept for later calls.
    """
    entries = list_models()
    wanted = f"{key:08x}" if isinstance(key, int) else key
    for position, entry in enumerate(entries):
        if _kind(entry) == kind and (wanted is None or wanted in (entry["name"], entry["id"])):
            return _load_entry(position)
    installed = ", ".join(
        f"{entry['name']} ({entry['id']})" for entry in entries if _kind(entry) == kind
    )
    msg = f"this needs model {wanted}, which is not installed; installed: {installed}"
    if isinstance(key, int) and "compatibility" in _manifest():
        msg += f"; {_manifest()['compatibility']}"
    raise ModelError(msg)
