"""Converts between Kubeflow's form of an executor's input and output and the form of TFX.

Kubeflow's launcher passes artifacts without their types, and copies them between the object
store and local folders. TFX's entry point requires types, and would access the store itself.
"""

import importlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.pipeline_spec.pipeline_spec_pb2 import (
    ComponentInputsSpec,
    ExecutorInput,
    ParameterType,
    RuntimeArtifact,
)

from formats.errors import UserError, one_line

M = TypeVar("M", bound=Message)

LAUNCHER_FOLDERS = {"gs": "/gcs", "s3": "/s3", "minio": "/minio"}
"""Folder to which Kubeflow's launcher copies the buckets of each scheme.

``LocalPathForURI`` in backend/src/v2/component/launcher_v2.go, releases 2.0 to 2.17.
"""


_KINDS = {
    ParameterType.NUMBER_DOUBLE: "number_value",
    ParameterType.NUMBER_INTEGER: "number_value",
    ParameterType.STRING: "string_value",
}
"""The field of a value by the parameter's type, for the types that TFX's components have."""

_VERTEX_KINDS = {
    "DOUBLE": ("double_value", "int_value"),
    "INT": ("int_value",),
    "STRING": ("string_value",),
}
"""The fields of a value in a job of version 2.0, by the parameter's type."""

_REMEDY = (
    "compile the pipeline with the version that is in the image, and compare the engine's release "
    "with those in docs/cloud.md"
)


class ExecutorInputError(UserError, ValueError):
    """The engine has started a node with an input from which TFX cannot run it."""


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
            ExecutorInputError: the launcher does not support the scheme.
        """
        scheme, _, location = uri.partition("://")
        if scheme not in LAUNCHER_FOLDERS:
            schemes = ", ".join(f"{name}://" for name in LAUNCHER_FOLDERS)
            raise ExecutorInputError(
                f"artifact {uri or 'without URI'}: Kubeflow's launcher does not copy it to this "
                f"container; use a pipeline root with one of {schemes}"
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

    Raises:
        ExecutorInputError: TFX could not write a declared output, or the file with all of them.
            It would notice that only after the node's work.
    """
    outputs = executor_input.outputs.artifacts
    for key in set(outputs) - set(declared):
        del outputs[key]
    if not executor_input.outputs.output_file:
        raise ExecutorInputError(f"the engine gave no outputs.outputFile; {_REMEDY}")
    for key in declared:
        artifacts = outputs[key].artifacts if key in outputs else ()
        complete = [a for a in artifacts if a.uri and a.type.WhichOneof("kind")]
        if not len(artifacts) == len(complete) == 1:
            raise ExecutorInputError(
                f"the engine gave {len(artifacts)} artifacts as outputs.artifacts.{key}, "
                f"{len(complete)} of them with uri and type, instead of one; {_REMEDY}"
            )


def check_parameters(executor_input: ExecutorInput, declared: Mapping[str, str]) -> None:
    """Checks the parameters of a node on Vertex AI.

    Args:
        executor_input: the input from the engine.
        declared: the types of the component's parameters.

    Raises:
        ExecutorInputError: a parameter is missing, or has another type.
    """
    parameters = executor_input.inputs.parameters
    for key, expected in declared.items():
        value = parameters[key]  # The map has an empty one for a missing key.
        kind = value.WhichOneof("value")
        if kind not in _VERTEX_KINDS[expected]:
            given = getattr(value, kind) if kind else None
            raise _wrong_type(given, f"parameters.{key}", expected)


def check_executor(path: str) -> None:
    """Checks that the image has the class of a node's executor.

    Raises:
        ExecutorInputError: the file was compiled with another version.
    """
    module, _, name = path.rpartition(".")
    try:
        getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ExecutorInputError(f"this image has no {path} ({error}); {_REMEDY}") from None


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

    Raises:
        ExecutorInputError: a declared input or parameter is missing, a parameter has another type,
            or a store is not supported.
    """
    inputs = executor_input.inputs.artifacts
    for key in set(inputs) - set(inputs_spec.artifacts):
        del inputs[key]
    parameters = executor_input.inputs.parameter_values
    missing = [f"artifacts.{key}" for key in inputs_spec.artifacts if key not in inputs]
    missing += [f"parameterValues.{key}" for key in inputs_spec.parameters if key not in parameters]
    if missing:
        raise ExecutorInputError(f"the engine gave no inputs.{', '.join(missing)}; {_REMEDY}")
    for key, spec in inputs_spec.parameters.items():
        kind = parameters[key].WhichOneof("kind")
        if kind != _KINDS.get(spec.parameter_type, kind):
            value = json_format.MessageToDict(parameters[key])
            expected = ParameterType.ParameterTypeEnum.Name(spec.parameter_type)
            raise _wrong_type(value, f"parameterValues.{key}", expected)
    for key, channel in inputs.items():
        for artifact in channel.artifacts:
            artifact.type.CopyFrom(inputs_spec.artifacts[key].artifact_type)
    for artifact in _artifacts(executor_input):
        artifact.uri = paths.path(artifact.uri)


def _wrong_type(value: Any, place: str, expected: str) -> ExecutorInputError:
    return ExecutorInputError(
        f"the engine gave {value!r} as inputs.{place}, not a value of type {expected}; {_REMEDY}"
    )


def restore(text: str, paths: LocalPaths) -> str:
    """Converts the paths in an executor's output, which is JSON, to the store's URIs."""
    return json.dumps(_map_strings(json.loads(text), paths.uri), indent=2)


def _map_strings(value: Any, convert: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _map_strings(entry, convert) for key, entry in value.items()}
    if isinstance(value, list):
        return [_map_strings(entry, convert) for entry in value]
    return convert(value) if isinstance(value, str) else value


def parse_message(text: str, message: M) -> M:
    """Parses the JSON of a message into it; fields of newer releases are ignored.

    Raises:
        ExecutorInputError: it is not the JSON of such a message.
    """
    try:
        content = _without_nulls(json.loads(text))
        return json_format.ParseDict(content, message, ignore_unknown_fields=True)
    except (ValueError, TypeError, json_format.ParseError) as error:
        raise ExecutorInputError(
            f"the engine's {type(message).__name__} cannot be parsed ({one_line(error)}); {_REMEDY}"
        ) from None


def _without_nulls(value: Any, name: str = "") -> Any:
    """Leaves out nulls, except those within the value of a parameter or of metadata.

    Protocol buffers refuse null in a map. In parameters and metadata it is a value of its own
    (``google.protobuf.Value``), but TFX's entry point fails on such metadata and reads 0 from such
    a parameter.
    """
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {key: entry for key, entry in value.items() if entry is not None}
    if name in ("metadata", "parameterValues"):
        return kept
    return {key: _without_nulls(entry, key) for key, entry in kept.items()}


def _artifacts(executor_input: ExecutorInput) -> Iterator[RuntimeArtifact]:
    for side in (executor_input.inputs, executor_input.outputs):
        for channel in side.artifacts.values():
            yield from channel.artifacts
