"""AUC of the default preset trained through a window, against all events in memory.

    python -m benchmarks streamed_auc           a million generated events, hours
    python -m benchmarks.streamed_auc --quick   a fifth of them, with one seed

Both trainings of a seed have the same events, in the same process. The window holds an eighth of
them. Each model is compared on generated events that neither has seen.
"""

import gc
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks import command_line
from benchmarks.generated_events import evaluation_events, to_table, training_events
from benchmarks.measurement import Measure, Measurement, Sense
from benchmarks.trainings import train
from formats.hyperparameters import resolve
from models.event_table import EventTable
from models.training.event_survey import Splits

DIFFERENCE = Measure("streamed_auc", "AUC", 0.0003, Sense.AT_MOST)
"""Magnitude of the difference; the goal is that of a million events."""

FULL, QUICK = (1_000_000, 2), (200_000, 1)
"""Number of training events, and of seeds."""

WINDOWS = 8
"""Training events divided by those in memory."""

VALIDATION_EVENTS, TEST_EVENTS = 50_000, 500_000

BATCH = 16_384


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the difference for each seed; prints both AUCs as soon as they are known."""
    events, seeds = QUICK if quick else FULL
    unseen = to_table(evaluation_events(VALIDATION_EVENTS + TEST_EVENTS))
    validation = _rows(unseen, slice(VALIDATION_EVENTS))
    test = _rows(unseen, slice(VALIDATION_EVENTS, None))
    splits = Splits.of_tables(to_table(training_events(events)), validation)
    differences = []
    for seed in range(seeds):
        held = _auc(splits, test, seed, None)
        streamed = _auc(splits, test, seed, events // WINDOWS)
        difference = streamed - held
        print(
            f"seed {seed}: AUC {streamed:.5f} streamed, {held:.5f} in memory, {difference:+.5f}",
            flush=True,
        )
        differences.append(abs(difference))
    sizes = f"{events:,} events, {seeds} seeds, {TEST_EVENTS:,} events for the AUC"
    yield Measurement(DIFFERENCE, tuple(differences), sizes=sizes)


def _auc(splits: Splits, test: EventTable, seed: int, window: int | None) -> float:
    model = train(splits, resolve("default"), seed=seed, window=window).model
    scores = np.concatenate(
        [
            np.asarray(model(test.features[start : start + BATCH]))
            for start in range(0, len(test), BATCH)
        ]
    )
    # The next training must not find the memory of this one in use.
    del model
    gc.collect()
    return float(roc_auc_score(test.labels[:, 0], scores[:, 0]))


def _rows(events: EventTable, rows: slice) -> EventTable:
    return EventTable(events.features[rows], events.labels[rows])


if __name__ == "__main__":
    command_line.main(measure)
