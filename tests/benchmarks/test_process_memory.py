import subprocess
import sys

import pytest

from benchmarks.process_memory import CommandResult, MemorySample, process_tree, run_module


@pytest.mark.slow
def test_output_and_peak_memory_of_a_module():
    result = run_module("timeit", "-n1", "-r1", "-s", "import time", "time.sleep(0.4)")
    assert "1 loop" in result.output
    assert result.peak_bytes > 1e6


@pytest.mark.slow
def test_a_failing_module_is_an_error():
    with pytest.raises(RuntimeError, match="no_such_module exited with 1"):
        run_module("no_such_module")


def test_peak_memory_between_two_times():
    samples = [MemorySample(time, time * 100) for time in (1, 2, 3, 4)]
    result = CommandResult("", samples)
    assert result.peak_bytes == 400
    assert result.peak_between(1.5, 3) == 300
    assert result.peak_between(5, 6) == 0


def test_the_process_tree_contains_descendants():
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        processes = []
        try:
            while len(processes) < 2:
                processes = list(process_tree(process.pid))
            assert processes[0].pid == process.pid
        finally:
            for each in processes[1:]:
                each.kill()
            process.kill()


def test_a_process_that_ended_has_no_tree():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert list(process_tree(process.pid)) == []
