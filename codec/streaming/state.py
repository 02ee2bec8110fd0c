"""State of work on a stream that outlives its process, and the folder that it lies in."""

import json
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ncodec.errors import FormatError, OutputError
from ncodec.plain import from_plain, to_plain
from ncodec.streaming import layout
from ncodec.streaming.contents import Sheets
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.work import write_file


@dataclass(frozen=True)
class Prepared:
    """Everything that is decided before segments are coded."""

    plan: StreamPlan
    sheets: Sheets
    poster: int
    """number of the poster's frame"""


def write_state(folder: Path, prepared: Prepared) -> None:
    """Keep the state in the folder of a stream."""
    write_file(folder / layout.PLAN, json.dumps(to_plain(prepared)).encode())


def begin_state(folder: Path, fingerprint: str) -> None:
    """Note in the folder of a stream that its work has begun."""
    write_file(folder / layout.PLAN, json.dumps({"fingerprint": fingerprint}).encode())


def _read_state(folder: Path) -> tuple[str | None, Prepared | None]:
    """Fingerprint and state of the folder's work, None where there is none that can be read."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, FormatError):
        state = json.loads((folder / layout.PLAN).read_text("utf-8"))
        if "plan" not in state:
            return str(state["fingerprint"]), None
        prepared = from_plain(state, Prepared)
        return prepared.plan.fingerprint, prepared
    return None, None


def read_prepared(folder: Path) -> Prepared | None:
    """Decisions for the stream in a folder, None where there is no such work."""
    return _read_state(folder)[1]


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise OutputError for a path that is a file, and without `overwrite` for a folder that holds
    anything but an unfinished stream."""
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: expected a folder to write, got a file"
        raise OutputError(msg)
    if overwrite or not folder.is_dir() or (folder / layout.PLAN).is_file():
        return
    if (folder / layout.RECORD).is_file():
        msg = f"{folder}: holds a complete stream; -f (overwrite=True) makes it anew"
        raise OutputError(msg)
    if any(not fnmatch(entry.name, layout.TEMPORARY) for entry in folder.iterdir()):
        msg = f"{folder}: holds files; -f (overwrite=True) writes a stream beside them"
        raise OutputError(msg)


def resume(folder: Path, fingerprint: str, *, overwrite: bool) -> Prepared | None:
    """State of earlier work on the same stream, None where there is none or it had just begun.

    Another stream is cleared away if `overwrite`; else OutputError is raised, as `check_folder`
    does.
    """
    check_folder(folder, overwrite=overwrite)
    known, prepared = _read_state(folder)
    if known == fingerprint:
        return prepared
    if (folder / layout.PLAN).is_file() and not overwrite:
        msg = (
            f"{folder}: holds an unfinished stream of other input or settings; -f (overwrite=True) "
            f"replaces it"
        )
        raise OutputError(msg)
    if (folder / layout.PLAN).is_file() or (folder / layout.RECORD).is_file():
        clear(folder)
    return None


def clear(folder: Path) -> None:
    """Remove a stream's files, and no others, from a folder; raises OutputError."""
    try:
        found = [path for pattern in layout.FILES for path in folder.glob(pattern)]
        for path in found:
            path.unlink(missing_ok=True)
        for parent in sorted({path.parent for path in found} - {folder}, reverse=True):
            _remove_empty(parent, folder)
    except OSError as error:
        msg = f"{folder}: its stream cannot be removed: {error.strerror or error}"
        raise OutputError(msg) from error


def _remove_empty(place: Path, folder: Path) -> None:
    """Remove a folder below `folder`, and those around it, as far as nothing is in them."""
    while place != folder and not any(place.iterdir()):
        place.rmdir()
        place = place.parent


def sweep(folder: Path) -> None:
    """Remove the stream's files under temporary names, which killed processes left."""
    for pattern in layout.FILES:
        if pattern.endswith(layout.TEMPORARY):
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
