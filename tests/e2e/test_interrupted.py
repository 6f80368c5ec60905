"""A run that was killed or interrupted is simply started again."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HIGGS = str(Path(sys.executable).with_name("higgs"))
DATA_NODES = ("CollisionExampleGen", "StatisticsGen", "ExampleValidator", "DataGate")


def stop_in_trainer(project, with_signal):
    """Starts a run and sends it a signal while it trains: its exit code, output and log."""
    command = [HIGGS, "run", "--config", str(project.config), "--set", "trainer.epochs=100000"]
    known = set((project.root / "logs").glob("*.log"))
    # Ctrl-C reaches the whole group of a terminal's job.
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and run.poll() is None:
        logs = set((project.root / "logs").glob("*.log")) - known
        if any(re.search(r"epoch \d+/", log.read_text()) for log in logs):
            break
        time.sleep(0.5)
    assert run.poll() is None, run.communicate()[0]
    os.killpg(run.pid, with_signal)
    output, _ = run.communicate(timeout=60)
    (log,) = logs
    return run.returncode, output, log.read_text()


def models(project):
    return list(project.root.glob("artifacts/Trainer/model/*/Format-Serving"))


def test_killed_then_interrupted_then_run_then_run_on_new_data(own_data):
    code, _, _ = stop_in_trainer(own_data, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert models(own_data) == []

    time.sleep(1.1)  # Logs are named by the second.
    code, output, log = stop_in_trainer(own_data, signal.SIGINT)
    assert re.search(r"resumed after epoch [1-9]", log)
    assert code == 130
    assert "INTERRUPTED in Trainer; run again to go on from there" in output
    assert re.search(r"^log +\S+\.log$", output, re.MULTILINE)
    assert "Traceback" not in output
    assert models(own_data) == []

    done = own_data.run()
    assert done.code == 0, done.output
    assert {done.states[node] for node in DATA_NODES} == {"cached"}
    assert done.states["Trainer"] == "done"

    sorted((own_data.data / "training").iterdir())[0].unlink()
    fewer = own_data.run(evaluation__auc_lower_bound=0.5, evaluation__auc_max_drop=0.5)
    assert fewer.code == 0, fewer.output
    assert {fewer.states[node] for node in (*DATA_NODES, "Trainer", "Pusher")} == {"done"}
    assert fewer.states["ImportSchemaGen"] == "cached"
    assert "2,500 train events" in fewer.output
