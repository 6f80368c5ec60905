"""TFX's local runner, which also verifies the files of artifacts.

TFX takes a node from its cache if the directories of its outputs exist. This runner records the
files of every output before ML Metadata learns of it, does not reuse outputs whose files have
changed, and compares the inputs of each node with their records before and after it runs.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import data_types, launcher
from tfx.proto.orchestration import execution_result_pb2, pipeline_pb2
from tfx.types import Artifact, artifact_utils

from formats.artifact_manifest import DIGEST_PROPERTY, summarize
from formats.locations import is_remote
from formats.names import SAVED_MODEL_FILE
from formats.run_outcome import Output, Push
from pipeline.artifact_records import ArtifactRecords
from pipeline.metadata_check import MetadataGuard
from pipeline.user_errors import MetadataError

PUSHED_DIGEST_PROPERTY = "pushed_manifest_sha256"
"""Custom property of a pushed model that holds the digest of the manifest of its version."""

logger = logging.getLogger("higgs.artifacts")


class ArtifactChangedError(RuntimeError):
    """Files of an artifact were changed or deleted during the run that uses it."""


class VerifiedRunner(LocalDagRunner):
    """Runs the nodes in order, and reuses only outputs whose files are unchanged."""

    def __init__(self, root: str, metadata_path: str):
        """Uses the metadata and the records of a root, which the caller holds exclusively."""
        super().__init__()
        guard = MetadataGuard(Path(metadata_path))
        self._make_launcher = partial(VerifiedLauncher, ArtifactRecords(root), guard)

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
    ) -> None:
        """Runs every node of a compiled pipeline that is not cached.

        TFX has no hook for the launcher; its runner looks the class up in the module.

        Raises:
            ArtifactChangedError: an input of a node was damaged during the run.
            MetadataError: the metadata file was deleted, replaced or changed during the run.
        """
        with patch.object(launcher, "Launcher", self._make_launcher):
            super().run_with_ir(pipeline, run_options)


class VerifiedLauncher(launcher.Launcher):
    """Runs one node; compares its inputs with their records, and records its outputs."""

    def __init__(self, records: ArtifactRecords, metadata: MetadataGuard, **arguments: Any):
        """Takes the records, the guard of the metadata, and the arguments of TFX's launcher."""
        super().__init__(**arguments)
        self._records, self._metadata = records, metadata
        self._node = self._pipeline_node.node_info.id

    def launch(self) -> data_types.ExecutionInfo | None:
        """Runs the node unless it is cached, and checks that the metadata file stays in place."""
        with self._metadata.kept():
            return super().launch()

    def _prepare_execution(self) -> Any:
        """Makes TFX reuse an execution only if all outputs are there, with unchanged files.

        TFX has no hook for it; it looks the function up in the module at each call, and after an
        error tries the execution before. Several executions may have the same outputs.

        Raises:
            MetadataError: an input is not in ML Metadata. TFX would skip this node and go on.
        """
        verify, damage = artifact_utils.verify_artifacts, dict[str, str]()

        def verify_artifacts(artifacts: Mapping[str, Sequence[Artifact]]) -> None:
            if set(artifacts) != set(self._pipeline_node.outputs.outputs):
                raise RuntimeError("an output is not recorded")
            outputs = [Output.from_mlmd(a.mlmd_artifact) for a in chain(*artifacts.values())]
            for output in outputs:
                if output.uri not in damage:
                    damage[output.uri] = describe_damage(self._records, self._node, output)
            if any(damage[output.uri] for output in outputs):
                raise RuntimeError("an output is damaged")
            verify(artifacts)

        with patch.object(artifact_utils, "verify_artifacts", verify_artifacts):
            prepared = super()._prepare_execution()
        if prepared.execution_metadata is None:
            producers = ", ".join(self._pipeline_node.upstream_nodes)
            raise MetadataError(
                f"{self._node} does not find all its inputs, of {producers}, in "
                f"{self._metadata.path}: another program changed the file during the run; run again"
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
            properties = artifact.custom_properties
            properties[DIGEST_PROPERTY].string_value = self._records.take(artifact.uri)
            push = Push.from_output(Output.from_mlmd(artifact))
            if push and not is_remote(push.destination):
                digest = self._records.take(push.destination)
                properties[PUSHED_DIGEST_PROPERTY].string_value = digest
        return output

    def _check_inputs(self, execution_info: data_types.ExecutionInfo) -> None:
        for artifact in chain(*execution_info.input_dict.values()):
            if problems := _find_problems(self._records, Output.from_mlmd(artifact.mlmd_artifact)):
                raise ArtifactChangedError(
                    f"{artifact.uri} was changed while {self._node} needed it: "
                    f"{summarize(problems)}; run again, it will be rebuilt"
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


def describe_damage(records: ArtifactRecords, node: str, output: Output) -> str:
    """Compares an output of an earlier run, and the version that it pushed, with their records.

    Returns:
        How the files differ, which is also logged; empty if they do not.
    """
    message = ""
    push = Push.from_output(output)
    if problems := _find_problems(records, output):
        message = f"{output.uri} is damaged ({summarize(problems)}); {node} will rebuild it"
    elif push and (problems := _find_push_problems(records, output, push)):
        message = (
            f"version {push.version} in {push.destination} is damaged ({summarize(problems)}); "
            f"{node} will push the model again"
        )
    if message:
        logger.warning("%s", message)
    return message


def _find_problems(records: ArtifactRecords, output: Output) -> list[str]:
    digest = output.properties.get(DIGEST_PROPERTY)
    # An artifact of a release that wrote no manifests is not reused: its node's code has changed.
    return records.find_problems(output.uri, str(digest)) if digest else []


def _find_push_problems(records: ArtifactRecords, output: Output, push: Push) -> list[str]:
    digest = output.properties.get(PUSHED_DIGEST_PROPERTY)
    if digest:
        # Files that others add, such as warm-up requests, do not change the model.
        return records.find_problems(push.destination, str(digest), others_allowed=True)
    exists = Path(push.destination, SAVED_MODEL_FILE).exists()
    return [] if exists else [f"{SAVED_MODEL_FILE} is missing"]
