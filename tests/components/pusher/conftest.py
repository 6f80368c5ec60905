import time

import pytest
from pushes import Pushes
from report_parts import complete_run, make, run_folder  # noqa: F401 (fixtures)


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


@pytest.fixture
def pushes(tmp_path, serving, complete_run):  # noqa: F811
    return Pushes(tmp_path / "higgs", serving, complete_run)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set; in seconds."""

    class Clock:
        seconds = 1000.0

    monkeypatch.setattr(time, "time", lambda: Clock.seconds)
    return Clock
