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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_library_reports_as_its_own_error_is_one(number):
    """Beam turns it into a RuntimeError with the name of the step."""
    with pytest.raises(KeyboardInterrupt) as caught, repeated_interrupts():
        press_in_beam(number)
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(RuntimeError, match="another"), repeated_interrupts():
        raise RuntimeError("another")


def press_in_beam(number):
    try:
        press(number)
    except BaseException as error:
        raise RuntimeError("KeyboardInterrupt [while running 'Work']") from error


def drop_one_and_wait():
    with contextlib.suppress(KeyboardInterrupt):
        press()
    time.sleep(5)
    pytest.fail("the interrupt was not repeated")


@pytest.mark.slow
def test_interrupt_that_took_effect_is_not_repeated(monkeypatch):
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.05)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]
    with pytest.raises(KeyboardInterrupt), repeated_interrupts():
        press()
    time.sleep(0.2)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)] == handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_is_an_interrupt(number):
    # The tests may run under nohup, which ignores SIGHUP.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), repeated_interrupts():
            press(number)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_with_nohup_a_run_survives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with repeated_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
