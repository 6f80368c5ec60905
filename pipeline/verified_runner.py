"""TFX's local runner, which also verifies the files of artifacts.

TFX takes a node from its cache if the directories of its outputs exist. This runner records the
files of every output before ML Metadata learns of it, forgets damaged outputs that a node would
reuse, and compares the inputs of each node with their records before and after it runs.
"""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from absl import logging
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler import constants
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import Metadata, sqlite_metadata_connection_config
from tfx.orchestration.portable import (
    cache_utils,
    data_types,
    launcher,
    runtime_parameter_utils,
)
from tfx.proto.orchestration import execution_result_pb2, pipeline_pb2

from formats.run_outcome import Output
from pipeline.artifact_records import ArtifactRecords
from pipeline.damaged_artifacts import check_input, forget_damaged, record_output
from pipeline.metadata_check import Executions, kept, read_executions
from pipeline.user_errors import MetadataError


class VerifiedRunner(LocalDagRunner):
    """Runs the nodes in order, and reuses only outputs whose files are unchanged."""

    def __init__(self, root: str, metadata_path: str):
        """Uses the metadata and the records of a root, which the caller holds exclusively."""
        super().__init__()
        self._records, self._metadata_path = ArtifactRecords(root), metadata_path
        self._executions = read_executions(Path(metadata_path)) or Executions()

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
    ) -> None:
        """Runs every node of a compiled pipeline that is not cached.

        Raises:
            ArtifactChangedError: an input of a node was damaged during the run.
            MetadataError: the metadata file was deleted, replaced or changed during the run.
        """
        assert run_options is None, "partial runs are not supported"
        nodes = [node.pipeline_node for node in pipeline.nodes]
        run_id = datetime.datetime.now().isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        for node in nodes:
            # The messages of TFX's runner, which the console reads.
            logging.info("Component %s is running.", node.node_info.id)
            with kept(Path(self._metadata_path), self._executions):
                self._launcher(pipeline, node).launch()
            self._executions = read_executions(Path(self._metadata_path)) or self._executions
            logging.info("Component %s is finished.", node.node_info.id)

    def _launcher(
        self, pipeline: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode
    ) -> launcher.Launcher:
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        node_id = node.node_info.id
        return VerifiedLauncher(
            records=self._records,
            metadata_path=self._metadata_path,
            pipeline_node=node,
            mlmd_connection=Metadata(sqlite_metadata_connection_config(self._metadata_path)),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=pipeline.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
        )


class VerifiedLauncher(launcher.Launcher):
    """Runs one node; compares its inputs with their records, and records its outputs."""

    def __init__(self, records: ArtifactRecords, metadata_path: str, **arguments: Any):
        """Takes the records, the metadata file, and the arguments of TFX's launcher."""
        super().__init__(**arguments)
        self._records, self._metadata_path = records, metadata_path

    def _prepare_execution(self) -> Any:
        """Makes TFX find cached outputs only if all of the node's are there, with unchanged files.

        TFX has no hook for it; its launcher looks the function up in the module at each call.

        Raises:
            MetadataError: an input is not in ML Metadata. TFX would skip this node and go on.
        """
        find_cached, node = cache_utils.get_cached_outputs, self._pipeline_node.node_info.id

        def get_cached_outputs(metadata_handle: Metadata, cache_context: mlmd.Context) -> Any:
            forget_damaged(metadata_handle.store, self._records, node, cache_context.id)
            outputs = find_cached(metadata_handle, cache_context)
            is_complete = set(outputs or ()) == set(self._pipeline_node.outputs.outputs)
            return outputs if is_complete else None

        with patch.object(cache_utils, "get_cached_outputs", get_cached_outputs):
            prepared = super()._prepare_execution()
        if prepared.execution_metadata is None:
            producers = ", ".join(self._pipeline_node.upstream_nodes)
            raise MetadataError(
                f"{node} does not find all its inputs, of {producers}, in {self._metadata_path}: "
                "another program changed the file during the run; run again"
            )
        return prepared

    def _run_executor(
        self, execution_info: data_types.ExecutionInfo
    ) -> execution_result_pb2.ExecutorOutput:
        self._check_inputs(execution_info)
        output = super()._run_executor(execution_info)
        # The node must have read what it was given.
        self._check_inputs(execution_info)
        for artifact in _outputs(execution_info, output):
            record_output(self._records, artifact)
        return output

    def _check_inputs(self, execution_info: data_types.ExecutionInfo) -> None:
        for artifacts in execution_info.input_dict.values():
            for artifact in artifacts:
                check_input(
                    self._records,
                    self._pipeline_node.node_info.id,
                    Output.from_mlmd(artifact.mlmd_artifact),
                )


def _outputs(
    execution_info: data_types.ExecutionInfo, output: execution_result_pb2.ExecutorOutput
) -> Iterator[mlmd.Artifact]:
    """Yields the artifacts that will be published: the executor's, or as they were prepared."""
    for key, artifacts in execution_info.output_dict.items():
        if key in output.output_artifacts:
            yield from output.output_artifacts[key].artifacts
        else:
            yield from (artifact.mlmd_artifact for artifact in artifacts)
