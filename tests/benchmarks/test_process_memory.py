import os
import signal
import subprocess
import sys

import pytest

from benchmarks.memory import run_module, tree


def test_a_modules_output_and_peak():
    finished = run_module("timeit", "-n1", "-r1", "-s", "import time", "time.sleep(0.4)")
    assert "1 loop" in finished.output
    assert finished.peak_bytes > 1e6


def test_a_module_that_fails():
    with pytest.raises(RuntimeError, match="no_such_module ended with 1"):
        run_module("no_such_module")


def test_the_tree_holds_the_children_of_children():
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            found = set()
            while len(found) < 2:
                found = set(tree(process.pid))
            assert process.pid in found
        finally:
            for pid in found - {process.pid}:
                os.kill(pid, signal.SIGKILL)
            process.kill()


def test_a_process_that_has_ended_has_no_children():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert list(tree(process.pid)) == [process.pid]
