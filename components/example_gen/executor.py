"""Executor of CollisionExampleGen: spreads the shards over Beam's workers.

A shard is one element of the Beam pipeline, decoded and written whole where
the worker is. What comes back is one line a shard with its counts or the
reason it was refused: an exception would be tried again by a distributed
runner and would reach us as a stack trace.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.components.example_gen import utils
from tfx.components.example_gen.import_example_gen import executor
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.example_gen.shard_ingestion import (
    ROW_GROUP_EVENTS,
    Ingested,
    ShardTask,
    ingest_shard,
)
from formats.errors import DataRefusedError
from formats.invalid_values import from_json, merge, to_json
from formats.published.record import RecordError
from formats.published.shards import is_shard


def events_property(split: str) -> str:
    """The artifact's custom property that holds the number of events of ``split``."""
    return f"events_{split}"


def unknown_codes_property(split: str) -> str:
    """The artifact's custom property that holds the unknown b-tags of ``split``, as JSON."""
    return f"unknown_codes_{split}"


class Executor(executor.Executor):
    """Decodes published TFRecord shards into Parquet Examples."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Ingests every shard and records what each split got on the artifact.

        Raises:
          DataRefusedError: a shard holds something else than valid records, or a
            split got no event.
          RuntimeError: the Beam runner lost or doubled a shard.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        staging = f"{examples.uri}/.staging"
        tasks = plan_tasks(
            exec_properties[standard_component_specs.INPUT_BASE_KEY],
            _parse(exec_properties, standard_component_specs.INPUT_CONFIG_KEY, "Input"),
            _parse(exec_properties, standard_component_specs.OUTPUT_CONFIG_KEY, "Output"),
            examples.uri,
        )
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(tasks)
                | "Spread" >> beam.Reshuffle()
                | "Ingest" >> beam.Map(_ingest)
                | "Outcomes" >> beam.io.WriteToText(f"{staging}/outcomes")
            )
        ingested = tally(tasks, _read_outcomes(f"{staging}/outcomes*"))
        _check_written(examples.uri, ingested)
        fileio.rmtree(staging)
        _describe(examples, ingested)


def plan_tasks(
    input_base: str,
    input_config: example_gen_pb2.Input,
    output_config: example_gen_pb2.Output,
    output_uri: str,
) -> list[ShardTask]:
    """One task a shard, in the order of split and path.

    Raises:
      DataRefusedError: a split's pattern matches no shard.
    """
    outputs = {
        split: f"{output_uri}/Split-{split}"
        for split in utils.generate_output_split_names(input_config, output_config)
    }
    for folder in outputs.values():
        fileio.makedirs(folder)
    hashed = output_config.split_config.splits
    tasks: list[ShardTask] = []
    for split in input_config.splits:
        for path in _shards(f"{input_base}/{split.pattern}"):
            tasks.append(
                ShardTask(
                    index=len(tasks),
                    path=path,
                    splits=outputs if hashed else {split.name: outputs[split.name]},
                    buckets=[s.hash_buckets for s in hashed] if hashed else [1],
                    staging=f"{output_uri}/.staging",
                    row_group_events=ROW_GROUP_EVENTS,
                )
            )
    return tasks


def tally(tasks: Sequence[ShardTask], outcomes: Iterable[dict[str, Any]]) -> dict[str, Ingested]:
    """Sums what the splits got, once every shard is seen to have been ingested once.

    Raises:
      DataRefusedError: a shard was refused (the first one is named) or a split is empty.
      RuntimeError: a shard is missing from the outcomes or is there twice.
    """
    outcomes = sorted(outcomes, key=lambda outcome: outcome["index"])
    refused = [outcome["error"] for outcome in outcomes if "error" in outcome]
    if refused:
        more = f"\n({len(refused)} of {len(tasks)} shards were refused)" if refused[1:] else ""
        raise DataRefusedError(refused[0] + more)
    seen = [outcome["index"] for outcome in outcomes]
    if seen != [task.index for task in tasks]:
        raise RuntimeError(
            f"the Beam runner reported {len(seen)} shards ({len(set(seen))} distinct) of "
            f"{len(tasks)}: work was lost or done twice; use another runner in beam.args"
        )
    total = {split: Ingested(0, {}) for task in tasks for split in task.splits}
    for outcome in outcomes:
        for split, part in outcome["splits"].items():
            total[split] = Ingested(
                total[split].events + part["events"],
                merge(total[split].unknown_codes, from_json(part["unknown_codes"])),
            )
    empty = [split for split, ingested in total.items() if not ingested.events]
    if empty:
        raise DataRefusedError(
            f"no event for the split {empty[0]!r} in {len(tasks)} shards; every split needs some"
        )
    return total


def _ingest(task: ShardTask) -> str:
    try:
        splits = {
            split: {"events": part.events, "unknown_codes": to_json(part.unknown_codes)}
            for split, part in ingest_shard(task).items()
        }
        return json.dumps({"index": task.index, "splits": splits})
    except RecordError as error:
        return json.dumps({"index": task.index, "error": str(error)})


def _shards(pattern: str) -> list[str]:
    paths = sorted(fileio.glob(pattern))
    shards = [path for path in paths if is_shard(path)]
    if not shards:
        raise DataRefusedError(f"no TFRecord shard matches {pattern}")
    return shards


def _read_outcomes(pattern: str) -> list[dict[str, Any]]:
    outcomes = []
    for path in fileio.glob(pattern):
        with fileio.open(path, "r") as lines:
            outcomes += [json.loads(line) for line in lines.read().splitlines()]
    return outcomes


def _check_written(uri: str, ingested: Mapping[str, Ingested]) -> None:
    for split, expected in ((split, part.events) for split, part in ingested.items()):
        written = sum(_rows(path) for path in fileio.glob(f"{uri}/Split-{split}/*.parquet"))
        if written != expected:
            raise RuntimeError(
                f"{uri}/Split-{split} holds {written} events, {expected} were decoded; "
                "the storage lost or doubled a file: run ingestion again"
            )


def _rows(path: str) -> int:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        return int(pq.read_metadata(stream).num_rows)


def _describe(examples: types.Artifact, ingested: Mapping[str, Ingested]) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(ingested))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_PARQUET)
    examples_utils.set_file_format(
        examples, example_gen_pb2.FileFormat.Name(example_gen_pb2.FILE_FORMAT_PARQUET)
    )
    for split, part in ingested.items():
        examples.set_int_custom_property(events_property(split), part.events)
        examples.set_string_custom_property(
            unknown_codes_property(split), to_json(part.unknown_codes)
        )


def _parse(exec_properties: dict[str, Any], key: str, kind: str) -> Any:
    message = getattr(example_gen_pb2, kind)()
    proto_utils.json_to_proto(exec_properties[key], message)
    return message
