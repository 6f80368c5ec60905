import time

import pytest

from formats.throttle import Throttle


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test advances."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_an_action_is_due_at_once_and_again_after_the_interval(clock):
    throttle = Throttle(seconds=2)
    due = []
    for _ in range(9):
        due.append(throttle.is_due())
        clock(0.5)
    assert due == [True, False, False, False, True, False, False, False, True]


def test_a_restart_postpones_the_action(clock):
    throttle = Throttle(seconds=2)
    throttle.restart()
    assert not throttle.is_due()
    clock(1.5)
    throttle.restart()
    clock(1.5)
    assert not throttle.is_due()
    clock(0.5)
    assert throttle.is_due()


def test_without_an_interval_an_action_is_always_due(clock):
    throttle = Throttle(seconds=0)
    assert throttle.is_due()
    assert throttle.is_due()
