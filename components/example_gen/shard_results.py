"""Results of the shards: JSON per shard, combined to a summary per split.

Workers import this module without TFX and TensorFlow, which would take most of their time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.example_gen.shard_ingestion import (
    ShardSummary,
    ShardTask,
    SplitSummary,
    ingest_shard,
)
from formats import invalid_values
from formats.errors import DataRefusedError
from formats.ingested_shards import IngestedShard
from formats.published.tfrecord import RecordError
from formats.task_results import check_refusals


@dataclass(frozen=True)
class ShardResult:
    """The result of ingesting one shard.

    Attributes:
        shard: what was ingested; None for a rejected shard.
        error: why the shard was rejected; empty if it was not.
    """

    shard: ShardSummary | None
    error: str = ""

    def to_json(self) -> str:
        """Returns the result as JSON."""
        content: dict[str, object] = {"error": self.error}
        if self.shard:
            content["sha256"] = self.shard.sha256
            content["splits"] = {
                split: [summary.events, invalid_values.to_json(summary.invalid_values)]
                for split, summary in self.shard.splits.items()
            }
        return json.dumps(content)

    @classmethod
    def from_json(cls, text: str) -> "ShardResult":
        """Reads what ``to_json`` wrote."""
        content = json.loads(text)
        if "splits" not in content:
            return cls(None, content["error"])
        splits = {
            split: SplitSummary(events, invalid_values.from_json(invalid))
            for split, (events, invalid) in content["splits"].items()
        }
        return cls(ShardSummary(splits, content["sha256"]), content["error"])


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


def ingest(task: ShardTask) -> str:
    """Ingests one shard; returns its ``ShardResult`` as JSON."""
    # A distributed runner would retry an exception and report it as a stack trace.
    try:
        result = ShardResult(ingest_shard(task))
    except (DataRefusedError, RecordError) as error:
        result = ShardResult(None, str(error))
    return result.to_json()


def combine(tasks: Sequence[ShardTask], results: Sequence[ShardResult]) -> Ingested:
    """Adds up the summaries by split.

    Args:
        tasks: all tasks.
        results: their results, in the same order.

    Raises:
        DataRefusedError: a shard was refused (the first one is named) or a split is empty.
    """
    check_refusals((result.error for result in results), "shards")
    shards = [result.shard for result in results if result.shard]
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
            raise DataRefusedError(
                f"no events for the split {split!r} in {number}, the first of which is {paths[0]}; "
                "every split needs events"
            )
