"""What became of a run, in plain data: all that the report is made from.

`higgs report` reads it from ML Metadata; the node Report, which must not ask for a metadata
store, puts it together from its inputs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ml_metadata.proto import metadata_store_pb2


@dataclass(frozen=True)
class Output:
    """An artifact that a node made or took from the cache."""

    uri: str
    properties: Mapping[str, str | int | float]

    @classmethod
    def from_mlmd(cls, artifact: metadata_store_pb2.Artifact) -> "Output":
        """An artifact with those of its custom properties that are numbers or text."""
        kinds = {
            name: (value, value.WhichOneof("value"))
            for name, value in artifact.custom_properties.items()
        }
        return cls(
            artifact.uri,
            {
                name: getattr(value, kind)
                for name, (value, kind) in kinds.items()
                if kind in ("int_value", "double_value", "string_value")
            },
        )


@dataclass(frozen=True)
class NodeRun:
    """One node of a run.

    Attributes:
      name: the node's id in the graph.
      state: ``done``, ``cached``, ``failed``, ``canceled``, or ``running``, which a node that was
        cut short is left in; ``given`` for what was there before, ``unknown`` without metadata.
      seconds: from its start to its last word; NaN when unknown.
      outputs: its artifacts by output key.
      started: seconds since 1970; None when unknown.
    """

    name: str
    state: str
    seconds: float
    outputs: Mapping[str, Output]
    started: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """What a run says of itself, beside its artifacts.

    Attributes:
      configuration: the whole of it as JSON, or nothing.
      code_version: of the project: its version and a digest of its sources.
      packages: versions by name of what the project was run with.
      ending: ``refused``, ``failed`` or ``interrupted`` when the run was cut short, ``evaluated``
        for a model that was evaluated without a pipeline.
      failure: the reasons, in words.
      fault: why the stored record could not be read; nothing if it could.
    """

    configuration: str = ""
    code_version: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    ending: str = ""
    failure: str = ""
    fault: str = ""

    def to_json(self) -> str:
        """As text, for the metadata store."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """The inverse of ``to_json``; of a text that is none, a record with nothing but a fault.

        What another version of the project wrote beside the attributes is left out.
        """
        try:
            stored = json.loads(text)
        except ValueError as error:
            return cls(fault=f"{type(error).__name__}: {error}")
        if not isinstance(stored, dict):
            return cls(fault=f"expected names and values, got {text[:80]}")
        known = {name: stored[name] for name in asdict(cls()) if name in stored}
        wrong = [name for name, value in known.items() if not _is_of_kind(name, value)]
        if wrong:
            return cls(fault=f"of another kind than expected: {', '.join(wrong)}")
        return cls(**known)


def _is_of_kind(name: str, value: Any) -> bool:
    return isinstance(value, dict if name == "packages" else str)


@dataclass(frozen=True)
class RunOutcome:
    """One run of the pipeline: its id and its nodes by name, in the order they ran."""

    run_id: str
    nodes: Mapping[str, NodeRun]
    record: RunRecord = field(default_factory=RunRecord)

    def output(self, node: str, key: str) -> Output | None:
        """An output of a node, or None if the run did not get that far."""
        run = self.nodes.get(node)
        return run.outputs.get(key) if run else None

    def state(self, node: str) -> str | None:
        """A node's state; None if the run did not get as far as the node."""
        return self.nodes[node].state if node in self.nodes else None

    def is_cached(self, node: str) -> bool:
        """Whether a node's outputs came from an earlier run."""
        return self.state(node) == "cached"
