"""Samples of the quality benchmark: events to train on and events to test with."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.generated_events import evaluation_events, to_table, training_events
from formats.published.record import Events
from models.event_table import EventTable
from pipeline.intake.event_source import read_source
from pipeline.intake.input_sources import Source
from pipeline.intake.table_events import Counts, IntakeOptions

TEST_ROWS = 6_233
GENERATED_TEST_EVENTS = 200_000
VALIDATION_FRACTION = 0.08


@dataclass(frozen=True)
class Sample:
    """Events to train on and to test with.

    Attributes:
        name: description of the events.
        train: events to fit.
        validation: events for early stopping and the choice of settings.
        test: events that are not used for any choice.
    """

    name: str
    train: EventTable
    validation: EventTable
    test: EventTable

    def digest(self) -> str:
        """A digest of the name and the events."""
        digest = hashlib.sha256(self.name.encode())
        for events in (self.train, self.validation, self.test):
            digest.update(events.features.tobytes())
            digest.update(events.labels.tobytes())
        return digest.hexdigest()


def real_sample(csv: Path) -> Sample:
    """The rows of a CSV; the last ones are the test events.

    Raises:
        ValueError: the file has no more rows than the test alone needs.
    """
    source = Source(str(csv), csv)
    rows = _concatenate(read_source(source, IntakeOptions(), Counts(), lambda _: None))
    if len(rows) <= TEST_ROWS:
        raise ValueError(
            f"{csv}: {len(rows):,} rows, but the last {TEST_ROWS:,} are the test set; give more"
        )
    training, test = _split(rows, len(rows) - TEST_ROWS)
    return _sample(f"{len(training):,} real", training, test)


def generated_sample(count: int) -> Sample:
    """Events of the toy generator."""
    test = to_table(evaluation_events(GENERATED_TEST_EVENTS))
    return _sample(f"{count:,} generated", to_table(training_events(count)), test)


def _concatenate(chunks: Iterator[Events]) -> EventTable:
    features, labels = zip(*chunks, strict=True)
    return to_table(Events(np.concatenate(features), np.concatenate(labels)))


def _sample(name: str, events: EventTable, test: EventTable) -> Sample:
    train, validation = _split(events, round(len(events) * (1 - VALIDATION_FRACTION)))
    return Sample(name, train, validation, test)


def _split(events: EventTable, first: int) -> tuple[EventTable, EventTable]:
    return events[:first], events[first:]
