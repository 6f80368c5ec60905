"""What became of a run, in plain data: all that the report is made from.

`higgs report` reads it from ML Metadata; the node Report, which must not ask for a metadata
store, puts it together from its inputs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

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
      state: ``done``, ``cached``, ``failed`` or ``running``; ``unknown`` without metadata.
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
      ending: ``refused``, ``failed`` or ``interrupted`` when the run was cut short.
      failure: the reasons, in words.
    """

    configuration: str = ""
    code_version: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    ending: str = ""
    failure: str = ""

    def to_json(self) -> str:
        """As text, for the metadata store."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """The inverse of ``to_json``."""
        return cls(**json.loads(text))


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

    def is_cached(self, node: str) -> bool:
        """Whether a node's outputs came from an earlier run."""
        return node in self.nodes and self.nodes[node].state == "cached"
