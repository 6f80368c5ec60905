"""Converts between Kubeflow's form of an executor's input and output and the form of TFX.

Kubeflow's launcher passes artifacts without their types, and copies them between the object
store and local folders. TFX's entry point requires types, and would access the store itself.
"""

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import ComponentInputsSpec, ExecutorInput, RuntimeArtifact

LAUNCHER_FOLDERS = {"gs": "/gcs", "s3": "/s3", "minio": "/minio"}
"""Folder to which Kubeflow's launcher copies the buckets of each scheme.

``LocalPathForURI`` in backend/src/v2/component/launcher_v2.go, releases 2.0 to 2.17.
"""


class LocalPaths:
    """Maps URIs of the object store to local paths, and the paths back to their URIs."""

    def __init__(self, launcher_root: str = "", artifacts_folder: str | None = None):
        """Creates an empty mapping.

        Args:
            launcher_root: prefix of the launcher's folders.
            artifacts_folder: folder of all artifacts, instead of the launcher's folders.
        """
        self._launcher_root, self._artifacts_folder = launcher_root, artifacts_folder
        self._uris: dict[str, str] = {}

    def path(self, uri: str) -> str:
        """Returns the local path of ``uri``: its bucket and key under the scheme's folder.

        >>> LocalPaths().path("minio://bucket/a/b")
        '/minio/bucket/a/b'

        Raises:
            ValueError: the launcher does not support the scheme.
        """
        scheme, _, location = uri.partition("://")
        if scheme not in LAUNCHER_FOLDERS:
            schemes = ", ".join(f"{name}://" for name in LAUNCHER_FOLDERS)
            raise ValueError(
                f"artifact {uri}: Kubeflow's launcher does not copy it to this container; use a "
                f"pipeline root with one of {schemes}"
            )
        folder = self._artifacts_folder or f"{self._launcher_root}{LAUNCHER_FOLDERS[scheme]}"
        path = f"{folder}/{location}"
        self._uris[path] = uri
        return path

    def uri(self, text: str) -> str:
        """Returns the URI of a path that ``path`` returned, or of one below it, or the text.

        >>> paths = LocalPaths()
        >>> paths.uri(paths.path("gs://bucket/run") + "/model")
        'gs://bucket/run/model'
        >>> paths.uri("/gcs/other")
        '/gcs/other'
        """
        for path, uri in self._uris.items():
            if text == path or text.startswith(f"{path}/"):
                return uri + text.removeprefix(path)
        return text


def keep_outputs(executor_input: ExecutorInput, declared: Collection[str]) -> None:
    """Removes the outputs that the component does not declare; the engine fills these itself.

    Kubeflow 2.5.0 and later add ``executor-logs``, a file that the launcher writes while the
    command runs (``provisionOutputs`` in backend/src/v2/driver/driver.go).
    """
    outputs = executor_input.outputs.artifacts
    for key in set(outputs) - set(declared):
        del outputs[key]


def localize(
    executor_input: ExecutorInput, inputs_spec: ComponentInputsSpec, paths: LocalPaths
) -> None:
    """Converts an executor's input to the form that TFX expects.

    Inputs get the types that the component declares, those that it does not declare are removed,
    and every URI becomes a path.

    Args:
        executor_input: the input from the launcher; modified.
        inputs_spec: the component's declared inputs.
        paths: the mapping of URIs.
    """
    inputs = executor_input.inputs.artifacts
    for key in set(inputs) - set(inputs_spec.artifacts):
        del inputs[key]
    for key, channel in inputs.items():
        for artifact in channel.artifacts:
            artifact.type.CopyFrom(inputs_spec.artifacts[key].artifact_type)
    for artifact in _artifacts(executor_input):
        artifact.uri = paths.path(artifact.uri)


def restore(text: str, paths: LocalPaths) -> str:
    """Converts the paths in an executor's output, which is JSON, to the store's URIs."""
    return json.dumps(_map_strings(json.loads(text), paths.uri), indent=2)


def _map_strings(value: Any, convert: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _map_strings(entry, convert) for key, entry in value.items()}
    if isinstance(value, list):
        return [_map_strings(entry, convert) for entry in value]
    return convert(value) if isinstance(value, str) else value


def parse_input(text: str) -> ExecutorInput:
    """Parses the JSON of an executor's input; fields of newer releases are ignored.

    Null is a value of its own in parameters and metadata (``google.protobuf.Value``). It is left
    out, because TFX's entry point fails on such metadata and reads 0 from such a parameter.
    """
    executor_input = json_format.Parse(text, ExecutorInput(), ignore_unknown_fields=True)
    metadata = [artifact.metadata.fields for artifact in _artifacts(executor_input)]
    for values in (executor_input.inputs.parameter_values, *metadata):
        for key in [key for key, value in values.items() if value.HasField("null_value")]:
            del values[key]
    return executor_input


def parse_inputs_spec(text: str) -> ComponentInputsSpec:
    """Parses the JSON of a component's declared inputs."""
    return json_format.Parse(text, ComponentInputsSpec(), ignore_unknown_fields=True)


def _artifacts(executor_input: ExecutorInput) -> Iterator[RuntimeArtifact]:
    for side in (executor_input.inputs, executor_input.outputs):
        for channel in side.artifacts.values():
            yield from channel.artifacts
