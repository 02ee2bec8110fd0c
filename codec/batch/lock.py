"""Locks: one batch at a time works on a target."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ncodec.batch.manifest import WORK
from ncodec.batch.store import Store
from ncodec.errors import OutputError, sentence_of

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def only_batch(store: Store) -> Iterator[None]:
    """Context in which no other batch of this machine works on a local target; other targets have
    no locks.

    The lock of a process that was killed is free. Raises OutputError where another batch is at
    work.
    """
    if not store.is_local or fcntl is None:
        yield
        return
    path = Path(store.at(f"{WORK}/lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_CREAT | os.O_RDWR)
    except OSError as error:
        msg = f"{store.place}: cannot be written: {sentence_of(error)}"
        raise OutputError(msg) from error
    try:
        if not (_is_locked(file) and _is_at(file, path)):
            msg = (
                f"{store.place}: another batch works on it: wait until it ends, or name another "
                f"folder"
            )
            raise OutputError(msg)
        yield
    finally:
        with suppress(OSError):
            if _is_at(file, path) and _is_locked(file):
                path.unlink()
                path.parent.rmdir()  # as long as nothing is in it
        os.close(file)


def _is_locked(file: int) -> bool:
    """Whether this process has the lock of a file now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        pass
    return True


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file still has its name: the batch that had the lock before removes it."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False
