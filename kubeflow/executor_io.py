"""Converts executor inputs and outputs between Kubeflow's launcher and TFX.

Kubeflow's launcher passes artifacts to a container without their types, and copies them between
the object store and local folders. TFX's entry point requires types, and would read the store
itself.
"""

from collections.abc import Iterator

from kfp.pipeline_spec.pipeline_spec_pb2 import ComponentInputsSpec, ExecutorInput, RuntimeArtifact

from formats.names import ABSENT_PROPERTY


def localize(
    executor_input: ExecutorInput, inputs_spec: ComponentInputsSpec, folder: str
) -> tuple[ExecutorInput, dict[str, str]]:
    """An executor's input in the form that TFX requires.

    Inputs get the types that the component declares, artifacts that stand for a missing one
    are removed, and every URI becomes a path.

    Args:
        executor_input: the input from the launcher.
        inputs_spec: the component's declared inputs.
        folder: where the launcher keeps the store's buckets.

    Returns:
        The new input, and the store's URI of every path in it.
    """
    local = ExecutorInput()
    local.CopyFrom(executor_input)
    for key, channel in local.inputs.artifacts.items():
        present = [artifact for artifact in channel.artifacts if not _is_absent(artifact)]
        del channel.artifacts[:]
        channel.artifacts.extend(present)
        for artifact in channel.artifacts:
            artifact.type.CopyFrom(inputs_spec.artifacts[key].artifact_type)
    uris: dict[str, str] = {}
    for artifact in _artifacts(local):
        path = local_path(artifact.uri, folder)
        uris[path] = artifact.uri
        artifact.uri = path
    return local, uris


def local_path(uri: str, folder: str) -> str:
    """The launcher's path of ``uri``: its bucket and key under ``folder``.

    >>> local_path("minio://bucket/a/b", "/minio")
    '/minio/bucket/a/b'
    """
    return f"{folder}/{uri.partition('://')[2]}"


def restore(text: str, uris: dict[str, str]) -> str:
    """The text with the paths of ``localize`` replaced by the store's URIs."""
    # The longest path first: one path may be a prefix of another.
    for path in sorted(uris, key=len, reverse=True):
        text = text.replace(path, uris[path])
    return text


def _is_absent(artifact: RuntimeArtifact) -> bool:
    fields = artifact.metadata.fields
    return ABSENT_PROPERTY in fields and fields[ABSENT_PROPERTY].number_value == 1


def _artifacts(executor_input: ExecutorInput) -> Iterator[RuntimeArtifact]:
    for side in (executor_input.inputs, executor_input.outputs):
        for channel in side.artifacts.values():
            yield from channel.artifacts
