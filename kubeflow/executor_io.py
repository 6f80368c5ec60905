"""What passes between an engine and a node: Kubeflow's form, turned into the one TFX knows.

Kubeflow's launcher hands artifacts to a container without their types, and copies them between
the object store and local folders; TFX's entry demands types, and would open the store itself.
"""

from collections.abc import Iterator

from kfp.pipeline_spec.pipeline_spec_pb2 import ComponentInputsSpec, ExecutorInput, RuntimeArtifact

from components.baseline.component import ABSENT_PROPERTY


def localize(
    executor_input: ExecutorInput, inputs_spec: ComponentInputsSpec, folder: str
) -> tuple[ExecutorInput, dict[str, str]]:
    """An executor's input as TFX takes it.

    Inputs get the types that the component declares, artifacts that stand for none are left
    out, and every URI becomes a path.

    Args:
      executor_input: as the launcher gives it.
      inputs_spec: the component's declared inputs.
      folder: where the launcher keeps the store's buckets.

    Returns:
      The new input, and the store's URI of every path in it.
    """
    local = ExecutorInput()
    local.CopyFrom(executor_input)
    for key, given in local.inputs.artifacts.items():
        present = [artifact for artifact in given.artifacts if not _stands_for_none(artifact)]
        del given.artifacts[:]
        given.artifacts.extend(present)
        for artifact in given.artifacts:
            artifact.type.CopyFrom(inputs_spec.artifacts[key].artifact_type)
    uris: dict[str, str] = {}
    for artifact in _artifacts(local):
        path = local_path(artifact.uri, folder)
        uris[path] = artifact.uri
        artifact.uri = path
    return local, uris


def local_path(uri: str, folder: str) -> str:
    """Where the launcher keeps ``uri``: its bucket and key under ``folder``."""
    return f"{folder}/{uri.partition('://')[2]}"


def restore(text: str, uris: dict[str, str]) -> str:
    """Text with the paths of ``localize`` replaced by the store's URIs."""
    # The longest first: one path may be the beginning of another.
    for path in sorted(uris, key=len, reverse=True):
        text = text.replace(path, uris[path])
    return text


def _stands_for_none(artifact: RuntimeArtifact) -> bool:
    fields = artifact.metadata.fields
    return ABSENT_PROPERTY in fields and fields[ABSENT_PROPERTY].number_value == 1


def _artifacts(executor_input: ExecutorInput) -> Iterator[RuntimeArtifact]:
    for side in (executor_input.inputs, executor_input.outputs):
        for listed in side.artifacts.values():
            yield from listed.artifacts
