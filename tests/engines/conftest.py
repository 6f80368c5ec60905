"""Engines on this machine, started once per module, and the data that nodes process on them.

Without Java, Maven or an artifact the tests are skipped with the reason that `make engines` gave;
with HIGGS_ENGINES=required they fail.
"""

import os
import socket
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import small_model

ROOT = Path(__file__).parents[2]
FETCHED = ROOT / ".engines"

START_SECONDS = 180


@dataclass(frozen=True)
class Running:
    """A running engine: the Beam options that use it, and the folder that marks its processes."""

    options: list[str]
    state: Path

    def processes(self):
        """The command line of every process of the engine, by pid."""
        mark = f"HIGGS_ENGINE={self.state}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().decode()
        return found

    def log_tails(self, lines=15):
        """The last lines of every log of the engine and of its tasks, for a failure's message."""
        logs = [*self.state.glob("*.log"), *self.state.glob("work/app-*/*/stderr")]
        return "\n".join(
            "\n".join([f"--- {log.relative_to(self.state)}", *tail_of(log, lines)])
            for log in sorted(logs, key=lambda log: log.stat().st_mtime)
        )


def tail_of(log, lines):
    return log.read_text(errors="replace").splitlines()[-lines:]


def why_missing():
    if (FETCHED / "missing").exists():
        return (FETCHED / "missing").read_text().strip()
    if not (FETCHED / "pyspark" / ".ready").exists():
        return "make engines has not run"
    return ""


@pytest.fixture(scope="session")
def engine_files():
    if reason := why_missing():
        if os.environ.get("HIGGS_ENGINES") == "required":
            pytest.fail(reason)
        pytest.skip(f"engines: {reason}")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextmanager
def running(name, state, *form):
    """Starts an engine with `tools/engines/NAME start`, and stops it."""
    environment = {"ENGINE_STATE": str(state), "JOB_PORT": free_port(), "POOL_PORT": free_port()}

    def command(*arguments):
        return subprocess.run(
            [ROOT / "tools" / "engines" / name, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )

    try:
        started = command("start", *form)
        assert started.returncode == 0, started.stderr
        options = started.stdout.strip().removeprefix("beam.args=[").removesuffix("]")
        yield Running(options.split(", "), state)
    finally:
        command("stop")
    assert Running([], state).processes() == {}


@pytest.fixture(scope="module")
def flink(engine_files, tmp_path_factory):
    with running("flink", tmp_path_factory.mktemp("flink"), "embedded") as engine:
        yield engine


@pytest.fixture(scope="module")
def spark(engine_files, tmp_path_factory):
    with running("spark", tmp_path_factory.mktemp("spark")) as engine:
        yield engine


@pytest.fixture(scope="session")
def engine_model(engine_files, tmp_path_factory):
    """A barely trained model, for the Evaluator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_model, "TRAIN_EVENTS", 2_000)
        patch.setattr(small_model, "VALIDATION_EVENTS", 500)
        return small_model.train_small_model(tmp_path_factory.mktemp("model"))
