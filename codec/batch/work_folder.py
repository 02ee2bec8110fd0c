"""Folders of workers: their own, and those that the workers of one item share, on a machine or in
an object store."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ncodec.batch.library import Item
from ncodec.batch.manifest import WORK
from ncodec.batch.store import Beat, Store

_TEMPORARY = "ncodec-batch-"
"""begins the names of temporary folders; the number of their process follows"""


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """An empty folder of this machine that goes in the end, or, if the process is killed, when
    another worker begins."""
    return tempfile.TemporaryDirectory(
        prefix=f"{_TEMPORARY}{os.getpid()}-", ignore_cleanup_errors=True
    )


def remove_orphans() -> None:
    """Remove temporary folders of processes that are no more."""
    import psutil

    for path in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*-*"):
        number = path.name.removeprefix(_TEMPORARY).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def work_name(item: Item, stated: Mapping[str, Any]) -> str:
    """Name, in the target, of the folder of work on an item's content with some options."""
    facts = json.dumps([item.name, item.tag, dict(stated)], sort_keys=True)
    digest = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()
    return f"{WORK}/parts/{digest}"


@contextmanager
def work_folder(
    store: Store, name: str, *, wanted: Sequence[str] | None, beat: Beat
) -> Iterator[Path]:
    """Context of the local folder of work: the folder itself where the target is local, else a copy
    of its files `wanted`, None for all, from which new ones go to the store in the end.

    Raises OutputError where the store cannot be read or written.
    """
    if store.is_local:
        folder = Path(store.at(name))
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with temporary_folder() as temporary:
        folder = Path(temporary)
        known = set(wanted if wanted is not None else store.find(name))
        for own in known:
            store.get(f"{name}/{own}", folder / own, beat=beat)
        yield folder
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            own = path.relative_to(folder).as_posix()
            if own not in known:
                store.put(path, f"{name}/{own}", beat=beat)


def remove_work(store: Store, name: str) -> None:
    """Remove the folder of work on an item; raises OutputError."""
    for own in store.find(name):
        store.remove(f"{name}/{own}")
