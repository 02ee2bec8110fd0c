"""Reading ahead gives the same items, and does not outlast an interrupt."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from ncodec import prefetch as ahead
from ncodec.prefetch import prefetch


def test_items_and_exceptions_come_in_their_order() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        msg = "the end"
        raise ValueError(msg)

    read = prefetch(items())
    assert [next(read) for _ in range(10)] == list(range(10))
    with pytest.raises(ValueError, match="the end"):
        next(read)


def test_closing_waits_for_the_item_in_the_making() -> None:
    finished = []

    def items() -> Iterator[int]:
        yield 0
        time.sleep(0.2)
        finished.append(1)
        yield 1

    with closing(prefetch(items())) as read:
        assert next(read) == 0
        time.sleep(0.05)
    assert finished


def test_an_interrupt_of_the_caller_does_not_wait_for_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "PATIENCE_S", 0.05)
    begun, more = threading.Event(), threading.Event()
    finished = []

    def items() -> Iterator[int]:
        yield 0
        begun.set()
        more.wait(10)
        finished.append(1)

    with pytest.raises(KeyboardInterrupt), closing(prefetch(items())) as read:  # noqa: PT012
        assert next(read) == 0
        begun.wait(10)
        raise KeyboardInterrupt
    assert not finished
    more.set()


def test_it_may_be_closed_in_its_own_thread() -> None:
    held, is_held, is_closed = [], threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        is_held.wait(10)
        held.pop().close()  # as a collection of garbage does that begins in this thread
        is_closed.set()

    read = prefetch(items())
    assert next(read) == 0
    held.append(read)
    del read
    is_held.set()
    assert is_closed.wait(10)
