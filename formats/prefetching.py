"""Reads ahead in a thread."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_AHEAD = 2


def prefetch(items: Iterable[T]) -> Iterator[T]:
    """Yields the items of an iterable that a thread consumes, at most two ahead.

    Errors of the iterable are raised where they occurred. The thread ends when the consumer does.
    """
    results: queue.Queue[tuple[bool, Any]] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(result: tuple[bool, Any]) -> bool:
        while not stopped.is_set():
            with suppress(queue.Full):
                results.put(result, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((True, item)):
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        is_item, value = results.get()
        while is_item:
            yield value
            is_item, value = results.get()
        if value is not None:
            raise value
    finally:
        stopped.set()
        # A thread that waits for a pipe cannot be stopped.
        thread.join(timeout=1)
