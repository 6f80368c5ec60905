"""`make engines` and `tools/engines`: messages if something is missing; stopping."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture
def tree(tmp_path):
    """A copy of the tools in a tree where nothing has been fetched."""
    shutil.copytree(ROOT / "tools" / "engines", tmp_path / "tools" / "engines")
    return tmp_path


def fetch(tree, **programs):
    """Runs fetch.sh where only these programs exist, besides the system's own small ones."""
    folder = tree / "bin"
    folder.mkdir()
    for name in ("bash", "dirname", "mkdir", "sed", "head", "grep", "cut", "rm", "timeout", "env"):
        (folder / name).symlink_to(shutil.which(name))
    for name, text in programs.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/usr/bin/env", "bash", tree / "tools" / "engines" / "fetch.sh"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    reason = (tree / ".engines" / "missing").read_text().strip()
    assert done.stderr == f"engines: {reason}\n"
    return reason


OLD_JAVA = "echo 'openjdk version \"1.8.0_292\"' >&2"
JAVA = "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2"
OFFLINE_MAVEN = "echo '[ERROR] Could not transfer artifact beam.pom: timeout'; exit 1"


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ({}, "Java 11 or later is missing"),
        ({"java": OLD_JAVA}, "Java 8 is too old"),
        ({"java": JAVA}, "Maven is missing"),
        (
            {"java": JAVA, "mvn": OFFLINE_MAVEN},
            "Maven could not fetch the jars of flink: Could not transfer artifact beam.pom",
        ),
    ],
)
def test_what_is_missing_is_named_and_recorded_for_the_tests(tree, programs, reason):
    assert reason in fetch(tree, **programs)


def test_jars_that_differ_from_their_hashes_are_refused(tree):
    maven = 'for a in "$@"; do case $a in -DoutputDirectory=*) o=${a#*=};; esac; done\n'
    maven += 'mkdir -p "$o"; echo other > "$o/auto-service-annotations-1.0.1.jar"'
    checksum = f'exec {shutil.which("sha256sum")} "$@"'
    reason = fetch(tree, java=JAVA, mvn=maven, sha256sum=checksum)
    assert "the jars of flink differ from tools/engines/flink.sha256" in reason


def engine(tree, *arguments, **environment):
    return subprocess.run(
        [sys.executable, tree / "tools" / "engines" / "engine.py", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_engine_that_was_not_fetched_is_not_started(tree):
    done = engine(tree, "flink", "start")
    assert done.returncode == 1
    assert done.stderr == "engines: the jars of flink are missing; run make engines\n"
    assert engine(tree, "flink", "status").stdout == "flink is not running\n"


def test_a_port_in_use_is_named(tree):
    (tree / ".engines" / "flink").mkdir(parents=True)
    (tree / ".engines" / "pyspark").mkdir()
    (tree / ".engines" / "pyspark" / ".ready").touch()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = engine(tree, "flink", "start", JOB_PORT=port)
    assert done.stderr == f"engines: port {port} is in use; choose another one with JOB_PORT\n"


def is_running(pid):
    """Returns whether a process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_stop_ends_descendants_and_processes_without_pid_file(tree):
    state = tree / "state"
    state.mkdir()
    script = "trap '' TERM; sleep 300 & echo $!; wait; wait"
    # It ignores SIGTERM, and its child survives it.
    parent = subprocess.Popen(
        [shutil.which("bash"), "-c", script],
        env={**os.environ, "HIGGS_ENGINE": str(state)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    child = int(parent.stdout.readline())
    other = subprocess.Popen(
        [shutil.which("sleep"), "300"], env={**os.environ, "HIGGS_ENGINE": f"{state}2"}
    )
    try:
        engine(tree, "spark", "stop", ENGINE_STATE=str(state))
        assert parent.wait(10) != 0
        assert not is_running(child)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        parent.stdout.close()
