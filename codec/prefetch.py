"""Reading ahead of who consumes, in a thread."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Thread, current_thread
from typing import Any, TypeVar

Item = TypeVar("Item")

DEPTH = 4
"""items that are made before they are asked for"""
PATIENCE_S = 2.0
"""seconds that an interrupted wait grants the item in the making, which may hang on a pipe"""
_END = object()


def prefetch(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Yield the items of an iterator in order, up to four of them made ahead in one thread.

    An exception of the iterator is raised at its place. Close the generator
    (`contextlib.closing`) before what the items are made from: closing waits for the item in the
    making, after a KeyboardInterrupt two seconds at most.
    """
    own_thread: list[Thread] = []
    worker = ThreadPoolExecutor(1, initializer=lambda: own_thread.append(current_thread()))
    ahead: deque[Future[Any]] = deque(worker.submit(next, items, _END) for _ in range(DEPTH))
    interrupted = False
    try:
        while (item := ahead.popleft().result()) is not _END:
            ahead.append(worker.submit(next, items, _END))
            yield item
    except KeyboardInterrupt:
        interrupted = True
        raise
    except GeneratorExit as closed:
        interrupted = isinstance(
            closed.__context__, KeyboardInterrupt
        )  # which came while the caller worked
        raise
    finally:
        for future in ahead:
            future.cancel()
        if interrupted:
            wait(ahead, PATIENCE_S)
        # A generator that nobody closed may be collected in its own thread, which cannot end first.
        is_own = current_thread() in own_thread
        worker.shutdown(wait=not interrupted and not is_own)
