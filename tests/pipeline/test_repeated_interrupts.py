import contextlib
import os
import signal
import time

import pytest

import pipeline.repeated_interrupts as module
from pipeline.repeated_interrupts import repeated_interrupts


def press(number=signal.SIGINT):
    os.kill(os.getpid(), number)
    time.sleep(1)


def test_dropped_interrupt_is_repeated(monkeypatch):
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.05)
    with pytest.raises(KeyboardInterrupt), repeated_interrupts():
        drop_one_and_wait()


def drop_one_and_wait():
    with contextlib.suppress(KeyboardInterrupt):
        press()
    time.sleep(5)
    pytest.fail("the interrupt was not repeated")


def test_interrupt_that_took_effect_is_not_repeated(monkeypatch):
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.05)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]
    with pytest.raises(KeyboardInterrupt), repeated_interrupts():
        press()
    time.sleep(0.2)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)] == handlers


def test_a_termination_is_an_interrupt():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), repeated_interrupts():
        press(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
