"""Cache keys that stay the same when the root is moved or copied, and on every Beam runner.

TFX hashes the parameters of a node and its input artifacts, with the absolute paths in both. In a
moved root every node would run again, and train another model. It also hashes the Beam options,
which determine where a result is computed, not its content.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from google.protobuf.message import Message
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.portable import cache_utils
from tfx.proto.orchestration import executable_spec_pb2
from tfx.types import Artifact

ROOT_MARK = "<root>"


@contextmanager
def portable_cache_keys(root: str) -> Iterator[None]:
    """Makes TFX compute cache keys without Beam options, and with a mark instead of ``root``.

    TFX has no hook for the key; its launcher looks the function up in the module at each call.
    """
    original = cache_utils.get_cache_context

    def get_cache_context(
        *arguments: Any,
        executor_spec: Message | None = None,
        input_artifacts: Mapping[str, Sequence[Artifact]] | None = None,
        parameters: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> mlmd.Context:
        inputs = {
            key: [without_root(artifact, root) for artifact in artifacts]
            for key, artifacts in (input_artifacts or {}).items()
        }
        values = {key: mark_root(value, root) for key, value in (parameters or {}).items()}
        return original(
            *arguments,
            executor_spec=without_beam_options(executor_spec),
            input_artifacts=inputs,
            parameters=values,
            **others,
        )

    with patch.object(cache_utils, "get_cache_context", get_cache_context):
        yield


def without_beam_options(executor_spec: Message | None) -> Message | None:
    """Returns a copy of a Beam executor's specification without its Beam options."""
    if not isinstance(executor_spec, executable_spec_pb2.BeamExecutableSpec):
        return executor_spec
    copied = executable_spec_pb2.BeamExecutableSpec()
    copied.CopyFrom(executor_spec)
    copied.ClearField("beam_pipeline_args")
    copied.ClearField("beam_pipeline_args_placeholders")
    return copied


def without_root(artifact: Artifact, root: str) -> Artifact:
    """Returns a copy of an artifact whose paths below the root begin with a mark instead."""
    marked = copy.deepcopy(artifact)
    marked.uri = mark_root(artifact.uri, root)
    for value in marked.mlmd_artifact.custom_properties.values():
        if value.WhichOneof("value") == "string_value":
            value.string_value = mark_root(value.string_value, root)
    return marked


def mark_root(value: Any, root: str) -> Any:
    """Replaces the root where it begins a path in text, JSON included; keeps other values.

    >>> mark_root('{"base": "/runs/a/serving"}', "/runs/a")
    '{"base": "<root>/serving"}'
    >>> mark_root("/data/runs/a/serving", "/runs/a")
    '/data/runs/a/serving'
    """
    if not isinstance(value, str):
        return value
    spellings = "|".join(re.escape(text) for text in {root, json.dumps(root)[1:-1]})
    return re.sub(rf"(?<![\w./-])(?:{spellings})(?![^/\\\"'])", ROOT_MARK, value)
