"""Survey of the training split: one pass over the events, before the first step.

It counts the events, sets those for validation aside, and draws the sample on which columns are
measured and trees are grown. A hash of each event decides, so that the parts are the same for any
files, any order of the events in them, and any number of hosts.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from formats import splitmix64
from formats.event_counts import check_events
from formats.event_hash import event_hashes
from formats.features import NUM_FEATURES
from formats.names import TRAIN_SPLIT
from formats.splitmix64 import Words
from models.event_table import Array, EventTable, InputDataError
from models.row_groups import EventSource, TableSource

MAX_VALIDATION_EVENTS = 500_000
"""Maximum number of events that are set aside for validation."""

SAMPLE_EVENTS = 1_000_000
"""Approximate number of events on which columns are measured; trees may need more."""

Gather = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
"""Concatenates the arrays of all processes along the first axis, in their order."""


@dataclass(frozen=True)
class Piece:
    """Rows of one row group that belong to one host.

    Attributes:
        group: index of the row group in the source.
        start: the first row.
        stop: the row after the last one.
        host: the host that trains on them.
        count: number of training events among them.
    """

    group: int
    start: int
    stop: int
    host: int
    count: int = 0


@dataclass(frozen=True)
class TrainingEvents:
    """The events to train on, which are read piece by piece.

    Attributes:
        source: contains the validation events as well.
        limit: the share of the events that is set aside.
        pieces: those that this process reads, by row group.
        by_host: number of training events of each host, of all processes.
    """

    source: EventSource
    limit: float
    pieces: Sequence[Piece]
    by_host: Sequence[int]

    def __len__(self) -> int:
        """Returns the number of training events of all hosts together."""
        return sum(self.by_host)

    @property
    def usable(self) -> int:
        """Number of events of an epoch, if all hosts have as many as the one with the fewest."""
        return min(self.by_host) * len(self.by_host)

    def of_host(self, host: int) -> "TrainingEvents":
        """Returns the part of one host."""
        return replace(self, pieces=[piece for piece in self.pieces if piece.host == host])

    def read(self, piece: Piece) -> tuple[EventTable, Words]:
        """Reads the training events of a piece.

        Returns:
            The events, with the features as published, and their sort keys, uint64 [N].

        Raises:
            EventCountError: the piece has other events than at the survey.
        """
        events = _rows(self.source, piece)
        keys = event_keys(events.features)
        is_train = ~below(keys, self.limit)
        events = events[is_train]
        check_events(TRAIN_SPLIT, len(events), piece.count, self.source.name)
        return events, sort_keys(keys[is_train], events.labels)


@dataclass(frozen=True)
class Splits:
    """The two parts of a training: the Trainer never reads the split that judges the model.

    Attributes:
        train: the events to learn from.
        sample: training events of all hosts, to measure columns and to grow trees on.
        validation: the events on which epochs are compared and logits are blended, of all hosts.
        fingerprint: sum of a hash of each event with its label, modulo 2**64.

    Sample and validation events are sorted by ``sort_keys``.
    """

    train: TrainingEvents
    sample: EventTable
    validation: EventTable
    fingerprint: int

    @classmethod
    def of_tables(cls, train: EventTable, validation: EventTable) -> "Splits":
        """Returns given parts, with the features as published, for a training in one process."""
        splits = survey(TableSource(train), 0.0)
        return replace(splits, validation=validation)

    def __len__(self) -> int:
        """Returns the number of events of both parts, of all hosts together."""
        return len(self.train) + len(self.validation)

    def united(self) -> "Splits":
        """Returns training and validation events as training events, in memory, on every host.

        Raises:
            ValueError: the sample does not have all training events; it has up to
                ``SAMPLE_EVENTS`` of them.
        """
        if len(self.sample) != len(self.train):
            raise ValueError(f"the sample has {len(self.sample)} of {len(self.train)} events")
        events = EventTable(
            np.concatenate([self.sample.features, self.validation.features]),
            np.concatenate([self.sample.labels, self.validation.labels]),
        )
        hosts = range(len(self.train.by_host))
        return survey(TableSource(events), 0.0, hosts=len(hosts), own_hosts=hosts)


def survey(
    source: EventSource,
    validation_share: float,
    *,
    sample_events: int = SAMPLE_EVENTS,
    hosts: int = 1,
    own_hosts: Sequence[int] = (0,),
    gather: Gather = np.asarray,
) -> Splits:
    """Reads every event of this process once.

    The memory needed is that of the validation events, of the sample and of one row group.

    Args:
        source: all events, the same in every process.
        validation_share: share of the events to set aside, at most ``MAX_VALIDATION_EVENTS``.
        sample_events: approximate number of training events to sample.
        hosts: number of hosts that share the training events.
        own_hosts: the hosts whose events this process reads.
        gather: combines the arrays of all processes.

    Raises:
        InputDataError: the events cannot be trained on.
        EventCountError: the numbers of events in the row groups differ from their metadata.
    """
    total = sum(source.counts)
    limit = validation_limit(validation_share, total)
    upper = limit + sample_events / max(total, 1)
    pieces, sample, validation = [], [_NOTHING], [_NOTHING]
    fingerprint = 0
    for piece in divide(source.counts, hosts):
        if piece.host not in own_hosts:
            continue
        events = _rows(source, piece)
        keys = event_keys(events.features)
        is_validation = below(keys, limit)
        validation.append(events[is_validation])
        sample.append(events[~is_validation & below(keys, upper)])
        pieces.append(replace(piece, count=int((~is_validation).sum())))
        fingerprint += int(np.sum(sort_keys(keys, events.labels), dtype=np.uint64))
    by_host = gather(
        np.array([sum(piece.count for piece in pieces if piece.host == host) for host in own_hosts])
    )
    words = gather(np.array([fingerprint % 2**64], np.uint64).view(np.int64)).view(np.uint64)
    aside = _gather_table(validation, gather)
    check_events(TRAIN_SPLIT, int(by_host.sum()) + len(aside), total, source.name)
    return Splits(
        TrainingEvents(source, limit, pieces, by_host.tolist()),
        _gather_table(sample, gather),
        aside,
        int(np.sum(words, dtype=np.uint64)),
    )


def check_parts(splits: Splits, validation_share: float) -> None:
    """Checks that there are events to train on and to validate with.

    Raises:
        InputDataError: one of the parts has no events.
    """
    if not len(splits.train) or not len(splits.validation):
        raise InputDataError(
            f"{len(splits.train) + len(splits.validation)} events in {splits.train.source.name} "
            f"are too few to set aside the share {validation_share:g} for validation: train on "
            "more events, or raise trainer.validation_share"
        )


def divide(counts: Sequence[int], hosts: int) -> list[Piece]:
    """Divides the events among hosts, as equally as possible.

    Each host gets consecutive row groups. A row group at the border of two hosts is read by both,
    and each one keeps its own rows.

    >>> [(piece.group, piece.start, piece.stop, piece.host) for piece in divide([6, 4], 2)]
    [(0, 0, 5, 0), (0, 5, 6, 1), (1, 0, 4, 1)]
    """
    total, begin = sum(counts), 0
    pieces = []
    for group, count in enumerate(counts):
        for host in range(hosts):
            start = max(total * host // hosts, begin)
            stop = min(total * (host + 1) // hosts, begin + count)
            if start < stop:
                pieces.append(Piece(group, start - begin, stop - begin, host))
        begin += count
    return pieces


def event_keys(features: npt.NDArray[np.float32]) -> Words:
    """Returns the key of each event, uint64 [N], by which events are divided into parts.

    Args:
        features: float32 [N, 28].
    """
    # Mixed once more: the splits of a single folder follow from a hash of the same kind.
    return splitmix64.mix(event_hashes(features) + splitmix64.GOLDEN_GAMMA)


def sort_keys(keys: Words, labels: Array) -> Words:
    """Returns the keys by which events are sorted, uint64 [N]: equal only for equal rows.

    Args:
        keys: from ``event_keys``.
        labels: float32 [N, 1].
    """
    return splitmix64.mix(keys + labels[:, 0].astype(np.uint64))


def below(keys: Words, share: float) -> npt.NDArray[np.bool_]:
    """Returns which keys are in the lowest share of all keys: bool [N]."""
    if share >= 1:
        return np.ones(len(keys), np.bool_)
    return keys < np.uint64(share * 2.0**64)


def validation_limit(share: float, total: int) -> float:
    """Returns the share of the events that is set aside, lowered for many events.

    Hashes are random, so the number of events varies by its square root; six standard deviations
    keep it at most ``MAX_VALIDATION_EVENTS``.
    """
    largest = MAX_VALIDATION_EVENTS - 6 * math.sqrt(MAX_VALIDATION_EVENTS)
    return min(share, largest / max(total, 1))


_NOTHING = EventTable(np.empty([0, NUM_FEATURES], np.float32), np.empty([0, 1], np.float32))


def _rows(source: EventSource, piece: Piece) -> EventTable:
    return source.read(piece.group)[piece.start : piece.stop]


def _gather_table(parts: Sequence[EventTable], gather: Gather) -> EventTable:
    """Concatenates the parts of all processes, sorted by ``sort_keys``."""
    features = gather(np.concatenate([part.features for part in parts]))
    labels = gather(np.concatenate([part.labels for part in parts]))
    return EventTable(features, labels)[np.argsort(sort_keys(event_keys(features), labels))]
