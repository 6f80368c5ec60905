"""Events to measure on, made by the project's own generator."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from formats.published.record import Events
from pipeline.sample_data import monte_carlo, shard_writer

TRAIN_SEED, EVAL_SEED = 0, 1


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for all that a benchmark writes, gone when it ends."""
    with tempfile.TemporaryDirectory(prefix="higgs-bench-") as folder:
        yield Path(folder)


def write_shards(folder: Path, *, train: int, evaluation: int) -> Path:
    """Writes so many events as ``training/`` and ``validation/`` shards.

    The events depend on their place in the split alone: those of a small data
    set are the first ones of a large one.
    """
    shard_writer.write_dataset(
        folder,
        monte_carlo.generate(train, TRAIN_SEED),
        monte_carlo.generate(evaluation, EVAL_SEED),
    )
    return folder


def evaluation_events(count: int) -> Events:
    """The first events of every ``validation/``, in memory."""
    return _joined(monte_carlo.generate(count, EVAL_SEED))


def training_events(count: int) -> Events:
    """The first events of every ``training/``, in memory."""
    return _joined(monte_carlo.generate(count, TRAIN_SEED))


def _joined(chunks: Iterator[Events]) -> Events:
    parts = list(chunks)
    return Events(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
