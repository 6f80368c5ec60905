import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.process_setup import prepare_process


@pytest.fixture
def environment(monkeypatch):
    """Sets a variable, or removes it; undoes what the test changes."""
    action = signal.getsignal(signal.SIGCHLD)

    def set_variable(name, value):
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name) if value is None else os.environ.update({name: value})

    set_variable("MPLBACKEND", "nonsense")
    yield set_variable
    signal.signal(signal.SIGCHLD, action)


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("HOME", None, "/"),
        ("HOME", "/home/ada", "/home/ada"),
        ("MPLBACKEND", "tkagg", "agg"),
        ("COLUMNS", "0", None),
        ("COLUMNS", "00", None),
        ("COLUMNS", "80", "80"),
    ],
)
def test_the_environment_suits_the_libraries(name, value, result, environment, monkeypatch):
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # a user that no one has registered
    environment(name, value)
    prepare_process()
    assert os.environ.get(name) == result
    assert Path.home()


def test_a_child_that_failed_is_noticed_if_the_caller_ignores_its_children(environment):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    prepare_process()
    assert subprocess.run(["/bin/false"]).returncode == 1


def test_warnings_of_libraries_are_not_errors(environment):
    code = "import warnings; from pipeline.process_setup import *; prepare_process(); "
    code += "warnings.warn('old', DeprecationWarning)"
    done = subprocess.run([sys.executable, "-Werror", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "<string>:1: DeprecationWarning: old\n")
