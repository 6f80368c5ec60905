"""The configuration of a run: one frozen model, read from YAML and validated before any work.

A YAML file holds only the differences from the defaults below. Keys given with ``--set``
(``trainer.epochs=3``) override the file before it is validated.
"""

import difflib
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ByteSize,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    WrapValidator,
    field_validator,
    model_validator,
)

from formats.errors import UserError
from formats.hyperparameters import PRESETS, REPLACED, Hyperparameters, Number
from formats.locations import is_remote
from pipeline.beam_options import find_option_problems
from pipeline.cloud_config import KubeflowConfig, Section, VertexConfig
from pipeline.evaluation_config import EvaluationConfig
from pipeline.paths import check_location
from pipeline.secret_values import find_secrets, redact
from pipeline.yaml_values import load_yaml

# The nodes that run on Beam; the others read their artifacts.
BeamNode = Literal[
    "CollisionExampleGen", "StatisticsGen", "HistogramGen", "Evaluator", "TestEvaluator", "Scorer"
]

ModelFormat = Literal["saved_model", "onnx"]


def _without_last_slash(path: str) -> str:
    return path if path.endswith("://") else path.rstrip("/") or path


# An object store takes gs://bucket//file for another file than gs://bucket/file.
FolderPath = Annotated[str, AfterValidator(check_location), AfterValidator(_without_last_slash)]
"""A local folder or the URI of one, without a slash at its end."""


def _checked_size(value: Any, parse: Callable[[Any], ByteSize]) -> ByteSize:
    try:
        return parse(value)
    except ValueError:
        raise ValueError(
            "not a size between 1MB and 1EB: give a number of bytes, or text such as 4GB or 512MiB"
        ) from None


MemorySize = Annotated[
    ByteSize,
    Field(ge=10**6, le=10**18),
    WrapValidator(_checked_size),
    WithJsonSchema({"type": "string"}),
]
"""A number of bytes, or text such as 4GB or 512MiB."""


class ConfigError(UserError, ValueError):
    """The configuration is not valid; the message names the key, the value and the remedy."""

    exit_code = 2


CONFIG_VARIABLE = "HIGGS_CONFIG"
"""Environment variable with the path of the configuration, for runners without arguments."""

WITH_TEST = "folders-with-test"
"""The layout with a third folder, ``test/``."""


class IngestionConfig(Section):
    """How the shards under ``data_root`` become the splits ``train`` and ``eval``."""

    layout: Literal["auto", "folders", "folders-with-test", "single"] = "auto"
    """folders: training/ and validation/ are the splits; folders-with-test: also test/, which no
    gate depends on; single: one folder of shards, split by a hash of each event; auto: detected
    when the run starts, for local data only."""
    train_buckets: int = Field(2, ge=1)
    """Number of hash buckets of train."""
    eval_buckets: int = Field(1, ge=1)
    """Number of hash buckets of eval."""
    ignore_keys: tuple[str, ...] = ()
    """Additional keys of a record that are dropped; any other key is refused."""
    max_duplicate_share: float = Field(0.1, ge=0.0, le=1.0)
    """Maximum share of repeated events in a split."""
    content_key: str | None = Field(None, min_length=1)
    """Identifies the content of shards in an object store, such as by a version: ingestion is
    reused only while it is unchanged; without it, a run on this machine uses the times at which the
    store wrote the shards; local shards are hashed instead."""


class TrainerConfig(Hyperparameters):
    """A preset and the hyperparameters that differ from it."""

    preset: Literal["default", "demo", "kaggle"] = "default"
    """The hyperparameters to start from."""
    warm_start: bool = False
    """Start from the weights of the model in service, where shapes agree."""
    checkpoints: FolderPath | None = None
    """Checkpoints of unfinished trainings; default: checkpoints/ under root."""

    memory: MemorySize | None = None
    """Memory for training events and their columns on each host, such as 4GB; more events pass
    through a window; default: a quarter of the memory of the machine, container or
    batch job."""
    cluster_timeout_minutes: Number = Field(10, gt=0)
    """Minutes to wait for the other hosts of TF_CONFIG, or for a TPU."""

    @model_validator(mode="before")
    @classmethod
    def _start_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        # An unknown preset is rejected by the field's own validation.
        preset = PRESETS.get(str(values.get("preset", "default")), {})
        return merge(preset, values)

    def hyperparameters(self) -> Hyperparameters:
        """Returns the hyperparameters without the options of the pipeline."""
        return Hyperparameters(**self.model_dump(include=set(Hyperparameters.model_fields)))


class ServingCheckConfig(Section):
    """Limits of the process that loads the export and scores records with it, before the push."""

    timeout_minutes: int = Field(10, ge=1, le=1440)
    """Maximum wall time."""
    memory_gb: int = Field(16, ge=1, le=4096)
    """Memory that the process may allocate, in GiB."""


class PushConfig(Section):
    """Where blessed models go, and in which formats."""

    directory: FolderPath | None = None
    """Directory of the pushed versions; default: serving/ under root."""
    formats: tuple[ModelFormat, ...] = ("saved_model", "onnx")
    """Formats of a version; saved_model is always one of them, because later models are compared
    with it."""
    triton: bool = False
    """Write config.pbtxt, so that Triton can serve the serving directory."""

    @model_validator(mode="after")
    def _is_complete(self) -> "PushConfig":
        if "saved_model" not in self.formats:
            raise ValueError("formats lacks saved_model, with which later models are compared")
        if self.triton and "onnx" not in self.formats:
            raise ValueError("triton needs onnx among formats: Triton serves model.onnx")
        return self


class ScoreConfig(Section):
    """A set of events, labelled or not, that the model in service scores at the end of each run."""

    data_root: FolderPath = Field(min_length=1)
    """Folder of files in any form that `higgs convert` reads."""
    columns: tuple[str, ...] = ()
    """Columns to copy: those of the files, or features."""
    id: str | None = None
    """Column that identifies a row; default: its file and number."""
    flag_invalid: bool = False
    """Give invalid rows a reason and no score, instead of refusing the file."""

    @field_validator("columns", "id")
    @classmethod
    def _not_reserved(cls, value: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        # Not at the top: it imports PyArrow, which most commands do not need.
        from formats.scores import RESERVED

        for name in (value,) if isinstance(value, str) else value or ():
            if name in RESERVED:
                raise ValueError(f"the scores have a column {name} of their own")
        return value


class BeamConfig(Section):
    """How Beam runs ingestion, statistics, histograms, evaluation and scoring."""

    args: tuple[str, ...] = ()
    """Beam pipeline options; default: the in-memory DirectRunner."""
    nodes: dict[BeamNode, tuple[str, ...]] = Field(default_factory=dict)
    """Beam pipeline options of single nodes; they override args."""

    @field_validator("args")
    @classmethod
    def _are_usable(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        if problem := next(find_option_problems(args), None):
            raise ValueError(problem)
        return args

    @field_validator("nodes")
    @classmethod
    def _of_nodes_are_usable(
        cls, nodes: dict[BeamNode, tuple[str, ...]], info: ValidationInfo
    ) -> dict[BeamNode, tuple[str, ...]]:
        for node, args in nodes.items():
            if problem := next(find_option_problems((*info.data.get("args", ()), *args)), None):
                raise ValueError(f"{node}: {problem}")
        return nodes

    def option_lists(self) -> list[tuple[str, ...]]:
        """Returns the options of all nodes, then those of each node that has further ones."""
        return [self.args, *((*self.args, *args) for args in self.nodes.values())]


class Config(Section):
    """One run of the pipeline."""

    name: str = Field("higgs", pattern=r"^[a-z0-9][a-z0-9-]{0,127}$")
    """The pipeline's name: lowercase letters, digits and '-'."""
    data_root: FolderPath = Field(min_length=1)
    """Contains training/ and validation/, or shards."""
    root: FolderPath = Field(min_length=1)
    """Pipeline root: artifacts, metadata, logs, reports and serving/."""
    seed: int = Field(0, ge=0, lt=2**31, strict=True)
    """Seed of weights, shuffling and dropout."""
    ingestion: IngestionConfig = Field(default_factory=IngestionConfig)
    trainer: TrainerConfig = Field(default_factory=TrainerConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    serving_check: ServingCheckConfig = Field(default_factory=ServingCheckConfig)
    push: PushConfig = Field(default_factory=PushConfig)
    score: ScoreConfig | None = None
    """A set to score after the push."""
    beam: BeamConfig = Field(default_factory=BeamConfig)
    vertex: VertexConfig | None = None
    """Options of `--target vertex`."""
    kubeflow: KubeflowConfig | None = None
    """Options of `--target kubeflow`."""

    @property
    def artifacts_root(self) -> str:
        """The directory in which every node writes its artifacts.

        Kubeflow's roots can have a query: ``s3://bucket/higgs?region=eu-west-1``.
        """
        _, mark, query = self.root.partition("?") if is_remote(self.root) else ("", "", "")
        return f"{self._below_root('artifacts')}{mark}{query}"

    @property
    def metadata_path(self) -> str:
        """The SQLite file of ML Metadata."""
        return f"{self.root}/metadata/metadata.sqlite"

    @property
    def checkpoint_root(self) -> str:
        """The directory of the checkpoints of unfinished trainings."""
        return self.trainer.checkpoints or self._below_root("checkpoints")

    @property
    def push_directory(self) -> str:
        """The directory to which blessed models are pushed, one numbered folder each."""
        return self.push.directory or self._below_root("serving")

    def _below_root(self, name: str) -> str:
        folder = self.root.partition("?")[0].rstrip("/") if is_remote(self.root) else self.root
        return f"{folder}/{name}"


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Reads and validates a configuration.

    Args:
        path: a YAML file.
        overrides: ``key=value`` pairs with dotted keys, which override the file. Values are YAML;
            where text is expected, the whole value is that text.

    Raises:
        ConfigError: the file is missing or not YAML, an override is not ``key=value``, a key is
            unknown (the message suggests the nearest one), or a value is out of bounds.
    """
    values = _read_yaml(Path(path))
    for override in overrides:
        values = merge(values, _parse_override(override))
    _refuse_secrets(path, values)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        reasons = "\n".join(f"  {_explain(entry)}" for entry in error.errors())
        raise ConfigError(f"{path} cannot be used:\n{reasons}") from None


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merges ``changes`` into ``base``, nested mappings key by key."""
    merged = dict(base)
    for key, value in changes.items():
        current = merged.get(key)
        if isinstance(current, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(current, value)
        else:
            merged[key] = value
    return merged


def _refuse_secrets(path: str | Path, values: Mapping[str, Any]) -> None:
    if found := sorted(set(find_secrets(values))):
        reasons = "\n".join(f"  {secret}" for secret in found)
        raise ConfigError(
            f"{path} and --set hold secrets, which metadata, logs, reports and compiled pipelines "
            f"would show; give them in the environment or as the machine's identity:\n{reasons}"
        )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}; configs/ has examples"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {redact(str(error))}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} contains a {type(values).__name__}; expected keys and values")
    return values


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator or not key.strip("."):
        shown = redact(repr(override))
        raise ConfigError(f"--set {shown} is not key=value, for example trainer.epochs=3")
    path = key.split(".")
    try:
        value: Any = text if _is_verbatim(path, text) else _read_value(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {redact(repr(override))}: the value is not valid YAML: {redact(str(error))}"
        ) from None
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def _is_verbatim(path: Sequence[str], text: str) -> bool:
    """Returns whether a value is taken literally: for a string key, unless empty, null or quoted.

    YAML would cut `/x/run #2` at the `#`, and read a folder named `2026` as a number.
    """
    section = _model(path[:-1])
    field = section.model_fields.get(path[-1]) if section else None
    is_quoted = len(text) > 1 and text[0] in ("'", '"') and text[-1] == text[0]
    texts = (str, str | None, FolderPath, FolderPath | None)
    return (
        field is not None
        and field.annotation in texts
        and not is_quoted
        and text not in ("", "null")
    )


def _read_value(text: str) -> Any:
    """Reads a YAML value; one that YAML would take for a value and a comment stays text."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    ignored = text[node.end_mark.index if node else 0 :]
    return text if ignored.strip() else load_yaml(text)


def _explain(entry: Any) -> str:
    key = ".".join(str(part) for part in entry["loc"]) or "the configuration"
    if entry["type"] == "extra_forbidden":
        if replacement := REPLACED.get(key.removeprefix("trainer.")):
            return f"{key}: replaced by trainer.{replacement}"
        return f"{key}: unknown key{_suggest(entry['loc'])}"
    if entry["type"] == "missing":
        return f"{key}: missing; give it in the file or with --set {key}=..."
    if entry["type"] == "model_type":
        return f"{key}: expected keys and values, got {_quote(entry['input'])}"
    reason = entry["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
    if entry["type"] == "tuple_type":
        example = "[{metric: auc, at_least: 0.8}]" if key.endswith("gates") else "[--a, --b=c]"
        reason = f"must be a list, such as {example}"
    return f"{key}: {reason}, got {_quote(entry['input'])}"


def _quote(value: Any) -> str:
    """Quotes a value in bounded length: with YAML's references a short file holds a long one."""
    quotation = reprlib.Repr()
    quotation.maxlevel, quotation.maxstring, quotation.maxother = 2, 200, 200
    return quotation.repr(value)


def _suggest(location: tuple[int | str, ...]) -> str:
    model = _model([str(part) for part in location[:-1]])
    if model is None:
        return ""
    keys = list(model.model_fields)
    nearest = difflib.get_close_matches(str(location[-1]), keys, n=1, cutoff=0.5)
    if nearest:
        prefix = "".join(f"{part}." for part in location[:-1])
        return f"; did you mean {prefix}{nearest[0]}?"
    return f"; known here: {', '.join(keys)}"


def _model(path: Sequence[str]) -> type[BaseModel] | None:
    """Finds the model of the section at a path of keys; None if there is no such section."""
    model: type[BaseModel] | None = Config
    for part in path:
        field = model.model_fields.get(part) if model else None
        model = _section(field.annotation) if field else None
    return model


def _section(annotation: Any) -> type[BaseModel] | None:
    """Finds the model of a section, which may be optional, in a field's annotation."""
    candidates = get_args(annotation) or (annotation,)
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
