"""Writer of one shard's events of a split: a Parquet file, and the hashes of its events."""

import contextlib
import uuid
from contextlib import AbstractContextManager

import numpy as np
import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from formats import examples as parquet_examples
from formats.atomic_files import naming
from formats.event_hash import event_hashes
from formats.hash_runs import MAX_RUN, run_path, write_run
from formats.invalid_values import InvalidColumns, find_invalid_values, merge
from formats.published.record import Events


class SplitWriter(AbstractContextManager["SplitWriter"]):
    """Writes row groups of a fixed size to temporary files, and moves them when all are complete.

    Attributes:
        events: number of events so far.
        invalid_values: invalid values of discrete columns among them.
    """

    def __init__(self, output: str, split: str, shard: int, row_group_events: int):
        """Opens the files below ``output``, the folder of the Examples."""
        folder = parquet_examples.split_folder(output, split)
        self._path = f"{folder}/data_parquet-{shard:05d}.parquet"
        # Beam may retry a worker that is still running, so the names are unique.
        self._temporary = f"{output}/.staging/{uuid.uuid4().hex}"
        self._runs = _RunWriter(output, split, shard, self._temporary)
        self._row_group_events = row_group_events
        self._pending: list[Events] = []
        self._open_files = contextlib.ExitStack()
        stream = self._open_files.enter_context(FileSystems.create(self._temporary))
        self._writer = self._open_files.enter_context(parquet_examples.parquet_writer(stream))
        self.events = 0
        self.invalid_values: InvalidColumns = {}

    def __exit__(self, error_type: object, *details: object) -> None:
        """Removes the temporary files after an error."""
        if error_type is not None:
            # The error of the block is the one to report; the staging folder is deleted.
            with contextlib.suppress(OSError, pa.ArrowException):
                self._open_files.close()
            with contextlib.suppress(BeamIOError):
                FileSystems.delete([self._temporary, *self._runs.files])

    def add(self, events: Events) -> None:
        """Takes the next events."""
        self._pending.append(events)
        self._runs.add(events)
        self.events += len(events.labels)
        self.invalid_values = merge(self.invalid_values, find_invalid_values(events))
        if sum(len(part.labels) for part in self._pending) >= self._row_group_events:
            self._flush(whole_groups_only=True)

    def close(self) -> None:
        """Completes the temporary files."""
        self._flush(whole_groups_only=False)
        self._runs.flush()
        with naming(self._temporary):
            self._open_files.close()

    def publish(self) -> None:
        """Moves the complete files to their final paths; a split without events gets none."""
        if not self.events:
            FileSystems.delete([self._temporary])
            return
        runs = self._runs.files
        FileSystems.rename([*runs, self._temporary], [*runs.values(), self._path])

    def _flush(self, *, whole_groups_only: bool) -> None:
        if not self._pending:
            return
        events = Events(*(np.concatenate(arrays) for arrays in zip(*self._pending, strict=True)))
        count = len(events.labels)
        if whole_groups_only:
            count -= count % self._row_group_events
        if count:
            complete = Events(events.features[:count], events.labels[:count])
            table = parquet_examples.to_table(complete)
            with naming(self._temporary):
                self._writer.write_table(table, row_group_size=self._row_group_events)
        self._pending = [Events(events.features[count:], events.labels[count:])]


class _RunWriter:
    """Writes hashes of events as sorted runs.

    Attributes:
        files: final path of each run by the path of its temporary file.
    """

    def __init__(self, output: str, split: str, shard: int, temporary: str):
        self._output, self._split, self._shard = output, split, shard
        self._temporary = temporary
        self._pending: list[np.ndarray] = []
        self.files: dict[str, str] = {}

    def add(self, events: Events) -> None:
        self._pending.append(event_hashes(events.features))
        if sum(map(len, self._pending)) >= MAX_RUN:
            self.flush()

    def flush(self) -> None:
        hashes = np.concatenate([*self._pending, np.empty(0, np.uint64)])
        if len(hashes):
            index = len(self.files)
            path = f"{self._temporary}-{index}"
            with naming(path):
                write_run(path, hashes)
            self.files[path] = run_path(self._output, self._split, self._shard, index)
        self._pending = []
