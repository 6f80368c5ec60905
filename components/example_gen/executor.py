"""Executor of CollisionExampleGen: distributes the shards over Beam's workers.

A shard is one task. A worker decodes and writes the whole shard, and returns the counts or the
reason for a refusal.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tfx import types
from tfx.components.example_gen import utils
from tfx.components.example_gen.import_example_gen import executor
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from components.example_gen.shard_content import check_content
from components.example_gen.shard_ingestion import ShardTask, SplitSummary
from components.example_gen.shard_results import Ingested, combine, ingest, read_summary
from formats import examples as parquet_examples
from formats import hash_runs, ingested_shards, invalid_values, names
from formats.artifact_types import Artifacts
from formats.errors import DataRefusedError
from formats.ingested_shards import IngestionFile
from formats.published.shards import is_shard
from formats.published.tfrecord import RecordError
from formats.task_results import run_tasks
from formats.text import first_names

logger = logging.getLogger("higgs.example_gen")

CONTENT_KEY_KEY = "content_key"
IGNORED_KEYS_KEY = "ignored_keys"
"""Parameters of the node, besides those of ImportExampleGen."""


class Executor(executor.Executor):
    """Decodes published TFRecord shards into Parquet Examples."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Ingests every shard and records the events of each split on the artifact.

        Raises:
            DataRefusedError: a shard contains anything but valid records, is not the one that the
                content key or the manifest describes, or a split is empty.
            LostTaskError: the Beam runner lost a shard.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        input_base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        tasks = plan_tasks(
            input_base,
            _parse(exec_properties, standard_component_specs.INPUT_CONFIG_KEY, "Input"),
            _parse(exec_properties, standard_component_specs.OUTPUT_CONFIG_KEY, "Output"),
            examples.uri,
            json.loads(exec_properties.get(IGNORED_KEYS_KEY) or "[]"),
        )
        staging = f"{examples.uri}/.staging"
        summaries = run_tasks(
            self._make_beam_pipeline(),
            tasks,
            ingest,
            f"{staging}/results",
            "shards",
            refusals=(DataRefusedError, RecordError),
        )
        ingested = combine(tasks, [*map(read_summary, summaries)])
        key = exec_properties.get(CONTENT_KEY_KEY) or ""
        manifest_problem = check_content(input_base, ingested.shards, key)
        check_files(examples.uri, ingested.splits)
        fileio.rmtree(staging)
        if ingested.empty:
            logger.info("skipped without records: %s", first_names(ingested.empty, 3))
        _describe(examples, ingested)
        record = IngestionFile(
            shards=tuple(ingested.shards),
            ignored_keys=tuple(tasks[0].ignored_keys),
            manifest_problem=manifest_problem,
        )
        path = f"{examples.uri}/{ingested_shards.FILE_NAME}"
        io_utils.write_string_file(path, record.model_dump_json())


def plan_tasks(
    input_base: str,
    input_config: example_gen_pb2.Input,
    output_config: example_gen_pb2.Output,
    output_uri: str,
    ignored_keys: Sequence[str] = (),
) -> list[ShardTask]:
    """Plans one task per shard, ordered by split and path.

    Raises:
        DataRefusedError: no shard matches a split's pattern.
    """
    outputs = utils.generate_output_split_names(input_config, output_config)
    for split in outputs:
        fileio.makedirs(parquet_examples.split_folder(output_uri, split))
        fileio.makedirs(hash_runs.folder_of(output_uri, split))
    hashed = output_config.split_config.splits
    tasks: list[ShardTask] = []
    for split in input_config.splits:
        for path in _shards(f"{input_base}/{split.pattern}"):
            tasks.append(
                ShardTask(
                    index=len(tasks),
                    path=path,
                    splits=outputs if hashed else [split.name],
                    buckets=[s.hash_buckets for s in hashed] if hashed else [1],
                    output=output_uri,
                    row_group_events=parquet_examples.ROW_GROUP_EVENTS,
                    ignored_keys=ignored_keys,
                )
            )
    return tasks


def check_files(uri: str, summaries: Mapping[str, SplitSummary]) -> None:
    """Compares the number of events in the files of each split with the number decoded.

    Raises:
        RuntimeError: they differ.
    """
    for split, summary in summaries.items():
        stored = parquet_examples.count_events(uri, split)
        if stored != summary.events:
            folder = parquet_examples.split_folder(uri, split)
            raise RuntimeError(
                f"{folder} contains {stored} events, but {summary.events} were decoded; the "
                "storage lost or duplicated a file: run ingestion again"
            )


def _shards(pattern: str) -> list[str]:
    shards = [path for path in sorted(fileio.glob(pattern)) if is_shard(path)]
    if not shards:
        raise DataRefusedError(f"no TFRecord shard matches {pattern}")
    return shards


def _describe(examples: types.Artifact, ingested: Ingested) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(ingested.splits))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_PARQUET)
    examples_utils.set_file_format(
        examples, example_gen_pb2.FileFormat.Name(example_gen_pb2.FILE_FORMAT_PARQUET)
    )
    for split, summary in ingested.splits.items():
        examples.set_int_custom_property(names.events_property(split), summary.events)
        examples.set_string_custom_property(
            names.invalid_values_property(split), invalid_values.to_json(summary.invalid_values)
        )


def _parse(exec_properties: dict[str, Any], key: str, kind: str) -> Any:
    message = getattr(example_gen_pb2, kind)()
    proto_utils.json_to_proto(exec_properties[key], message)
    return message
