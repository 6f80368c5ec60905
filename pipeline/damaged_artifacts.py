"""Handling of artifacts whose files are not as their nodes left them.

Outputs of earlier runs are forgotten, so that their nodes run again. An input that is damaged while
the run that uses it is in progress fails its node; the next run rebuilds it.
"""

import logging
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from formats import names
from formats.artifact_manifest import DIGEST_PROPERTY, summarize
from formats.locations import is_remote
from formats.run_outcome import Output, Push
from pipeline import metadata_store
from pipeline.artifact_records import ArtifactRecords

PUSHED_DIGEST_PROPERTY = "pushed_manifest_sha256"
"""Custom property of a pushed model that holds the digest of the manifest of its version."""

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


def forget_damaged(store: MetadataStore, records: ArtifactRecords, node: str, key: int) -> None:
    """Makes TFX forget damaged outputs of earlier runs, and logs each with the reason.

    Only the outputs that the node may reuse now are looked at, so the time does not grow with the
    number of runs that are recorded. The node runs again; the files stay.

    Args:
        store: the metadata.
        records: what the outputs were.
        node: the node's id.
        key: id of the context that holds the executions with the node's cache key.
    """
    damaged = {}
    for artifact_id, output in metadata_store.reusable_outputs(store, key).items():
        if message := _describe_damage(records, node, output):
            damaged[artifact_id] = message
            logger.warning("%s", message)
    metadata_store.forget_artifacts(store, list(damaged))


def _describe_damage(records: ArtifactRecords, node: str, output: Output) -> str:
    if problems := _find_problems(records, output):
        return f"{output.uri} is damaged ({summarize(problems)}); {node} will rebuild it"
    push = Push.from_output(output)
    if push and (problems := _find_push_problems(records, output, push)):
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
        # Files that others add, such as warm-up requests, do not change the model.
        return records.find_problems(push.destination, str(digest), others_allowed=True)
    exists = Path(push.destination, names.SAVED_MODEL_FILE).exists()
    return [] if exists else [f"{names.SAVED_MODEL_FILE} is missing"]
