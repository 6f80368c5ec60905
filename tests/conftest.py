"""Settings for every test, and the grouping of tests into processes."""

import functools
import gc
import importlib.metadata
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from fork_server import speed_up_beam
from forks import ADDRESS_VARIABLE, ForkServer
from hypothesis import settings

# A busy machine is not a failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Background jobs of a shell ignore it, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Each of Google's fifteen client libraries searches all installed packages for itself: a second.
importlib.metadata.packages_distributions = functools.cache(
    importlib.metadata.packages_distributions
)

# Runs of the whole pipeline that many tests use are made once, in one process.
SHARED = {
    "project": "run",
    "image": "engines",
    "history": "engines",
    "engine_files": "beam engines",
    "finished_run": "training",
}

LONGEST_FIRST = ("e2e", "slow")
"""Markers of the files whose tests last longest, in the order in which they start."""

_server = pytest.StashKey[ForkServer]()


def pytest_configure(config):
    """Starts the one server of all processes; it imports nothing before it is needed."""
    if not hasattr(config, "workerinput"):
        config.stash[_server] = ForkServer(sys.executable)
        os.environ[ADDRESS_VARIABLE] = config.stash[_server].address


def pytest_unconfigure(config):
    if _server in config.stash:
        config.stash[_server].close()


def pytest_addoption(parser):
    parser.addoption(
        "--golden", action="store_true", help="write golden files instead of comparing with them"
    )


@pytest.fixture
def golden(request):
    """Compares a text with a golden file, or writes the file with `make golden`."""

    def compare(name: str, text: str) -> None:
        # A digest of the code would change with every edit.
        text = re.sub(r"(--code_version=|sources )[0-9a-f]{12}", r"\1CODE", text)
        file = Path(__file__).with_name("kubeflow") / "golden" / name
        if request.config.getoption("--golden"):
            file.write_text(text)
        assert text == file.read_text(), f"{name} differs; if intended, run `make golden`"

    return compare


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collects without the garbage collector, which would visit the millions of objects of the
    imported packages again and again: half of the time. They stay alive, so it need not visit
    them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        if "apache_beam.transforms" in sys.modules:
            speed_up_beam()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Groups the tests of a file, or of a shared run; long groups come first, so that all
    processes end at the same time."""
    groups = {item: _group(item) for item in items}
    ranks = {}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
        ranks[group] = min(_rank(item), ranks.get(group, len(LONGEST_FIRST)))
    items.sort(key=lambda item: (groups[item] not in SHARED.values(), ranks[groups[item]]))


def _rank(item) -> int:
    """The place of an item's longest-lasting marker in `LONGEST_FIRST`."""
    marks = {mark.name for mark in item.iter_markers()}
    return next((i for i, mark in enumerate(LONGEST_FIRST) if mark in marks), len(LONGEST_FIRST))


def _group(item) -> str:
    """The group of `item`, which shares a process: a fixture's run, or the tests of its file."""
    file, _, _ = item.nodeid.partition("::")
    return next((run for fixture, run in SHARED.items() if fixture in item.fixturenames), file)
