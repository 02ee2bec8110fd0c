"""State of work on a stream that outlives its process, and the folder that it lies in."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from ncodec.errors import FormatError, OutputError
from ncodec.streaming import layout
from ncodec.streaming.contents import Sheets
from ncodec.streaming.plan import StreamPlan, plan_from_json, plan_to_json
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
    sheets = prepared.sheets
    state = {
        "plan": json.loads(plan_to_json(prepared.plan)),
        "sheets": {**asdict(sheets), "interval": str(sheets.interval)},
        "poster": prepared.poster,
    }
    write_file(folder / layout.PLAN, json.dumps(state).encode())


def read_state(folder: Path) -> Prepared | None:
    """State of `write_state`, None where there is none that can be read."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, FormatError):
        state = json.loads((folder / layout.PLAN).read_text("utf-8"))
        sheets = state["sheets"]
        sheets["interval"] = Fraction(sheets["interval"])
        sheets["names"] = tuple(sheets["names"])
        plan = plan_from_json(json.dumps(state["plan"]))
        return Prepared(plan, Sheets(**sheets), int(state["poster"]))
    return None


def resume(folder: Path, fingerprint: str, *, overwrite: bool) -> Prepared | None:
    """State of earlier work on the same stream, None where there is none.

    A folder with other contents is cleared of its stream if `overwrite`; else OutputError is
    raised, as for a path that is a file.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: expected a folder to write, got a file"
        raise OutputError(msg)
    found = read_state(folder)
    if found is not None and found.plan.fingerprint == fingerprint:
        return found
    others = list(folder.iterdir()) if folder.is_dir() else []
    if all(entry.name == layout.SPOOLED for entry in others):
        return None
    if not overwrite:
        what = "an unfinished stream of other input or settings" if found else "files"
        msg = f"{folder}: holds {what}; -f (overwrite=True) replaces its stream"
        raise OutputError(msg)
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
    """Remove files under temporary names, which killed processes left."""
    for path in folder.rglob(layout.TEMPORARY):
        path.unlink(missing_ok=True)
