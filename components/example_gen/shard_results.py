"""Results of the shards: JSON per shard, combined to a summary per split.

Workers import this module without TFX and TensorFlow, which would take most of their time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from components.example_gen.shard_ingestion import (
    ShardSummary,
    ShardTask,
    SplitSummary,
    ingest_shard,
)
from formats.errors import DataRefusedError
from formats.ingested_shards import IngestedShard

_SUMMARY = TypeAdapter(ShardSummary)


@dataclass(frozen=True)
class Ingested:
    """All shards together.

    Attributes:
        splits: summary by split.
        shards: the shards in the order of their tasks.
    """

    splits: Mapping[str, SplitSummary]
    shards: Sequence[IngestedShard]

    @property
    def empty(self) -> list[str]:
        """The paths of the shards without records."""
        return [shard.path for shard in self.shards if not sum(shard.events.values())]


def ingest(task: ShardTask) -> dict[str, Any]:
    """Ingests one shard; returns its summary as JSON can hold it."""
    return asdict(ingest_shard(task))


def read_summary(content: dict[str, Any]) -> ShardSummary:
    """Reads what ``ingest`` returned."""
    return _SUMMARY.validate_python(content)


def combine(tasks: Sequence[ShardTask], shards: Sequence[ShardSummary]) -> Ingested:
    """Adds up the summaries by split.

    Args:
        tasks: all tasks.
        shards: their results, in the same order.

    Raises:
        DataRefusedError: a split is empty.
    """
    total = {split: SplitSummary(0, {}) for task in tasks for split in task.splits}
    for shard in shards:
        for split, summary in shard.splits.items():
            total[split] += summary
    _check_splits(tasks, total)
    records = [
        IngestedShard(
            path=task.path,
            sha256=shard.sha256,
            events={split: summary.events for split, summary in shard.splits.items()},
        )
        for task, shard in zip(tasks, shards, strict=True)
    ]
    return Ingested(total, records)


def _check_splits(tasks: Sequence[ShardTask], total: Mapping[str, SplitSummary]) -> None:
    for split, summary in total.items():
        if not summary.events:
            paths = [task.path for task in tasks if split in task.splits]
            number = f"{len(paths)} shards" if paths[1:] else "1 shard"
            remedy = "give shards with events"
            if any(other.events for other in total.values()) and len(tasks[0].splits) > 1:
                remedy = (
                    "the hash of each event assigned all of them to other splits, as it does with "
                    "few or equal events: give more events, or a folder per split"
                )
            raise DataRefusedError(
                f"no events for the split {split!r} in {number}, the first of which is {paths[0]}; "
                f"{remedy}"
            )
