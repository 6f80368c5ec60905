"""Ctrl-C that is heard."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS_BETWEEN = 5.0


@contextmanager
def insistent_interrupts() -> Iterator[None]:
    """Raises ``KeyboardInterrupt`` again and again, until it has left the block.

    TensorFlow calls back into Python from C++ and drops some of the exceptions that it gets, so
    that a training may go on as if nobody had pressed a key. In the main thread only.
    """

    def interrupt(*_: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, SECONDS_BETWEEN)
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGALRM)
    }
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
