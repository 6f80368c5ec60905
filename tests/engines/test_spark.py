"""Killed workers on Spark: a node has exact counts, or it fails; events are never lost.

One combination is part of `make test`; `make engine-kills` runs all of them.

The test holds a lease on an input (fcntl(2)): the kernel lets the worker that opens it wait, and
names it in /proc/locks. So the kill hits a task that has started and cannot end before.
"""

import fcntl
import os
import re
import signal
import threading
import time
from contextlib import contextmanager, suppress
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

SHARD_EVENTS, EVAL_SHARDS = 2_000, 4
SPLITS = {"train": SHARD_EVENTS, "eval": SHARD_EVENTS * EVAL_SHARDS}

NODE_SECONDS = 900
"""A node that takes longer hangs."""

EXECUTOR, PYTHON_WORKER = "CoarseGrainedExecutorBackend", "Python worker"
"""The processes to kill; the first is a part of its command line."""

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


@pytest.fixture(scope="module")
def data(engine_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    splits = (monte_carlo.generate(events, seed) for seed, events in enumerate(SPLITS.values()))
    write_dataset(folder, *splits, shard_size=SHARD_EVENTS)
    return folder


@pytest.fixture(scope="module")
def examples(data, tmp_path_factory):
    """The Examples of all events, ingested in memory."""
    return single_node.ingest(data, tmp_path_factory.mktemp("examples"))


@contextmanager
def held(path):
    """Makes every process that opens a file wait for the end of the block."""
    previous = signal.signal(signal.SIGIO, signal.SIG_IGN)  # it signals that a process waits
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, previous)


def waiting_for(path):
    """The processes that wait for a held file."""
    lines = Path("/proc/locks").read_text().splitlines()
    inode = path.stat().st_ino
    numbers = {line.split(":")[0] for line in lines if "LEASE" in line and f":{inode} " in line}
    return [
        int(waiting[2])
        for line in lines
        if (waiting := re.match(r"(\d+): +-> LEASE +BREAKER +READ +(\d+)", line))
        and waiting[1] in numbers
    ]


def wait_for(condition, job):
    """Waits for a condition of a node that runs; returns its value."""
    deadline = time.monotonic() + NODE_SECONDS
    while job.thread.is_alive() and time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    return None


def executor_of(engine, worker):
    """The executor that listens on the port that a Python worker is connected to."""
    log = (engine.state / "pool.log").read_text()
    port = int(re.search(rf"worker {worker} of localhost:(\d+)", log)[1])
    listening = {
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
    }
    [executor] = [pid for pid in executors(engine) if listening & open_files(pid)]
    return executor


def executors(engine):
    return {pid for pid, command in engine.processes().items() if EXECUTOR in command}


def open_files(pid):
    files = set()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            files.add(str(descriptor.readlink()))
    return files


def kill_while_reading(engine, victim, path, run):
    """Starts a node, kills a process of its task while that opens an input; awaits the node."""
    earlier = executors(engine)
    job = Job(run).start()
    # The node itself looks at its inputs before it sends a job to Spark. An executor of the test
    # before may still be ending.
    started = wait_for(lambda: executors(engine) - earlier, job)
    with held(path):
        [reader, *_] = wait_for(lambda: waiting_for(path), job) or [None]
        if started and reader:
            os.kill(executor_of(engine, reader) if victim is EXECUTOR else reader, signal.SIGKILL)
    job.thread.join(NODE_SECONDS)
    if not reader:
        pytest.fail(f"nothing was killed; the node ended with {job.error!r}\n{engine.log_tails()}")
    if job.thread.is_alive():
        pytest.fail(f"the node takes longer than {NODE_SECONDS} s\n{engine.log_tails()}")
    if job.error:
        print(engine.log_tails())
    print(f"{victim} killed: {job.error or 'success'!r}")
    return job


VICTIMS = [EXECUTOR, PYTHON_WORKER]
FURTHER_VICTIMS = [pytest.param(victim, marks=pytest.mark.matrix) for victim in VICTIMS]


@pytest.mark.parametrize("victim", [EXECUTOR, FURTHER_VICTIMS[1]])
def test_ingestion_is_exact_or_fails_when_a_process_is_killed(spark, data, tmp_path, victim):
    node = single_node.our_nodes(data, tmp_path)[EXAMPLE_GEN]
    shard = data / "validation" / "shard-00002.tfrecord"
    job = kill_while_reading(
        spark, victim, shard, lambda: single_node.execute(node, {}, tmp_path, spark.options)
    )
    if job.error is None:
        written = job.outputs["examples"]
        check_files(written.uri, {split: SplitSummary(n, {}) for split, n in SPLITS.items()})
        for split, events in SPLITS.items():
            assert written.get_int_custom_property(events_property(split)) == events


def parquet_file(examples):
    [path, *_] = sorted(Path(examples.uri, "Split-eval").glob("*.parquet"))
    return path


@pytest.mark.parametrize("victim", FURTHER_VICTIMS)
def test_statistics_are_exact_or_fail_when_a_process_is_killed(spark, examples, tmp_path, victim):
    node = single_node.our_nodes(tmp_path, tmp_path)[STATISTICS_GEN]
    inputs = {"examples": examples}
    job = kill_while_reading(
        spark,
        victim,
        parquet_file(examples),
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
        parquet_file(examples),
        lambda: single_node.execute(node, inputs, tmp_path, spark.options),
    )
    if job.error is None:
        assert count_events(job.outputs["evaluation"].uri) == SPLITS["eval"]
