"""Reading ahead of who consumes, in a thread."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

DEPTH = 4
"""items that are made before they are asked for"""
_END = object()


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items and exceptions, of which the next few are made in a thread while the caller works."""
    with ThreadPoolExecutor(1) as worker:
        ahead = deque(worker.submit(next, items, _END) for _ in range(DEPTH))
        try:
            while (item := ahead.popleft().result()) is not _END:
                ahead.append(worker.submit(next, items, _END))
                yield item  # type: ignore[misc]
        finally:
            worker.shutdown(wait=False, cancel_futures=True)
