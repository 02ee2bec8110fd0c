"""Folders of workers: their own, and those that the workers of one item share, on a machine or in
an object store."""

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ncodec.batch.library import Item
from ncodec.batch.manifest import WORK
from ncodec.batch.store import Beat, Store, fetch

_TEMPORARY = "ncodec-batch-"
"""begins the names of temporary folders; their machine and the number of their process follow"""
_HOST = re.sub(r"\W+", "_", socket.gethostname())
PARTS = f"{WORK}/parts"
"""folder of all work in jobs"""


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """An empty folder of this machine that goes in the end, or, if the process is killed, when
    another worker begins."""
    return tempfile.TemporaryDirectory(
        prefix=f"{_TEMPORARY}{_HOST}-{os.getpid()}-", ignore_cleanup_errors=True
    )


def remove_orphans() -> None:
    """Remove temporary folders of processes of this machine that are no more."""
    import psutil

    own = f"{_TEMPORARY}{_HOST}-"
    for path in Path(tempfile.gettempdir()).glob(f"{own}*-*"):
        number = path.name.removeprefix(own).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def work_name(item: Item, stated: Mapping[str, Any]) -> str:
    """Name, in the target, of the folder of work on an item's content with some options."""
    facts = json.dumps([item.name, item.tag, dict(stated)], sort_keys=True)
    digest = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()
    return f"{PARTS}/{digest}"


@contextmanager
def work_folder(
    store: Store, name: str, *, wanted: Sequence[str] | None, beat: Beat
) -> Iterator[Path]:
    """Context of the local folder of work: the folder itself where the target is local, else a copy
    of its files `wanted`, None for all, from which new and changed ones go to the store in the end.

    Raises InputError where a file cannot be read, OutputError where the store cannot be listed or
    written.
    """
    if store.is_local:
        folder = Path(store.at(name))
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with temporary_folder() as temporary:
        folder = Path(temporary)
        for own in wanted if wanted is not None else store.find(name):
            place = (folder / own).parent
            place.mkdir(parents=True, exist_ok=True)
            fetch(store.at(f"{name}/{own}"), place, beat=beat)
        known = _states(folder)
        yield folder
        found = _states(folder)
        for own in sorted(found):
            if found[own] != known.get(own):
                store.put(folder / own, f"{name}/{own}", beat=beat)
        for own in known.keys() - found.keys():
            store.remove(f"{name}/{own}")


def _states(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Numbers that change with each file of a folder, by its name."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            status = path.stat()
            state = status.st_ino, status.st_mtime_ns, status.st_size
            found[path.relative_to(folder).as_posix()] = state
    return found
