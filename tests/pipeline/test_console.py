import logging
import subprocess
import sys

from rich.console import Console

from formats.gate_decision import Check, Verdict
from pipeline.console import NodeProgress, verdict_lines

NOISY = """
import os, sys, subprocess
from pathlib import Path
from pipeline.console import noise_to
with noise_to(Path(sys.argv[1])) as console:
    print("python noise")
    os.write(2, b"native noise\\n")
    subprocess.run(["echo", "child noise"])
    console.print("for the person")
print("afterwards")
"""


def test_noise_of_every_kind_is_appended_to_the_file(tmp_path):
    log = tmp_path / "logs" / "run.log"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", NOISY, str(log)], capture_output=True, text=True, check=True
        )
        assert done.stdout == "for the person\nafterwards\n"
        assert done.stderr == ""
    noise = sorted(["python noise", "native noise", "child noise"] * 2)
    assert sorted(log.read_text().splitlines()) == noise


def log_record(message, *arguments):
    return logging.LogRecord("absl", logging.INFO, "", 0, message, arguments, None)


def test_a_line_a_node_with_its_time_or_that_it_was_cached(capsys):
    progress = NodeProgress(Console(force_terminal=False))
    progress.emit(log_record("Component %s is running.", "Trainer"))
    progress.emit(log_record("Going to run a new execution %d", 4))
    progress.emit(log_record("Component %s is finished.", "Trainer"))
    progress.emit(log_record("Component %s is running.", "Pusher"))
    progress.emit(log_record("A cached execution %d is used.", 3))
    progress.emit(log_record("Component %s is finished.", "Pusher"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["Trainer", "0.0", "s"], ["Pusher", "cached"]]


def test_verdict_names_thresholds_and_margins():
    checks = (Check("AUC", 0.81, 0.8), Check("AUC above the baseline's", -0.01, -0.002))
    lines = list(verdict_lines(Verdict(False, 2000, 0.81, 0.82, checks)))
    assert lines == [
        "AUC 0.8100 on 2,000 events, baseline 0.8200",
        "gate: AUC +0.8100, at least +0.8000 needed: passed by 0.0100",
        "gate: AUC above the baseline's -0.0100, at least -0.0020 needed: MISSED by 0.0080",
    ]
