"""Conversion of inputs to a data set in the published layout, with a manifest."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.example_gen.hash_split import assign_splits
from formats.event_hash import event_hashes
from formats.prefetching import prefetch
from formats.published.additional_keys import make_encoder
from formats.published.manifest import Manifest, ShardEntry, now
from formats.published.record import Events, encode_events
from formats.splitmix64 import mix
from pipeline.intake.event_source import read_source
from pipeline.intake.hash_sample import HashSample
from pipeline.intake.input_sources import Source
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.table_events import Counts, IntakeOptions
from pipeline.local_data import TEST, TRAINING, VALIDATION
from pipeline.sample_data.event_streams import split_by, split_last
from pipeline.sample_data.shard_writer import SHARD_SIZE, SPLITS, SplitSize, write_dataset

PUBLISHED_VALIDATION_ROWS = 500_000
"""Size of the validation set by convention: the last of UCI's 11,000,000 rows."""

_HASH_BUCKETS = (4, 1)
_MAX_SIGMAS = 5.0


@dataclass(frozen=True)
class SplitOptions:
    """How events are split.

    Attributes:
        by_hash: a hash of each event sends a fifth of them to validation; otherwise the last ones
            go there.
        validation_rows: number of the last events that form the validation set; None means a
            fifth, at most `PUBLISHED_VALIDATION_ROWS`.
    """

    by_hash: bool = False
    validation_rows: int | None = None


@dataclass(frozen=True)
class Inputs:
    """The inputs of a conversion.

    Attributes:
        training: inputs whose events are split; those of the training set if the inputs are
            already split.
        validation: inputs of the validation set, if the inputs are already split.
        test: inputs of the test set, if there is one.
    """

    training: Sequence[Source]
    validation: Sequence[Source] = ()
    test: Sequence[Source] = ()

    def __iter__(self) -> Iterator[Source]:
        """Yields all of them in the order in which they are read."""
        return chain(self.training, self.validation, self.test)

    def size(self) -> int | None:
        """Returns the number of bytes of all inputs; None if there is a stream."""
        sizes = [source.bytes for source in self]
        return None if None in sizes else sum(size for size in sizes if size is not None)


@dataclass(frozen=True)
class Conversion:
    """The outcome of a conversion.

    Attributes:
        sizes: events and shards by split.
        counts: what was read, dropped and changed.
    """

    sizes: Mapping[str, SplitSize]
    counts: Counts = field(default_factory=Counts)


def convert(
    inputs: Inputs,
    directory: Path,
    options: IntakeOptions,
    split: SplitOptions,
    *,
    described: Mapping[str, str] | None = None,
    shard_size: int = SHARD_SIZE,
    overwrite: bool = False,
    on_read: Callable[[int], None] = lambda _: None,
) -> Conversion:
    """Converts inputs to a data set in the published layout.

    Args:
        inputs: what is read.
        directory: the folder of the splits, as for `write_dataset`.
        options: how it is read.
        split: how it is split.
        described: the options as text, for the manifest.
        shard_size: events per shard.
        overwrite: replace the shards of an earlier data set.
        on_read: called with the number of bytes of the inputs read so far.

    Raises:
        IntakeError: an input cannot be converted; nothing is written.
        OutputExistsError: as for `write_dataset`.
        FolderBusyError: the same.
    """
    counts = Counts()
    splits = _SplitChecks(are_given=bool(inputs.validation), by_hash=split.by_hash)

    done = 0

    def on_part(part: int) -> None:
        on_read(done + part)

    def read(sources: Sequence[Source]) -> Iterator[Events]:
        nonlocal done
        for source in sources:
            yield from read_source(source, options, counts, on_part)
            done += counts.sources[-1].bytes or 0

    # Reading and writing take about the same time; each has a thread of its own.
    training, validation = _split(inputs, split, lambda sources: prefetch(read(sources)))

    sizes = write_dataset(
        directory,
        splits.count(TRAINING, training),
        splits.count(VALIDATION, validation),
        splits.checked(splits.count(TEST, prefetch(read(inputs.test))), counts),
        shard_size=shard_size,
        overwrite=overwrite,
        encode=_encoder(options.columns.keep),
        make_manifest=partial(_make_manifest, counts, options.columns.keep, described or {}),
    )
    return Conversion(sizes, counts)


def _make_manifest(
    counts: Counts,
    columns: tuple[str, ...],
    described: Mapping[str, str],
    shards: tuple[ShardEntry, ...],
) -> Manifest:
    return Manifest(
        created=now(),
        sources=tuple(counts.sources),
        options=dict(described),
        read=counts.read,
        written=sum(shard.events for shard in shards),
        dropped=counts.dropped,
        changed=counts.changed,
        columns=columns,
        shards=shards,
    )


def conventional_validation_rows(rows: int) -> int:
    """Returns the number of validation rows by convention: a fifth, at most 500,000."""
    return min(PUBLISHED_VALIDATION_ROWS, rows // 5)


def _split(
    inputs: Inputs, split: SplitOptions, read: Callable[[Sequence[Source]], Iterator[Events]]
) -> tuple[Iterator[Events], Iterator[Events]]:
    training = read(inputs.training)
    if inputs.validation:
        return training, read(inputs.validation)
    if split.by_hash:
        return split_by(training, _is_validation)
    if split.validation_rows is None:
        return split_last(training, conventional_validation_rows)
    fixed = split.validation_rows
    return split_last(_require_more(fixed, training), lambda _: fixed)


def _is_validation(events: Events) -> NDArray[np.bool_]:
    """Chooses a fifth of the events, equal ones together.

    The hash is mixed once more: a run may split one of the two parts by the same hash again.
    """
    return assign_splits(mix(~event_hashes(events.features)), _HASH_BUCKETS) == 1


def _require_more(limit: int, chunks: Iterable[Events]) -> Iterator[Events]:
    count = 0
    for chunk in chunks:
        yield chunk
        count += len(chunk.labels)
    if count <= limit:
        raise IntakeError(
            f"The input has {count} events, so the last {limit} leave none to train on. "
            f"Choose fewer than {count} --validation-rows."
        )


def _encoder(keys: Sequence[str]) -> Callable[[Events], bytes]:
    if not keys:
        return encode_events
    encode = make_encoder(keys)
    return lambda events: encode(Events(*events[:2]), events[2])  # type: ignore[misc]


class _SplitChecks:
    """Counts of events, signal events and repeated events by split."""

    def __init__(self, *, are_given: bool, by_hash: bool) -> None:
        """Takes whether the inputs were already split, and otherwise how they are."""
        self._are_given, self._by_hash = are_given, by_hash
        self._hashes = HashSample()
        self._events, self._signal = dict.fromkeys(SPLITS, 0), dict.fromkeys(SPLITS, 0)

    def count(self, split: str, chunks: Iterable[Events]) -> Iterator[Events]:
        """Counts the events of a split that is passed on."""
        for chunk in chunks:
            self._events[split] += len(chunk.labels)
            self._signal[split] += int(chunk.labels.sum())
            self._hashes.add(split, chunk.features, chunk.labels)
            yield chunk

    def checked(self, chunks: Iterable[Events], counts: Counts) -> Iterator[Events]:
        """Passes on the events of the last split, then compares the other splits with training.

        Raises:
            IntakeError: there are no events, or the balance of the classes differs by more than
                five standard deviations.
        """
        yield from chunks
        events, signal = self._events, self._signal
        total, total_signal = sum(events.values()), sum(signal.values())
        if not total:
            first, *others = counts.sources
            more = f" and {len(others)} more" if others else ""
            raise IntakeError(f"{first.name}{more}: no complete events. Name files with events.")
        if total_signal in (0, total):
            kind = "signal" if total_signal else "background"
            counts.notes.append(f"all events are {kind}; training needs both classes")
        for split in (VALIDATION, TEST):
            self._check_balance(split)
        is_fixed = self._are_given or self._by_hash
        counts.notes += self._hashes.notes(
            "remove them from one of the two" if is_fixed else "--split hash keeps them together"
        )

    def _check_balance(self, split: str) -> None:
        pair = (TRAINING, split)
        events, signal = ([counts[s] for s in pair] for counts in (self._events, self._signal))
        if not all(events):
            return
        share = sum(signal) / sum(events)
        deviation = math.sqrt(share * (1 - share) * sum(1 / n for n in events))
        shares = [part / whole for part, whole in zip(signal, events, strict=True)]
        if not abs(shares[0] - shares[1]) > _MAX_SIGMAS * deviation > 0:
            return
        if self._are_given:
            raise IntakeError(
                f"The splits of the input differ: {shares[0]:.1%} of the events for training are "
                f"signal, but {shares[1]:.1%} of the {events[1]:,} for {split}. Name the files or "
                "folders one by one to have their events joined and split again, or split them "
                "anew at their source."
            )
        raise IntakeError(
            f"The input is not shuffled: {shares[0]:.1%} of the events for training are signal, "
            f"but {shares[1]:.1%} of the last {events[1]:,}, which would be the validation set. "
            "Choose it by a hash of each event with --split hash."
        )
