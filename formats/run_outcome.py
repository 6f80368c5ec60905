"""The outcome of a run as plain data: the only source of the report, the console and the lineage.

`higgs report` reads it from ML Metadata; the node Report, which must not depend on a metadata
store, builds it from its inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ml_metadata.proto import metadata_store_pb2
from pydantic import BaseModel, ConfigDict, ValidationError

from formats import names
from formats.names import NodeOutput


@dataclass(frozen=True)
class Output:
    """An artifact that a node made or took from the cache.

    Attributes:
        uri: the artifact's folder.
        properties: its custom properties that are numbers or text.
    """

    uri: str
    properties: Mapping[str, str | int | float] = field(default_factory=dict)

    @classmethod
    def from_mlmd(cls, artifact: metadata_store_pb2.Artifact) -> "Output":
        """Reads an artifact of ML Metadata."""
        values = {name: plain_value(value) for name, value in artifact.custom_properties.items()}
        return cls(
            artifact.uri, {name: value for name, value in values.items() if value is not None}
        )

    @property
    def is_blessed(self) -> bool | None:
        """The decision of a blessing artifact; None if it holds no decision."""
        blessed = self.properties.get(names.BLESSED_PROPERTY)
        return None if blessed is None else bool(blessed)


@dataclass(frozen=True)
class Push:
    """A pushed model: its version and the folder or endpoint it went to."""

    version: str
    destination: str

    @classmethod
    def from_output(cls, pushed_model: Output | None) -> "Push | None":
        """Reads Pusher's output; None if nothing was pushed.

        >>> Push.from_output(Output("/runs/12", {"pushed": 1, "pushed_version": "17"})).version
        '17'
        """
        if pushed_model is None or not pushed_model.properties.get(names.PUSHED_PROPERTY):
            return None
        properties = pushed_model.properties
        return cls(
            str(properties.get(names.PUSHED_VERSION_PROPERTY, "unknown")),
            str(properties.get(names.PUSHED_DESTINATION_PROPERTY, "unknown")),
        )


@dataclass(frozen=True)
class NodeRun:
    """One node of a run.

    Attributes:
        name: the node's id in the graph.
        state: ``done``, ``cached``, ``failed``, ``canceled``, or ``running``, which is also the
            last state of an interrupted node; ``given`` for existing artifacts, ``unknown``
            without metadata.
        seconds: from its start to its last update; NaN when unknown.
        outputs: its artifacts by output key.
        started: seconds since 1970; None when unknown.
    """

    name: str
    state: str
    seconds: float
    outputs: Mapping[str, Output]
    started: float | None = None


# Of a value of ML Metadata, and of a value in a struct.
_PLAIN_KINDS = {"int_value", "double_value", "number_value", "string_value", "bool_value"}


def plain_value(value: metadata_store_pb2.Value) -> str | int | float | None:
    """Reads a number, text or boolean property, in any stored form.

    Others are None.

    A local run stores integers, doubles and strings. In a container of a compiled pipeline, TFX
    reads every custom property from JSON and stores it as a struct with the key ``__value__``,
    in which integers are doubles (``tfx.types.artifact``, ``_encode_struct_value``).

    >>> plain_value(metadata_store_pb2.Value(int_value=5))
    5
    >>> stored = metadata_store_pb2.Value()
    >>> stored.struct_value["__value__"] = 5.0
    >>> plain_value(stored)
    5
    """
    kind, content = value.WhichOneof("value"), value
    if kind == "struct_value":
        content = value.struct_value.fields.get("__value__")
        kind = content.WhichOneof("kind") if content else None
    plain = getattr(content, kind) if kind in _PLAIN_KINDS else None
    if isinstance(plain, bool) or (isinstance(plain, float) and plain.is_integer()):
        return int(plain)
    return plain


class RunRecord(BaseModel):
    """A run's record of itself, stored as JSON in ML Metadata in addition to its artifacts.

    Attributes:
        configuration: the complete configuration as JSON; empty if unknown.
        code_version: the project's version and a digest of its sources.
        packages: versions by name of the packages that the project ran with.
        ending: ``refused``, ``failed`` or ``interrupted`` for a run that ended early,
            ``evaluated`` for an evaluation without training.
        failure: the reasons, as text.
        fault: why the stored record could not be read; empty if it could.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    configuration: str = ""
    code_version: str = ""
    packages: dict[str, str] = {}
    ending: str = ""
    failure: str = ""
    fault: str = ""

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """Reads a stored record; an unreadable one becomes a record that holds only the fault."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            return cls(fault=describe_invalid(error))


def describe_invalid(error: ValidationError) -> str:
    """Summarizes why JSON does not have the expected form, one clause per field."""
    return "; ".join(
        f"{'.'.join(map(str, entry['loc'])) or 'content'}: {entry['msg']}"
        for entry in error.errors(include_url=False)
    )


@dataclass(frozen=True)
class RunOutcome:
    """One run of the pipeline: its id, and its nodes by name in the order they ran."""

    run_id: str
    nodes: Mapping[str, NodeRun]
    record: RunRecord = field(default_factory=RunRecord)

    def output(self, output: NodeOutput) -> Output | None:
        """Finds an output of a node; None if the run did not get that far."""
        run = self.nodes.get(output.node)
        return run.outputs.get(output.key) if run else None

    def uri(self, output: NodeOutput) -> str | None:
        """Finds the folder of an output; None if the run did not get that far."""
        artifact = self.output(output)
        return artifact.uri if artifact else None

    def state(self, node: str) -> str | None:
        """Returns a node's state; None if the run did not get that far."""
        return self.nodes[node].state if node in self.nodes else None

    def is_cached(self, node: str) -> bool:
        """Returns whether a node's outputs came from an earlier run."""
        return self.state(node) == "cached"

    @property
    def push(self) -> Push | None:
        """The pushed model; None if nothing was pushed."""
        return Push.from_output(self.output(names.PUSHED_MODEL))

    @property
    def events(self) -> dict[str, int]:
        """Number of ingested events by split; empty if the run did not get that far."""
        examples = self.output(names.EXAMPLES)
        counts = {
            split: examples.properties.get(names.events_property(split)) if examples else None
            for split in names.SPLITS
        }
        return {split: count for split, count in counts.items() if isinstance(count, int)}
