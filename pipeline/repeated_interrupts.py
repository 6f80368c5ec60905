"""Repeats Ctrl-C and terminating signals until TensorFlow stops."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERVAL_SECONDS = 5.0


@contextmanager
def repeated_interrupts() -> Iterator[None]:
    """Raises ``KeyboardInterrupt`` repeatedly until it has left the block; main thread only.

    TensorFlow calls back into Python from C++ and drops some of the exceptions, so that a
    training could continue after a single one.
    """
    received = False

    def interrupt(*_: Any) -> None:
        nonlocal received
        received = True
        signal.setitimer(signal.ITIMER_REAL, INTERVAL_SECONDS)
        raise KeyboardInterrupt

    # Schedulers stop a process with SIGTERM; the run must clean up and be recorded as well.
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGALRM]
    # A closed terminal; with nohup the run continues.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    handlers = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except Exception as error:
        # Beam reports the interrupt as an error of its own.
        if received:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
