"""What is done about artifacts whose files are not as their nodes left them.

Outputs of earlier runs are forgotten, so that their nodes run again. An input that is damaged while
the run that uses it is in progress fails its node; the next run rebuilds it.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd

from formats import names
from formats.artifact_manifest import DIGEST_PROPERTY, is_remote, summarize
from formats.run_outcome import Output, Push
from pipeline import metadata_store
from pipeline.artifact_records import ArtifactRecords

PUSHED_DIGEST_PROPERTY = "pushed_manifest_sha256"
"""Custom property of a pushed model that holds the digest of the manifest of its version."""

OLDER_NAMED = 3
"""Damaged outputs per node that are named though a later run has replaced them."""

logger = logging.getLogger("higgs.artifacts")


class ArtifactChangedError(RuntimeError):
    """Files of an artifact were changed or deleted during the run that uses it."""


def record_output(records: ArtifactRecords, artifact: mlmd.Artifact) -> None:
    """Records the files of a node's output, and of the version that it pushed.

    Args:
        records: where the files are recorded.
        artifact: gets the digests as custom properties.

    Raises:
        OSError: a file cannot be read, or is not a regular file.
    """
    properties = artifact.custom_properties
    properties[DIGEST_PROPERTY].string_value = records.take(artifact.uri)
    push = Push.from_output(Output.from_mlmd(artifact))
    if push and not is_remote(push.destination):
        properties[PUSHED_DIGEST_PROPERTY].string_value = records.take(push.destination)


def check_input(records: ArtifactRecords, node: str, artifact: Output) -> None:
    """Compares an input of a node with its record.

    Raises:
        ArtifactChangedError: a file is missing, changed or new.
    """
    if problems := _find_problems(records, artifact):
        raise ArtifactChangedError(
            f"{artifact.uri} was changed while {node} needed it: {summarize(problems)}; run again, "
            "it will be rebuilt"
        )


def forget_damaged(
    metadata_path: str, records: ArtifactRecords, pipeline: str, nodes: Iterable[str]
) -> None:
    """Makes TFX forget outputs of earlier runs that are damaged, and logs each with the reason.

    Their nodes run again, and no model among them becomes a baseline. The files stay.

    Args:
        metadata_path: the metadata's file.
        records: what the outputs were.
        pipeline: the pipeline's name.
        nodes: the ids of its nodes.
    """
    for node in nodes:
        outputs = metadata_store.live_outputs(metadata_path, pipeline, node)
        damaged = {
            artifact_id: message
            for artifact_id, output in outputs.artifacts.items()
            if (message := _describe_damage(records, node, output))
        }
        for artifact_id in sorted(damaged.keys() & outputs.newest):
            logger.warning("%s", damaged[artifact_id])
        older_ids = sorted(damaged.keys() - outputs.newest, reverse=True)
        older = [damaged[artifact_id] for artifact_id in older_ids]
        for message in older[:OLDER_NAMED]:
            logger.info("%s, when it is needed", message)
        if older[OLDER_NAMED:]:
            logger.info("so are %d more older outputs of %s", len(older) - OLDER_NAMED, node)
        metadata_store.forget_artifacts(metadata_path, list(damaged))


def _describe_damage(records: ArtifactRecords, node: str, output: Output) -> str:
    if problems := _find_problems(records, output):
        return f"{output.uri} is damaged ({summarize(problems)}); {node} will rebuild it"
    push = Push.from_output(output)
    problems = _find_push_problems(records, output, push) if push else []
    if push and problems:
        return (
            f"version {push.version} in {push.destination} is damaged ({summarize(problems)}); "
            f"{node} will push the model again"
        )
    return ""


def _find_problems(records: ArtifactRecords, output: Output) -> list[str]:
    digest = output.properties.get(DIGEST_PROPERTY)
    # An artifact of a release that wrote no manifests is not reused: its node's code has changed.
    return records.find_problems(output.uri, str(digest)) if digest else []


def _find_push_problems(records: ArtifactRecords, output: Output, push: Push) -> list[str]:
    digest = output.properties.get(PUSHED_DIGEST_PROPERTY)
    if digest:
        # What others add, such as requests that warm a server up, does not change the model.
        return records.find_problems(push.destination, str(digest), others_allowed=True)
    exists = Path(push.destination, names.SAVED_MODEL_FILE).exists()
    return [] if exists else [f"{names.SAVED_MODEL_FILE} is missing"]
