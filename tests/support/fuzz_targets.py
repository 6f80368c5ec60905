"""Targets of the fuzzers: each feeds bytes to one reader of data that others have written.

A reader may refuse anything with the errors of its contract. Every other exception is a defect,
and so is a reader that takes long or much memory for a small input.
"""

import contextlib
import io
import os
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pydantic

from formats import histograms, invalid_values
from formats.cluster import ClusterConfigError, read_cluster
from formats.manifest_record import ManifestRecord
from formats.provenance import Provenance
from formats.published.manifest import ManifestError, read_manifest
from formats.published.record import read_events
from formats.published.tfrecord import RecordError, frame_equal
from formats.run_outcome import RunRecord
from formats.training_record import TrainingRecord
from pipeline.config import ConfigError, load_config
from pipeline.intake.event_source import read_source
from pipeline.intake.input_sources import Source
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.table_events import Counts, IntakeOptions

SECONDS = 10
"""Time limit of one input on a busy machine."""

MEMORY_BYTES = 1 << 30
"""Memory that one input may allocate in addition to the process's own."""


class LimitError(Exception):
    """A reader took too long for one input."""


def read_shard(data: bytes) -> None:
    """Framing: the bytes are a shard."""
    with contextlib.suppress(RecordError):
        for _ in read_events(io.BytesIO(data), "shard"):
            pass


def read_record(data: bytes) -> None:
    """Codec: the bytes are one record, in a valid frame, between two valid records."""
    import numpy as np

    record = np.frombuffer(data, np.uint8)[None]
    with contextlib.suppress(RecordError):
        for events in read_events(io.BytesIO(frame_equal(record)), "shard"):
            assert set(events.labels.tolist()) <= {0.0, 1.0}
            assert events.features.shape == (1, 28)


def read_json(data: bytes) -> None:
    """Records that nodes and runs write as JSON."""
    text = data.decode("utf-8", "replace")
    for read in (
        Provenance.from_json,
        ManifestRecord.model_validate_json,
        RunRecord.model_validate_json,
        TrainingRecord.from_json,
        histograms.from_json,
        invalid_values.from_json,
    ):
        with contextlib.suppress(pydantic.ValidationError, ValueError):
            read(text)


def read_data_manifest(data: bytes) -> None:
    """The manifest beside shards."""
    with _file(data) as path, contextlib.suppress(ManifestError):
        read_manifest(path)


def read_configuration(data: bytes) -> None:
    """A configuration, which is trusted, but must not cause a traceback either."""
    with _file(data) as path, contextlib.suppress(ConfigError):
        load_config(path)
    with _file(b"") as path, contextlib.suppress(ConfigError):
        load_config(path, [f"trainer.units={data.decode('utf-8', 'replace')}"])


def read_tf_config(data: bytes) -> None:
    """The environment variable TF_CONFIG."""
    with contextlib.suppress(ClusterConfigError):
        read_cluster({"TF_CONFIG": data.decode("utf-8", "replace")})


def read_table(data: bytes) -> None:
    """A file of any kind that `higgs convert` recognizes by its content."""
    with _file(data) as path, contextlib.suppress(IntakeError, RecordError):
        for _ in read_source(Source("input", path), IntakeOptions(), Counts(), lambda _: None):
            pass


TARGETS: dict[str, Callable[[bytes], None]] = {
    "shard": read_shard,
    "record": read_record,
    "json": read_json,
    "manifest": read_data_manifest,
    "configuration": read_configuration,
    "tf_config": read_tf_config,
    "table": read_table,
}


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Limits time and memory; must be called in the main thread.

    Raises:
        LimitError: the block took too long.
        MemoryError: it allocated too much.
    """
    used = sum(_megabytes("VmData")) << 20
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    handler = signal.signal(signal.SIGALRM, _stop)
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY_BYTES, hard))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _stop(*_: object) -> None:
    raise LimitError(f"an input took more than {SECONDS} s")


def _megabytes(name: str) -> Iterator[int]:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            yield int(line.split()[1]) >> 10


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[Path]:
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (faster)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="higgs-fuzz-") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)
