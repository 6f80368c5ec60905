"""Events for the benchmarks, from the project's own generator."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from formats.published.record import Events
from models.event_table import EventTable
from pipeline.sample_data import monte_carlo, shard_writer

TRAIN_SEED, EVAL_SEED = 0, 1


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for everything that a benchmark writes, deleted at its end."""
    with tempfile.TemporaryDirectory(prefix="higgs-bench-") as folder:
        yield Path(folder)


def write_shards(folder: Path, *, num_train: int, num_eval: int) -> Path:
    """Writes events as ``training/`` and ``validation/`` shards.

    An event depends only on its position in the split, so a small data set contains the first
    events of a large one.
    """
    shard_writer.write_dataset(
        folder,
        monte_carlo.generate(num_train, TRAIN_SEED),
        monte_carlo.generate(num_eval, EVAL_SEED),
    )
    return folder


def evaluation_events(count: int) -> Events:
    """The first events of every ``validation/``, in memory."""
    return _concatenate(monte_carlo.generate(count, EVAL_SEED))


def training_events(count: int) -> Events:
    """The first events of every ``training/``, in memory."""
    return _concatenate(monte_carlo.generate(count, TRAIN_SEED))


def to_table(events: Events) -> EventTable:
    """The events in the form that the models use."""
    return EventTable(events.features, events.labels.reshape(-1, 1))


def _concatenate(chunks: Iterator[Events]) -> Events:
    features, labels = zip(*chunks, strict=True)
    return Events(np.concatenate(features), np.concatenate(labels))
