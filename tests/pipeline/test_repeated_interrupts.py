import contextlib
import os
import signal
import time

import pytest

from pipeline import repeated_interrupts
from pipeline.repeated_interrupts import insistent_interrupts


def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)


def test_interrupt_that_is_dropped_comes_again(monkeypatch):
    monkeypatch.setattr(repeated_interrupts, "SECONDS_BETWEEN", 0.05)
    with pytest.raises(KeyboardInterrupt), insistent_interrupts():
        drop_one_and_wait()


def drop_one_and_wait():
    with contextlib.suppress(KeyboardInterrupt):
        press()
    time.sleep(5)
    pytest.fail("the interrupt did not come again")


def test_interrupt_that_was_heard_does_not_come_again(monkeypatch):
    monkeypatch.setattr(repeated_interrupts, "SECONDS_BETWEEN", 0.05)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]
    with pytest.raises(KeyboardInterrupt), insistent_interrupts():
        press()
    time.sleep(0.2)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)] == handlers
