"""Results of the shards: one line of JSON per shard, combined to a summary per split."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.example_gen.shard_ingestion import ShardSummary, ShardTask, SplitSummary
from formats import invalid_values
from formats.errors import DataRefusedError
from formats.ingested_shards import IngestedShard


@dataclass(frozen=True)
class ShardResult:
    """The result of ingesting one shard.

    Attributes:
        index: the shard's index.
        shard: what was ingested; None for a rejected shard.
        error: why the shard was rejected; empty if it was not.
    """

    index: int
    shard: ShardSummary | None
    error: str = ""

    def to_json(self) -> str:
        """Returns the result as one line."""
        content: dict[str, object] = {"index": self.index, "error": self.error}
        if self.shard:
            content["sha256"] = self.shard.sha256
            content["splits"] = {
                split: [summary.events, invalid_values.to_json(summary.invalid_values)]
                for split, summary in self.shard.splits.items()
            }
        return json.dumps(content)

    @classmethod
    def from_json(cls, line: str) -> "ShardResult":
        """Reads a line that ``to_json`` wrote."""
        content = json.loads(line)
        if "splits" not in content:
            return cls(content["index"], None, content["error"])
        splits = {
            split: SplitSummary(events, invalid_values.from_json(invalid))
            for split, (events, invalid) in content["splits"].items()
        }
        return cls(content["index"], ShardSummary(splits, content["sha256"]), content["error"])


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


def combine(tasks: Sequence[ShardTask], results: Iterable[ShardResult]) -> Ingested:
    """Adds up the summaries by split, after checking that every shard was ingested once.

    Raises:
        DataRefusedError: a shard was rejected (the first one is named) or a split is empty.
        RuntimeError: the result of a shard is missing or duplicated.
    """
    results = sorted(results, key=lambda result: result.index)
    errors = [result.error for result in results if result.error]
    if errors:
        more = f"\n({len(errors)} of {len(tasks)} shards were rejected)" if errors[1:] else ""
        raise DataRefusedError(errors[0] + more)
    indices = [result.index for result in results]
    if indices != [task.index for task in tasks]:
        raise RuntimeError(
            f"the Beam runner reported {len(indices)} shards ({len(set(indices))} distinct) of "
            f"{len(tasks)}: work was lost or done twice; use another runner in beam.args"
        )
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
