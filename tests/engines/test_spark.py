"""Workers that are killed on Spark: a node has exact counts, or it fails; it is never short.

One combination is part of `make test`; `make engine-kills` runs all of them.
"""

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tfx.components.statistics_gen import stats_artifact_utils

from benchmarks import single_node
from components.evaluator.executor import count_events
from components.example_gen.executor import check_files
from components.example_gen.shard_ingestion import SplitSummary
from formats.names import EVALUATOR, EXAMPLE_GEN, STATISTICS_GEN, events_property
from pipeline.sample_data import monte_carlo
from pipeline.sample_data.shard_writer import write_dataset

SHARD_EVENTS, EVAL_SHARDS = 20_000, 40
SPLITS = {"train": SHARD_EVENTS, "eval": SHARD_EVENTS * EVAL_SHARDS}

NODE_SECONDS = 400
"""A node that takes longer hangs."""

EXECUTOR, PYTHON_WORKER = "CoarseGrainedExecutorBackend", "SdkHarness"
"""Parts of the command lines of the processes to kill."""

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@dataclass
class Job:
    """A node that runs on Spark in a thread."""

    run: callable
    outputs: dict = field(default_factory=dict)
    error: Exception | None = None

    def start(self):
        def work():
            try:
                self.outputs = self.run()
            except Exception as error:
                self.error = error

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()
        return self

    def wait(self):
        self.thread.join(NODE_SECONDS)
        assert not self.thread.is_alive(), f"the node takes longer than {NODE_SECONDS} s"


@pytest.fixture(scope="module")
def data(engine_files, tmp_path_factory):
    """Shards of which all but two are links to the others."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset(
        folder, monte_carlo.generate(SHARD_EVENTS, 0), monte_carlo.generate(SHARD_EVENTS, 1)
    )
    [shard] = (folder / "validation").iterdir()
    for index in range(1, EVAL_SHARDS):
        os.link(shard, shard.with_name(f"copy-{index:03d}.tfrecord"))
    return folder


@pytest.fixture(scope="module")
def examples(data, tmp_path_factory):
    """The Examples of all events, ingested in memory."""
    return single_node.ingest(data, tmp_path_factory.mktemp("examples"))


def wait_for_reader(engine, job, folder, seconds=NODE_SECONDS):
    """Waits until a Python worker has opened an input of the node; returns its pid."""
    deadline = time.monotonic() + seconds
    while job.thread.is_alive() and time.monotonic() < deadline:
        for pid, command in engine.processes().items():
            if PYTHON_WORKER in command and reads(pid, folder):
                return pid
        time.sleep(0.01)
    pytest.fail(f"no worker has read from {folder}; the node ended with {job.error!r}")


def reads(pid, folder):
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            if str(descriptor.readlink()).startswith(f"{folder}/"):
                return True
    return False


def kill_while_reading(engine, victim, folder, run):
    """Starts a node, kills a process of the engine while a worker reads, and waits for the node."""
    job = Job(run).start()
    reader = wait_for_reader(engine, job, folder)
    if victim is EXECUTOR:
        reader = next(pid for pid, command in engine.processes().items() if EXECUTOR in command)
    os.kill(reader, signal.SIGKILL)
    assert job.thread.is_alive(), "the node was finished before the kill"
    job.wait()
    print(f"{victim} killed: {job.error or 'success'!r}")
    return job


VICTIMS = [EXECUTOR, PYTHON_WORKER]
FURTHER_VICTIMS = [pytest.param(victim, marks=pytest.mark.matrix) for victim in VICTIMS]


@pytest.mark.parametrize("victim", [EXECUTOR, FURTHER_VICTIMS[1]])
def test_ingestion_is_exact_or_fails_when_a_process_is_killed(spark, data, tmp_path, victim):
    node = single_node.our_nodes(data, tmp_path)[EXAMPLE_GEN]
    job = kill_while_reading(
        spark, victim, data, lambda: single_node.execute(node, {}, tmp_path, spark.options)
    )
    if job.error is None:
        written = job.outputs["examples"]
        check_files(written.uri, {split: SplitSummary(n, {}) for split, n in SPLITS.items()})
        for split, events in SPLITS.items():
            assert written.get_int_custom_property(events_property(split)) == events


@pytest.mark.parametrize("victim", FURTHER_VICTIMS)
def test_statistics_are_exact_or_fail_when_a_process_is_killed(spark, examples, tmp_path, victim):
    node = single_node.our_nodes(tmp_path, tmp_path)[STATISTICS_GEN]
    inputs = {"examples": examples}
    job = kill_while_reading(
        spark,
        victim,
        examples.uri,
        lambda: single_node.execute(node, inputs, tmp_path, spark.options),
    )
    if job.error is None:
        for split, events in SPLITS.items():
            statistics = stats_artifact_utils.load_statistics(job.outputs["statistics"], split)
            assert statistics.proto().datasets[0].num_examples == events


@pytest.mark.parametrize("victim", FURTHER_VICTIMS)
def test_an_evaluation_is_exact_or_fails_when_a_process_is_killed(
    spark, examples, engine_model, tmp_path, victim
):
    node = single_node.our_nodes(tmp_path, tmp_path)[EVALUATOR]
    inputs = {"examples": examples, "model": engine_model}
    inputs["schema"] = single_node.reviewed_schema()
    job = kill_while_reading(
        spark,
        victim,
        f"{examples.uri}/Split-eval",
        lambda: single_node.execute(node, inputs, tmp_path, spark.options),
    )
    if job.error is None:
        assert count_events(job.outputs["evaluation"].uri) == SPLITS["eval"]
