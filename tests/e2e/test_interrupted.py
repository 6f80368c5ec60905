"""A killed or interrupted run resumes when it is started again."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from formats import names
from formats.evaluation_record import join_evaluation, read_metrics
from formats.features import FEATURES
from pipeline.metadata_store import all_runs
from pipeline.version_check import read_provenance

DATA_NODES = ("CollisionExampleGen", "StatisticsGen", "ExampleValidator", "DataGate")


def stop_in_trainer(project, with_signal):
    """Starts a run and sends it a signal while it trains: its exit code, output and log."""
    known = set((project.root / "logs").glob("*.log"))
    run = ThreadPoolExecutor().submit(project.run, trainer__epochs=100_000)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not run.done():
        logs = set((project.root / "logs").glob("*.log")) - known
        trains = any(re.search(r"epoch \d+/", log.read_text()) for log in logs)
        # On a busy machine a line comes before the first epoch is over, and kept.
        if trains and [*project.root.glob("checkpoints/*/checkpoint")]:
            break
        time.sleep(0.5)
    assert not run.done(), run.result().output
    process = int((project.root / ".lock").read_text())
    os.kill(process, with_signal)
    wait([run], timeout=60)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)  # it did not obey
    (log,) = logs
    return run.result().code, run.result().output, log.read_text()


def models(project):
    return list(project.root.glob("artifacts/Trainer/model/*/Format-Serving"))


def page_of(done):
    """The page that a run printed."""
    return Path(re.search(r"^report +(\S+)$", done.output, re.MULTILINE)[1])


def check_page_of_new_data(page, earlier):
    """The page of a run on other data, whose model was compared with the earlier run's."""
    text = page.read_text()
    assert re.search(r'<span id="baseline-auc">0\.\d{4}</span>, change [+-]0\.\d{4}', text)
    assert text.count('<th scope="col">Baseline</th>') == 2  # of the metrics and of the slices
    assert "Evaluator: difference in AUC" in text
    assert f"Compared with the data of run {earlier}: " in text
    drift = text.split('id="drift"')[1].split("</table>")[0]
    assert drift.count('<th scope="row">') == len(FEATURES)
    assert "No drift is known" not in text


def check_in_browser(browser, page, evaluation):
    """What a person sees of it, against what TFMA measured."""
    baseline = join_evaluation(read_metrics(evaluation), {}).baseline.overall
    browser.open(page)
    assert browser.messages() == []
    assert browser.text("#baseline-auc") == f"{baseline.auc:.4f}"
    assert browser.column("metrics", 3)[0] == f"{baseline.auc:.4f}"
    assert browser.column("slices", 6)[0] == f"{baseline.auc:.4f}"
    before = browser.column("drift", 2)
    browser.click_heading("drift", 2)
    assert browser.column("drift", 2) == sorted(before, key=float)
    assert len(before) == len(FEATURES)


def test_a_killed_and_an_interrupted_run_resume_and_new_data_is_trained_on(own_data, any_browser):
    code, _, _ = stop_in_trainer(own_data, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert models(own_data) == []

    time.sleep(1.1)  # Logs are named by the second.
    code, output, log = stop_in_trainer(own_data, signal.SIGINT)
    assert re.search(r"resumed after epoch [1-9]", log)
    assert code == 130
    assert "INTERRUPTED in Trainer; run again to resume" in output
    assert re.search(r"^log +\S+\.log$", output, re.MULTILINE)
    assert "Traceback" not in output
    assert models(own_data) == []

    done = own_data.run()
    assert done.code == 0, done.output
    assert {done.states[node] for node in DATA_NODES} == {"cached"}
    assert done.states["Trainer"] == "done"

    sorted((own_data.data / "training").iterdir())[0].unlink()
    # Another pipeline in the same root shares the push directory, and so the baseline.
    fewer = own_data.run(
        name="higgs-2", evaluation__auc_lower_bound=0.5, evaluation__auc_max_drop=0.5
    )
    assert fewer.code == 0, fewer.output
    assert {fewer.states[node] for node in (*DATA_NODES, "Trainer", "Pusher")} == {"done"}
    assert f"\nbaseline    version {done.version}\n" in fewer.output
    record = read_provenance(own_data.root / "serving" / fewer.version)
    assert (record.pipeline, record.evaluation.baseline_version) == ("higgs-2", done.version)
    assert "2,500 train events" in fewer.output

    run, earlier, *_ = all_runs(str(own_data.root / "metadata" / "metadata.sqlite"))
    assert "No drift is known" in page_of(done).read_text()
    check_page_of_new_data(page_of(fewer), earlier.run_id)
    if any_browser:
        check_in_browser(any_browser, page_of(fewer), run.uri(names.EVALUATION))
