import logging
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.console import NodeProgress

NOISY = """
import os, sys, subprocess
from pathlib import Path
from pipeline.console import output_to
with output_to(Path(sys.argv[1])) as console:
    print("python noise")
    os.write(2, b"native noise\\n")
    subprocess.run(["echo", "child noise"])
    console.print("for the person")
print("afterwards")
"""


@pytest.mark.slow
def test_output_of_every_kind_is_appended_to_the_file(tmp_path):
    log = tmp_path / "logs" / "run.log"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", NOISY, str(log)], capture_output=True, text=True, check=True
        )
        assert done.stdout == "for the person\nafterwards\n"
        assert done.stderr == ""
    noise = sorted(["python noise", "native noise", "child noise"] * 2)
    assert sorted(log.read_text().splitlines()) == noise


def test_a_full_disk_under_the_output_is_named(tmp_path):
    code = NOISY.replace('print("afterwards")', "")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "log")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    last = done.stderr.splitlines()[-1]
    assert last == "OSError: [Errno 28] No space left on device: 'standard output'"


def log_record(message, *arguments):
    return logging.LogRecord("absl", logging.INFO, "", 0, message, arguments, None)


def test_one_line_per_node_with_its_time_or_cached(capsys):
    progress = NodeProgress(Console(force_terminal=False))
    progress.emit(log_record("Component %s is running.", "Trainer"))
    progress.emit(log_record("Going to run a new execution %d", 4))
    progress.emit(log_record("Component %s is finished.", "Trainer"))
    progress.emit(log_record("Component %s is running.", "Pusher"))
    progress.emit(log_record("A cached execution %d is used.", 3))
    progress.emit(log_record("Component %s is finished.", "Pusher"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["Trainer", "0.0", "s"], ["Pusher", "cached"]]
